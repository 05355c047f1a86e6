"""Every sentence of an answer says what the tables beside it say, and is true of the population as often as it claims."""

import re
from functools import lru_cache

import numpy as np
import pytest

from pipeline.backprop.status import STATUSES
from pipeline.errors import as_override
from pipeline.report.answer import answer
from pipeline.report.numbers import in_short, percent
from pipeline.stats.summary import Summary
from tests.known_sweeps import known_sweep

SOME, MANY = range(25), range(200)
BOTH = pytest.mark.parametrize("numbers", [SOME, pytest.param(MANY, marks=pytest.mark.slow)], ids=["some", "many"])
COMMAND = "python -m pipeline.train -m 'momentum=0.5,0.9' task=xor"

SHARE = re.compile(
    r"^(?P<converged>[\d,]+) of (?P<runs>[\d,]+) runs? converged \((?P<rate>[^;)]+)"
    r"(?:; 95% interval (?P<low>[^;)]+?) to (?P<high>[^;)]+))?"
    r"(?:; [\d,]+ runs? from (?P<starts>[\d,]+) starts? say as much as (?P<effective>[\d,]+) independent ones?)?\)"
)
LEAST = re.compile(r"^(?:At threshold (?P<threshold>\S+) a|A) success costs (?:least with (?P<setting>.+?): )?(?P<ert>\S+) epochs")
COUNTED = r"\((?P<converged>[\d,]+) of (?P<runs>[\d,]+) runs? converged"
INTERVAL = r"95% interval (?P<low>\S+) to (?P<seen>.+?) of .+?; allowing for failures not seen, up to (?P<high>.+?)\)"
NEXT = re.compile(r"Next is (?P<setting>.+?) with (?P<ert>[\d.,e+]+)\.")
LEFT = re.compile(r"(?P<left>[\d,]+) of (?P<total>[\d,]+) settings are not ruled out as the best\.")
ALONE = re.compile(r"(?:All (?P<others>[\d,]+) others are|The other is) ruled out as the best\.")
EDGE = re.compile(r"The best (\S+) is the (smallest|largest) tried \((.+?)\)")
EDGE_LEFT = re.compile(r"the (smallest|largest) (\S+) tried \((.+?)\)")
SHAPE = re.compile(r"(falls and then rises|rises and then falls|falls|rises) with (\S+?)(?=[,.]| and )")
DEARER = re.compile(r"(\S+?)=(.+?) costs less than \1=(.+?)(?=[.,] ?| and )")
FAILED = re.compile(r"(\S.*?) of this cost is runs that did not converge")
RESTART = re.compile(r"given up after ([\d,]+) epochs? .* costs ([\d.,e+]+), (.+?) less \(")


def number(text: str) -> float:
    """A number as a sentence has it."""
    return np.inf if text == "any number" else float(text.replace(",", ""))


@lru_cache(maxsize=256)
def answered(which: int):
    """A sweep with known truth, its summary and its answer."""
    known = known_sweep(which)
    summary = Summary(known.results)
    return known, summary, answer(summary, COMMAND)


def found(sentences, pattern):
    """The match of a pattern in the first sentence that has one."""
    return next((match for text in sentences if (match := re.compile(pattern).search(text))), None)


def main_rows(summary):
    """The settings at the lowest threshold that was reached, cheapest first, and that threshold."""
    rows = summary.best_settings
    for threshold in summary.thresholds[::-1]:
        mine = rows[rows["threshold"] == threshold] if "threshold" in rows else rows
        if np.isfinite(mine["ert"]).any():
            return mine.sort_values(["ert", "best"], ascending=[True, False]).reset_index(drop=True), threshold
    return rows.head(0), None


def written(row, axes):
    """A setting as a sentence has it."""
    return " ".join(f"{axis}={as_override(row[axis])}" for axis in axes if axis != "threshold")


def varying(summary):
    return [axis for axis in summary.settings if summary.size(axis) > 1]


@BOTH
def test_the_share_is_that_of_the_table(numbers):
    for which in numbers:
        _, summary, sentences = answered(which)
        total, said = summary.by().loc[0], SHARE.search(sentences[1])
        assert (number(said["converged"]), number(said["runs"])) == (total["converged"], total["runs"])
        assert said["rate"] == percent(total["rate"])
        for status in STATUSES[1:]:
            assert (f"{total[status]:,} {status}" in sentences[1]) == (total[status] > 0)
        assert (said["low"] is None) == (not summary.replicated)
        if summary.replicated:
            assert (said["low"], said["high"]) == (percent(total["rate_low"]), percent(total["rate_high"]))
        if said["effective"]:
            assert number(said["starts"]) == total["starts"]
            assert abs(number(said["effective"]) - total["effective_runs"]) <= 0.5


@BOTH
def test_the_best_setting_is_that_of_the_table(numbers):
    for which in numbers:
        _, summary, sentences = answered(which)
        rows, threshold = main_rows(summary)
        said = found(sentences, LEAST)
        assert (said is None) == (not len(rows)), sentences
        if said is None:
            continue
        best, text = rows.iloc[0], said.string
        assert said["threshold"] == (as_override(threshold) if "threshold" in varying(summary) else None)
        assert (said["setting"] or "") == written(best, varying(summary))
        assert said["ert"] == in_short(best["ert"])
        counted, interval = re.search(COUNTED, text), re.search(INTERVAL, text)
        assert (number(counted["converged"]), number(counted["runs"])) == (best["converged"], best["runs"])
        assert (interval is None) == (not summary.replicated)
        if interval:
            for name, column in (("low", "ert_low"), ("seen", "ert_high_seen"), ("high", "ert_high")):
                wanted = best[column]
                assert interval[name] == (in_short(wanted) if np.isfinite(wanted) else "any number")
        check_rivals(rows, text, summary)


