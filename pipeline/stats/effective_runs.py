"""How many independent runs the runs of a group say as much as, where several of them began from the same weights.

Letters: R runs in G groups; C clusters, each the runs of one start in one group.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from pipeline.stats.arrays import Booleans, Floats, Integers, compact, distinct
from pipeline.stats.intervals import LEVEL, Z, wilson


@dataclass(frozen=True)
class Clusters:
    """The clusters: the `group` (C,) of each, in order, and its number of `runs` (C,).

    Of each group: its number of `starts` (G,), and whether it is `single` (G,), a single cell: no start has two runs. `code`
    (R,) is a number of the cluster of each run, in their order.
    """

    code: Integers
    group: Integers
    runs: Integers
    starts: Integers
    single: Booleans

    @classmethod
    def of(cls, start: Integers, group: Integers, groups: int) -> "Clusters":
        """The clusters of R runs, each from a start (R,) in a group (R,) 0 … groups − 1."""
        starts = int(start.max(initial=0)) + 1
        code = group * starts + start
        present = distinct(code)
        owner = present // starts
        if len(present) == len(code):
            return cls(code, owner, np.ones_like(owner), np.bincount(owner, minlength=groups), np.ones(groups, bool))
        runs = np.bincount(compact(code)[1], minlength=len(present))
        return cls(code, owner, runs, np.bincount(owner, minlength=groups), np.bincount(owner, runs > 1, groups) == 0)

    @cached_property
    def cluster(self) -> Integers:
        """The cluster (R,) of each run."""
        return compact(self.code)[1]

    @property
    def of_groups(self) -> "Clusters":
        """What is known of the groups alone, which takes little memory."""
        none = np.zeros(0, np.intp)
        return Clusters(none, none, none, self.starts, self.single)


def effective_runs(share: Floats, variance: Floats, runs: ArrayLike, starts: ArrayLike) -> Floats:
    """The number n of independent runs whose share would have this variance: share (1 − share) ÷ variance.

    At most the runs, at least half the starts; the starts where the share is 0 or 1, which says nothing of its variance, and
    1 of one start. Korn & Graubard, "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data", Survey Methodology 24 (1998); Dean & Pagano, Journal of Survey Statistics and Methodology 3
    (2015).
    """
    starts = np.asarray(starts, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        number = np.fmin(share * (1 - share) / np.maximum(variance, 0.0), runs)
    number = np.where((share <= 0) | (share >= 1), starts, np.maximum(number, starts / 2))
    return np.where(starts < 2, 1.0, number)


def of_rate(converged: Booleans, clusters: Clusters) -> Floats:
    """The effective number of runs (G,) behind the rate of each group.

    Variance U ÷ (U − 1) × Σ (k − p m)² ÷ n²: of the m runs of a start k converged, U starts, n runs, p the rate of all. It is
    the cluster-robust variance of a mean (Liang & Zeger, Biometrika 73 (1986)). A single cell has its runs.
    """
    groups = len(clusters.starts)
    if clusters.single.all():
        return np.bincount(clusters.group, clusters.runs, groups).astype(float)
    successes = np.bincount(clusters.cluster, converged, len(clusters.group))
    runs = np.bincount(clusters.group, clusters.runs, groups)
    rate = np.bincount(clusters.group, successes, groups) / runs
    squares = np.square(successes - rate[clusters.group] * clusters.runs)
    variance = of_few(clusters.starts) * np.bincount(clusters.group, squares, groups) / np.square(runs)
    return np.where(clusters.single, runs, effective_runs(rate, variance, runs, clusters.starts))


def of_few(starts: Integers) -> Floats:
    """U ÷ (U − 1), by which a variance between U starts is larger than what is measured around their own mean; 1 of one."""
    return np.asarray(starts / np.maximum(starts - 1.0, 1.0), float)


def share_interval(share: ArrayLike, effective: Floats, starts: Integers, single: Booleans) -> tuple[Floats, Floats]:
    """The interval of a share of runs, (low, high): Wilson's, of the effective number of runs.

    Student's t with U − 1 takes the place of z: the variance that the number comes from is estimated from U starts. Not in a
    single cell, nor where the share is 0 or 1. NaN with fewer than two starts. In samples of 5 to 50 starts the 95 % interval
    of a pooled rate held the truth in 94–95 % (Franco et al., Journal of Survey Statistics and Methodology 7 (2019)).
    """
    share = np.asarray(share, float)
    known = single | (share <= 0) | (share >= 1)
    low, high = wilson(share * effective, effective, np.where(known, Z, student(starts)))
    return np.where(starts > 1, low, np.nan), np.where(starts > 1, high, np.nan)


def student(starts: Integers) -> Floats:
    """The upper quantile of Student's t with one degree of freedom less than starts; NaN of one."""
    sizes, number = compact(starts)
    return np.asarray(stdtrit(np.where(sizes > 1, sizes - 1.0, np.nan), (1 + LEVEL) / 2)[number], float)
