"""Pairs of runs that agree in all but what is compared: their counts, their ratios, and their differences by start."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import betaincc

from pipeline.stats.arrays import Booleans, Floats, Integers, ranked
from pipeline.stats.comparisons.paired_tests import ert_differences, prentice_differences, rate_differences, sums
from pipeline.stats.costs.bayesian_bootstrap import UNSEEN
from pipeline.stats.costs.running_times import expected_running_time
from pipeline.stats.sample import Sample

MEASURES = ("epochs", "rate", "ert")  # what is tested of pairs
COUNTS = ("pairs", "both", "only_first", "only_second", "neither", "earlier", "later", "ratio", "ratio_q1", "ratio_q3")
ERTS = ("ert_first", "ert_second")


@dataclass(frozen=True, slots=True)
class Runs:
    """N runs: `time` (N,) of convergence where `event`, else when last seen; epochs `spent` of the `horizon`, which `solved`.

    `block` (N,) numbers time and event in their order, as `prentice_scores` has them.
    """

    time: Floats
    event: Booleans
    block: Integers
    spent: Floats
    solved: Booleans
    horizon: Floats

    @property
    def ert(self) -> float:
        """The expected running time."""
        return float(expected_running_time(self.spent.sum(), self.solved.sum()))


class Watched:
    """The runs of samples of one axis of time, censored as pairs of them need it."""

    def __init__(self, *samples: Sample, horizons: tuple[Floats, ...] | None = None) -> None:
        self.time = np.concatenate([np.where(sample.event, sample.epochs, np.inf) for sample in samples])
        self.event = np.concatenate([sample.event for sample in samples])
        self.epochs = np.concatenate([sample.epochs for sample in samples])
        self.horizons = np.concatenate(horizons or tuple(sample.horizons for sample in samples))

    @cached_property
    def _ranks(self) -> tuple[Integers, Integers]:
        """The ranks (R,) of the times and of the horizons, among all of both."""
        _, rank = ranked(np.concatenate([self.time, self.horizons]))
        return rank[: len(self.time)], rank[len(self.time) :]

    def pairs(self, one: Integers, other: Integers, *, capped: bool) -> tuple[Runs, Runs]:
        """The runs `one` and `other` (N,), each pair up to the smaller of its horizons; epochs spent to there if `capped`."""
        times, horizons = self._ranks
        limit, last = np.minimum(self.horizons[one], self.horizons[other]), np.minimum(horizons[one], horizons[other])
        runs = []
        for some in (one, other):
            event = self.event[some] & (times[some] <= last)
            block = np.where(event, 2 * times[some], 2 * last + 1)
            spent, solved, horizon = self.epochs[some], self.event[some], self.horizons[some]
            if capped:
                spent, solved, horizon = np.minimum(spent, limit), event, limit
            horizon = np.where(np.isfinite(horizon), horizon, self.epochs.max(initial=0.0))
            runs.append(Runs(np.where(event, self.time[some], limit), event, block, spent, solved, horizon))
        return runs[0], runs[1]


def matched(sample: Sample, axis: str) -> tuple[Integers, list[Any]]:
    """The first row of each combination of the other axes (down) at each value of the axis (across), −1 where there is none."""
    problem, problems = sample.codes([other for other in sample.axes if other != axis])
    value, values = sample.factorized(axis)
    row = np.full((problems, len(values)), -1, np.intp)
    row[problem[::-1], value[::-1]] = np.arange(len(sample) - 1, -1, -1)
    return row, values.tolist()


def described(first: Runs, second: Runs) -> dict[str, Any]:
    """The columns COUNTS and ERTS of N pairs of runs."""
    ratios = pair_ratios(first, second)
    q1, median, q3 = _quartiles(ratios)
    one, other = first.event, second.event
    counts = (len(one), (one & other).sum(), (one & ~other).sum(), (~one & other).sum(), (~one & ~other).sum())
    values = (*map(int, counts), int((ratios < 1).sum()), int((ratios > 1).sum()), median, q1, q3, first.ert, second.ert)
    return dict(zip((*COUNTS, *ERTS), values, strict=True))


def by_start(first: Runs, second: Runs, unit: Integers, units: int) -> Floats:
    """The differences of N pairs in epochs, rate and ERT, summed over each start, (3, U): see `MEASURES`."""
    costs = [(sums(unit, runs.spent, units), sums(unit, runs.solved, units)) for runs in (first, second)]
    return np.stack(
        [
            prentice_differences(first.block, second.block, unit, units),
            rate_differences(first.event, second.event, unit, units),
            ert_differences(*costs),
        ]
    )


def unseen(first: Runs, second: Runs, starts: tuple[int, int]) -> float:
    """The probability that failures not seen make the cheaper of two cost as much as the other; 1 if neither is.

    Of starts like the U tried at the cheaper, a share f ~ Beta(½, U) fail throughout, as in the intervals of ERT. They add
    odds of f times all horizons to what was spent: so far-reaching are few starts of which all converged.
    """
    if first.ert == second.ert:
        return 1.0
    cheaper, other, number = (first, second, starts[0]) if first.ert < second.ert else (second, first, starts[1])
    if np.isinf(other.ert):
        return 0.0
    odds = (other.ert * cheaper.solved.sum() - cheaper.spent.sum()) / max(cheaper.horizon.sum(), 1.0)
    return float(betaincc(UNSEEN, number, odds / (1 + odds)))


def pair_ratios(first: Runs, second: Runs) -> Floats:
    """Epochs(second) ÷ epochs(first) of the pairs of which a run converged; 0 or infinite if one did not. Epoch 0 is 1."""
    ratio = np.maximum(second.time, 1.0) / np.maximum(first.time, 1.0)
    ratio = np.select([first.event & second.event, first.event], [ratio, np.inf], 0.0)
    return ratio[first.event | second.event]


def _quartiles(ratios: Floats) -> Floats:
    """The quartiles (3,): between two neighbours their geometric mean. NaN of none, and between 0 and infinity."""
    if not len(ratios):
        return np.full(3, np.nan)
    index = np.array([0.25, 0.5, 0.75]) * (len(ratios) - 1)
    below, above = np.floor(index).astype(np.intp), np.ceil(index).astype(np.intp)
    ordered = np.partition(ratios, [*below, *above])
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt(ordered[below] * ordered[above]), float)
