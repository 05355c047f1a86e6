"""Every sentence of an answer says what the tables beside it say, and is true of the population as often as it claims."""

import re
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.status import STATUSES
from pipeline.errors import as_override
from pipeline.report.answer import answer, in_words
from pipeline.report.causes import ADVICE, SMALLER_STEPS
from pipeline.report.numbers import in_short, percent
from pipeline.report.setting import as_value
from pipeline.stats.starts.first_steps import FirstSteps
from pipeline.stats.summary import Summary
from tests.designs import sweep
from tests.known_sweeps import known_sweep

SOME, MANY = range(25), range(200)
BOTH = pytest.mark.parametrize("numbers", [SOME, pytest.param(MANY, marks=pytest.mark.slow)], ids=["some", "many"])
COMMAND = "python -m pipeline.train -m 'momentum=0.5,0.9' task=xor"

SHARE = re.compile(
    r"^(?P<converged>[\d,]+) of (?P<runs>[\d,]+) runs? converged \((?P<rate>[^;)]+)"
    r"(?:; 95% interval (?P<low>[^;)]+?) to (?P<high>[^;)]+))?"
    r"(?:; [\d,]+ runs? from (?P<starts>[\d,]+) starts? say as much as (?P<effective>[\d,]+) independent ones?)?\)"
)
LEAST = re.compile(
    r"^(?:At threshold (?P<threshold>\S+) a|A) success costs "
    r"(?:least with (?P<setting>.+?): |the same with each of the (?P<equal>[\d,]+) settings: )?(?P<ert>\S+) epochs?"
)
COUNTED = r"\((?P<converged>[\d,]+) of (?P<runs>[\d,]+) runs? converged"
INTERVAL = r"95% interval (?P<low>\S+) to (?P<seen>.+?) of .+?; allowing for failures not seen, up to (?P<high>.+?)\)"
NEXT = re.compile(r"Next is (?P<setting>.+?) with (?P<ert>[\d.,e+]+)\.")
LEFT = re.compile(r"(?P<left>[\d,]+) of (?P<total>[\d,]+) settings are not ruled out as the best\.")
NONE_OUT = re.compile(r"None of the (?P<total>[\d,]+) settings is ruled out as the best\.")
ALONE = re.compile(r"(?:All (?P<others>[\d,]+) others are|The other is) ruled out as the best\.")
EDGE = re.compile(r"The best (\S+) is the (smallest|largest) tried \((.+?)\)")
EDGE_LEFT = re.compile(r"the (smallest|largest) (\S+) tried \((.+?)\)")
SHAPE = re.compile(r"(falls and then rises|rises and then falls|falls|rises) with (\S+?)(?=,|\. |\.$| and )")
DEARER = re.compile(r"(?P<axis>\S+)=(\"[^\"]*\"|\S+) costs less than (?P=axis)=(\"[^\"]*\"|\S+?)(?=, | and |\. |\.$)")
FAILED = re.compile(r"(\S.*?) of this cost is runs that did not converge")
RESTART = re.compile(r"given up after ([\d,]+) epochs? .* costs about ([\d.,e+]+), (.+?) less \(")
WHY = re.compile(
    r"^Why (?P<failed>[\d,]+) of (?P<runs>[\d,]+) runs? did not converge, by their ends \(of a hundred such causes, training "
    r"on contradicts about 4\): (?P<parts>.+)\. "
    r"What helps most with (?P<main>\w+)(?P<rank>, the most frequent|, as frequent as any)?: (?P<advice>.+)\.$"
)
PART = re.compile(r"(?:^|(?<=, ))(?P<runs>[\d,]+) (?P<word>[a-z]+|not known)(?: \((?P<more>[^)]*)\))?(?=, |$)")
WITHIN = re.compile(
    r"^(?P<within>[\d,]+) would converge within about (?P<epochs>[\d,]+) epochs?(?:, (?P<rest>[\d,]+) later or not foreseen)?$"
)
STEPS = re.compile(
    r"^At the start the step is too long \(K\* above 3\) in (?P<parts>.+?); of the runs below that, at any learning rate, "
    r"(?P<did>[\d,]+) of (?P<others>[\d,]+) converged \((?P<runs>[\d,]+) runs? looked at(?:, at threshold (?P<at>\S+))?\)\.$"
)
STEP = re.compile(
    r"(?P<share>\d.*?) of the runs with learning_rate=(?P<rate>\S+) \((?P<did>[\d,]+) of these (?P<long>[\d,]+) converged\)"
)


