"""Quartiles of the epochs to convergence, some of them censored, and their intervals, of many groups of runs at once.

Letters: G groups; B blocks, the steps of their curves (`product_limit.Survival`).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, bdtrc, bdtrik

from pipeline.stats.arrays import Floats, Integers, compact
from pipeline.stats.effective_runs import Clusters, share_interval
from pipeline.stats.intervals import LEVEL
from pipeline.stats.product_limit import Survival

QUARTILES = {"q1": 0.25, "median": 0.5, "q3": 0.75}
ROUNDING = 1e-12  # a product of shares may miss the share that it equals by this much


def reached(curves: Survival, share: ArrayLike, groups: int) -> Integers:
    """The first step (G,) of each group by which that share, one or (G,), has converged; −1 if none."""
    wanted = np.broadcast_to(share, groups)[curves.group]
    steps = np.bincount(curves.group, minlength=groups)
    short = np.bincount(curves.group[curves.survival > 1 - wanted], minlength=groups)
    return np.where(short < steps, np.cumsum(steps) - steps + short, -1)


def times(curves: Survival, step: Integers) -> Floats:
    """The time of each step; infinite ("not reached") where it is −1."""
    return np.append(curves.time, np.inf)[step]


def quantile(curves: Survival, share: float, groups: int) -> Floats:
    """The epochs by which that share has converged, (G,); infinite ("not reached") where it has not.

    min {t: S(t) ≤ 1 − share}. Where the curve is level at 1 − share, between two runs as the median of an even number is, the
    geometric mean of both ends (epoch 0 counts as 1), as epochs spread over orders of magnitude; the lower end if
    the upper one is not known. Hyndman & Fan, "Sample quantiles in statistical packages", The American Statistician 50
    (1996), definition 2, of the logarithms.
    """
    first, past = (reached(curves, share + side * ROUNDING, groups) for side in (-1, 1))
    lower, upper = times(curves, first), times(curves, past)
    level = (past != first) & (past >= 0)
    return np.sqrt(np.where(level, np.maximum(lower, 1.0) * upper, 0.0), out=lower.copy(), where=level)


def quantile_interval(curves: Survival, share: float, effective: Floats, clusters: Clusters) -> tuple[Floats, Floats]:
    """The interval of `quantile`, (low, high), each (G,): the epochs by which a smaller and a larger share have converged.

    In a single cell these are order statistics, of which a binomial number lies below the quantile: Conover, *Practical
    Nonparametric Statistics*, section 3.2; `scipy.stats.quantile_test`. Elsewhere they are the ends of `share_interval` around
    the share, with the effective number of runs (B,) at the quantile: Woodruff, "Confidence intervals for medians and other
    position measures", JASA 47 (1952). `low` is 0 and `high` infinite where the sample has no such end; NaN with fewer than
    two starts.
    """
    groups = len(clusters.starts)
    step = reached(curves, share - ROUNDING, groups)
    last = np.cumsum(np.bincount(curves.group, minlength=groups)) - 1
    step = np.where(step < 0, last, step)
    single = clusters.single & curves.complete[step]
    around = share_interval(np.full(groups, share), effective[step], clusters.starts, np.zeros(groups, bool))
    below, above = (np.where(single, *ends) for ends in zip(order_shares(clusters.starts, share), around, strict=True))
    low, high = (times(curves, reached(curves, level - ROUNDING, groups)) for level in (below, above))
    return np.where(clusters.starts > 1, np.where(below > 0, low, 0.0), np.nan), np.where(clusters.starts > 1, high, np.nan)


def order_shares(runs: Integers, share: float) -> tuple[Floats, Floats]:
    """The ranks of the two order statistics around a quantile, as shares of the runs (G,): 0 or above 1 where there is none.

    They are binomial quantiles: the least numbers with P(X ≤ low) ≥ tail and P(X > high − 1) ≤ tail. `scipy.stats` has them,
    too, but takes longer to import than all else that is needed here.
    """
    sizes, number = compact(runs)
    tail = (1 - LEVEL) / 2
    low, high = (np.ceil(bdtrik(level, sizes, share)) for level in (tail, 1 - tail))
    before = np.maximum(low - 1, 0)  # the inverse may be off by the last bits
    low = np.where(bdtr(before, sizes, share) >= tail, before, low)
    before = np.maximum(high - 1, 0)
    high = np.where(bdtrc(before, sizes, share) <= tail, before, high)
    return (low / sizes)[number], ((high + 1) / sizes)[number]
