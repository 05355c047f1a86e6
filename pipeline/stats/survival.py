"""Survival analysis of the epochs to convergence, some of them censored, of many groups of runs at once.

Letters: R runs in G groups; T distinct times; B blocks, the distinct times of each group. `group` (R,) is the group 0 … G − 1
of each run, and every group has a run. `event` (R,) is true where the run converged, at `time` (R,); elsewhere `time` is when
it was last seen, or infinite if it is known never to converge.
In a table of curves a row is a step, and holds until the next; its first columns are the values of the axes `by`, one curve
for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from pipeline.stats.arrays import Booleans, Floats, Integers, compact, ranked
from pipeline.stats.intervals import LEVEL
from pipeline.stats.sample import Sample

ROUNDING = 1e-12  # a product of shares may miss the share that it equals by this much


@dataclass(frozen=True, slots=True)
class Survival:
    """Product-limit curves: a row per distinct time of each group, in order, each array (B,).

    `survival` is the share that has not converged by `time` (so it holds from then to the next time), (low, high) its
    pointwise interval. `at_risk` were running just before, `events` converged then, `censored` were last seen then.
    """

    group: Integers
    time: Floats
    at_risk: Integers
    events: Integers
    censored: Integers
    survival: Floats
    low: Floats
    high: Floats

    def until(self, end: float) -> "Survival":
        """The rows up to that time."""
        return Survival(*(getattr(self, field.name)[self.time <= end] for field in fields(self)))


def product_limit(
    time: Floats, event: Booleans, group: Integers | None = None, *, ranks: tuple[Floats, Integers] | None = None
) -> Survival:
    """The Kaplan–Meier estimate of each group, with log-log intervals.

    S(t) = ∏ (1 − d/n) over the times up to t, d events of n at risk (Kaplan & Meier, JASA 53 (1958), equation 2b). Before
    anything is censored that is what remains ÷ what started, and is computed so: 1 − ECDF exactly.
    Interval: S^exp(∓z √V ÷ log S), V = Σ d ÷ (n(n − d)), Greenwood's sum (Kalbfleisch & Prentice, *The Statistical Analysis
    of Failure Time Data*, section 1.4); it is (1, 1) where S = 1 and (0, 0) where S = 0, as in lifelines.
    `ranks` are `ranked(time)`, if known: they are the same for every grouping of the same runs.
    """
    group = np.zeros(len(time), np.intp) if group is None else group
    distinct, rank = ranked(np.asarray(time, float)) if ranks is None else ranks
    codes, number = compact(group * len(distinct) + rank)
    block_group, block_rank = np.divmod(codes, max(len(distinct), 1))
    events = np.bincount(number[event], minlength=len(codes))
    leaving = np.bincount(number, minlength=len(codes))
    opening = np.searchsorted(block_group, block_group, "left")
    before = np.cumsum(leaving) - leaving
    size = np.bincount(block_group, leaving)[block_group].astype(np.intp)
    at_risk = size - (before - before[opening])
    lost = np.cumsum(leaving - events) - (leaving - events)
    untouched = lost == lost[opening]  # nothing was censored before
    left = at_risk - events

    def running(steps: Floats) -> Floats:
        total = np.cumsum(steps, dtype=float)
        return np.asarray(total - (total - steps)[opening], float)

    with np.errstate(divide="ignore", invalid="ignore"):
        over = left == 0
        log_steps = np.where(over, 0.0, np.log1p(-events / at_risk))
        survival = np.where(untouched, left / size, np.where(over, 0.0, np.exp(running(log_steps))))
        variance = running(np.where(over, 0.0, events / (at_risk * np.where(over, 1.0, left))))
        exact = untouched & ~over
        variance = np.where(exact, size.astype(float) - left, variance) / np.where(exact, size.astype(float) * left, 1.0)
        log = np.log(survival)
        width = ndtri((1 + LEVEL) / 2) * np.sqrt(variance) / log
        bounds = [np.exp(log * np.exp(sign * width)) for sign in (-1, 1)]
    ends = (survival <= 0.0) | (survival >= 1.0)
    low, high = (np.where(ends, survival, bound) for bound in bounds)
    return Survival(block_group, distinct[block_rank], at_risk, events, leaving - events, survival, low, high)


def quantile(curves: Survival, share: float, groups: int) -> tuple[Floats, Floats, Floats]:
    """The first time by which that share has converged, and its interval: (value, low, high), each (G,).

    min {t: S(t) ≤ 1 − share}, infinite if there is none ("not reached"). The interval is of the times at which the curve's
    log-log interval holds 1 − share: Brookmeyer & Crowley, "A confidence interval for the median survival time",
    Biometrics 38 (1982), with the log(−log) transformation.
    """
    times = []
    for curve in (curves.survival, curves.low, curves.high):
        below = np.flatnonzero(curve <= 1 - share + ROUNDING)
        which, index = np.unique(curves.group[below], return_index=True)
        value = np.full(groups, np.inf)
        value[which] = curves.time[below[index]]
        times.append(value)
    return times[0], times[1], times[2]


def restricted_mean(curves: Survival, horizon: float, groups: int) -> Floats:
    """∫ S(t) dt from 0 to the horizon, (G,): the mean of min(time to convergence, horizon).

    Irwin, "The standard error of an estimate of expectation of life", Journal of Hygiene 47 (1949); Royston & Parmar, BMC
    Medical Research Methodology 13:152 (2013). The last value of a curve that ends before the horizon is carried on.
    """
    time = np.minimum(curves.time, horizon)
    opens = np.ones(len(time), bool)
    opens[1:] = curves.group[1:] != curves.group[:-1]
    until = np.append(time[1:], horizon)
    until[:-1][opens[1:]] = horizon
    area = curves.survival * (until - time) + np.where(opens, time, 0.0)
    return np.asarray(np.bincount(curves.group, area, groups), float)


def survival(sample: Sample, by: Sequence[str] = ()) -> pd.DataFrame:
    """The Kaplan–Meier curve of each group: the share that has not converged by an epoch, with its log-log interval.

    Columns `by`, epochs, at_risk, converged, censored, survival, low, high. Each curve begins at epoch 0 and ends at the
    horizon of the sweep.
    """
    group, keys = sample.groups(by)
    curves = product_limit(sample.time, sample.event, group, ranks=sample.ranked_time).until(sample.horizon)
    rows = _rows(curves.group, curves.time, len(keys), sample.horizon)
    table = keys.take(rows.group).reset_index(drop=True).assign(epochs=rows.epochs)
    remaining = curves.at_risk - curves.events - curves.censored
    runs = np.bincount(group, minlength=len(keys))
    table["at_risk"] = np.where(rows.added, rows.held(remaining, runs[rows.group]), rows.held(curves.at_risk, 0))
    table["converged"] = np.where(rows.added, 0, rows.held(curves.events, 0))
    table["censored"] = np.where(rows.added, 0, rows.held(curves.censored, 0))
    for name in ("survival", "low", "high"):
        table[name] = rows.held(getattr(curves, name), 1.0)
    return table


def run_lengths(sample: Sample, by: Sequence[str] = ()) -> pd.DataFrame:
    """The share of the runs of each group, over all thresholds of the sweep, that converged within a number of epochs.

    Columns `by`, epochs, share. Each curve begins at epoch 0 and ends at the horizon: of what lies beyond, nothing is
    known. Hansen et al., "COCO: Performance Assessment", arXiv:1605.03560 (2016), section "Empirical Distribution
    Functions", without simulated restarts.
    """
    group, keys = sample.groups(by)
    curves = product_limit(sample.time, sample.event, group, ranks=sample.ranked_time)
    steps = curves.events > 0
    owner, total = curves.group[steps], np.cumsum(curves.events[steps])
    within = total - (total - curves.events[steps])[np.searchsorted(owner, owner, "left")]
    rows = _rows(owner, curves.time[steps], len(keys), sample.horizon)
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


def _rows(group: Integers, time: Floats, groups: int, end: float) -> _Rows:
    """Rows for the steps, sorted by group and time; one is added at epoch 0, and one at the end, to a curve without."""
    first, past = (np.searchsorted(group, np.arange(groups), side) for side in ("left", "right"))
    empty, padded = first == past, np.append(time, 0.0)
    opened = np.flatnonzero(empty | (padded[first] != 0))
    closed = np.flatnonzero(np.where(empty, 0.0, padded[past - 1]) < end)
    owner = np.append(opened, closed)
    order = np.argsort(owner, kind="stable")  # the opening row of a curve comes before its closing row
    position = np.append(first[opened], past[closed])[order]
    epochs = np.append(np.zeros(len(opened)), np.full(len(closed), end))[order]
    step = np.append(np.full(len(opened), -1), np.where(empty[closed], -1, past[closed] - 1))[order]
    return _Rows(
        np.insert(group, position, owner[order]),
        np.insert(time, position, epochs),
        np.insert(np.arange(len(time)), position, step),
        np.insert(np.zeros(len(time), bool), position, True),
    )