def number(text: str) -> float:
    """A number as a sentence has it."""
    return np.inf if text == "any number" else float(text.replace(",", ""))


@lru_cache(maxsize=256)
def answered(which: int):
    """A sweep with known truth, its summary and its answer."""
    known = known_sweep(which)
    summary = Summary(known.results, steps=FirstSteps(lambda rows: k_star(known.results.iloc[rows]), 10**6))
    return known, summary, answer(summary, COMMAND)


def k_star(runs):
    """A K* of its own for each start, in proportion to the learning rate: about half are too long at the highest rate."""
    start = runs["seed"].to_numpy(float) if "seed" in runs else np.zeros(len(runs))
    return 4.0 ** np.cos(start) * runs.get("learning_rate", pd.Series(1.0, runs.index)).to_numpy(float)


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
    return " ".join(f"{axis}={as_value(row[axis])}" for axis in axes if axis != "threshold")


def enough_starts(summary):
    """Whether there are starts enough for a test to show anything."""
    return summary.by().loc[0, "starts"] >= 6


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
            assert (f"{int(total[status]):,} {status}" in sentences[1]) == (total[status] > 0)
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
        if said["equal"]:
            assert number(said["equal"]) == len(rows)
        else:
            assert (said["setting"] or "") == written(best, varying(summary))
        assert said["ert"] == in_short(best["ert"])
        counted, interval = re.search(COUNTED, text), re.search(INTERVAL, text)
        if said["equal"] and len(rows[["runs", "converged", "ert_low", "ert_high_seen"]].drop_duplicates()) > 1:
            assert counted is interval is None
            continue
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
    assert ("costs the same with each of" in text) == (equal == len(rows) > 1)
    assert ("Exactly as much costs" in text) == (1 < equal < len(rows))
    later = rows[np.isfinite(rows["ert"]) & (rows["ert"] > least)]
    said = NEXT.search(text)
    assert (said is None) == (not len(later))
    if said:
        assert said["ert"] == in_short(later["ert"].iloc[0])
        second = later[later["ert"] == later["ert"].iloc[0]]
        assert said["setting"] in [written(row, varying(summary)) for _, row in second.iterrows()]
    left, alone, none = LEFT.search(text), ALONE.search(text), NONE_OUT.search(text)
    if not enough_starts(summary) or len(rows) == 1:
        assert left is alone is none is None
    elif rows["remains"].all():
        assert number(none["total"]) == len(rows)
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
        text = " ".join(sentences)
        for threshold in summary.thresholds if len(rows) else []:
            mine = summary.best_settings.query("threshold == @threshold").sort_values("ert")
            at = f"t threshold {re.escape(as_override(threshold))}"
            if threshold == main:
                continue
            if not np.isfinite(mine["ert"].iloc[0]):
                assert re.search(rf"{at}:? no run converged", text)
                continue
            part = re.search(rf"a{at}: (.*?)(?:; at threshold|\.$)", found(sentences, "^The least cost of a succ").string)[1]
            assert f"{in_short(mine['ert'].iloc[0])} epoch" in part
            if enough_starts(summary) and len(mine) > 1:
                assert part.endswith(f"{mine['remains'].sum()} of {len(mine)} settings not ruled out")


@BOTH
def test_ends_of_axes_are_named_where_the_table_has_them(numbers):
    for which in numbers:
        _, summary, sentences = answered(which)
        rows, _ = main_rows(summary)
        text = " ".join(sentences)
        best = {(axis, word, value) for axis, word, value in EDGE.findall(text)}
        left = {(axis, word, value) for word, axis, value in EDGE_LEFT.findall(text)}
        least = rows[rows["ert"] == rows["ert"].min()]
        if len(least) > 1:  # of equal ones it is the best value only where they all have it
            assert all((least[axis] == float(value)).all() for axis, _, value in best)
        else:
            assert best == ends(least, rows)
        assert left == (ends(rows[rows["remains"]], rows) - best if enough_starts(summary) and len(rows) else set())


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
        assert (said[1] if said else "0%") == percent(failed).capitalize()
        check_restart(summary, rows, sentences)


