"""What is printed fits a terminal: 80 columns or as many as it has, and what does not fit is said."""

import re
import shlex
import unicodedata

import numpy as np
import pandas as pd
import pytest

from pipeline.report.named_tables import TABLES, table_of
from pipeline.report.tables import report, write_tables
from pipeline.report.text_tables import Page, without_zeros
from pipeline.results.spool import OWN
from pipeline.stats.summary import Summary
from tests.designs import sweep

# as the default study, and as many axes with long names and values as one may have
DEFAULT = {
    "learning_rate": [1, 3.16, 10, 31.6, 100, 316, 1000], "initial.range": [0.5, 1, 2, 4], "seed": range(10),
    "threshold": [1e-2, 1e-3, 1e-5],
}  # fmt: skip
WIDE = {
    "network.hidden": ["[16,16,16,16,16]", "[2]"], "network.activation": ["sigmoid", "tanh"], "momentum": [0.0, 0.9],
    "task.path": ["/a/very/long/path/to/a/table/of/iris.csv", "b.csv"], "initial.range": [0.5, 1.0], "seed": range(3),
    "learning_rate": ["[0.5,0.25,0.125]", "0.5"],
}  # fmt: skip
ORIGIN = {
    "command": "python -m pipeline.train -m study=convergence 'task.path=/a b/c d.csv' max_epochs=20000 update=batch,online"
}


def columns_of(line: str) -> int:
    """How many columns of a terminal a line takes, by Unicode's own table."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line
    )


@pytest.fixture(scope="module")
def default():
    return Summary(sweep(**DEFAULT).assign(horizon=1000))


@pytest.mark.parametrize("width", [60, 80, 132])
@pytest.mark.parametrize("axes", [DEFAULT, WIDE], ids=["default", "wide"])
def test_no_line_of_a_report_is_longer_than_the_terminal(axes, width, default):
    summary = default if axes is DEFAULT else Summary(sweep(**axes))
    for line in report(summary, width, **ORIGIN).splitlines():
        assert columns_of(line) <= width or len(line.split()) == 1, line  # a word that is longer has its own line


def test_the_default_study_is_read_on_two_screens_with_the_answer_first(default):
    text = report(default, **ORIGIN)
    assert len(text.splitlines()) <= 80
    best, tables, left = map(text.index, ("costs least with", "\nBy learning_rate\n", "\nLeft out to fit 80 columns"))
    assert text.startswith("Asked: ")
    assert best < tables < left
    assert "COLUMNS=200" in text
    assert "the files in summary/ have all" in re.sub(r"\s+", " ", text)
    assert "Left out to fit" not in report(default, None, **ORIGIN)


def test_a_command_in_several_lines_is_the_same_to_a_shell():
    command = "python -m pipeline.train -m 'task.path=/a b/c d.csv' learning_rate=0.5,1,2,5,10 'seed=range(1000,1100)'"
    folded = Page(60).prose(command)
    assert len(folded.splitlines()) > 1
    assert shlex.split(folded.replace("\\\n", " ")) == shlex.split(command)
    assert all(line.endswith(" \\") for line in folded.splitlines()[:-1])


def test_columns_are_aligned_whatever_the_script():
    table = pd.DataFrame({"task.name": ["学習率データ", "ab", "éà\u0301x", "😀"], "runs": [1, 22, 333, 4444]})
    lines = Page(80).table(table).splitlines()
    assert len({columns_of(line) for line in lines}) == 1
    assert columns_of(lines[0]) == len("学習率データ") * 2 + 2 + len("4,444")


def test_no_escape_sequence_of_others_reaches_the_terminal():
    hostile = "\x1b[2J\x1b]0;title\x07\u202e"
    table = sweep(**{hostile: [hostile, "b"], "momentum": [0.1, 0.2], "seed": range(3)})
    for width in (None, 80, 41):
        assert all(line.isprintable() for line in report(Summary(table), width).split("\n"))
    assert all(line.isprintable() for line in Page(41).table(table.head()).split("\n"))


def test_columns_in_which_all_is_zero_are_left_out_without_a_word():
    table = Summary(sweep(learning_rate=[0.5, 5.0], seed=range(4))).by("learning_rate")
    assert table["diverged"].sum() == table["stationary"].sum() == 0
    shown = Page(None).table(table)
    assert "diverged" not in shown
    assert "stationary" not in shown
    never = table.assign(converged=0)
    assert "converged" in without_zeros(never)
    page = Page(200)
    page.table(table)
    assert "diverged" not in page.left_out


def test_what_is_left_out_is_named_and_what_stays_is_the_most_important():
    table = Summary(sweep(learning_rate=[0.5, 5.0], seed=range(4))).by("learning_rate")
    page = Page(48)
    names = page.table(table).splitlines()[0].split()
    assert names[:3] == ["learning_rate", "runs", "rate"]
    assert {"q1", "q3", "restricted_mean"} <= set(page.left_out)
    assert not set(names) & set(page.left_out)
    wide = Page(None)
    assert "restricted_mean" in wide.table(table)
    assert not wide.left_out


def test_an_interval_stands_in_the_cell_of_its_number_and_none_without_replication():
    table = pd.DataFrame(
        {
            "runs": [10, 10, 10], "rate": [0.5, 1.0, 0.25], "rate_low": [0.24, 0.72, np.nan], "rate_high": [0.76, 1.0, np.nan],
            "ert": [1234.5, 10.0, np.inf], "ert_low": [1000.0, 9.0, np.nan], "ert_high": [np.inf, 11.0, np.nan],
        }
    )  # fmt: skip
    page = Page(80)
    lines = page.table(table).splitlines()
    assert lines[0].split() == ["runs", "rate", "ert"]
    assert "50% (24–76%)  1,234 (1,000–∞)" in lines[1]
    assert "25%" in lines[3]
    assert "(" not in lines[3]
    assert page.intervals
    assert "nan" not in "".join(lines)


def test_rows_told_apart_by_more_than_a_line_holds_have_lines_of_their_own():
    table = Summary(sweep(**WIDE)).by(*[axis for axis in WIDE if axis != "seed"])
    lines = Page(80, rows=2).table(table).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("network.hidden=") for line in lines) == 2
    assert lines[-1] == f"… and {len(table) - 2} more rows"


def test_every_table_is_kept_as_csv_as_parquet_and_as_text(default, tmp_path):
    write_tables(default, tmp_path)
    folder = tmp_path / "summary"
    text = (folder / "summary.txt").read_text()
    for name, (title, _) in TABLES.items():
        table = table_of(default, name)
        if name in ("starts", "held_out", "causes", "causes_by_setting", "first_steps"):  # nothing is known of them here
            assert table.empty
            continue
        read, stored = pd.read_csv(folder / f"{name}.csv"), pd.read_parquet(folder / f"{name}.parquet")
        assert list(read) == list(stored) == list(table)
        assert len(read) == len(stored) == len(table) > 0
        assert f"{title}: {name}\n" in text
    for axis in ("learning_rate", "initial.range", "threshold"):
        pd.testing.assert_frame_equal(pd.read_parquet(folder / f"by_{axis}.parquet"), default.by(axis), check_dtype=False)


def test_kept_tables_are_files_that_are_known_to_be_this_programs():
    for name in TABLES:
        for kind in ("csv", "parquet"):
            assert OWN.fullmatch(f"artifacts/summary/{name}.{kind}")
    assert OWN.fullmatch("artifacts/figures/cost_by_initial.range.svg")
    assert not OWN.fullmatch("artifacts/summary/own.csv")
    assert not OWN.fullmatch("artifacts/summary/../best.csv")
