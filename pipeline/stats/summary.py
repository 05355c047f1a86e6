"""`Summary`: the statistics of one sweep, each table computed at most once, when it is first needed."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipeline.backprop.status import STATUSES
from pipeline.results.columns import HELD_OUT
from pipeline.stats import causes, survival
from pipeline.stats.arrays import Floats
from pipeline.stats.comparisons import paired_values, shape, within_a_sweep
from pipeline.stats.comparisons.paired_tests import starts_needed
from pipeline.stats.comparisons.partial_dependence import partial_dependence
from pipeline.stats.costs import best_settings, best_values, restarts
from pipeline.stats.costs.ert_intervals import ert_intervals
from pipeline.stats.costs.running_times import expected_running_time
from pipeline.stats.effective_runs import share_interval
from pipeline.stats.product_limit import restricted_mean
from pipeline.stats.quartiles import QUARTILES, quantile, quantile_interval
from pipeline.stats.sample import NESTED, Sample
from pipeline.stats.starts.effects import PropertiesOf, start_effects
from pipeline.stats.starts.first_steps import FirstSteps, first_steps
from pipeline.stats.survival import curves_of

STATISTICS = ("runs", *STATUSES, "starts", "effective_runs", "rate", "ert", *QUARTILES)
INTERVALS = (
    "rate_low", "rate_high", "ert_low", "ert_high", "ert_high_seen",
    *(f"{name}_{end}" for name in QUARTILES for end in ("low", "high")), "restricted_mean",
)  # fmt: skip


def summarize(sample: Sample, by: Sequence[str]) -> pd.DataFrame:
    """A row per value, or combination of values, of the axes `by`, in order of value; one row with none.

    runs; how many ended with each status; starts, the different initial weights that they began from, and effective_runs, how
    many independent runs they say as much as about the rate (`effective_runs`); rate = converged ÷ runs; ert = all
    epochs spent ÷ converged, infinite with none (`expected_running_time`); q1, median, q3 of the epochs to convergence
    (Kaplan–Meier; `quantile`). 95 % intervals, of which the unit is the start: rate_low, rate_high (`share_interval`); q1_low,
    q1_high and so on (`quantile_interval`); NaN in a row with fewer than two starts. restricted_mean is the mean of the epochs
    to convergence or to the longest horizon of the row. `ert_intervals` has the rest.
    """
    group, table = sample.groups(by)
    groups = len(table)
    counts = np.bincount(group * len(STATUSES) + sample.status, minlength=groups * len(STATUSES)).reshape(-1, len(STATUSES))
    table["runs"] = counts.sum(axis=1)
    for number, name in enumerate(STATUSES):
        table[name] = counts[:, number]
    found = curves_of(sample, by)
    curves, clusters, effective = found.curves, found.clusters, found.effective
    table["starts"] = clusters.starts
    table["effective_runs"] = found.of_rate
    table["rate"] = table["converged"] / table["runs"]
    table["rate_low"], table["rate_high"] = share_interval(
        table["rate"], table["effective_runs"].to_numpy(), clusters.starts, clusters.single
    )
    table["ert"] = expected_running_time(np.bincount(group, sample.epochs, groups), table["converged"].to_numpy())
    for name, share in QUARTILES.items():
        table[name] = quantile(curves, share, groups)
        table[f"{name}_low"], table[f"{name}_high"] = quantile_interval(curves, share, effective, clusters)
    table["restricted_mean"] = restricted_mean(curves, found.watched, groups)
    return table


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

    def __init__(
        self, results: pd.DataFrame, properties_of: PropertiesOf | None = None, steps: FirstSteps | None = None
    ) -> None:
        """`properties_of` gives the properties of the initial weights of runs, `steps` K* there, where those are known."""
        super().__init__(results)
        self._properties_of = properties_of
        self._steps = steps

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
    def best_settings(self) -> pd.DataFrame:
        """Each setting, with what it costs, and whether it may be the best at its threshold (`best_settings.best_settings`).

        Columns: those of `by` without intervals, then those of `best_settings`. Empty without settings.
        """
        return self._once("best settings", (), self._best_settings) if self.settings else pd.DataFrame()

    def _best_settings(self) -> pd.DataFrame:
        table = self.by(*self.settings, intervals=False)
        return pd.concat([table, best_settings.best_settings(self, self.settings)], axis=1)

    @property
    def best(self) -> pd.DataFrame:
        """The setting of lowest ert, one for each threshold where that is an axis; empty without settings or success."""
        table = self.best_settings
        if not len(table) or not table["best"].any():
            return pd.DataFrame()
        best = table[table["best"]]
        return (best.sort_values(NESTED, ascending=False) if NESTED in best else best).reset_index(drop=True)

    @property
    def restarts(self) -> pd.DataFrame:
        """What giving up each run after a number of epochs would save in each setting (`restarts.restarts`)."""
        return self._once("restarts", (), lambda: restarts.restarts(self, self.settings)) if self.settings else pd.DataFrame()

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

    def causes(self, *axes: str) -> pd.DataFrame:
        """Why runs did not converge, a row per cause in each combination of values of these axes (`causes.causes`)."""
        return self._once("causes", axes, lambda: causes.causes(self, axes))

    def cause_counts(self, *axes: str) -> pd.DataFrame:
        """How many runs did not converge for which cause, a row per combination of values of these axes (`causes.counts`)."""
        return self._once("cause counts", axes, lambda: causes.counts(self, axes))

    @cached_property
    def predicted_epochs(self) -> Floats:
        """The epochs (R,) in all after which each descending run would converge, if foreseen (`causes.predicted`)."""
        return causes.predicted(self)

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
        """Each two values of an axis from the same starts (`paired_values.paired`)."""
        return self._once("paired", axis, lambda: paired_values.paired(self, axis))

    def shape(self, axis: str) -> str:
        """How the cost, the ert, goes along an axis: "rising", "falling", "valley inside" … (`shape.MEANINGS`)."""
        return shape.shape(self.paired(axis)) if shape.is_ordered(self, axis) else "no test"

    def starts_needed(self) -> int:
        """The fewest starts with which a test of two values can show anything (`paired_tests.starts_needed`)."""
        return starts_needed()

    def partial_dependence(self, axis: str) -> pd.DataFrame:
        """What each value of an axis costs on average over the other settings, and their spread (`partial_dependence`)."""
        return self._once("dependence", axis, lambda: partial_dependence(self, axis))

    def best_values(self, axis: str) -> pd.DataFrame:
        """How sure it is which value of an axis has the lowest ert, at each threshold (`best_values.best_values`)."""
        return self._once("best", axis, lambda: best_values.best_values(self, axis))

    @property
    def sensitivity(self) -> pd.DataFrame:
        """What one step away from the best value of each axis costs (`best_values.sensitivity`)."""
        return self._once("sensitivity", (), lambda: best_values.sensitivity(self))

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

    @property
    def first_steps(self) -> pd.DataFrame:
        """At which learning rates steps are too long from the start (`first_steps`); empty where the starts are not known."""
        known = self._steps
        return self._once("first steps", (), lambda: first_steps(self, known) if known else pd.DataFrame())

    def _once(self, name: str, axes: str | Sequence[str], make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """A copy of the table of that name and axes, made when it is first needed, by whichever thread needs it first."""
        return self.once((name, axes), make).copy()