def check_restart(summary, rows, sentences):
    """The cutoff, what it costs and what it saves are those of the setting that is called the best."""
    [row] = summary.restarts.merge(rows[summary.settings].head(1)).to_dict("records")
    said = found(sentences, RESTART)
    assert (said is not None) == (row["saves"] >= 0.05)
    if said:
        assert said.groups() == (f"{row['cutoff']:,.0f}", in_short(row["ert_restarted"]), percent(row["saves"]))


@BOTH
def test_no_shape_is_claimed_that_no_test_shows(numbers):
    for which in numbers:
        known, summary, sentences = answered(which)
        text = " ".join(sentences)
        said = {axis: words for words, axis in SHAPE.findall(text)}
        words = {"falls and then rises": "valley inside", "rises and then falls": "peak inside"}
        words |= {"falls": "falling", "rises": "rising"}
        if not enough_starts(summary):
            assert not said
            assert "No effect" not in text
        for axis in (axis for axis in varying(summary) if axis != "threshold" and enough_starts(summary)):
            if not known.results["status"].eq("converged").any():
                continue
            shown = summary.shape(axis)
            assert words.get(said.get(axis)) == (shown if shown in words.values() else None)
            differing = int((summary.paired(axis)["p_ert_adjusted"] < 0.05).sum())
            if re.search(rf"No effect of [^.]*{re.escape(axis)}[^.]* on the cost", text):
                assert differing == 0
        if not summary.replicated:
            assert "There is one start only" in text
        elif summary.by().loc[0, "starts"] < 6 and varying(summary):
            assert f"With {int(summary.by().loc[0, 'starts'])} starts no difference between settings can be shown" in text


@BOTH
def test_where_nothing_converged_the_lowest_error_is_named(numbers):
    for which in numbers:
        known, _, sentences = answered(which)
        if known.results["status"].eq("converged").any():
            continue
        text = " ".join(sentences)
        lowest = known.results["final_error"].min()
        assert ("The lowest error reached" in text) == np.isfinite(lowest)
        if np.isfinite(lowest):
            assert f"The lowest error reached is {in_short(lowest)} with " in text
        assert "To try: " in text


@BOTH
def test_why_runs_did_not_converge_is_counted_from_their_causes(numbers):
    seen = set()
    for which in numbers:
        known, _, sentences = answered(which)
        runs = known.results[known.results["status"] != "converged"]
        said = WHY.search(sentences[2])
        assert (said is not None) == ("cause" in runs and bool(runs["cause"].notna().any()))
        if said is None:
            assert not any("did not converge, by" in text for text in sentences)
            continue
        assert (number(said["failed"]), number(said["runs"])) == (len(runs), len(known.results))
        parts = [part.groupdict() for part in PART.finditer(said["parts"])]
        counts = runs["cause"].value_counts()
        wanted = {**counts, "stationary": (runs["status"] == "stationary").sum()}
        assert {part["word"]: number(part["runs"]) for part in parts} == {word: runs for word, runs in wanted.items() if runs}
        assert ", ".join(PART.sub("", said["parts"]).split()).strip(", ") == ""  # nothing else is said
        assert said["main"] == parts[0]["word"]
        assert counts[said["main"]] == counts.max()
        assert said["rank"] == (
            None
            if len(counts) == 1
            else ", as frequent as any"
            if (counts == counts.max()).sum() > 1
            else ", the most frequent"
        )
        cause = next(one for one in Cause if one.word == said["main"])
        steep = (runs.loc[runs["cause"] == "saturated", "k_star"] > 1).mean() > 0.5
        assert said["advice"] == (SMALLER_STEPS if cause is Cause.SATURATED and steep else ADVICE[cause])
        check_foreseen(runs, next((part["more"] for part in parts if part["word"] == "descending"), None))
        seen |= set(counts.index)
    assert len(seen) >= 6


