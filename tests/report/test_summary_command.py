"""The summary shows recorded sweeps again: the latest, a named one, several side by side, and runs without a parent."""

import io
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipeline.errors import ConfigError
from pipeline.report import tables
from pipeline.report.documents import DOCUMENTS, Contents, title_of
from pipeline.results.sweep_results import SweepResults
from pipeline.stats.summary import Summary
from pipeline.store.sweeps import scalar
from pipeline.store.write import Store
from tests.designs import sweep


@pytest.fixture(scope="module")
def two_sweeps(tmp_path_factory, empty_store):
    """A store with two sweeps, of which the second is faster and has no axis learning_rate; and their run ids."""
    folder = tmp_path_factory.mktemp("two")
    shutil.copy(empty_store, folder / "m.db")
    store = Store(f"sqlite:///{folder}/m.db", "backpropagation")
    first = sweep(learning_rate=[0.5, 5.0], seed=range(2), threshold=[1e-2, 1e-3])
    second = sweep(seed=range(2), threshold=[1e-2, 1e-3])
    ids = []
    for number, results in enumerate((first, second)):
        files = folder / str(number)
        files.mkdir()
        tables.storable(results).to_parquet(files / "results.parquet")
        (files / "config.yaml").write_text("task: {name: seed_example}\nlearning_rate: 0.5\n")
        parent = store.begin("sweep", "sweep", {"axes": "some"}, {"command": "python -m pipeline.train"})
        store.log_files(parent, files)
        store.end(parent, "FINISHED")
        ids.append(parent)
    return folder / "m.db", *ids


def test_a_summary_by_axes_is_one_table_in_any_format(two_sweeps, command, folder):
    store, first, _ = two_sweeps
    where = (f"tracking.uri=sqlite:///{store}", f"sweep={first}", "by=[learning_rate,threshold]")
    shown = command("summary", *where)
    assert shown.code == 0, shown.err
    assert "By learning_rate, threshold" in shown.out
    assert "In parentheses: 95 % intervals" in shown.out
    assert command("summary", *where, "format=csv", "output=t.csv").out == "written to t.csv\n"
    assert command("summary", *where, "format=parquet", "output=t.parquet").code == 0
    table = pd.read_csv("t.csv")
    assert len(table) == 4
    assert table["runs"].tolist() == [2] * 4
    pd.testing.assert_frame_equal(table, pd.read_parquet("t.parquet"), check_dtype=False)
    lines = command("summary", *where, "format=markdown").out.splitlines()
    assert "## By learning_rate, threshold" in lines
    assert sum(line.startswith("| ") for line in lines) == 6


def test_only_some_runs_are_shown_in_any_format(two_sweeps, command, folder):
    store, first, _ = two_sweeps
    where = f"tracking.uri=sqlite:///{store}", f"sweep={first}", "where=threshold=0.001 and seed<1", "by=learning_rate"
    shown = command("summary", *where)
    assert shown.code == 0, shown.err
    assert "Only runs with threshold=0.001 and seed<1: 2 of 8; 6 are left out." in " ".join(shown.out.split())
    assert "Only runs with threshold=0.001 and seed&lt;1: 2 of 8" in command("summary", *where, "format=markdown").out
    command("summary", *where, "format=csv", "output=t.csv")
    command("summary", *where, "format=parquet", "output=t.parquet")
    for table in (pd.read_csv("t.csv"), pd.read_parquet("t.parquet")):
        assert table["learning_rate"].tolist() == [0.5, 5.0]
        assert table["runs"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("sed<1", "where=sed<1: sed: unknown column; did you mean seed?"),
        ("__import__('os').system('touch x')", "is not allowed"),
        ("", "where=: must be a condition"),
        ("'seed<1", "cannot be read"),
    ],
)
def test_a_condition_that_is_none_is_refused_in_one_line(condition, said, two_sweeps, command, folder):
    ended = command("summary", f"tracking.uri=sqlite:///{two_sweeps[0]}", f"sweep={two_sweeps[1]}", f"where={condition}")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert said in ended.err
    assert not (folder / "x").exists()


