"""Tables of curves: the share of runs that has not converged by an epoch, and the share that has.

A row is a step, and holds until the next; the first columns are the values of the axes `by`, one curve for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.stats.arrays import Booleans, Floats, Integers
from pipeline.stats.effective_runs import Clusters, of_rate
from pipeline.stats.product_limit import Survival, product_limit, running
from pipeline.stats.sample import Sample
from pipeline.stats.survival_bands import bands, effective_runs_at, unopened

MOST_KEPT = 200_000  # rows of curves that are kept for whoever needs them next


@dataclass(frozen=True, slots=True)
class Curves:
    """The `curves` of G groups, and their `clusters`, both without what they say of single runs.

    `effective` (B,) is the effective number of runs behind each row of the curves, `of_rate` (G,) that behind the share that
    converged; `watched` (G,) the epoch up to which each group was watched.
    """

    curves: Survival
    clusters: Clusters
    effective: Floats
    of_rate: Floats
    watched: Floats


def curves_of(sample: Sample, by: Sequence[str]) -> Curves:
    """The curves of each combination of values of the axes `by`, in order of value."""
    return sample.once(("curves", *by), lambda: _curves(sample, by), lambda found: len(found.effective) <= MOST_KEPT)


def _curves(sample: Sample, by: Sequence[str]) -> Curves:
    group, groups = sample.codes(by)
    curves = product_limit(sample.time, sample.event, group, ranks=sample.ranked_time)
    clusters = Clusters.of(sample.starts[0], group, groups)
    effective, of_all = effective_runs_at(curves, sample.event, clusters), of_rate(sample.event, clusters)
    few = replace(curves, code=np.zeros(0, np.intp))
    return Curves(few, clusters.of_groups, effective, of_all, sample.watched(group, groups))


def survival(sample: Sample, by: Sequence[str] = ()) -> pd.DataFrame:
    """The Kaplan–Meier curve of each group: the share that has not converged by an epoch, with its pointwise interval.

    Columns `by`, epochs, at_risk, converged, censored, survival, low, high (`bands`; NaN with fewer than two starts). Each
    curve begins at epoch 0 and ends where its group was last watched.
    """
    group, keys = sample.groups(by)
    found = curves_of(sample, by)
    curves, clusters = found.curves, found.clusters
    low, high = bands(curves, found.effective, clusters)
    rows = _rows(curves.group, curves.time, found.watched)
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
    found = curves_of(sample, by)
    curves = found.curves
    steps = curves.events > 0
    owner = curves.group[steps]
    within = running(curves.events[steps], np.searchsorted(owner, owner, "left"))
    rows = _rows(owner, curves.time[steps], found.watched)
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
