"""What a success costs where each run is given up after so many epochs, and another start is taken: restarts at a cutoff.

ERT(c) = Σ min(T, c) ÷ the number of runs with T ≤ c: T is the epochs to convergence or, of a run that ended without, the epochs
that it took, so that it is no success. Luby, Sinclair & Zuckerman, "Optimal speedup of Las Vegas algorithms", Information
Processing Letters 47 (1993): restarting at one fixed cutoff is the best strategy. A run counts at least one epoch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pipeline.stats.arrays import Booleans, Floats, Integers, compact, ranked
from pipeline.stats.costs.running_times import expected_running_time
from pipeline.stats.effective_runs import Clusters
from pipeline.stats.intervals import SEED
from pipeline.stats.product_limit import running
from pipeline.stats.sample import Sample

SPLITS = 5  # of the starts into halves


def restarts(sample: Sample, by: Sequence[str]) -> pd.DataFrame:
    """What a cutoff of its own would save in each group of `by`.

    Columns `by`; given_up: the share of the ERT that is runs which did not converge; cutoff (`best_cutoff`), from all starts;
    ert_restarted: what a cutoff that is chosen in this way costs starts that did not choose it; saves = 1 −
    ert_restarted ÷ ert, below 0 where cutoffs are no good.
    ert_restarted: the starts are split at random into halves, each half costs what the cutoff of the other says, and of these
    costs, from `SPLITS` splits, it is the geometric mean; where a half has no success it counts as half a one. The least ERT(c)
    of the sample would be too low: in simulations (six settings of xor; lognormal epochs and 10 % failures) it is 0.6–0.9
    times the true ERT at the cutoff with 10 starts, 0.7–0.96 with 50; ert_restarted is 1.0–1.2 times with 10, 1.0–1.07 with 50.
    NaN where a group has fewer than two starts, or fewer than two of its runs converged.
    """
    group, table = sample.groups(by)
    groups = len(table)
    failed, spent = (np.bincount(group, values, groups) for values in (sample.epochs * ~sample.event, sample.epochs))
    table["given_up"] = np.divide(failed, spent, out=np.zeros(groups), where=spent > 0)
    lengths, block = _lengths(sample, group, groups)
    cutoff = lengths.best_cutoff()
    logarithms = np.zeros(groups)
    start, starts = sample.starts
    cells = Clusters.of(start, group, groups)
    for half in _halves(group, start, starts, complete=len(cells.group) == groups * starts):
        first = lengths.of(np.bincount(block[half], minlength=len(lengths.runs)))
        second = lengths.of(lengths.runs - first.runs)
        for chosen, stated in ((first, second), (second, first)):
            spent_there, successes = stated.costs_at(chosen.best_cutoff()[:, None])
            logarithms += np.log(np.maximum(spent_there, 1.0) / np.maximum(successes, 0.5))[:, 0] / (2 * SPLITS)
    known = np.isfinite(cutoff) & (cells.starts > 1)
    ert = expected_running_time(spent, np.bincount(group, sample.event, groups))
    table["cutoff"] = np.where(known, cutoff, np.nan)
    table["ert_restarted"] = np.where(known, np.exp(logarithms), np.nan)
    table["saves"] = 1 - np.divide(table["ert_restarted"], ert, out=np.full(groups, np.nan), where=ert > 0)
    return table


def ert_by_cutoff(sample: Sample, by: Sequence[str], cutoffs: ArrayLike) -> pd.DataFrame:
    """ERT(c) of each group of `by` at each cutoff (K,): columns `by`, cutoff, ert; infinite where no run is as fast."""
    group, keys = sample.groups(by)
    limits = np.asarray(cutoffs, float)
    lengths, _ = _lengths(sample, group, len(keys))
    costs = expected_running_time(*lengths.costs_at(np.broadcast_to(limits, (len(keys), len(limits)))))
    table = keys.take(np.repeat(np.arange(len(keys)), len(limits))).reset_index(drop=True)
    return table.assign(cutoff=np.tile(limits, len(keys)), ert=costs.ravel())


@dataclass(frozen=True, slots=True)
class _Lengths:
    """The runs of G groups, put together where group, epochs and success are the same, and sorted by these: B blocks.

    `group` (B,), `epochs` (B,) that each run took, at least 1, whether they `converged` (B,), how many `runs` (B,), 0 at least.
    """

    group: Integers
    epochs: Floats
    converged: Booleans
    runs: Integers
    groups: int

    def of(self, runs: Integers) -> "_Lengths":
        """So many (B,) of the runs of each block."""
        return replace(self, runs=runs)

    def costs_at(self, cutoffs: Floats) -> tuple[Floats, Floats]:
        """Epochs spent and successes, each (G, K), where the runs of each group are given up after its cutoffs (G, K)."""
        most = self.epochs.max(initial=0.0) + 1.0
        codes, limits = np.arange(self.groups)[:, None], np.minimum(cutoffs, most - 0.5)
        ended = np.searchsorted(self.group * most + self.epochs, codes * most + limits, "right")
        first, past = (np.searchsorted(self.group, codes, side) for side in ("left", "right"))
        counted = self.runs, self.epochs * self.runs, self.converged * self.runs
        runs, spent, successes = (np.append(0.0, np.cumsum(values)) for values in counted)
        given_up = np.where(ended < past, (runs[past] - runs[ended]) * limits, 0.0)
        return spent[ended] - spent[first] + given_up, successes[ended] - successes[first]

    def best_cutoff(self) -> Floats:
        """The cutoff (G,) of lowest Σ min(T, c) ÷ (the number with T ≤ c, less 1); infinite where fewer than two converged.

        That of lowest ERT(c) is too often the epochs of one lucky run. One success less is little where there are many, and the
        true ERT at this cutoff was lower in every simulation: 1.02–1.2 times the least of all cutoffs, not 1.02–1.55 times.
        """
        present, first, size = np.unique(self.group, return_index=True, return_counts=True)
        opening = np.repeat(first, size)
        counted = self.runs, self.epochs * self.runs, self.converged * self.runs
        runs, spent, successes = (running(values, opening) for values in counted)
        later = np.repeat(runs[first + size - 1], size) - runs
        cost = expected_running_time(spent + later * self.epochs, successes - 1)
        cost = np.where(self.converged & (self.runs > 0), cost, np.inf)
        cutoff = np.full(self.groups, np.inf)
        if len(present):
            least = np.repeat(np.minimum.reduceat(cost, first), size)
            best = np.flatnonzero((cost == least) & np.isfinite(cost))[::-1]
            cutoff[self.group[best]] = self.epochs[best]  # the first of equal ones is written last
        return cutoff


def _lengths(sample: Sample, group: Integers, groups: int) -> tuple[_Lengths, Integers]:
    """The runs in blocks, and the block of each run (R,)."""
    distinct, rank = ranked(np.maximum(sample.epochs, 1.0))
    codes, block = compact((group * len(distinct) + rank) * 2 + sample.event)
    of_group, converged = codes // 2, codes % 2 == 1
    owner, epochs = np.divmod(of_group, max(len(distinct), 1))
    runs = np.bincount(block, minlength=len(codes))
    return _Lengths(owner, distinct[epochs], converged, runs, groups), block


def _halves(group: Integers, start: Integers, starts: int, complete: bool) -> Iterator[Booleans]:
    """Whether each run (R,) belongs to the first half of the starts of its group, in each of `SPLITS` random splits.

    `complete`: all groups have all starts, so that a start is in the same half everywhere.
    """
    for split in range(SPLITS):
        order = np.random.default_rng([SEED, split]).permutation(starts)
        if complete:
            yield (order % 2 == 0)[start]
            continue
        cells, cell = compact(group * starts + order[start])
        owner = cells // max(starts, 1)
        place = np.arange(len(cells)) - np.searchsorted(owner, owner, "left")
        yield (place % 2 == 0)[cell]
