"""Survival analysis of the epochs to convergence, some of them censored, of many groups of runs at once.

Letters: R runs in G groups; T distinct times; B blocks, the distinct times of each group. `group` (R,) is the group 0 … G − 1
of each run, and every group has a run. `event` (R,) is true where the run converged, at `time` (R,); elsewhere `time` is when
it was last seen.
In a table of curves a row is a step, and holds until the next; its first columns are the values of the axes `by`, one curve
for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipeline.stats.arrays import Booleans, Floats, Integers, compact, ranked
from pipeline.stats.effective_runs import Clusters, effective_runs, of_few, share_interval
from pipeline.stats.sample import Sample


@dataclass(frozen=True, slots=True)
class Survival:
    """Product-limit curves: a row per distinct time of each group, in order, each array (B,); `row` (R,) is that of each run.

    `survival` is the share that has not converged by `time` (so it holds from then to the next time), `greenwood` the sum
    Σ d ÷ (n(n − d)) up to then. `at_risk` were running just before, `events` converged then, `censored` were last seen then;
    `complete` is true where none was censored before.
    """

    group: Integers
    time: Floats
    at_risk: Integers
    events: Integers
    censored: Integers
    survival: Floats
    greenwood: Floats
    complete: Booleans
    row: Integers


def product_limit(
    time: Floats, event: Booleans, group: Integers | None = None, *, ranks: tuple[Floats, Integers] | None = None
) -> Survival:
    """The Kaplan–Meier estimate of each group.

    S(t) = ∏ (1 − d/n) over the times up to t, d events of n at risk (Kaplan & Meier, JASA 53 (1958), equation 2b). Before
    anything is censored that is what remains ÷ what started, and is computed so: 1 − ECDF exactly.
    `ranks` are `ranked(time)`, if known: they are the same for every grouping of the same runs.
    """
    group = np.zeros(len(time), np.intp) if group is None else group
    distinct, rank = ranked(np.asarray(time, float)) if ranks is None else ranks
    codes, row = compact(group * len(distinct) + rank)
    owner, block_rank = np.divmod(codes, max(len(distinct), 1))
    events = np.bincount(row[event], minlength=len(codes))
    leaving = np.bincount(row, minlength=len(codes))
    opening = np.searchsorted(owner, owner, "left")
    size = np.bincount(owner, leaving)[owner].astype(np.intp)
    at_risk = size - (_running(leaving, opening) - leaving).astype(np.intp)
    censored = leaving - events
    complete = _running(censored, opening) == censored
    left = at_risk - events
    over = left == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        log_steps = np.where(over, 0.0, np.log1p(-events / at_risk))
        survival = np.where(complete, left / size, np.where(over, 0.0, np.exp(_running(log_steps, opening))))
        greenwood = _running(np.where(over, 0.0, events / (at_risk * np.where(over, 1.0, left))), opening)
        exact = complete & ~over
        greenwood = np.where(exact, size.astype(float) - left, greenwood) / np.where(exact, size.astype(float) * left, 1.0)
    return Survival(owner, distinct[block_rank], at_risk, events, censored, survival, greenwood, complete, row)


def _running(steps: NDArray[Any], opening: Integers) -> Floats:
    """The sum (B,) of the steps of each block's group up to it; `opening` (B,) is the first block of its group."""
    total = np.cumsum(steps, dtype=float)
    return np.asarray(total - (total - steps)[opening], float)


