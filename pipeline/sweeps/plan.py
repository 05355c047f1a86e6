"""A multirun as trials: every one checked before anything is trained, none held in memory until its chunk is due."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import chain, product
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.errors import ConfigError, as_override
from pipeline.results.rows import Indices
from pipeline.sweeps.axes import Product, Swept
from pipeline.trials.batching import make_batch
from pipeline.trials.configuration import INDEPENDENT, TRIAL_KEYS, fixed_keys, read_trial
from pipeline.trials.fingerprint import keys
from pipeline.trials.trial import BatchKey, Trial


@dataclass(frozen=True)
class Plan:
    """The trials of a sweep by place, 0 to their number.

    A free axis is a plain one of a key that is read without a look at others; `free` has its values as a trial has them. A
    group is all trials that differ in free axes alone; `groups` has the first one of each, `group_keys` its key.
    """

    product: Product
    groups: Sequence[Trial]
    group_keys: Sequence[str]
    free: Mapping[str | None, Sequence[Any]]

    @classmethod
    def read(cls, jobs: Product, reader: Callable[[Mapping[str, Any]], Trial]) -> "Plan":
        """The plan of these jobs; raises ConfigError for any that cannot be trained."""
        free: dict[str | None, list[Any]] = {
            axis.path: list(map(INDEPENDENT[axis.path], axis.values)) for axis in jobs.axes if axis.path in INDEPENDENT
        }
        digits = product(*([0] if axis.path in free else range(len(axis.values)) for axis in jobs.axes))
        groups = [reader(jobs.config(chosen)) for chosen in digits]
        return cls(jobs, groups, [keys(make_batch([trial]))[0] for trial in groups], free)

    @classmethod
    def of_jobs(cls, jobs: Product, settings: Mapping[str, Any]) -> "Plan":
        """The plan of a multirun, all of whose jobs have the same settings (their values of RUN_KEYS); raises ConfigError."""

        def reader(config: Mapping[str, Any]) -> Trial:
            for key, value in settings.items():
                if config[key] != value:
                    raise ConfigError(key, "…", "cannot be swept: it belongs to the sweep as a whole")
            return read_trial({key: value for key, value in config.items() if key not in settings})

        return cls.read(jobs, reader)

    def __len__(self) -> int:
        """How many trials there are."""
        return len(self.product)

    @cached_property
    def axes(self) -> dict[str, Swept]:
        """The axes that vary, by name."""
        return {axis.name: axis for axis in self.product.axes if axis.varies}

    def digit(self, axis: Swept, places: Indices) -> Indices:
        """Which value of an axis the trials at these places have."""
        stride = 1
        for other in reversed(self.product.axes):
            if other is axis:
                break
            stride *= len(other.values)
        found: Indices = places // stride % len(axis.values)
        return found

    def group(self, places: Indices) -> Indices:
        """The groups of the trials at these places."""
        number = np.zeros(len(places), np.int64)
        for axis in self.product.axes:
            if axis.path not in self.free:
                number = number * len(axis.values) + self.digit(axis, places)
        return number

    def trials(self, places: Indices) -> list[Trial]:
        """The trials at these places."""
        firsts = [self.groups[group] for group in self.group(places).tolist()]
        columns: dict[str | None, Iterable[Any]] = {name: map(attrgetter(name), firsts) for name in TRIAL_FIELDS}
        for axis in self.product.axes:
            if axis.path in self.free:
                columns[axis.path] = map(self.free[axis.path].__getitem__, self.digit(axis, places).tolist())
        return list(map(Trial, *columns.values()))

    def batches(self) -> Iterator[tuple[BatchKey, Indices]]:
        """Every batch key with the indices of its trials."""
        numbers: dict[BatchKey, int] = {}
        shape_of = np.array([numbers.setdefault(trial.batch_key, len(numbers)) for trial in self.groups])
        places = np.arange(len(self))
        shapes = shape_of[self.group(places)]
        for shape, number in numbers.items():
            yield shape, places if len(numbers) == 1 else np.flatnonzero(shapes == number)

    def trainings(self, places: Indices) -> Indices:
        """A number for each trial, equal where trials differ in nothing but the threshold; by their first place."""
        number = self._distinct(None, places)
        for name in ("learning_rate", "momentum", "seed"):
            other = self._distinct(name, places)
            number = number * (int(other.max(initial=0)) + 1) + other
        _, first, inverse = np.unique(number, return_index=True, return_inverse=True)
        ranks = np.empty(len(first), np.int64)
        ranks[np.argsort(first)] = np.arange(len(first))
        found: Indices = ranks[inverse]
        return found

    def _distinct(self, name: str | None, places: Indices) -> Indices:
        """A number for each different value of a free key; without a key, of all else that decides a training."""
        numbers: dict[Any, int] = {}

        def numbered(value: Any) -> int:
            return numbers.setdefault(value, len(numbers))

        if name is None:
            of_group = np.array([numbered((trial.batch_key, trial.initial)) for trial in self.groups])
            return of_group[self.group(places)]
        swept = next((axis for axis in self.product.axes if axis.path == name), None)
        if swept is None:
            found = np.array([numbered(getattr(trial, name)) for trial in self.groups])[self.group(places)]
        else:
            found = np.array([numbered(value) for value in self.free[name]])[self.digit(swept, places)]
        if name == "seed":
            drawn = np.array([trial.initial.kind == "uniform" for trial in self.groups])
            found = np.where(drawn[self.group(places)], found, 0)
        return found

    def names(self, places: Indices) -> list[str]:
        """What varies, shortly, as the names of runs: `learning_rate=0.5 range=1 seed=3`."""
        last = [name.rpartition(".")[2] for name in self.axes]
        short = [part if last.count(part) == 1 else name for name, part in zip(self.axes, last, strict=True)]
        columns = []
        for name, axis in zip(short, self.axes.values(), strict=True):
            texts = [f"{name}={as_override(value)}" for value in axis.values]
            columns.append([texts[digit] for digit in self.digit(axis, places)])
        return [" ".join(parts) for parts in zip(*columns, strict=True)] if columns else ["trial"] * len(places)

    def column(self, name: str, places: Indices) -> list[Any]:
        """The values of an axis as cells of a table: numbers as they are; as text where there are lists or a mixture."""
        axis = self.axes[name]
        cells = axis_cells(axis.values)
        return [cells[digit] for digit in self.digit(axis, places)]

    def horizons(self, indices: Indices) -> pa.Array:
        """The max_epochs of these trials."""
        return self._of_groups([trial.batch_key.max_epochs for trial in self.groups], indices)

    def fixed_columns(self, indices: Indices) -> dict[str, pa.Array]:
        """The keys of these trials that are no axes, as columns of a table."""
        keys = [fixed_keys(trial) for trial in self.groups]
        names = [name for name in dict.fromkeys(chain.from_iterable(keys)) if name not in self.axes]
        return {name: self._of_groups(axis_cells([some.get(name) for some in keys]), indices) for name in names}

    def _of_groups(self, values: Sequence[Any], indices: Indices) -> pa.Array:
        """A value of each group as a column."""
        return pa.array(values).take(pa.array(self.group(indices)))

    def as_data(self) -> dict[str, Any]:
        """The trials, without how they are run, as what JSON can hold."""
        data = self.product.as_data()
        return {
            "axes": [axis for axis in data["axes"] if len(axis["values"]) > 1],
            "bases": [{key: base[key] for key in TRIAL_KEYS} for base in data["bases"]],
        }

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Plan":
        """The plan of which `as_data` gave this. Raises ConfigError if the data are not such."""
        return cls.read(Product.from_data(data), read_trial)

    def key(self, curve_points: int) -> str:
        """SHA-256 over all trials, the axes and the number of curve points.

        The same command, with the same files, is the same sweep.
        """
        axes = [(axis.name, [as_override(value) for value in axis.values]) for axis in self.axes.values()]
        return hashlib.sha256(json.dumps([axes, self.group_keys, [curve_points]]).encode()).hexdigest()


TRIAL_FIELDS = tuple(field.name for field in fields(Trial))


def axis_cells(values: Sequence[Any]) -> list[Any]:
    """Values as cells of one column: numbers as they are; as text where there are lists or a mixture; None stays None."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    if len(kinds) <= 1 and not kinds & {list, dict}:
        return list(values)
    return [None if value is None else as_override(value) for value in values]
