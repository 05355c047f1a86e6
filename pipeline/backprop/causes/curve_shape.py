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


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a curve is looked at, as slices: of its points from `first` on, and of the intervals between them.

    spans: the epochs of each such interval.
    """

    first: int
    spans: Array
    late: slice
    last_half: slice
    middle: slice
    end: slice


def parts(epochs: Array) -> Parts:
    """The parts of curves at these epochs, (K,), which rise."""
    last, intervals = epochs[-1], len(epochs) - 1
    late, last_half = (int(np.searchsorted(epochs[:-1], part * last)) for part in (LAST_PART, 0.5))
    middle, after_middle = int(np.searchsorted(epochs, 0.3 * last)), int(np.searchsorted(epochs, 0.55 * last, "right"))
    if middle == after_middle:
        middle, after_middle = len(epochs) // 2, len(epochs) // 2 + 1
    end = int(np.searchsorted(epochs, 0.8 * last))
    first = max(0, min(late, last_half, middle, end, intervals - 1))
    bounds = [(late, intervals), (last_half, intervals), (middle, after_middle), (end, len(epochs))]
    return Parts(first, np.diff(epochs[first:]), *(slice(start - first, stop - first) for start, stop in bounds))


def shape(epochs: Array, errors: Array) -> CurveShape:
    """The shape of curves: epochs (K,), errors (K, R). Of a single point nothing is known: NaN."""
    looked_at = parts(np.asarray(epochs, float))
    return shape_of(looked_at, errors[looked_at.first :])


def shape_of(parts: Parts, errors: Array) -> CurveShape:
    """The shape of curves from their parts; errors from the first point on that is looked at."""
    if not len(parts.spans):
        return CurveShape(*np.full((4, errors.shape[1]), np.nan))
    before, after = errors[:-1], errors[1:]
    fall = before - after
    rate = fall / parts.spans[:, None]
    rises = added((fall[parts.last_half] < 0.0).astype(float))
    trend = errors[parts.end].min(axis=0) / errors[parts.middle].min(axis=0)
    level = 0.5 * (before[parts.late] + after[parts.late])
    return CurveShape(rate[-1], rises, _slope(level, rate[parts.late]), trend)


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