def effective_runs_of(curves: Survival, event: Booleans, clusters: Clusters) -> Floats:
    """The effective number of runs (B,) behind each step of the curves.

    The variance of 1 − S(t) is U ÷ (U − 1) × Σ over starts of the squared influence of their runs. That of a run is
    S(t) × (1 ÷ (n − d) at its time if it converged by t, − Greenwood's sum up to its time or t): the infinitesimal jackknife
    of the product limit; before anything is censored (1{T ≤ t} − F(t)) ÷ runs. Williams, "Product-limit survival functions
    with correlated survival times", Lifetime Data Analysis 1 (1995).

    Of a start, let Y runs be left at t and G be the sum over those that are not. Σ (G − Y H)² over starts, H Greenwood's sum, is
    Σ G² − 2 H Σ G Y + H² Σ Y², and each of these sums changes only by the starts whose runs leave.
    """
    size = np.bincount(curves.group, curves.events + curves.censored)[curves.group]
    opening = np.searchsorted(curves.group, curves.group, "left")
    left = curves.at_risk - curves.events
    hazard = size * curves.greenwood
    single = clusters.single[curves.group] & curves.complete
    if single.all():
        return np.asarray(size, float)
    row, before, after = _departures(
        np.where(left > 0, size / np.maximum(left, 1), 0.0), hazard, left > 0, curves, event, clusters
    )

    def total(one: int, other: int) -> Floats:
        steps = np.bincount(row, after[one] * after[other] - before[one] * before[other], len(hazard))
        return _running(steps, opening)

    at_first = np.bincount(clusters.group, np.square(clusters.runs.astype(float)))[curves.group]
    squares = total(0, 0) - 2 * hazard * total(0, 1) + hazard * hazard * (at_first + total(1, 1))
    starts = clusters.starts[curves.group]
    variance = of_few(starts) * np.square(curves.survival / size) * squares
    return np.where(single, size, effective_runs(1 - curves.survival, variance, size, starts))


Sums = tuple[Floats, Floats]  # (G, Y) of the start of a run


def _departures(
    weight: Floats, hazard: Floats, going_on: Booleans, curves: Survival, event: Booleans, clusters: Clusters
) -> tuple[Integers, Sums, Sums]:
    """The row (R,) at which each run leaves its curve, and the sums G and Y of its start just before and just after."""
    order = np.arange(len(event))
    if len(clusters.group) < len(order):
        order = np.argsort(clusters.cluster * len(weight) + curves.row)
    row, cluster = curves.row[order], clusters.cluster[order]
    influence = np.where(going_on[row], np.where(event[order], weight[row], 0.0) - hazard[row], 0.0)
    first = np.searchsorted(cluster, np.arange(len(clusters.group)))[cluster] if len(clusters.group) < len(order) else order
    gone = _running(influence, first)
    remaining = clusters.runs[cluster] - (np.arange(len(order)) - first) - 1.0
    return row, (gone - influence, remaining + 1), (gone, remaining)


def bands(curves: Survival, effective: Floats, clusters: Clusters) -> tuple[Floats, Floats]:
    """The pointwise interval of each step of the curves, (low, high), each (B,): see `share_interval`.

    They never rise: the upper one is at least what it is later, the lower one at most what it was before.
    """
    starts = clusters.starts[curves.group]
    low, high = share_interval(1 - curves.survival, effective, starts, clusters.single[curves.group] & curves.complete)
    falling = pd.Series(np.minimum(1 - high, unopened(clusters)[curves.group])).groupby(curves.group).cummin()
    return falling.to_numpy(), pd.Series((1 - low)[::-1]).groupby(curves.group[::-1]).cummax().to_numpy()[::-1]


def unopened(clusters: Clusters) -> Floats:
    """The lower end (G,) of the interval of the curves before their first step; the upper one is 1."""
    none = np.zeros(len(clusters.starts))
    return 1 - share_interval(none, clusters.starts.astype(float), clusters.starts, clusters.single)[1]


def restricted_mean(curves: Survival, horizon: ArrayLike, groups: int) -> Floats:
    """∫ S(t) dt from 0 to the horizon of each group, (G,): the mean of min(time to convergence, horizon).

    Irwin, "The standard error of an estimate of expectation of life", Journal of Hygiene 47 (1949); Royston & Parmar, BMC
    Medical Research Methodology 13:152 (2013). The last value of a curve that ends before the horizon is carried on.
    """
    end = np.broadcast_to(horizon, groups)[curves.group]
    time = np.minimum(curves.time, end)
    opens = np.ones(len(time), bool)
    opens[1:] = curves.group[1:] != curves.group[:-1]
    closes = np.append(opens[1:], True)
    until = np.where(closes, end, np.append(time[1:], 0.0))
    area = curves.survival * (until - time) + np.where(opens, time, 0.0)
    return np.asarray(np.bincount(curves.group, area, groups), float)


