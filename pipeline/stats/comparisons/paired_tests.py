"""Tests whose unit is the start: signs of whole starts are flipped, for many differences at once. Arrays in, p-values out.

Letters: M differences tested together, U starts (units), F arrangements: flips of sign, or divisions of the starts in two.
"""

import math
from functools import lru_cache
from itertools import combinations

import numpy as np

from pipeline.stats.arrays import Booleans, Floats, Integers
from pipeline.stats.intervals import MOST_UNITS, SEED

EXACT_STARTS = 11  # up to here all 2^U flips are counted
RANDOM_ARRANGEMENTS = 999  # of more, beside the one observed
ALPHA = 0.05
NOISE = 1e-10  # of rounding, relative to what was summed: a difference this small is none


def prentice_scores(blocks: Integers) -> Floats:
    """Prentice's Wilcoxon scores (2T,) of R runs: blocks[2t] converge at the t-th time, blocks[2t + 1] are last seen then.

    With F = ∏ n ÷ (n + 1) over the events up to then, n at risk: 1 − 2F for an event, 1 − F for a censored time; tied
    events share the mean of the scores that they would have one after the other. Early convergence scores low, none by the
    end scores high. Prentice, "Linear rank tests with right censored data", Biometrika 65 (1978), section 4. With nothing
    censored these are Wilcoxon's ranks, scaled.
    """
    at_risk = blocks.sum() - np.cumsum(blocks) + blocks
    events, at_risk = blocks[::2], at_risk[::2]
    later = np.cumprod((at_risk - events + 1) / (at_risk + 1))  # of m tied events the product telescopes
    before = np.concatenate([[1.0], later[:-1]])
    scores = np.empty(len(blocks))
    scores[::2] = 1 - 2 * before * (at_risk + (1 - events) / 2) / (at_risk + 1)
    scores[1::2] = 1 - later
    return scores


def prentice_differences(first: Integers, second: Integers, unit: Integers, units: int) -> Floats:
    """The sums (U,) over each start of Prentice's scores, first − second, of N pairs of runs; positive if the first are later.

    `first` and `second` (N,) are the runs' blocks: see `prentice_scores`, of all 2N runs. O'Brien & Fleming, "A paired
    Prentice–Wilcoxon test for censored paired data", Biometrics 43 (1987).
    """
    blocks = int(max(first.max(initial=0), second.max(initial=0))) // 2 * 2 + 2
    scores = prentice_scores(np.bincount(first, minlength=blocks) + np.bincount(second, minlength=blocks))
    return without_noise(sums(unit, scores[first] - scores[second], units), 1.0)


def rate_differences(first: Booleans, second: Booleans, unit: Integers, units: int) -> Floats:
    """How many more of the N pairs' first runs than second ones converged, by start, (U,).

    Flipped by start they give McNemar's exact test where a start has one pair: Psychometrika 12 (1947).
    """
    return sums(unit, first.astype(float) - second, units)


