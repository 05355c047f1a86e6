"""Intervals of product-limit curves whose runs are not independent, those of one start being alike.

Letters: R runs, of U starts in each of G groups; B blocks, the steps of all curves; C clusters (`effective_runs.Clusters`).
"""

import numpy as np
import pandas as pd

from pipeline.stats.arrays import Booleans, Floats
from pipeline.stats.effective_runs import Clusters, effective_runs, of_few, share_interval
from pipeline.stats.product_limit import Survival, running


def effective_runs_at(curves: Survival, event: Booleans, clusters: Clusters) -> Floats:
    """The effective number of runs (B,) behind each step of the curves.

    The variance of 1 − S(t) is U ÷ (U − 1) × Σ over starts of the squared influence of their runs. That of a run is
    S(t) × (1 ÷ (n − d) at its time if it converged by t, − Greenwood's sum up to its time or t): the infinitesimal jackknife
    of the product limit; before anything is censored (1{T ≤ t} − F(t)) ÷ runs. Williams, "Product-limit survival functions
    with correlated survival times", Lifetime Data Analysis 1 (1995).

    Of a start, Y runs are left at t, and G is the sum over those that are not. Σ (G − Y H)² over starts, with Greenwood's sum
    H, is Σ G² − 2 H Σ G Y + H² Σ Y², and each of these sums changes only by the starts whose runs leave.
    """
    size = np.bincount(curves.group, curves.events + curves.censored)[curves.group]
    single = clusters.single[curves.group] & curves.complete
    if single.all():
        return np.asarray(size, float)
    opening = np.searchsorted(curves.group, curves.group, "left")
    hazard = size * curves.greenwood
    left = curves.at_risk - curves.events
    jump = np.divide(size, left, out=np.zeros(len(size)), where=left > 0)  # where none is left the share is 1

    order = np.argsort(clusters.cluster * len(size) + curves.row)  # by start, and in time
    row, cluster = curves.row[order], clusters.cluster[order]
    influence = np.where(left[row] > 0, np.where(event[order], jump[row], 0.0) - hazard[row], 0.0)
    del order  # of a million runs these arrays take more memory than all else
    first = np.searchsorted(cluster, np.arange(len(clusters.group)))[cluster]
    gone, staying = running(influence, first), clusters.runs[cluster] - (np.arange(len(row)) - first)
    del first, cluster
    g, y = (gone - influence, gone), (staying, staying - 1.0)  # just before each run leaves, and just after
    del influence

    def total(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> Floats:
        return running(np.bincount(row, one[1] * other[1] - one[0] * other[0], len(size)), opening)

    at_first = np.bincount(clusters.group, np.square(clusters.runs.astype(float)))[curves.group]
    squares = total(g, g) - 2 * hazard * total(g, y) + hazard * hazard * (at_first + total(y, y))
    starts = clusters.starts[curves.group]
    variance = of_few(starts) * np.square(curves.survival / size) * squares
    return np.where(single, size, effective_runs(1 - curves.survival, variance, size, starts))


def bands(curves: Survival, effective: Floats, clusters: Clusters) -> tuple[Floats, Floats]:
    """The pointwise interval of each step of the curves, (low, high), each (B,): see `share_interval`.

    They never rise: the upper one is at least what it is later, the lower one at most what it was before.
    """
    starts = clusters.starts[curves.group]
    low, high = share_interval(1 - curves.survival, effective, starts, clusters.single[curves.group] & curves.complete)
    lower, upper = pd.Series(np.minimum(1 - high, unopened(clusters)[curves.group])), pd.Series(1 - low)
    backwards = upper[::-1].groupby(curves.group[::-1]).cummax()
    return np.asarray(lower.groupby(curves.group).cummin(), float), np.asarray(backwards, float)[::-1]


def unopened(clusters: Clusters) -> Floats:
    """The lower end (G,) of the interval of the curves before their first step; the upper one is 1."""
    none = np.zeros(len(clusters.starts))
    return 1 - share_interval(none, clusters.starts.astype(float), clusters.starts, clusters.single)[1]
