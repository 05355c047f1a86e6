"""`Summary`: the statistics of one sweep, each table computed at most once, when it is first needed."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import pandas as pd

from pipeline.stats import comparison, curves
from pipeline.stats.convergence import INTERVALS, STATISTICS, best_settings, ert_intervals, summarize
from pipeline.stats.sample import NESTED, Sample


class Summary(Sample):
    """The statistics of a sweep, from its results with a row per run: a `Sample` with its tables.

    Runs that did not converge are censored, not missing: a quantile of the epochs to convergence counts them as later than
    any epoch up to the horizon, so it is infinite ("not reached") where too few converged.

    >>> summary = Summary(results)
    >>> summary.by("learning_rate", "threshold")        # a row per combination of values, with intervals
    >>> summary.heat_map("initial.range", "learning_rate")
    >>> summary.best

    The function of `stats` that makes a table describes its columns. A table is a copy: it may be changed.
    """

    def __init__(self, results: pd.DataFrame) -> None:
        super().__init__(results)
        self._tables: dict[tuple[Any, ...], pd.DataFrame] = {}

    @cached_property
    def main_axes(self) -> list[str]:
        """The axes that vary, but for threshold and seed, the most telling first (`comparison.main_axes`)."""
        return comparison.main_axes(self)

    @cached_property
    def thresholds(self) -> list[Any]:
        """The thresholds, from the highest to the lowest; [None] where they are no axis."""
        return self.values(NESTED)[::-1] if NESTED in self.axes else [None]

    def by(self, *axes: str, intervals: bool = True) -> pd.DataFrame:
        """A row per combination of values of these axes, in order of value; one row of all runs with no axis.

        Columns: the axes, `STATISTICS` and, with intervals, `INTERVALS` (`convergence.summarize`, `.ert_intervals`).
        Raises KeyError for what is no axis.
        """
        table = self._once("by", axes, lambda: summarize(self, axes))
        if intervals:
            ends = self._once("ert", axes, lambda: ert_intervals(self, axes))
            table = pd.concat([table, ends], axis=1)
        return table[[*axes, *STATISTICS, *(INTERVALS if intervals else ())]]

    @property
    def best(self) -> pd.DataFrame:
        """The setting of lowest ert, one for each threshold where that is an axis; empty without settings or success."""
        return best_settings(self.by(*self.settings, intervals=False)) if self.settings else pd.DataFrame()

    def with_thresholds(self, *axes: str) -> list[str]:
        """Those of these names that are axes, and the threshold if it is one, in the order of the results."""
        return [axis for axis in self.axes if axis in (*axes, NESTED)]

    def heat_map(self, down: str, across: str) -> pd.DataFrame:
        """The cells of two axes, for each threshold where that is an axis: a row per cell that has runs, as in `by`."""
        return self.by(*self.with_thresholds(down, across), intervals=False)

    def costs(self, axis: str) -> pd.DataFrame:
        """What each value of an axis costs at each threshold: `by` these two, with intervals."""
        return self.by(*self.with_thresholds(axis))

    def survival(self, *axes: str) -> pd.DataFrame:
        """The Kaplan–Meier curve of each combination of values of these axes (`curves.survival`)."""
        return self._once("survival", axes, lambda: curves.survival(self, axes))

    def run_lengths(self, *axes: str) -> pd.DataFrame:
        """The distribution of the epochs to convergence (`curves.run_lengths`)."""
        return self._once("run lengths", axes, lambda: curves.run_lengths(self, axes))

    def profiles(self, axis: str) -> pd.DataFrame:
        """Performance profiles of the values of an axis (`comparison.performance_profiles`)."""
        return self._once("profiles", axis, lambda: comparison.performance_profiles(self, axis))

    def paired(self, axis: str) -> pd.DataFrame:
        """Each two values of an axis from the same starts (`comparison.paired`)."""
        return self._once("paired", axis, lambda: comparison.paired(self, axis))

    def best_values(self, axis: str) -> pd.DataFrame:
        """How sure it is which value of an axis has the lowest ert, at each threshold (`comparison.best_values`)."""
        return self._once("best", axis, lambda: comparison.best_values(self, axis))

    @property
    def sensitivity(self) -> pd.DataFrame:
        """What one step away from the best value of each axis costs (`comparison.sensitivity`)."""
        return self._once("sensitivity", (), lambda: comparison.sensitivity(self))

    @property
    def variance_shares(self) -> pd.DataFrame:
        """How much of the variance goes with each axis (`comparison.variance_shares`); empty if the design is not balanced."""
        return self._once(
            "variance", (), lambda: pd.DataFrame() if comparison.imbalance(self) else comparison.variance_shares(self)
        )

    def _once(self, name: str, axes: str | Sequence[str], make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """The table of that name and axes, made when it is first needed."""
        key = (name, axes)
        if key not in self._tables:
            self._tables[key] = make()
        return self._tables[key].copy()
