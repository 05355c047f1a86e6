"""How two sweeps are compared: from the same starts, or from different ones. A row of runs in, its differences by start out."""

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipeline.stats.arrays import Booleans, Floats, Integers
from pipeline.stats.comparisons.paired_tests import (
    divisions,
    flips,
    in_blocks,
    prentice_scores,
    smallest_p,
    smallest_p_apart,
    sums,
    without_noise,
)
from pipeline.stats.comparisons.pairs import Watched, by_start, described, unseen
from pipeline.stats.intervals import MOST_UNITS
from pipeline.stats.sample import Sample

Row = dict[str, Any]


class SameStarts:
    """N pairs of runs from the same starts, with the axes that are `shared`: signs of whole starts flip."""

    def __init__(self, shared: Sample, sweeps: tuple[Sample, Sample], limits: tuple[Floats, Floats], same: Booleans) -> None:
        self.shared, self.same = shared, same
        self.watched = Watched(*sweeps, horizons=limits)
        self.unit, units = shared.starts
        self.block, self.blocks = in_blocks(self.unit, units)
        self.replicated = shared.replicated

    @cached_property
    def arrangements(self) -> Floats:
        """Signs of the starts, or of blocks of them, (F, U)."""
        return flips(self.blocks)

    def row(self, some: Integers) -> tuple[Row, Floats]:
        """The columns of some of the pairs, and their differences by start, before − after (3, U)."""
        first, second = self.watched.pairs(some, some + len(self.shared), capped=True)
        line = described(first, second)
        starts = int(np.count_nonzero(np.bincount(self.unit[some])))
        line |= {"only_before": line["only_first"], "only_after": line["only_second"], "same": int(self.same[some].sum())}
        line |= {"rate_before": first.event.mean(), "rate_after": second.event.mean()}
        line |= {"ert_before": line["ert_first"], "ert_after": line["ert_second"]}
        line |= {"starts": starts, "smallest_p": smallest_p(starts) if starts > 1 else np.nan}
        line["p_unseen"] = unseen(first, second, (starts, starts)) if starts > 1 else np.nan
        return line, by_start(first, second, self.block[some], self.blocks)

    def before_less_after(self, differences: Floats) -> Floats:
        """The sums (M,) of differences (M, U)."""
        return np.asarray(differences.sum(1), float)


class DifferentStarts:
    """Runs of two sweeps that have the same settings and other starts: whole starts change places between the sweeps.

    A permutation test on what each start has: its Prentice scores, its successes, its epochs spent − r·successes, each less
    the mean of all (of r, the ERT of all, that is 0). If nothing changed, which starts are in which sweep is chance.
    """

    replicated: bool

    def __init__(
        self, before: pd.DataFrame, after: pd.DataFrame, settings: list[str], setting: Integers, horizons: Floats
    ) -> None:
        """The runs of the settings that both have; `setting` (R,) numbers these, `horizons` (R,), before and then after."""
        limit = np.full(int(setting.max(initial=-1)) + 1, np.inf)
        np.minimum.at(limit, setting, horizons)
        self.watched = Watched(Sample(before), Sample(after), horizons=(limit[setting],))
        self.shared = Sample(_settings(before, after, settings, setting))
        self.is_after = np.repeat([False, True], [len(before), len(after)])
        units = [Sample(table).starts for table in (before, after)]
        self.unit = np.concatenate([units[0][0], units[0][1] + units[1][0]])
        size = max(1, -(-max(units[0][1], units[1][1]) // MOST_UNITS))  # of a block of starts, in both sweeps
        blocks = [in_blocks(unit, number, -(-number // size)) for unit, number in units]
        self.sizes = blocks[0][1], blocks[1][1]
        self.block = np.concatenate([blocks[0][0], blocks[0][1] + blocks[1][0]])
        self.replicated = min(self.sizes) > 1

    @cached_property
    def arrangements(self) -> Floats:
        """Which starts are in the sweep after, (F, U)."""
        return divisions(*self.sizes)

    def row(self, some: Integers) -> tuple[Row, Floats]:
        """The columns of some of the runs, with no pairs, and what each start has beyond the mean (3, U)."""
        runs, _ = self.watched.pairs(some, some, capped=True)
        after = self.is_after[some]
        line: Row = dict.fromkeys(("pairs", "same", "only_before", "only_after", "earlier", "later"), 0) | {"ratio": np.nan}
        before, later = (self.watched.pairs(part, part, capped=True)[0] for part in (some[~after], some[after]))
        first, second = (int(np.count_nonzero(np.bincount(self.unit[part]))) for part in (some[~after], some[after]))
        line |= {"rate_before": before.event.mean(), "rate_after": later.event.mean()}
        line |= {"ert_before": before.ert, "ert_after": later.ert, "starts": first + second}
        line |= {"smallest_p": np.nan, "p_unseen": np.nan}
        if min(first, second) > 1:
            line |= {"smallest_p": smallest_p_apart(first, second), "p_unseen": unseen(before, later, (first, second))}
        scores = prentice_scores(np.bincount(runs.block, minlength=int(runs.block.max()) // 2 * 2 + 2))
        solved = runs.solved.astype(float)
        pooled = runs.spent.sum() / solved.sum() if solved.any() else np.nan
        cost = runs.spent - pooled * solved if solved.any() else np.zeros(len(some))
        beyond = ((scores[runs.block], 1.0), (solved - solved.mean(), 1.0), (cost, runs.spent.sum()))
        block = self.block[some]
        return line, np.stack([without_noise(sums(block, values, sum(self.sizes)), scale) for values, scale in beyond])

    def before_less_after(self, differences: Floats) -> Floats:
        """Of what all starts have beyond the mean (M, U), with which sign the sweep before has more, (M,)."""
        return np.asarray(-(differences @ self.arrangements[0]), float)


def _settings(before: pd.DataFrame, after: pd.DataFrame, settings: list[str], setting: Integers) -> pd.DataFrame:
    """The settings of the runs of both, with equal values where they are numbered equally."""
    table = pd.concat([before[settings], after[settings]], ignore_index=True)
    first = np.zeros(int(setting.max(initial=-1)) + 1, np.intp)
    first[setting[::-1]] = np.arange(len(setting) - 1, -1, -1)
    return table.iloc[first[setting]].reset_index(drop=True)
