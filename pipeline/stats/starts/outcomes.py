"""Where each start converges: starts against the values of an axis."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.stats.arrays import Floats, Integers, evenly
from pipeline.stats.sample import Sample
from pipeline.stats.trajectories import of_lowest_threshold

MOST_SHOWN = 60  # starts


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The share of runs with the lowest threshold that converged: (starts, values of the axis, values of the second axis).

    Starts go from those that failed least to those that failed most; NaN where there is no run. `first` (S,) is a run of each
    start. Of `starts` in all, over all pairs of a start and a value of the second axis: `always` converged at every value of
    the axis, `never` at none, `sometimes` at some.
    """

    share: Floats
    first: Integers
    starts: int
    always: int
    sometimes: int
    never: int


def start_outcomes(sample: Sample, axis: str, second: str | None = None, values: list[Any] | None = None) -> Outcomes:
    """Which starts converge wherever, which at some values of an axis only, and which nowhere; at most MOST_SHOWN of them.

    With a second axis, such as the range of the initial weights, at each of its `values` (default: all). Raises KeyError.
    """
    unit, units = sample.starts
    columns = [sample.having(axis, value) for value in sample.values(axis)]
    seconds = [None] if second is None else sample.values(second) if values is None else values
    lowest = of_lowest_threshold(sample)
    share = np.full((units, len(columns), len(seconds)), np.nan)
    for across, value in enumerate(seconds):
        here = lowest & sample.having(second, value)
        for column, at in enumerate(columns):
            some = here & at
            runs = np.bincount(unit[some], minlength=units)
            converged = np.bincount(unit[some], sample.event[some], units)
            share[:, column, across] = np.divide(converged, runs, out=np.full(units, np.nan), where=runs > 0)
    known = ~np.isnan(share)
    pairs = known.any(axis=1)
    least, most = np.where(known, share, 1.0).min(axis=1)[pairs], np.where(known, share, 0.0).max(axis=1)[pairs]
    always, never = int((least == 1).sum()), int((most == 0).sum())
    failed = np.where(known, 1 - share, 0.0).sum(axis=(1, 2))
    order = np.argsort(failed, kind="stable")[evenly(units, MOST_SHOWN)]
    first = np.zeros(units, np.intp)
    first[unit[::-1]] = np.arange(len(sample) - 1, -1, -1)
    return Outcomes(share[order], first[order], units, always, len(least) - always - never, never)