def ert_differences(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> Floats:
    """What each start adds to the difference of two expected running times; positive sums where the first costs more.

    Of each (spent, successes), each (…, U): (spent₁ − r·successes₁) − (spent₂ − r·successes₂), with r the ERT of both pooled.
    Its sum is 0 where both have one ERT. Where none converged nothing can be said, and all are 0. Only failures that were seen
    are in it: see `pairs.unseen`.
    """
    spent, successes = first[0] + second[0], first[1] + second[1]
    total, successful = spent.sum(-1, keepdims=True), successes.sum(-1, keepdims=True)
    pooled = np.divide(total, successful, out=np.zeros(total.shape), where=successful > 0)
    differences = (first[0] - second[0]) - pooled * (first[1] - second[1])
    return np.where(successful > 0, without_noise(differences, spent + pooled * successes), 0.0)


def sums(unit: Integers, values: Floats | Booleans, units: int) -> Floats:
    """The sums (U,) over each unit of the values (N,)."""
    return np.bincount(unit, values, units).astype(float)


def without_noise(differences: Floats, scale: Floats | float) -> Floats:
    """The differences, those that are rounding alone set to 0."""
    return np.where(np.abs(differences) <= NOISE * scale, 0.0, differences)


@lru_cache(maxsize=8)
def flips(units: int) -> Floats:
    """Signs of U starts (F, U), the first as observed: up to `EXACT_STARTS` all, but for mirrors, which give equal sums."""
    if units <= EXACT_STARTS:
        bits = np.arange(2 ** max(units - 1, 0))[:, None] >> np.arange(units) & 1
        return _fixed(np.where(bits == 1, -1.0, 1.0))
    drawn = np.random.default_rng(SEED).integers(0, 2, (RANDOM_ARRANGEMENTS, units)) * 2.0 - 1
    return _fixed(np.concatenate([np.ones((1, units)), drawn]))


@lru_cache(maxsize=8)
def divisions(first: int, second: int) -> Floats:
    """Which starts are of the second sweep (F, U), 1 or 0, the first as observed: all if they are few, else random ones."""
    observed = np.repeat([0.0, 1.0], [first, second])
    if math.comb(first + second, second) <= RANDOM_ARRANGEMENTS + 1:
        chosen = list(combinations(range(first + second), second))[::-1]  # the last are those observed
        rows = np.zeros((len(chosen), first + second))
        np.put_along_axis(rows, np.array(chosen, np.intp).reshape(len(chosen), second), 1.0, 1)
        return _fixed(rows)
    generator = np.random.default_rng(SEED)
    drawn = [generator.permutation(observed) for _ in range(RANDOM_ARRANGEMENTS)]
    return _fixed(np.stack([observed, *drawn]))


def _fixed(array: Floats) -> Floats:
    array.setflags(write=False)  # it is cached
    return array


def max_t(differences: Floats, arrangements: Floats) -> tuple[Floats, Floats]:
    """The p-values (M,) of differences (M, U), each alone, and adjusted for being tested together: (raw, adjusted).

    T = |Σ a·D| ÷ √ΣD² under each arrangement a (F, U), one for all M; p is the share of arrangements with T as large as the
    observed. Adjusted, step-down: from the largest T on, the share in which the largest T of this and all smaller ones
    is as large. So it respects how the differences go together, and the smallest p is that of one test. Westfall & Young,
    *Resampling-Based Multiple Testing* (1993), algorithm 2.8; Romano & Wolf, JASA 100 (2005). 1 where all D are 0.
    """
    size = np.sqrt(np.square(differences).sum(1, keepdims=True))
    scaled = np.divide(differences, size, out=np.zeros(differences.shape), where=size > 0)
    statistics = np.abs(scaled @ arrangements.T)
    observed = statistics[:, 0] - 1e-9
    order = np.argsort(observed, kind="stable")
    raw = (statistics >= observed[:, None]).mean(1)
    largest = np.maximum.accumulate(statistics[order], axis=0)
    adjusted = np.empty(len(order))
    stepwise = (largest >= observed[order, None]).mean(1)
    adjusted[order] = np.maximum.accumulate(stepwise[::-1])[::-1]
    return raw, adjusted


def smallest_p(starts: int) -> float:
    """The smallest p that flips of so many starts can give: 2^(1 − U), and of random flips 1 ÷ (1 + their number)."""
    return max(2.0 ** (1 - starts), 1 / (1 + RANDOM_ARRANGEMENTS) if starts > EXACT_STARTS else 0.0)


def smallest_p_apart(first: int, second: int) -> float:
    """The smallest p that divisions of so many different starts can give."""
    ways = math.comb(first + second, second)
    exact = ways <= RANDOM_ARRANGEMENTS + 1
    return max((1 + (first == second)) / ways, 0.0 if exact else 1 / (1 + RANDOM_ARRANGEMENTS))


def starts_needed() -> int:
    """The fewest starts with which a paired test can show anything: their smallest p is at most 0.05."""
    return next(starts for starts in range(1, 99) if smallest_p(starts) <= ALPHA)


def in_blocks(unit: Integers, units: int, most: int = MOST_UNITS) -> tuple[Integers, int]:
    """At most so many units: more starts are put into that many blocks at random, which change sign or place as one."""
    if units <= most:
        return unit, units
    return np.random.default_rng(SEED).permutation(units)[unit] % most, most
