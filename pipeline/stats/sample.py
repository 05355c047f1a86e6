"""`Sample`: the runs of a sweep in groups by the values of their axes, and their epochs to convergence as survival data."""

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.status import STATUSES
from pipeline.results.columns import NO_AXES
from pipeline.stats.arrays import Booleans, Floats, Integers, compact, ranked, whole_numbers

REPLICATES = ("seed", "initial.path", "initial.values")  # the axes of starts, over which settings are repeated
WORDS, UNKNOWN = tuple(cause.word for cause in Cause if cause is not Cause.NONE), -1  # why runs do not converge; none known
T = TypeVar("T")
NESTED = "threshold"  # the axis along which runs share their training


def axes_of(results: pd.DataFrame) -> list[str]:
    """The columns of `results` that are axes of the sweep, in their order."""
    return [str(column) for column in results.columns if column not in NO_AXES]


class Sample:
    """R runs, from results with a row per run. Each axis is factorized once, when it is first needed.

    `results` has a column for each axis of the sweep, and `status`, `epochs`; `horizon`, the max_epochs of the run, if known.
    """

    def __init__(self, results: pd.DataFrame) -> None:
        self.results = results
        self.axes = axes_of(results)
        self.settings = [axis for axis in self.axes if axis not in REPLICATES]
        self._factorized: dict[str, tuple[Integers, pd.Series]] = {}
        self._made: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, Lock] = {}

    def once(self, name: Hashable, make: Callable[[], T], keep: Callable[[T], bool] = lambda _: True) -> T:
        """What is made of the runs, under a name, when it is first needed, by whichever thread needs it first.

        What is not to be kept, as it would take too much memory, is made again each time.
        """
        with self._locks.setdefault(name, Lock()):
            if name in self._made:
                made: T = self._made[name]
                return made
            made = make()
            if keep(made):
                self._made[name] = made
            return made

    def __len__(self) -> int:
        return len(self.results)

    def factorized(self, axis: str) -> tuple[Integers, pd.Series]:
        """The code (R,) of each run's value of an axis, and the values in order, each at the index of its first run.

        Raises KeyError for what is no column.
        """
        if axis not in self._factorized:
            codes = _codes(self.results[axis])
            first = _first(codes, int(codes.max(initial=-1)) + 1)
            values = self.results[axis].iloc[first].set_axis(first)
            self._factorized[axis] = codes.astype(np.min_scalar_type(len(first))), values
        return self._factorized[axis]

    def size(self, axis: str) -> int:
        """How many values an axis has."""
        return len(self.factorized(axis)[1])

    def values(self, axis: str) -> list[Any]:
        """The values of an axis: numbers in order, then texts; lists as they were given."""
        values = self.factorized(axis)[1].sort_index().tolist()
        if is_list(self.results[axis]):
            return values
        return sorted(values, key=lambda value: (not is_number(value), value if is_number(value) else 0.0, str(value)))

    def having(self, axis: str | None, value: Any) -> Booleans:
        """Whether each run has that value of an axis, (R,); all have where the axis is None."""
        if axis is None:
            return np.ones(len(self), bool)
        codes, values = self.factorized(axis)
        return np.isin(codes, np.flatnonzero(values.isna() if pd.isna(value) else values == value))

    def codes(self, by: Sequence[str]) -> tuple[Integers, int]:
        """The group (R,) of each run by its values of `by`, groups in order of value, and their number; one with no `by`."""
        codes, groups = np.zeros(len(self), np.intp), min(len(self), 1)
        for number, axis in enumerate(by):
            more, values = self.factorized(axis)
            codes *= len(values)
            codes += more
            groups = len(values)
            if number:
                present, codes = compact(codes)
                groups = len(present)
        return codes, groups

    def groups(self, by: Sequence[str]) -> tuple[Integers, pd.DataFrame]:
        """The group (R,) of each run, and the values of `by` of each group: a row per group, in order of value."""
        codes, groups = self.codes(by)
        first = _first(codes, groups)
        factorized = {axis: self.factorized(axis) for axis in by}
        keys = {axis: values.array.take(own[first].astype(np.intp)) for axis, (own, values) in factorized.items()}
        return codes, pd.DataFrame(keys, index=range(groups))

    def units(self, but: Sequence[str] = ()) -> tuple[Integers, int]:
        """The unit (R,) of each run, and their number: runs with the same initial weights are not independent.

        Units are the starts; where nothing is replicated the runs, of which those that differ in their threshold alone are one,
        and no interval or test may be made of them. `but` names axes whose values are compared within a unit.
        """
        starts = [axis for axis in self.axes if axis in REPLICATES and axis not in but]
        return self.codes(starts or [axis for axis in self.axes if axis not in (NESTED, *but)])

    @cached_property
    def starts(self) -> tuple[Integers, int]:
        """The initial weights (R,) that each run began from, as a number, and how many there are: the unit of replication.

        A start is a seed, a file or explicit values; what stretches it, such as its range, makes no other. Without an axis of
        these all runs have one start, and so they have if the axis has no effect, as a seed has where no weights are drawn.
        """
        starts = [axis for axis in self.axes if axis in REPLICATES]
        return (np.zeros(len(self), np.intp), min(len(self), 1)) if self._repeated or not starts else self.units()

    @cached_property
    def _repeated(self) -> bool:
        """Whether the runs of each setting are one trial, repeated: they have the same `key`, if keys are known."""
        group, groups = self.codes(self.settings)
        if "key" not in self.results or groups == len(self):
            return False
        keys = self.results["key"].to_numpy(object)
        return bool(np.all(keys == keys[_first(group, groups)[group]]))

    @property
    def replicated(self) -> bool:
        """Whether there are two starts; without, nothing tells chance from effect: no interval and no test."""
        return self.starts[1] > 1

    @cached_property
    def epochs(self) -> Floats:
        """The epochs that each run took, (R,)."""
        return self.results["epochs"].to_numpy(float)

    @cached_property
    def status(self) -> NDArray[np.int8]:
        """The number (R,) of each run's status in `STATUSES`."""
        return np.asarray(pd.Categorical(self.results["status"], categories=STATUSES).codes)

    def ended(self, *statuses: str) -> Booleans:
        """Whether each run has one of these statuses, (R,)."""
        return np.isin(self.status, [STATUSES.index(status) for status in statuses])

    @cached_property
    def cause(self) -> NDArray[np.int8]:
        """The number (R,) of each run's cause in WORDS; UNKNOWN where it converged, was stationary, or was not looked at."""
        if "cause" not in self.results:
            return np.full(len(self), UNKNOWN, np.int8)
        found = np.asarray(pd.Categorical(self.results["cause"], categories=WORDS).codes)
        return np.where(self.event, np.int8(UNKNOWN), found)

    @cached_property
    def event(self) -> Booleans:
        """Whether each run converged, (R,)."""
        return self.ended("converged")

    @cached_property
    def time(self) -> Floats:
        """The epochs to convergence as survival data, (R,), with `event`.

        A converged run is an event at its epochs. An exhausted run is censored at its epochs, which are its max_epochs. A
        diverged or stationary run never converges, and would have been watched up to its own horizon: it stays at risk until
        then, and is censored there, as with a competing event that precludes the event of interest (Fine & Gray, JASA 94
        (1999), section 3, where censoring is known). Were it censored where it stopped, it would count as one that might still
        converge, and the worse a setting, the better its curve would look; were it at risk for ever, it would outlast
        the exhausted runs of the same horizon.
        """
        never = self.ended("diverged", "stationary")
        return np.where(never, np.maximum(self.horizons, self.epochs), self.epochs) if never.any() else self.epochs

    @cached_property
    def ranked_time(self) -> tuple[Floats, Integers]:
        """The distinct times in order, and the rank (R,) of each run's among them."""
        return ranked(self.time)

    @cached_property
    def horizons(self) -> Floats:
        """The max_epochs of each run, (R,).

        The column `horizon`, or else the axis `max_epochs`, or else the most epochs of any run.
        """
        for column in ("horizon", "max_epochs"):
            if column in self.results and self.results[column].notna().all():
                return in_little_memory(self.results[column].to_numpy(float))
        return np.broadcast_to(self.epochs.max(initial=0.0), len(self))

    def watched(self, group: Integers, groups: int) -> Floats:
        """The epoch up to which each group (G,) was watched: the largest of the `horizons` of its runs (`group` (R,))."""
        if len(self) and self.horizons.strides == (0,) and self.ranked_time[0][-1] <= self.horizon:  # all have the same horizon
            return np.full(groups, self.horizon)
        longest = np.zeros(groups)
        np.maximum.at(longest, group, np.maximum(self.horizons, self.time))
        return longest

    def caps(self, threshold: Any = None) -> list[int]:
        """The different epochs at which runs (with that threshold) were stopped because max_epochs came first."""
        stopped = self.ended("exhausted") & self.having(NESTED if threshold is not None else None, threshold)
        return [int(epochs) for epochs in np.unique(self.epochs[stopped])]

    @cached_property
    def horizon(self) -> float:
        """The epoch up to which the sweep was watched: the largest of `horizons`; 0 of no runs."""
        return float(self.horizons.max(initial=0.0))


def in_little_memory(numbers: Floats) -> Floats:
    """The same numbers (R,), to be read only; one number in memory where all are equal."""
    equal = len(numbers) > 0 and bool((numbers == numbers[0]).all())
    return np.broadcast_to(numbers[:1].copy(), numbers.shape) if equal else numbers


def is_list(values: pd.Series) -> bool:
    """Whether the values of an axis are lists, as text, or numbers and lists."""
    return not pd.api.types.is_numeric_dtype(values) and any(str(value).startswith("[") for value in values.unique())


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(np.isfinite(value))


def _codes(column: pd.Series) -> Integers:
    """The code (R,) of each value in order of value: lists keep the order in which they were given, null comes last."""
    whole = whole_numbers(column.to_numpy()) if pd.api.types.is_integer_dtype(column.dtype) and len(column) else None
    if whole is not None:
        return compact(whole)[1]
    grouped = column.to_frame("value").groupby("value", sort=not is_list(column), dropna=False, observed=True)
    return np.asarray(grouped.ngroup(), np.intp)


def _first(codes: Integers, groups: int) -> Integers:
    """The first run of each group, (G,)."""
    first = np.zeros(groups, np.intp)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first
