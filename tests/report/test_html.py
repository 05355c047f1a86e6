"""report.html stands alone: valid, self-contained, escaped, bounded, and it says what the tables say."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from pipeline.report.figures.files import write_figures
from pipeline.report.html import MOST_ROWS, flat, order, sections, sentences, size, sortable, values, write_report
from pipeline.stats.summary import Summary
from tests.designs import CONFIGURATION, HOSTILE, USUAL, sweep

VOID = {"meta", "img", "br", "hr", "link", "input"}


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
    return written(folder, results, figures=write_figures(Summary(results), folder / "figures"))


def test_a_report_has_all_its_parts_in_their_order(usual):
    page = Page(usual)
    for text in (
        "From which initial weights", "60 runs: learning_rate (3) × initial.range (2) × seed (5) × threshold (2).",
        "runs converged (",
        "By learning_rate", "By setting", "Share of runs that converged by", "max_epochs", "0.1, 0.5, 5", "IEEE-754",
        "python -m pipeline.train -m study=xor", "2.4.6",
    ):  # fmt: skip
        assert text in page.text, text
    places = [
        page.text.index(f"\n{title}\n") for title in ("Question", "Answer", "Tables", "Figures", "Configuration", "Versions")
    ]
    assert places == sorted(places)


def test_a_report_is_one_file_that_loads_nothing(usual):
    page = Page(usual)
    assert usual.startswith("<!doctype html>")
    assert "default-src 'none'" in next(tag["content"] for tag in page.all("meta") if tag.get("http-equiv"))
    assert not page.all("link")
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", usual)
    assert len(page.all("img")) == 6
    for image in page.all("img"):
        assert len(image["alt"]) > 40
        drawn = base64.b64decode(image["src"].partition("base64,")[2]).decode()
        assert not re.search(r'(?:href|src)="https?:|url\(http', drawn)
        assert int(image["width"]) > int(image["height"]) * 0.5 > 50


def test_ids_are_unique_and_headings_have_no_gaps(usual):
    page = Page(usual)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes[name] for _, attributes in page.tags for name in attributes if name == "aria-labelledby"} <= set(ids)
    assert len(page.all("h1")) == 1


def test_what_is_hostile_is_shown_and_does_nothing(tmp_path):
    results = sweep(**{HOSTILE: [HOSTILE, "{{ 7 * 7 }}"], "seed": range(2)})
    html = written(
        tmp_path, results, configuration={HOSTILE: HOSTILE}, environment={HOSTILE: HOSTILE}, command=HOSTILE, title=HOSTILE,
        figures={},
    )  # fmt: skip
    page = Page(html)
    assert len(page.all("script")) == 1
    assert HOSTILE in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "<script>alert" not in html


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
    assert [numeric for _, numeric in table["columns"]] == [False, True, True, True]
    assert [text for text, _ in table["rows"][0]] == ["a", "1,000", "50%", "not reached"]
    assert [number for _, number in table["rows"][0]] == ["a", "1000", "0.5", "Infinity"]
    assert order(float("nan")) == "NaN"


def test_intervals_stand_in_the_cell_of_their_number():
    table = sortable(
        "",
        pd.DataFrame(
            {
                "rate": [0.5],
                "rate_low": [0.25],
                "rate_high": [0.75],
                "ert": [10.0],
                "ert_low": [5.0],
                "ert_high": [float("inf")],
            }
        ),
    )
    assert [name for name, _ in table["columns"]] == ["rate", "ert"]
    assert [text for text, _ in table["rows"][0]] == ["50% (25%–75%)", "10 (5–∞)"]


def test_statuses_in_which_no_run_ended_are_left_out():
    table = sortable("", pd.DataFrame({"converged": [0], "stationary": [0], "exhausted": [3], "diverged": [0]}))
    assert [name for name, _ in table["columns"]] == ["converged", "exhausted"]


def test_long_tables_and_large_pictures_are_bounded(tmp_path):
    results = sweep(learning_rate=range(1, 300))
    html = written(tmp_path, results)
    assert f"The first {MOST_ROWS} of 299 rows." in html
    assert html.count("<tr>") < 300
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
    assert sentences("One 0.5. Two. Three. Four.") == ["One 0.5.", "Two.", "Three. Four."]