def check_foreseen(runs, more):
    """How many would converge within how many epochs: those at most 30 times above their goal, within 20 times the epochs."""
    falling = runs[runs["cause"] == "descending"]
    near = falling[(falling["final_error"] <= 30 * falling["cause_goal"]) & (falling["cause_number"] <= 19 * falling["epochs"])]
    totals = near["epochs"] + near["cause_number"]
    if not len(near):
        assert more in (None, "the error still falls; how long it will take is not foreseen")
        return
    said = WITHIN.search(more)
    within, epochs = number(said["within"]), number(said["epochs"])
    assert within == (totals <= epochs).sum() >= 0.9 * len(totals)
    assert (said["rest"] and number(said["rest"])) == (len(falling) - within or None)
    assert epochs <= 1.5 * np.sort(totals)[int(np.ceil(0.9 * len(totals))) - 1] + 1
    assert len(said["epochs"].replace(",", "").rstrip("0")) <= 2


@BOTH
def test_where_nothing_converged_why_comes_before_what_to_try(numbers):
    for which in numbers:
        known, _, sentences = answered(which)
        runs = known.results
        if runs["status"].eq("converged").any() or "cause" not in runs or not runs["cause"].notna().any():
            continue
        assert WHY.search(sentences[2])
        assert f"To try: {WHY.search(sentences[2])['advice']}" in sentences[3]


@BOTH
def test_steps_that_are_too_long_are_named_where_the_runs_agree(numbers):
    said_once = False
    for which in numbers:
        known, summary, sentences = answered(which)
        said = found(sentences, STEPS)
        runs = known.results
        if "threshold" in runs:
            runs = runs[runs["threshold"] == runs["threshold"].min()]
        if said is None:
            assert not any("step is too long" in text for text in sentences)
            continue
        said_once = True
        long, did = k_star(runs) > 3, runs["status"].eq("converged")
        assert number(said["runs"]) == len(runs)
        assert said["at"] == (as_override(runs["threshold"].iloc[0]) if "threshold" in varying(summary) else None)
        assert (number(said["did"]), number(said["others"])) == (did[~long].sum(), (~long).sum())
        for part in STEP.finditer(said["parts"]):
            mine = runs["learning_rate"] == float(part["rate"])
            assert (number(part["did"]), number(part["long"])) == (did[mine & long].sum(), (mine & long).sum())
            assert part["share"] == percent((mine & long).sum() / mine.sum())
            assert did[mine & long].mean() < did[~long].mean()
    assert said_once or numbers is SOME


def claims_of(numbers):
    """What each answer claims, by kind, and whether it is true of the population: a table of kind and truth."""
    rows = []
    for which in numbers:
        known, summary, sentences = answered(which)
        total, text = summary.by().loc[0], " ".join(sentences)
        rows.append(("rate", total["rate_low"] - 0.005 <= known.rate <= total["rate_high"] + 0.005, summary.replicated))
        cheapest, threshold = main_rows(summary)
        if not len(cheapest):
            continue
        settings = summary.settings
        best, at = cheapest.iloc[0], {"threshold": threshold} if "threshold" in settings else {}
        truth = known.truth[known.truth["threshold"] == threshold] if at else known.truth
        costs = (truth["spent"] / truth["rate"].where(truth["rate"] > 0, np.nan)).fillna(np.inf)
        real = known.cost(**{axis: best[axis] for axis in settings})
        rows.append(("cost", best["ert_low"] <= real * 1.005 and real <= best["ert_high"] * 1.005, summary.replicated))
        if enough_starts(summary):
            left = cheapest[cheapest["remains"]][settings]
            true_best = truth.loc[costs <= costs.min() * (1 + 1e-9), settings]
            rows.append(("best", len(left.merge(true_best)) > 0, len(cheapest) > 1))
            said = {(axis, end, value) for axis, end, value in EDGE.findall(text)}
            said |= {(axis, end, value) for end, axis, value in EDGE_LEFT.findall(text)}
            for edge in ends(true_best, truth) if len(true_best) == 1 else ():
                rows.append(("edge", edge in said, True))
            for words, axis in SHAPE.findall(text):
                rows.append(("shape", is_so(words, [known.cost(**{axis: value}) for value in summary.values(axis)]), True))
            shown = {axis for _, axis in SHAPE.findall(text)}
            rows += [("no shape", True, True) for axis in settings if axis not in shown and summary.shape(axis) == "none shown"]
            for axis, less, more in DEARER.findall(text):
                costs_of = {as_value(value): known.cost(**{axis: value}) for value in summary.values(axis)}
                rows.append(("pair", costs_of[less] < costs_of[more], True))
    table = pd.DataFrame(rows, columns=["kind", "true", "said"])
    return table[table["said"]].groupby("kind")["true"].agg(["mean", "size"])


