"""Whether the learning rate is too high for where runs start: K* at the initial weights against what became of the runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import pandas as pd

from pipeline.stats.arrays import Floats, Integers, evenly
from pipeline.stats.effective_runs import Clusters, of_rate, share_interval
from pipeline.stats.sample import Sample, is_number
from pipeline.stats.trajectories import of_lowest_threshold

RATE = "learning_rate"
TOO_LONG = 3.0  # K*: above it about one run in five of the study of causes converged; of those below 1 more than half
MOST_STARTS, MOST_RUNS, FEWEST_STARTS = 2_000, 20_000, 10


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """`k_star` gives K* (R,) at the initial weights of runs (R,), at their learning rates; of at most so many `weights`."""

    k_star: Callable[[Integers], Floats]
    weights: int


def first_steps(sample: Sample, steps: FirstSteps) -> pd.DataFrame:
    """A row per learning rate: runs looked at, those of which K* > TOO_LONG (too_long), how many of these converged.

    long_starts: the starts of those; shorter, converged_of_shorter: the other runs at that rate; others, converged_of_others:
    the runs with K* up to TOO_LONG at any rate. explains: fewer of the long ones converged than of the others (their 95 %
    intervals, of which the unit is the start, do not meet; either has FEWEST_STARTS), no larger share than of the shorter ones,
    and at least half of the failures at that rate are theirs.
    Evenly chosen starts, the lowest threshold; empty without rates to compare.
    """
    if not sample.replicated or RATE not in sample.axes or not all(map(is_number, sample.values(RATE))):
        return pd.DataFrame()
    rows = looked_at(sample, steps.weights)
    if not len(rows):
        return pd.DataFrame()
    k_star = steps.k_star(rows)
    rows, k_star = rows[np.isfinite(k_star)], k_star[np.isfinite(k_star)]
    rate, keys = sample.groups([RATE])
    rates = len(keys)
    rate, long = rate[rows], k_star > TOO_LONG
    table = pd.DataFrame({RATE: keys[RATE], "runs": np.bincount(rate, minlength=rates)})
    runs, starts, converged, low, high = shares(sample, rows, np.where(long, rate + 1, 0), rates + 1)
    table["too_long"], table["long_starts"], table["converged_of_long"] = runs[1:], starts[1:], converged[1:]
    table["shorter"] = table["runs"] - table["too_long"]
    table["converged_of_shorter"] = np.bincount(rate[~long], sample.event[rows[~long]], rates).astype(int)
    table["others"], table["converged_of_others"] = runs[0], converged[0]
    no_more = table["converged_of_long"] * table["shorter"] <= table["converged_of_shorter"] * table["too_long"]
    failed = table["too_long"] - table["converged_of_long"]
    half = 2 * failed >= failed + table["shorter"] - table["converged_of_shorter"]
    enough = (starts[1:] >= FEWEST_STARTS) & (starts[0] >= FEWEST_STARTS)
    table["explains"] = (high[1:] < low[0]) & enough & no_more & half
    return table[table["runs"] > 0].reset_index(drop=True)


def looked_at(sample: Sample, weights: int) -> Integers:
    """The runs of evenly chosen starts, with the lowest threshold: at most MOST_RUNS, and so many different initial weights."""
    unit, units = sample.starts
    rows = np.flatnonzero(of_lowest_threshold(sample))
    stretched = prod(sample.size(axis) for axis in sample.settings if axis.startswith("initial"))
    most = min(MOST_STARTS, MOST_RUNS * units // max(len(rows), 1), weights // stretched)
    return rows[np.isin(unit[rows], evenly(units, most) if most else [])]


def shares(sample: Sample, rows: Integers, group: Integers, groups: int) -> Sequence[Floats | Integers]:
    """runs, starts, converged, and the ends of the interval of the share that converged, each (G,), of runs in groups."""
    runs = np.bincount(group, minlength=groups)
    converged = np.bincount(group, sample.event[rows], groups).astype(int)
    clusters = Clusters.of(sample.starts[0][rows], group, groups)
    with np.errstate(invalid="ignore"):
        share = converged / np.maximum(runs, 1)
        effective = of_rate(sample.event[rows], clusters)
    low, high = share_interval(share, effective, clusters.starts, clusters.single)
    return runs, clusters.starts, converged, low, high
