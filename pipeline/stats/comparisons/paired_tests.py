"""Tests on N pairs of runs, each a (time, event): it converged at `time`, or was last seen then. Arrays in, p-values out."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, ndtr

from pipeline.stats.arrays import Booleans, Floats, Integers, ranked

EXACT_UNITS = 16  # up to here a sign-flip test counts all 2^U changes of sign


def prentice_scores(time: Floats, event: Booleans) -> Floats:
    """Prentice's Wilcoxon scores of the pooled runs, (R,): early convergence scores low, none by the end scores high.

    With F = ∏ n ÷ (n + 1) over the events up to then, n at risk: 1 − 2F for an event, 1 − F for a censored time; tied
    events share the mean of the scores that they would have one after the other. Prentice, "Linear rank tests with right
    censored data", Biometrika 65 (1978), section 4. With nothing censored these are Wilcoxon's ranks, scaled.
    """
    if not len(time):
        return np.zeros(0)
    distinct, rank = ranked(time)
    block = 2 * rank + ~event  # in order of time, events before what is censored at the same time
    size = np.bincount(block, minlength=2 * len(distinct))
    happened = np.repeat(np.arange(len(size)) % 2 == 0, size)
    at_risk = np.arange(len(time), 0, -1)
    later = np.cumprod(np.where(happened, at_risk / (at_risk + 1), 1.0))
    score = np.where(happened, 1 - 2 * later, 1 - later)
    mean = np.bincount(np.repeat(np.arange(len(size)), size), score, len(size)) / np.maximum(size, 1)
    return np.asarray(mean[block], float)


def sign_flip(differences: Floats, unit: Integers | None = None) -> float:
    """The two-sided p-value of a sum of differences (N,) that are as likely to be of either sign, unit by unit.

    The differences of a unit (N,) are summed and change sign together, as runs from the same initial weights are not
    independent. Up to `EXACT_UNITS` sums that are not 0 all flips are counted; if all sums are of one size the count is
    binomial (the exact sign test, and McNemar's); else ΣD ÷ √ΣD² is taken as normal. 1 where all sums are 0.
    """
    sums = differences if unit is None else np.bincount(unit, differences)
    largest = np.abs(sums).max(initial=0.0)
    sums = sums[np.abs(sums) > 1e-12 * largest]
    if not len(sums):
        return 1.0
    if np.ptp(np.abs(sums)) <= 1e-12 * largest:
        positive = int((sums > 0).sum())
        return float(min(1.0, 2 * bdtr(min(positive, len(sums) - positive), len(sums), 0.5)))
    if len(sums) <= EXACT_UNITS:
        flips = np.zeros(1)
        for size in sums:
            flips = np.concatenate([flips + size, flips - size])
        return float(np.mean(np.abs(flips) >= abs(sums.sum()) - 1e-12 * np.abs(sums).sum()))
    return float(2 * ndtr(-abs(sums.sum()) / np.sqrt(np.square(sums).sum())))


def paired_prentice_wilcoxon(
    first: tuple[Floats, Booleans], second: tuple[Floats, Booleans], unit: Integers | None = None
) -> float:
    """The p-value of N pairs of (time, event), each (N,), having the same distribution whichever way round.

    The Prentice scores of all 2N runs, differences within pairs, and their sum against all changes of sign: O'Brien &
    Fleming, "A paired Prentice–Wilcoxon test for censored paired data", Biometrics 43 (1987). A pair of which neither
    converged has difference 0. Both runs of a pair must have been watched equally long; `unit` as in `sign_flip`.
    """
    pairs = len(first[0])
    scores = prentice_scores(np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]]))
    return sign_flip(scores[:pairs] - scores[pairs:], unit)


def mcnemar(first: Booleans, second: Booleans, unit: Integers | None = None) -> float:
    """The exact p-value of N pairs converging equally often, first (N,) and second (N,).

    Of the pairs that differ, half should be either way: McNemar, Psychometrika 12 (1947), with binomial probabilities.
    With `unit` (N,) the pairs of one unit are exchanged together: see `sign_flip`.
    """
    return sign_flip(first.astype(float) - second.astype(float), unit)


def holm(p_values: ArrayLike) -> Floats:
    """P-values (M,) corrected for their number: max over smaller ones of (M − rank) p, at most 1; NaN is left out.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    p = np.asarray(p_values, float)
    corrected = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1.0)
    return corrected
