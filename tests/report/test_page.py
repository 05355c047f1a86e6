"""report.html stands alone: valid, self-contained, escaped, bounded, and it says what the tables say."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.report.figures.files import write_figures
from pipeline.report.page import sections, write_report
from pipeline.report.page.cells import MOST_CELLS, choices, labels
from pipeline.report.page.configuration import flat, values
from pipeline.report.page.curves import MOST_CURVES, MOST_POINTS
from pipeline.report.page.explorer import bokeh_script, explorer, ink, luminance, models, new_models, palette
from pipeline.report.page.glossary import MEANINGS
from pipeline.report.page.pictures import MOST_TOGETHER, heading, images, size
from pipeline.report.page.tables import MOST_ROWS, order, sortable
from pipeline.stats.summary import Summary
from tests.designs import CONFIGURATION, HOSTILE, USUAL, Listed, curves_of, sweep

VOID = {"meta", "img", "br", "hr", "link", "input", "wbr"}


class Page(HTMLParser):
    """Checks that tags are balanced; collects them, and the text outside of style and script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text += data

    def all(self, tag) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def part(html: str, name: str) -> dict:
    """What the page's script reads under that id."""
    return json.loads(re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', html, re.DOTALL)[1])


def written(folder: Path, results: pd.DataFrame, **changes) -> str:
    """The report as text."""
    arguments = {
        "configuration": CONFIGURATION,
        "figures": {},
        "environment": {"version.numpy": "2.4.6", "cpu": "a processor"},
        "command": "python -m pipeline.train -m study=xor",
        "title": "xor",
        **changes,
    }
    write_report(folder / "report.html", Summary(results), **arguments)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def usual(tmp_path_factory) -> str:
    """The report of a usual sweep, with its figures."""
    folder, results = tmp_path_factory.mktemp("usual"), sweep(**USUAL)
    summary = Summary(results)
    return written(folder, results, figures=write_figures(summary, folder / "figures"), curves=curves_of(results))


def test_a_report_has_all_its_parts_in_their_order(usual):
    page = Page(usual)
    for text in (
        "From which initial weights", "60 runs: learning_rate (3) × initial.range (2) × seed (5) × threshold (2).",
        "runs converged (",
        "By learning_rate", "By setting", "Share of runs that converged by", "max_epochs", "0.1, 0.5, 5", "IEEE-754",
        "python -m pipeline.train -m study=xor", "2.4.6",
    ):  # fmt: skip
        assert text in page.text, text
    titles = ["Answer", "Look into it", "Tables", "Figures", "Comparisons", "Configuration", "Glossary", "Versions"]
    after = page.text.index("\nVersions\n") + 1  # the contents
    places = [page.text.index(f"\n{title}\n", after) for title in titles]
    assert places == sorted(places)
    targets = [link["href"].removeprefix("#") for link in page.all("a")]
    assert targets == [tag["id"] for tag in page.all("h2")]


def test_a_report_is_one_file_that_loads_nothing(usual):
    page = Page(usual)
    assert usual.startswith("<!doctype html>")
    policy = next(tag["content"] for tag in page.all("meta") if tag.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    assert not page.all("link")
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            assert attributes.get(name, "data:").startswith(("data:", "#")), (tag, attributes)
    own = usual.replace(bokeh_script(), "")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|localStorage|cookie|eval\(|Function\(|https?:", own)
    assert len(page.all("img")) >= 6
    for image in page.all("img"):
        assert len(image["alt"]) > 40
        drawn = base64.b64decode(image["src"].partition("base64,")[2])
        assert not re.search(rb'(?:href|src)="https?:|url\(http', drawn)
        assert int(image["width"]) > int(image["height"]) * 0.5 > 50


def test_a_report_has_bokeh_once_and_is_small(usual):
    assert usual.count(bokeh_script()) == 1
    assert len(bokeh_script().encode()) < 2 * 2**20
    assert len(usual.encode()) < 4 * 2**20


def test_ids_are_unique_and_headings_have_no_gaps(usual):
    page = Page(usual)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes[name] for _, attributes in page.tags for name in attributes if name == "aria-labelledby"} <= set(ids)
    assert len(page.all("h1")) == 1


def test_what_is_hostile_is_shown_and_does_nothing(tmp_path):
    results = sweep(**{HOSTILE: [HOSTILE, "{{ 7 * 7 }}", "</script><!--"], "learning_rate": [1.0, 5.0], "seed": range(2)})
    html = written(
        tmp_path, results, configuration={HOSTILE: HOSTILE}, environment={HOSTILE: HOSTILE}, command=HOSTILE, title=HOSTILE,
        figures={}, curves=curves_of(results),
    )  # fmt: skip
    page = Page(html)
    assert len(page.all("script")) == 5  # sorting, Bokeh and explorer; data and models
    assert HOSTILE in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "<script>alert" not in html
    assert html.lower().count("</script") == 5
    data = part(html, "explorer-data")
    assert {axis["name"] for axis in data["axes"]} == {HOSTILE, "learning_rate"}
    assert "</script><!--" in next(axis["values"] for axis in data["axes"] if axis["name"] == HOSTILE)


def test_where_runs_are_stored_is_not_told(tmp_path):
    assert "secret" not in written(tmp_path, sweep(learning_rate=[1.0, 2.0]))


def test_swept_keys_are_shown_with_their_values_and_not_with_the_default(tmp_path):
    parts = sections(Summary(sweep(learning_rate=[1.0, 2.0])), CONFIGURATION, {}, {}, "")
    configuration = next(part for part in parts if part["title"] == "Configuration")
    assert dict(configuration["pairs"])["learning_rate"] == "1, 2"
    assert [key for key, _ in configuration["pairs"]] == [
        "learning_rate",
        "task.name",
        "task.coding",
        "network.hidden",
        "max_epochs",
    ]


def test_tables_hold_what_they_are_sorted_by():
    table = sortable(
        "By axis", pd.DataFrame({"axis": ["a", "b"], "runs": [1000, 2], "rate": [0.5, 1.0], "ert": [float("inf"), 1234.56]})
    )
    assert [numeric for _, numeric in table.columns] == [False, True, True, True]
    assert [cell.text for cell in table.rows[0]] == ["a", "1,000", "50%", "not reached"]
    assert [cell.order for cell in table.rows[0]] == ["0", "1000", "0.5", "Infinity"]
    assert order(float("nan")) == "NaN"


def test_texts_sort_by_their_numbers():
    lists = ["[2]", "[16]", "[2,4]", "[0.5]", "[1e-3]", "tanh", "-1", "[10]"]
    table = sortable("", pd.DataFrame({"network.hidden": lists}))
    places = {row[0].text: int(row[0].order) for row in table.rows}
    assert sorted(places, key=places.get) == ["-1", "[1e-3]", "[0.5]", "[2]", "[2,4]", "[10]", "[16]", "tanh"]


def test_intervals_stand_in_the_cell_of_their_number():
    inf, nan = float("inf"), float("nan")
    table = sortable(
        "",
        pd.DataFrame(
            {
                "rate": [0.5, 0.5], "rate_low": [0.25, nan], "rate_high": [0.75, nan],
                "ert": [10.0, 10.0], "median": [1.0, 2.0], "ert_low": [5.0, nan], "ert_high": [inf, nan],
                "ert_high_seen": [12.0, nan],
            }
        ),
    )  # fmt: skip
    assert [name for name, _ in table.columns] == ["rate", "ert", "ert_high_seen", "median"]
    assert [(cell.text, cell.interval) for cell in table.rows[0]] == [
        ("50%", "25%–75%"), ("10", "5–∞"), ("12", ""), ("1", ""),
    ]  # fmt: skip
    assert [cell.interval for cell in table.rows[1]] == ["", "", "", ""]  # nothing was repeated: no interval


def test_statuses_in_which_no_run_ended_are_left_out():
    table = sortable("", pd.DataFrame({"converged": [0], "stationary": [0], "exhausted": [3], "diverged": [0]}))
    assert [name for name, _ in table.columns] == ["converged", "exhausted"]


def test_the_glossary_has_every_column_of_every_table(tmp_path):
    results = sweep(**USUAL)
    parts = {part["title"]: part for part in sections(Summary(results), CONFIGURATION, {}, {}, "")}
    shown = {
        name
        for title in ("Tables", "Comparisons", "All settings")
        for table in parts[title]["tables"]
        for name, _ in table.columns
    }
    explained = {word for words, _ in parts["Glossary"]["glossary"] for word in words.split(", ")}
    assert shown - explained <= {*results.columns, "axis", "with_axis", "first", "second", "pairs", "best", "step", "value"}
    assert "stationary" not in explained
    assert all(meaning for meaning in MEANINGS.values())


def test_long_tables_and_large_pictures_are_bounded(tmp_path):
    results = sweep(learning_rate=range(1, 300))
    html = written(tmp_path, results)
    assert f"The first {MOST_ROWS} of 299 rows." in html
    assert html.count("<tr>") < 1000
    figure = tmp_path / "large.svg"
    figure.write_text('<svg width="72pt" height="36pt">' + " " * 500_000 + "</svg>")
    figure.with_suffix(".png").write_bytes(b"small")
    html = written(tmp_path, results, figures={figure: "a large one"})
    assert 'src="data:image/png;base64,' in html
    assert 'width="96" height="48"' in html


def test_a_picture_without_a_size_is_refused(tmp_path):
    (tmp_path / "a.svg").write_text("<svg></svg>")
    with pytest.raises(ValueError, match="without width"):
        size(tmp_path / "a.svg")


@pytest.mark.parametrize(
    "results",
    [
        sweep(learning_rate=[0.5]),
        sweep(seed=range(3)),
        sweep(threshold=[1e-2, 1e-3]),
        sweep(learning_rate=[1.0, 2.0]).assign(status="exhausted", epochs=1000),
        sweep(learning_rate=[1.0, 2.0]).assign(status="converged", epochs=0),
        sweep(**{f"axis_{number}": [1, 2] for number in range(12)}),
        sweep(learning_rate=[1.0]).head(0),
    ],
    ids=["one run", "seeds only", "thresholds only", "nothing converged", "all at epoch 0", "12 axes", "no runs"],
)
def test_every_design_has_a_report(tmp_path, results):
    page = Page(written(tmp_path, results))
    assert f"{len(results):,} run" in page.text


def test_the_same_sweep_gives_the_same_report(tmp_path):
    (tmp_path / "again").mkdir()
    assert written(tmp_path, sweep(**USUAL)) == written(tmp_path / "again", sweep(**USUAL))


def test_small_things_are_written_for_people():
    assert list(flat({"a": {"b": 1e-3, "c": {}}, "d": [1, None]})) == [("a.b", "0.001"), ("a.c", "{}"), ("d", "[1,null]")]
    assert values(Summary(pd.DataFrame({"a": range(20)})), "a") == "0, 1, 2, 3, 4, …, 18, 19 (20)"
    assert heading("Share of runs by a (up): 4 runs. More.") == "Share of runs by a"
    assert heading("A share of 0.5 here. More") == "A share of 0.5 here"
    assert heading(f"A, b {'c' * 90}: more") == "A"


def test_pictures_together_are_bounded(tmp_path):
    figures = {}
    for number in range(12):
        figure = tmp_path / f"{number}.svg"
        figure.write_text('<svg width="72pt" height="36pt">' + " " * 300_000 + "</svg>")
        figure.with_suffix(".png").write_bytes(b"p" * 100_000)
        figures[figure] = "caption"
    found = list(images(figures))
    assert len(found) == 12
    assert {image.source[:14] for image in found} == {"data:image/svg", "data:image/png"}
    assert sum(len(image.source) for image in found) * 3 / 4 < MOST_TOGETHER + 1_000


def test_cells_are_those_of_the_tables(usual):
    summary, data = Summary(sweep(**USUAL)), part(usual, "explorer-data")
    names = [axis["name"] for axis in data["axes"]]
    assert names[-1] == "threshold"
    assert set(data["groupings"]) == {"0,1,2", "0,2", "1,2", "2"}
    for chosen, cells in data["groupings"].items():
        axes = [names[int(number)] for number in chosen.split(",")]
        table = summary.by(*axes)
        assert cells["runs"] == [f"{one}/{all_of}" for one, all_of in table[["converged", "runs"]].to_numpy()]
        for axis, codes in zip(axes, cells["codes"], strict=True):
            assert [summary.values(axis)[code] for code in codes] == table[axis].tolist()
        for measure in ("rate", "median", "ert"):
            finite = np.isfinite(table[measure].to_numpy()) & (table["converged"].to_numpy() > 0)
            assert [colour >= 0 for colour in cells["colour"][measure]] == finite.tolist()
            assert max(cells["colour"][measure]) < 256


def test_thresholds_are_never_pooled():
    assert list(choices(["a", "b", "threshold"])) == [(0, 1, 2), (0, 2), (1, 2), (2,)]
    assert list(choices(["a"])) == [(0,)]


def test_texts_in_cells_stand_out_from_every_colour():
    for colour in {*palette(False), *palette(True), "#d4d8dd"}:
        light, dark = sorted((luminance(colour), luminance(ink(colour))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, colour


def test_labels_are_short_and_tell_values_apart():
    assert labels([0.1, 1000.0, True, "tanh"]) == ["0.1", "1,000", "True", "tanh"]
    assert labels([0.123456, 0.123457]) == ["0.123456", "0.123457"]
    assert labels(["x" * 30 + "a", "x" * 30 + "b"]) == ["x" * 17 + "… (1)", "x" * 17 + "… (2)"]


def test_a_large_sweep_keeps_few_cells_and_few_curves():
    results = sweep(learning_rate=range(1, 61), momentum=range(40), **{"initial.range": [1, 2]}, seed=range(3))
    summary = Summary(results)
    curve = np.arange(500), np.linspace(1, 0.1, 500)
    data = explorer(summary, Listed([curve] * len(results)), True)["data"]
    assert sum(len(cells["runs"]) for cells in data["groupings"].values()) <= MOST_CELLS
    assert 100 < len(data["curves"]) <= MOST_CURVES
    assert max(len(one["x"]) for one in data["curves"]) <= MOST_POINTS
    assert data["curves"][0]["x"][0] == 1
    assert data["curves"][0]["x"][-1] == 499
    assert len(json.dumps(data)) < 1_500_000


def test_a_cells_curves_are_its_own_and_measured(usual):
    results = sweep(**USUAL)
    kept, axes = part(usual, "explorer-data")["curves"], part(usual, "explorer-data")["axes"]
    assert len(kept) == 3 * 2 * 5  # each start of each setting, at the lowest threshold
    for one in kept:
        assigned = {axis["name"]: float(axis["values"][code]) for axis, code in zip(axes[:-1], one["codes"], strict=True)}
        rows = results[(results["threshold"] == 1e-3) & (results["seed"] == int(one["label"].removeprefix("seed=")))]
        row = rows[(rows[list(assigned)] == list(assigned.values())).all(axis=1)].iloc[0]
        assert one["end"].startswith(f"{row['status']} after {row['epochs']:,} epoch")
        assert one["converged"] == (row["status"] == "converged")
        assert one["x"][-1] == max(2, row["epochs"])


def test_curves_have_only_points_that_logarithmic_axes_can_show():
    results = sweep(learning_rate=[1.0, 2.0])
    curve = np.array([0, 1, 2, 3, 4]), np.array([0.5, 0.25, np.inf, np.nan, 0.0])
    [one, _] = explorer(Summary(results), Listed([curve] * 2), True)["data"]["curves"]
    assert (one["x"], one["y"]) == ([1], [0.25])


def test_where_only_starts_vary_there_is_nothing_to_look_into(tmp_path):
    html = written(tmp_path, sweep(seed=range(3)))
    assert "Look into it" not in html
    assert "Bokeh" not in html


def test_thresholds_of_another_criterion_are_not_drawn_on_the_error_axis():
    summary = Summary(sweep(learning_rate=[1.0, 2.0], threshold=[1e-2, 1e-3]))
    assert explorer(summary, None, True)["data"]["goals"] == [1e-3, 1e-2]
    for configuration, goals in (({"criterion": "worst_output"}, []), ({"criterion": "total_error"}, [1e-3, 1e-2])):
        parts = {part["title"]: part for part in sections(summary, configuration, {}, {}, "")}
        assert parts["Look into it"]["explorer"]["data"]["goals"] == goals


def test_the_models_do_not_depend_on_what_was_drawn_before():
    first = json.dumps(new_models())
    assert json.dumps(new_models()) == first
    assert '"CustomJS' not in first


def test_the_models_are_made_once_for_all_reports_and_again_where_the_kept_ones_are_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("BACKPROP_CACHE_DIR", str(tmp_path))
    made = []
    monkeypatch.setattr("pipeline.report.page.explorer.new_models", lambda: made.append(1) or {"map": 0.1})
    try:
        for damaged, times in ((False, 1), (False, 1), (True, 2), (False, 2)):
            for file in tmp_path.rglob("*.models") if damaged else ():
                file.write_bytes(file.read_bytes()[:-1])
            models.cache_clear()
            assert models() == {"map": 0.1}
            assert len(made) == times
        monkeypatch.setattr("bokeh.__version__", "another")
        models.cache_clear()
        assert models() == {"map": 0.1}
        assert len(made) == 3
    finally:
        models.cache_clear()
