"""What each value of an axis costs on average over the settings of the other axes, and how far these lie apart."""

import numpy as np
import pandas as pd

from pipeline.stats.arrays import Booleans, Floats, Integers, compact
from pipeline.stats.costs.ert_intervals import ert_at_least
from pipeline.stats.costs.running_times import expected_running_time
from pipeline.stats.sample import Sample

SPREAD = (0.25, 0.75)  # quantiles over the other settings


def partial_dependence(sample: Sample, axis: str) -> pd.DataFrame:
    """A row per value of the axis: the mean of the log cost over the other settings, and the spread of these.

    Columns the axis, mean (geometric, of the settings' expected running times), low and high (their quartiles), settings, how
    many there are, and unsolved, in how many of them no run converged. These count with a lower bound of their cost,
    `ert_at_least`, so that the mean is one too where `unsolved` is not 0. The spread is over settings and no interval: it
    does not shrink with more starts. An epoch at least is counted. Only settings that were run at every value, so that like
    is averaged with like; NaN if there is none. Friedman, "Greedy function approximation", Annals of Statistics 29 (2001),
    section 8.2. Raises KeyError for what is no axis.
    """
    others = [other for other in sample.settings if other != axis]
    setting, settings = sample.codes(others)
    code, values = sample.factorized(axis)
    cost, unsolved = _costs(sample, setting * len(values) + code, settings * len(values))
    cost, unsolved = cost.reshape(settings, -1), unsolved.reshape(settings, -1)
    everywhere = ~np.isnan(cost).any(axis=1)
    cost, unsolved = cost[everywhere], unsolved[everywhere]
    table = pd.DataFrame({axis: values.array})
    none = np.full(len(values), np.nan)
    table["mean"] = np.exp(np.log(cost).mean(axis=0)) if len(cost) else none
    for name, share in zip(("low", "high"), SPREAD, strict=True):
        table[name] = np.exp(np.quantile(np.log(cost), share, axis=0)) if len(cost) else none
    return table.assign(settings=len(cost), unsolved=unsolved.sum(axis=0).astype(int))


def _costs(sample: Sample, cell: Integers, cells: int) -> tuple[Floats, Booleans]:
    """The ERT of each cell (C,), or what it is at least; NaN of no runs. And whether no run of it converged."""
    runs, spent = np.bincount(cell, minlength=cells), np.bincount(cell, sample.epochs, cells)
    converged = np.bincount(cell, sample.event, cells)
    start, starts = sample.starts
    replicates = np.bincount(compact(cell * starts + start)[0] // max(starts, 1), minlength=cells)
    with np.errstate(invalid="ignore", divide="ignore"):
        cost = np.where(converged > 0, expected_running_time(spent, converged), ert_at_least(spent, runs, replicates))
    return np.where(runs > 0, np.maximum(cost, 1.0), np.nan), (runs > 0) & (converged == 0)