def test_runs_that_are_chosen_by_how_they_ended_are_said_to_be(two_sweeps, command, folder):
    store, first, _ = two_sweeps
    shown = command("summary", f"tracking.uri=sqlite:///{store}", f"sweep={first}", "where='status=converged'", "by=threshold")
    assert "chosen by how they ended (status)" in shown.out


def test_a_table_is_shown_by_its_name_in_any_format(two_sweeps, command, folder):
    results = sweep(learning_rate=[0.5, 5.0], seed=range(2), threshold=[1e-2, 1e-3])
    both = [SweepResults(results, ("learning_rate", "seed", "threshold"), name, run_id=name) for name in "ab"]
    for name in ("paired", "best_settings", "restarts", "grid", "best_values", "sensitivity", "by_setting", "best", "compared"):
        contents = Contents.of(both if name == "compared" else both[:1], table=name, width=200)
        stored = pd.read_parquet(io.BytesIO(DOCUMENTS["parquet"](contents)))
        read = pd.read_csv(io.StringIO(DOCUMENTS["csv"](contents)))
        assert list(stored) == list(read) == list(contents.rows)
        assert len(stored) == len(read) == len(contents.rows) > 0
        for style in ("text", "markdown"):
            assert title_of(name).split("(")[0] in DOCUMENTS[style](contents)
    pairs = command("summary", f"tracking.uri=sqlite:///{two_sweeps[0]}", f"sweep={two_sweeps[1]}", "table=paired",
                    "by=learning_rate", "format=csv").out  # fmt: skip
    assert pairs.splitlines()[1].startswith("learning_rate,0.5,5.0,")
    for arguments, said in (
        ({"table": "held_out"}, "has no rows"),
        ({"table": "compared"}, "compares two sweeps"),
        ({"table": "best", "by": ["threshold"]}, "has no meaning for table=best"),
        ({"by": ["momentum"]}, "is no axis of this sweep; it has learning_rate, seed, threshold"),
        ({"where": "seed>9"}, "holds for none of the 8 runs of a"),
    ):
        with pytest.raises(ConfigError, match=re.escape(said)):
            Contents.of(both[:1], **arguments)


def test_a_condition_may_name_what_was_the_same_in_all_runs_of_a_sweep():
    results = sweep(seed=range(3))
    one = SweepResults(results, ("seed",), "a", configuration={"momentum": 0.9, "initial": {"range": 2}})
    assert Contents.of([one], where="momentum=0.9 and initial.range=2 and seed<2").summary.by()["runs"].tolist() == [2]
    with pytest.raises(ConfigError, match="holds for none"):
        Contents.of([one], where="momentum=0.5")


def test_no_printed_line_is_wider_than_columns_says(two_sweeps, command, folder, monkeypatch):
    where = f"tracking.uri=sqlite:///{two_sweeps[0]}", f"sweep=[{two_sweeps[1]},{two_sweeps[2]}]"
    for width in (60,):
        monkeypatch.setenv("COLUMNS", str(width))
        shown = command("summary", *where)
        assert shown.code == 0, shown.err
        assert max(map(len, shown.out.splitlines())) <= width
    monkeypatch.setenv("COLUMNS", "300")
    assert "Left out" not in command("summary", *where).out


def test_sweeps_stand_side_by_side_and_are_compared(two_sweeps, command, folder):
    store, first, second = two_sweeps
    shown = command("summary", f"tracking.uri=sqlite:///{store}", f"sweep=[{first},{second}]")
    assert shown.code == 0, shown.err
    assert "By threshold, sweep" in shown.out
    assert f"sweep {first[:8]}" in shown.out
    assert "Of 4 runs that both have" in shown.out
    command(
        "summary",
        f"tracking.uri=sqlite:///{store}",
        f"sweep=[{first},{second}]",
        "by=learning_rate",
        "format=csv",
        "output=t.csv",
    )
    table = pd.read_csv("t.csv")
    assert table["learning_rate"].tolist() == [0.5, 5.0]
    assert table["runs"].tolist() == [8, 4]  # the second has no such axis: its configuration says 0.5