def check_rivals(rows, text, summary):
    """The settings that cost as much, the next one, and how many are not ruled out."""
    least = rows["ert"].iloc[0]
    equal = int((rows["ert"] == least).sum())
    assert ("settings cost the same" in text) == (equal == len(rows) > 1)
    assert ("Exactly as much costs" in text) == (1 < equal < len(rows))
    later = rows[np.isfinite(rows["ert"]) & (rows["ert"] > least)]
    said = NEXT.search(text)
    assert (said is None) == (not len(later))
    if said:
        assert said["ert"] == in_short(later["ert"].iloc[0])
        assert said["setting"] in [written(row, varying(summary)) for _, row in later[later["ert"] == later["ert"].iloc[0]].iterrows()]
    left, alone = LEFT.search(text), ALONE.search(text)
    if not summary.replicated or len(rows) == 1:
        assert left is alone is None
    elif rows["remains"].sum() == 1:
        assert left is None
        assert number(alone["others"] or "1") == len(rows) - 1
    else:
        assert (number(left["left"]), number(left["total"])) == (rows["remains"].sum(), len(rows))


@BOTH
def test_every_other_threshold_has_its_numbers(numbers):
    for which in numbers:
        _, summary, sentences = answered(which)
        if "threshold" not in varying(summary):
            continue
        rows, main = main_rows(summary)
        for threshold in summary.thresholds:
            mine = summary.best_settings.query("threshold == @threshold").sort_values(["ert", "best"], ascending=[True, False])
            text = as_override(threshold)
            if not len(rows) or threshold == main:
                continue
            if not np.isfinite(mine["ert"].iloc[0]):
                assert f"t threshold {text} no run converged" in " ".join(sentences) or f"at threshold {text}: no run" in " ".join(sentences)
                continue
            part = re.search(rf"at threshold {re.escape(text)}: (.*?)(?:; at threshold|\.$)", found(sentences, "^The least cost of a success ").string)[1]
            assert f"{in_short(mine['ert'].iloc[0])} epochs" in part
            if summary.replicated and len(mine) > 1:
                assert part.endswith(f"{mine['remains'].sum()} of {len(mine)} settings not ruled out")


@BOTH
def test_ends_of_axes_are_named_where_the_table_has_them(numbers):
    for which in numbers:
        _, summary, sentences = answered(which)
        rows, _ = main_rows(summary)
        text = " ".join(sentences)
        best = {(axis, word, value) for axis, word, value in EDGE.findall(text)}
        left = {(axis, word, value) for word, axis, value in EDGE_LEFT.findall(text)}
        assert best == ends(rows.head(1), rows)
        assert left == (ends(rows[rows["remains"]], rows) - best if summary.replicated and len(rows) else set())


def ends(some, rows):
    """The ends of numeric axes with three values at least at which some rows lie."""
    ends = set()
    for axis in ("learning_rate", "initial.range", "momentum"):
        if len(rows) and axis in rows and rows[axis].nunique() >= 3:
            for word, value in (("smallest", rows[axis].min()), ("largest", rows[axis].max())):
                if (some[axis] == value).any():
                    ends.add((axis, word, as_override(value)))
    return ends


@BOTH
def test_the_cost_of_failures_is_that_of_the_runs(numbers):
    for which in numbers:
        known, summary, sentences = answered(which)
        rows, _ = main_rows(summary)
        said = found(sentences, FAILED)
        if not len(rows):
            assert said is None
            continue
        runs = known.results
        for axis in summary.settings:
            runs = runs[runs[axis] == rows[axis].iloc[0]]
        failed = runs.loc[runs["status"] != "converged", "epochs"].sum() / runs["epochs"].sum()
        assert (said[1] if said else "0%") == percent(failed)


@BOTH
def test_no_shape_is_claimed_that_no_test_shows(numbers):
    for which in numbers:
        _, summary, sentences = answered(which)
        text = " ".join(sentences)
        said = {axis: words for words, axis in SHAPE.findall(text)}
        words = {"falls and then rises": "valley inside", "rises and then falls": "peak inside", "falls": "falling", "rises": "rising"}
        for axis in (axis for axis in varying(summary) if axis != "threshold"):
            shown = summary.shape(axis)
            assert words.get(said.get(axis)) == (shown if shown in words.values() else None)
            differing = int((summary.paired(axis)["p_ert_adjusted"] < 0.05).sum())
            if re.search(rf"No effect of [^.]*{re.escape(axis)}[^.]* on the cost", text):
                assert differing == 0
        if not summary.replicated:
            assert not said
            assert "There is one start only" in text
        elif summary.by().loc[0, "starts"] < 6 and varying(summary):
            assert not said
            assert f"With {int(summary.by().loc[0, 'starts'])} starts no difference between settings can be shown" in text


@BOTH
def test_where_nothing_converged_the_lowest_error_is_named(numbers):
    for which in numbers:
        known, summary, sentences = answered(which)
        if known.results["status"].eq("converged").any():
            continue
        text = " ".join(sentences)
        lowest = known.results["final_error"].min()
        assert ("The lowest error reached" in text) == np.isfinite(lowest)
        if np.isfinite(lowest):
            assert f"The lowest error reached is {in_short(lowest)} with " in text
        assert "To try: " in text