def survival(sample: Sample, by: Sequence[str] = ()) -> pd.DataFrame:
    """The Kaplan–Meier curve of each group: the share that has not converged by an epoch, with its pointwise interval.

    Columns `by`, epochs, at_risk, converged, censored, survival, low, high (`bands`; NaN with fewer than two starts). Each
    curve begins at epoch 0 and ends where its group was last watched.
    """
    group, keys = sample.groups(by)
    curves = product_limit(sample.time, sample.event, group, ranks=sample.ranked_time)
    clusters = Clusters.of(sample.starts[0], group, len(keys))
    low, high = bands(curves, effective_runs_of(curves, sample.event, clusters), clusters)
    rows = _rows(curves.group, curves.time, sample.watched(group, len(keys)))
    table = keys.take(rows.group).reset_index(drop=True).assign(epochs=rows.epochs)
    remaining = curves.at_risk - curves.events - curves.censored
    runs = np.bincount(group, minlength=len(keys))
    table["at_risk"] = np.where(rows.added, rows.held(remaining, runs[rows.group]), rows.held(curves.at_risk, 0))
    table["converged"] = np.where(rows.added, 0, rows.held(curves.events, 0))
    table["censored"] = np.where(rows.added, 0, rows.held(curves.censored, 0))
    table["survival"] = rows.held(curves.survival, 1.0)
    table["low"] = rows.held(low, unopened(clusters)[rows.group])
    table["high"] = rows.held(high, np.where(clusters.starts > 1, 1.0, np.nan)[rows.group])
    return table


def run_lengths(sample: Sample, by: Sequence[str] = ()) -> pd.DataFrame:
    """The share of the runs of each group, over all thresholds of the sweep, that converged within a number of epochs.

    Columns `by`, epochs, share. Each curve begins at epoch 0 and ends where its group was last watched: of what lies beyond,
    nothing is known. A run with a smaller max_epochs than others is one that did not converge. Hansen et al., "COCO:
    Performance Assessment", arXiv:1605.03560 (2016), section "Empirical Distribution Functions", without simulated restarts.
    """
    group, keys = sample.groups(by)
    curves = product_limit(sample.time, sample.event, group, ranks=sample.ranked_time)
    steps = curves.events > 0
    owner = curves.group[steps]
    within = _running(curves.events[steps], np.searchsorted(owner, owner, "left"))
    rows = _rows(owner, curves.time[steps], sample.watched(group, len(keys)))
    table = keys.take(rows.group).reset_index(drop=True).assign(epochs=rows.epochs)
    table["share"] = rows.held(within, 0) / np.bincount(group, minlength=len(keys))[rows.group]
    return table


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a table of curves: `step` is whose values a row holds (−1: none), `added` whether it is no step itself."""

    group: Integers
    epochs: Floats
    step: Integers
    added: Booleans

    def held(self, values: NDArray[Any], otherwise: Any) -> NDArray[Any]:
        """The value of each row's step, or another where it has none."""
        return np.where(self.step < 0, otherwise, np.append(values, 0)[self.step])


def _rows(group: Integers, time: Floats, end: Floats) -> _Rows:
    """Rows for the steps, sorted by group and time; one is added at epoch 0, and one at its end (G,), to a curve without."""
    first, past = (np.searchsorted(group, np.arange(len(end)), side) for side in ("left", "right"))
    empty, padded = first == past, np.append(time, 0.0)
    opened = np.flatnonzero(empty | (padded[first] != 0))
    closed = np.flatnonzero(np.where(empty, 0.0, padded[past - 1]) < end)
    owner = np.append(opened, closed)
    order = np.argsort(owner, kind="stable")  # the opening row of a curve comes before its closing row
    position = np.append(first[opened], past[closed])[order]
    epochs = np.append(np.zeros(len(opened)), end[closed])[order]
    step = np.append(np.full(len(opened), -1), np.where(empty[closed], -1, past[closed] - 1))[order]
    return _Rows(
        np.insert(group, position, owner[order]),
        np.insert(time, position, epochs),
        np.insert(np.arange(len(time)), position, step),
        np.insert(np.zeros(len(time), bool), position, True),
    )