def is_so(words, costs):
    """Whether costs along an axis go as the words say: an end above the other, or a turn in between."""
    inner = range(1, len(costs) - 1)
    return {
        "rises": costs[-1] > costs[0],
        "falls": costs[-1] < costs[0],
        "falls and then rises": any(costs[i] < max(costs[:i]) and costs[i] < max(costs[i + 1 :]) for i in inner),
        "rises and then falls": any(costs[i] > min(costs[:i]) and costs[i] > min(costs[i + 1 :]) for i in inner),
    }[words]


@pytest.mark.slow
def test_what_is_claimed_is_true_as_often_as_it_is_said_to_be():
    claims = claims_of(MANY)
    for kind, least in {"rate": 0.93, "cost": 0.93, "best": 0.95, "edge": 0.95, "shape": 0.94, "pair": 0.94}.items():
        assert claims.loc[kind, "size"] >= 20, kind
        assert claims.loc[kind, "mean"] >= least, kind


def test_the_judge_of_shapes_can_tell_them_apart():
    assert [is_so(words, [3, 1, 2]) for words in ("rises", "falls", "falls and then rises", "rises and then falls")] == [
        False, True, True, False,
    ]  # fmt: skip


STUDY = {"learning_rate": [0.5, 2.0, 5.0], "initial.range": [0.5, 1.0], "seed": range(8), "threshold": [1e-1, 1e-2]}


def test_the_tutorials_claims_are_held_against_the_default_study():
    summary = Summary(sweep(**STUDY))
    text = " ".join(answer(summary, study="convergence"))
    table = summary.by("learning_rate", "threshold").query("threshold == 0.01").sort_values("ert")
    said = [
        f"{in_short(row['ert'])} epochs with learning_rate={as_override(row['learning_rate'])} "
        f"(95% interval {in_short(row['ert_low'])} to {in_short(row['ert_high'])})"
        for _, row in table.iloc[[0, -1]].iterrows()
    ]
    factor = in_short(table["ert"].iloc[-1] / table["ert"].iloc[0])
    assert f"«works well»: {percent(summary.by().loc[0, 'rate'])} of these runs converged." in text
    assert f"«no parameters to tune»: at threshold 0.01 a success costs {said[0]} and {said[1]}, {factor} times as many" in text
    assert "tutorial" in " ".join(answer(summary, "python -m pipeline.train -m study=convergence"))
    assert "tutorial" not in " ".join(answer(summary, COMMAND, study="xor"))


def test_where_a_learning_rate_never_converges_no_factor_is_invented():
    results = sweep(**STUDY)
    results.loc[results["learning_rate"] > 1, "status"] = "diverged"
    text = " ".join(answer(Summary(results), study="convergence"))
    assert "no parameters to tune»: at threshold 0.01 no run converged with learning_rate=2 or learning_rate=5." in text
    results["status"] = "diverged"
    assert "tutorial" not in " ".join(answer(Summary(results), study="convergence"))


def test_of_no_runs_nothing_is_said():
    assert answer(Summary(sweep(**STUDY).head(0))) == ["There are no runs."]
    assert in_words(Summary(sweep(**STUDY).head(0))) == "There are no runs."
