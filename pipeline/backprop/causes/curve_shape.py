"""What the kept curves of runs say about how their errors fall towards the end."""

from dataclasses import dataclass

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.logarithm import log
from pipeline.backprop.causes.ordered_sum import added

LAST_PART = 0.3  # of the epochs: from there on the slope is taken
FEWEST = 3  # intervals that a slope is taken from


@dataclass(frozen=True, slots=True)
class CurveShape:
    """Of R runs that ended at the same epoch, each (R,).

    last_rate: the error that fell per epoch over the last kept interval. rises: how often the error rose from one kept epoch
    to the next in the last half. rho: the slope of ln(−dE/dk) on ln E over the last part, 2 where the error falls like 1/k, 1
    where exponentially; NaN where fewer than `FEWEST` intervals fell.
    """

    last_rate: Array
    rises: Array
    rho: Array
    trend: Array


def shape(epochs: Array, errors: Array) -> CurveShape:
    """The shape of curves: epochs (K,), errors (K, R). Of a single point nothing is known: NaN."""
    if len(epochs) < 2:
        unknown = np.full(errors.shape[1], np.nan)
        return CurveShape(unknown, unknown, unknown, unknown)
    epochs = np.asarray(epochs, float)
    fall = errors[:-1] - errors[1:]
    rate = fall / np.diff(epochs)[:, None]
    late = np.flatnonzero(epochs[:-1] >= LAST_PART * epochs[-1])
    last_half = np.flatnonzero(epochs[:-1] >= 0.5 * epochs[-1])
    rises = added((fall[last_half] < 0.0).astype(float))
    middle, end = (epochs >= 0.3 * epochs[-1]) & (epochs <= 0.55 * epochs[-1]), epochs >= 0.8 * epochs[-1]
    middle[len(epochs) // 2] |= not middle.any()
    trend = errors[end].min(axis=0) / errors[middle].min(axis=0)
    return CurveShape(rate[-1], rises, _slope(0.5 * (errors[:-1] + errors[1:])[late], rate[late]), trend)


def _slope(level: Array, rate: Array) -> Array:
    """The least-squares slope of ln rate on ln level, each (K, R), of the intervals in which the error fell."""
    used = (rate > 0.0) & (level > 0.0)
    x, y = log(np.where(used, np.stack([level, rate]), 1.0))  # of 1: 0
    number = added(used.astype(float))
    with np.errstate(all="ignore"):
        deviation = np.where(used, x - added(x) / number, 0.0)
        below = added(deviation * deviation)
        slope = added(deviation * (y - added(y) / number)) / below
    return np.where((number >= FEWEST) & (below > 0.0), slope, np.nan)
