"""`Summary`: the statistics of one sweep, each table computed at most once, when it is first needed."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipeline.backprop.status import STATUSES
from pipeline.results.columns import HELD_OUT
from pipeline.stats import survival
from pipeline.stats.comparisons import within_a_sweep
from pipeline.stats.costs.running_times import bootstrap_ert, expected_running_time
from pipeline.stats.intervals import wilson
from pipeline.stats.sample import NESTED, Sample
from pipeline.stats.starts.effects import PropertiesOf, start_effects

STATISTICS = ("runs", *STATUSES, "rate", "ert", "q1", "median", "q3")
INTERVALS = ("rate_low", "rate_high", "ert_low", "ert_high", "median_low", "median_high", "restricted_mean")
QUARTILES = {"q1": 0.25, "median": 0.5, "q3": 0.75}


def summarize(sample: Sample, by: Sequence[str]) -> pd.DataFrame:
    """A row per value, or combination of values, of the axes `by`, in order of value; one row with none.

    runs; how many ended with each status; rate = converged ÷ runs; ert = all epochs spent ÷ converged, infinite with
    none (`expected_running_time`); q1, median, q3 of the epochs to convergence (Kaplan–Meier; `quantile`). 95 % intervals:
    rate_low, rate_high (`wilson`) and median_low, median_high (log-log); they take the runs of a row as independent, and are
    for rows whose runs differ in their initial weights alone, too narrow where a row has several runs from the same.
    restricted_mean is the mean of the epochs to convergence or to the horizon of all runs. `ert_intervals` has the rest.
    """
    group, table = sample.groups(by)
    groups = len(table)
    counts = np.bincount(group * len(STATUSES) + sample.status, minlength=groups * len(STATUSES)).reshape(-1, len(STATUSES))
    table["runs"] = counts.sum(axis=1)
    for number, name in enumerate(STATUSES):
        table[name] = counts[:, number]
    table["rate"] = table["converged"] / table["runs"]
    table["ert"] = expected_running_time(np.bincount(group, sample.epochs, groups), table["converged"].to_numpy())
    curves = survival.product_limit(sample.time, sample.event, group, ranks=sample.ranked_time)
    for name, share in QUARTILES.items():
        table[name], low, high = survival.quantile(curves, share, groups)
        if name == "median":
            table["median_low"], table["median_high"] = low, high
    table["rate_low"], table["rate_high"] = wilson(table["converged"], table["runs"])
    table["restricted_mean"] = survival.restricted_mean(curves, sample.horizon, groups)
    return table


def ert_intervals(sample: Sample, by: Sequence[str]) -> pd.DataFrame:
    """The 95 % interval of the ert in each row of `summarize`: ert_low, ert_high (`bootstrap_ert` over the units)."""
    low, high = bootstrap_ert(sample.epochs, sample.event, sample.units()[0], sample.codes(by)[0])
    return pd.DataFrame({"ert_low": low, "ert_high": high})


class Summary(Sample):
    """The statistics of a sweep, from its results with a row per run: a `Sample` with its tables.

    Runs that did not converge are censored, not missing: a quantile of the epochs to convergence counts them as later than
    any epoch up to the horizon, so it is infinite ("not reached") where too few converged. The function of `stats` that makes
    a table describes its columns. A table is a copy: it may be changed.

    >>> summary = Summary(results)
    >>> summary.by("learning_rate", "threshold")        # a row per combination of values, with intervals
    >>> summary.heat_map("initial.range", "learning_rate")
    >>> summary.best
    """

    def __init__(self, results: pd.DataFrame, properties_of: PropertiesOf | None = None) -> None:
        """`properties_of` gives the properties of the initial weights of runs, where those are known."""
        super().__init__(results)
        self._properties_of = properties_of
        self._tables: dict[tuple[Any, ...], pd.DataFrame] = {}

    @cached_property
    def main_axes(self) -> list[str]:
        """The axes that vary, but for threshold and seed, the most telling first (`within_a_sweep.main_axes`)."""
        return within_a_sweep.main_axes(self)

    @cached_property
    def thresholds(self) -> list[Any]:
        """The thresholds, from the highest to the lowest; [None] where they are no axis."""
        return self.values(NESTED)[::-1] if NESTED in self.axes else [None]

    def by(self, *axes: str, intervals: bool = True) -> pd.DataFrame:
        """A row per combination of values of these axes, in order of value; one row of all runs with no axis.

        Columns: the axes, `STATISTICS` and, with intervals, `INTERVALS`. Raises KeyError for what is no axis.
        """
        table = self._once("by", axes, lambda: summarize(self, axes))
        if intervals:
            table = pd.concat([table, self._once("ert", axes, lambda: ert_intervals(self, axes))], axis=1)
        return table[[*axes, *STATISTICS, *(INTERVALS if intervals else ())]]

    @property
    def best(self) -> pd.DataFrame:
        """The setting of lowest ert, one for each threshold where that is an axis; empty without settings or success."""
        if not self.settings:
            return pd.DataFrame()
        table = self.by(*self.settings, intervals=False)
        best = table[np.isfinite(table["ert"])].sort_values("ert", kind="stable")
        best = best.drop_duplicates(NESTED).sort_values(NESTED, ascending=False) if NESTED in best else best.head(1)
        return pd.DataFrame(best.reset_index(drop=True))

    def with_thresholds(self, *axes: str) -> list[str]:
        """Those of these names that are axes, and the threshold if it is one, in the order of the results."""
        return [axis for axis in self.axes if axis in (*axes, NESTED)]

    def heat_map(self, down: str, across: str) -> pd.DataFrame:
        """The cells of two axes, for each threshold where that is an axis: a row per cell that has runs, as in `by`."""
        return self.by(*self.with_thresholds(down, across), intervals=False)

    def costs(self, axis: str) -> pd.DataFrame:
        """What each value of an axis costs at each threshold: `by` these two, with intervals."""
        return self.by(*self.with_thresholds(axis))

    def held_out(self, *axes: str) -> pd.DataFrame:
        """Medians over runs of HELD_OUT, a row per combination of values of these axes; empty if no patterns are held out."""
        group, table = self.groups(axes)
        for name in HELD_OUT:
            if name in self.results:
                table[name] = self.results[name].groupby(group).median()
        return table if len(table.columns) > len(axes) else pd.DataFrame()

    def survival(self, *axes: str) -> pd.DataFrame:
        """The Kaplan–Meier curve of each combination of values of these axes (`survival.survival`)."""
        return self._once("survival", axes, lambda: survival.survival(self, axes))

    def run_lengths(self, *axes: str) -> pd.DataFrame:
        """The distribution of the epochs to convergence (`survival.run_lengths`)."""
        return self._once("run lengths", axes, lambda: survival.run_lengths(self, axes))

    def profiles(self, axis: str) -> pd.DataFrame:
        """Performance profiles of the values of an axis (`within_a_sweep.performance_profiles`)."""
        return self._once("profiles", axis, lambda: within_a_sweep.performance_profiles(self, axis))

    def paired(self, axis: str) -> pd.DataFrame:
        """Each two values of an axis from the same starts (`within_a_sweep.paired`)."""
        return self._once("paired", axis, lambda: within_a_sweep.paired(self, axis))

    def best_values(self, axis: str) -> pd.DataFrame:
        """How sure it is which value of an axis has the lowest ert, at each threshold (`within_a_sweep.best_values`)."""
        return self._once("best", axis, lambda: within_a_sweep.best_values(self, axis))

    @property
    def sensitivity(self) -> pd.DataFrame:
        """What one step away from the best value of each axis costs (`within_a_sweep.sensitivity`)."""
        return self._once("sensitivity", (), lambda: within_a_sweep.sensitivity(self))

    @property
    def variance_shares(self) -> pd.DataFrame:
        """How much of the variance goes with each axis (`variance_shares`); empty if the design is not balanced."""
        balanced = not within_a_sweep.imbalance(self)
        return self._once("variance", (), lambda: within_a_sweep.variance_shares(self) if balanced else pd.DataFrame())

    @property
    def start_effects(self) -> pd.DataFrame:
        """What properties of the initial weights go with convergence (`start_effects`); empty where they are not known."""
        known = self._properties_of
        return self._once("starts", (), lambda: start_effects(self, known) if known else pd.DataFrame())

    def _once(self, name: str, axes: str | Sequence[str], make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """A copy of the table of that name and axes, made when it is first needed."""
        if (name, axes) not in self._tables:
            self._tables[name, axes] = make()
        return self._tables[name, axes].copy()
