"""Why runs did not converge, how many of them more epochs would help, and what helps most of the others."""

import math

import numpy as np

from pipeline.backprop.causes.rules import Cause
from pipeline.report.causes import ADVICE, SMALLER_STEPS
from pipeline.report.numbers import count
from pipeline.stats.arrays import Booleans
from pipeline.stats.sample import UNKNOWN, WORDS
from pipeline.stats.summary import Summary

BY_WORD = {cause.word: cause for cause in Cause}
SHORT = {
    Cause.UNREACHABLE: "no weights at all would do",
    Cause.SYMMETRIC: "from equal hidden units",
    Cause.FROZEN: "no weight changes any more",
    Cause.SATURATED: "held up by outputs that are wrong and flat",
    Cause.OSCILLATING: "bouncing",
    Cause.PLATEAU: "flat, with a way down",
    Cause.MINIMUM: "in one, or so near that ten times the epochs will not do",
}  # what is said of a cause beside its word
CONTRADICTED = 4  # of a hundred, on populations that the rules were not made from: docs/causes.md
MOST_TOTALS = 0.9  # quantile of the totals that N is at least: a last few may take a hundred times as long
REACH = 20.0  # times the epochs: as far as runs were trained on, at least, to see whether such ends are right
ROUND = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def causes_in_words(summary: Summary) -> str:
    """How many runs have which cause, the most frequent first, and what helps where that is; empty where none is known.

    «Would converge within about N epochs» is said of descending runs whose end is foreseen, within REACH times the epochs that
    they were trained, and at most N: a round number not below MOST_TOTALS of these ends. Others need more, or it is not known.
    """
    number = summary.cause
    if not (number != UNKNOWN).any():
        return ""
    failed = ~summary.event
    found = sorted_counts(summary, failed)
    parts = [said(summary, cause, runs) for cause, runs in found.items()]
    stationary = int(summary.ended("stationary").sum())
    unknown = int((failed & (number == UNKNOWN)).sum()) - stationary
    parts += [f"{stationary:,} stationary"] if stationary else []
    parts += [f"{unknown:,} not known"] if unknown else []
    main = next(iter(found))
    which = "" if len(found) == 1 else ", the most frequent" if is_alone(found) else ", as frequent as any"
    return (
        f"Why {failed.sum():,} of {count(len(summary), 'run')} did not converge, by their ends (of a hundred such causes, "
        f"training on contradicts about {CONTRADICTED}): {', '.join(parts)}. "
        f"What helps most with {main.word}{which}: {advice(summary, main, failed)}."
    )


def sorted_counts(summary: Summary, some: Booleans) -> dict[Cause, int]:
    """How many of some runs (R,) have each cause, the most frequent first."""
    number = summary.cause[some]
    runs = np.bincount(number[number != UNKNOWN], minlength=len(WORDS))
    order = [place for place in np.argsort(-runs, kind="stable").tolist() if runs[place]]
    return {BY_WORD[WORDS[place]]: int(runs[place]) for place in order}


def is_alone(found: dict[Cause, int]) -> bool:
    """Whether one cause is more frequent than any other."""
    first, second = list(found.values())[:2]
    return first > second


def said(summary: Summary, cause: Cause, runs: int) -> str:
    """A cause with its number of runs: 146 descending (140 would converge within about 60,000 epochs, …)."""
    text = f"{runs:,} {cause.word}"
    if cause is not Cause.DESCENDING:
        return f"{text} ({SHORT[cause]})" if cause in SHORT else text
    within, epochs = would_converge(summary)
    if not within:
        return f"{text} (the error still falls; how long it will take is not foreseen)"
    rest = f", {runs - within:,} later or not foreseen" if within < runs else ""
    return f"{text} ({within:,} would converge within about {count(epochs, 'epoch')}{rest})"


def would_converge(summary: Summary) -> tuple[int, int]:
    """How many runs would converge within how many epochs in all."""
    totals = summary.predicted_epochs
    totals = totals[totals <= REACH * summary.epochs]
    if not len(totals):
        return 0, 0
    epochs = round_up(float(np.quantile(totals, MOST_TOTALS, method="inverted_cdf")))
    return int((totals <= epochs).sum()), epochs


def round_up(number: float) -> int:
    """The least round number that is not below: 60,000 of 53,211."""
    decade = 10.0 ** math.floor(math.log10(max(number, 1.0)))
    return next(epochs for epochs in (math.ceil(factor * decade) for factor in ROUND) if epochs >= number)


def advice(summary: Summary, cause: Cause, some: Booleans) -> str:
    """What helps where that is the cause of some runs (R,); of saturated ones, whether steps are too long where most ended."""
    if cause is Cause.SATURATED and "k_star" in summary.results:
        mine = some & (summary.cause == WORDS.index(cause.word))
        if np.mean(summary.results["k_star"].to_numpy(float)[mine] > 1.0) > 0.5:
            return SMALLER_STEPS
    return ADVICE[cause]