def test_a_report_can_be_made_again(two_sweeps, command, folder):
    store, first, _ = two_sweeps
    some = "where=seed<9", "by=[threshold,learning_rate]"
    made = command("summary", f"tracking.uri=sqlite:///{store}", f"sweep={first}", *some, "format=html", "output=r.html")
    assert made.code == 0, made.err
    html = (folder / "r.html").read_text()
    assert "seed_example" in html
    assert "version.numpy" in html
    assert "Only runs with seed&lt;9: 8 of 8; 0 are left out." in html
    assert "By threshold, learning_rate" in html
    assert html.count("<img") >= 4


def test_runs_of_hydras_own_sweeper_are_a_sweep(store, command):
    command("train", "-m", "hydra/sweeper=basic", "learning_rate=0.5,5", "initial=uniform", "seed=1,2", "max_epochs=20",
            "hydra.sweep.dir=out")  # fmt: skip
    for which in ("sweep=runs", "sweep=latest"):
        shown = command("summary", which)
        assert shown.code == 0, shown.err
        assert "runs of backpropagation: 4 runs" in shown.out
        assert "By learning_rate" in shown.out
        assert "0 of 4 runs converged" in shown.out
    assert "is no axis" in command("summary", "by=task").err


def test_what_cannot_be_shown_is_refused_in_one_line(store, command, folder):
    for arguments, said in (
        (("format=html",), "output=null: format=html needs the name of a file"),
        (("format=pdf",), "format=pdf: must be one of"),
        (("sweep=[a,a]",), "sweep=[a,a]: must be"),
        (("sweep=runs",), "there is no finished run without a parent"),
        ((), "there is no finished sweep"),
    ):
        ended = command("summary", *arguments)
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert said in ended.err
    ended = command("summary", "sweep=runs", "tracking.uri=sqlite:///none.db")
    assert "no such store" in ended.err
    assert not (folder / "none.db").exists()


def test_a_file_that_cannot_be_written_is_told_in_one_line(two_sweeps, command, folder):
    ended = command("summary", f"tracking.uri=sqlite:///{two_sweeps[0]}", "output=no/such/folder.txt")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "cannot be written" in ended.err


@pytest.mark.parametrize("style", ["text", "parquet", "html"])
def test_a_failed_write_leaves_the_file_that_was_there(style, two_sweeps, command, folder, disk_full):
    (folder / "out").write_text("before")
    ended = command("summary", f"tracking.uri=sqlite:///{two_sweeps[0]}", "output=out", f"format={style}")
    assert (ended.code, ended.err) == (2, "output=out: cannot be written: No space left on device\n")
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("out", "before")]


def test_the_output_may_be_a_device_or_a_link(two_sweeps, command, folder):
    where = f"tracking.uri=sqlite:///{two_sweeps[0]}", "by=threshold", "format=csv"
    (folder / "link").symlink_to("target")
    assert command("summary", *where, "output=link").code == 0
    assert (folder / "link").is_symlink()
    assert (folder / "target").read_text().startswith("threshold,")
    assert (
        command("summary", *where, "output=/dev/full").err == "output=/dev/full: cannot be written: No space left on device\n"
    )


def test_markdown_cells_end_no_cell_and_open_no_tag():
    table = pd.DataFrame({"a|b": ["x|y", "<img src=x>", "two\nlines"]})
    lines = tables.as_markdown(table).splitlines()
    assert len(lines) == 5
    assert "<" not in "".join(lines)
    assert "x\\|y" in lines[2]


def test_tables_of_any_design_can_be_written(tmp_path):
    results = sweep(**{"learning_rate": [0.5, "[0.5,0.1]"], "a/b": [1, 2]}).assign(run_id="x")
    tables.write_tables(Summary(results), tmp_path)
    assert tables.storable(results)["learning_rate"].tolist() == ["0.5", "0.5", "[0.5,0.1]", "[0.5,0.1]"]
    names = {path.name for path in (tmp_path / "summary").iterdir()}
    assert {"by_learning_rate.csv", "by_a_b.csv", "by_setting.csv", "best.csv", "restarts.csv"} < names
    assert {Path(name).stem for name in names if name.endswith(".csv")} == {
        Path(name).stem for name in names if name.endswith(".parquet")
    }
    assert "summary.txt" in names


def test_params_are_read_as_what_was_written():
    assert [scalar(text) for text in ("0.5", "3", "true", "null", "[1,2]", "xor")] == [0.5, 3, True, None, "[1,2]", "xor"]
