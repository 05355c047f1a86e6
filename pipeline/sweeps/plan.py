"""A multirun as trials: each one checked before any is trained, and made only when its chunk is trained."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, product
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.app.axis_values import RangeTexts
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.of_batch import first_point_of_causes
from pipeline.backprop.engines import engine
from pipeline.errors import ConfigError, as_override, as_overrides
from pipeline.results.rows import CURVE, Indices, RunRows
from pipeline.results.run_result import Curve
from pipeline.sweeps.axes import Product, Swept
from pipeline.sweeps.chunks import Chunk, chunk_trainings
from pipeline.trials.batching import (
    Column,
    batch_of,
    columns_of,
    distinct,
    make_batch,
    make_batches,
    network_of,
    trainings,
    trials_of,
)
from pipeline.trials.configuration import TRIAL_KEYS, fixed_keys, read_independent, read_trial
from pipeline.trials.equal_units import warnings_of_equal_units
from pipeline.trials.fingerprint import keys
from pipeline.trials.memory import check_size
from pipeline.trials.settings import Settings
from pipeline.trials.starts.changes import SCALE, in_a_word
from pipeline.trials.tasks import load
from pipeline.trials.trial import BatchKey, Trial

LONG = 10  # characters of a number


@dataclass(frozen=True)
class Plan:
    """The trials of a sweep by index, from 0.

    A free axis is a plain one of a key that is read independently of others; `free` has its values as a trial has them. A
    group is all trials that differ in free axes alone; `groups` has the first trial of each, `group_keys` its key.
    """

    product: Product
    groups: Sequence[Trial]
    group_keys: Sequence[str]
    free: Mapping[str, Sequence[Any]]

    @classmethod
    def of_jobs(cls, jobs: Product, settings: Mapping[str, Any] = MappingProxyType({})) -> "Plan":
        """The plan of these jobs; all must have the settings, values by key. Raises ConfigError for any other job."""
        read = ((axis.path, read_independent(axis.path, axis.values)) for axis in jobs.axes if axis.path is not None)
        free = {path: values for path, values in read if values is not None}
        digits = product(*([0] if axis.path in free else range(len(axis.values)) for axis in jobs.axes))
        groups = []
        for config in map(jobs.config, digits):
            for key, value in settings.items():
                if config[key] != value:
                    swept = [axis for axis in jobs.axes if axis.varies and f"{axis.name}.".startswith(f"{key}.")]
                    name, values = (swept[0].name, ",".join(as_overrides(swept[0].values))) if swept else (key, "…")
                    raise ConfigError(name, values, "cannot be swept: it belongs to the sweep as a whole")
            groups.append(read_trial({key: value for key, value in config.items() if key not in settings}))
        for trial in groups:
            check_size(network_of(trial.batch_key), len(load(trial.batch_key.task).inputs), settings.get("limits"))
        for trial in groups:
            if trial.initial.direction and SCALE in free:  # from some of these starts there might be no direction
                make_batch([trial.having({SCALE: scale}) for scale in free[SCALE]])
        return cls(jobs, groups, keys_of(groups), free)

    def __len__(self) -> int:
        """How many trials there are."""
        return len(self.product)

    @cached_property
    def axes(self) -> dict[str, Swept]:
        """The axes that vary, by name."""
        return {axis.name: axis for axis in self.product.axes if axis.varies}

    @cached_property
    def inputs(self) -> Array | None:
        """The patterns' inputs (P, I) where all trials have the same task, else None."""
        tasks = {trial.batch_key.task for trial in self.groups}
        return np.asarray(load(tasks.pop()).inputs) if len(tasks) == 1 else None

    @cached_property
    def _fields(self) -> dict[str, tuple[Swept | None, Column]]:
        """Each field of a trial: its free axis, if it has one, and its values by the values of that axis or by group."""
        by_group: dict[str, tuple[Swept | None, Column]] = {name: (None, one) for name, one in columns_of(self.groups).items()}
        axes = {axis.path: axis for axis in self.product.axes}
        return by_group | {path: (axes[path], distinct(values)) for path, values in self.free.items()}

    @property
    def thresholds(self) -> Iterator[tuple[BatchKey, float]]:
        """The batch key of each group with its lowest threshold."""
        lowest = min(self.free["threshold"]) if "threshold" in self.free else None
        return ((trial.batch_key, trial.threshold if lowest is None else lowest) for trial in self.groups)

    def field(self, name: str, indices: Indices) -> Column:
        """A field of these trials, or a change of their initial weights."""
        axis, (values, codes) = self._fields[name]
        digits = self.group(indices) if axis is None else self.digit(axis, indices)
        return values, digits if len(values) == len(codes) else codes[digits]  # codes that are all different are 0, 1, …

    def fields(self, indices: Indices) -> dict[str, Column]:
        """All fields of these trials, and all changes of their initial weights, as `batch_of` takes them."""
        return {name: self.field(name, indices) for name in self._fields}

    def digit(self, axis: Swept, indices: Indices) -> Indices:
        """The number of the value of an axis that each of these trials has."""
        if not axis.varies:
            return np.zeros(len(indices), np.int64)
        stride = 1
        for other in reversed(self.product.axes):
            if other is axis:
                break
            stride *= len(other.values)
        digits: Indices = indices if stride == 1 else indices // stride
        return digits if stride * len(axis.values) == len(self) else digits % len(axis.values)

    def group(self, indices: Indices) -> Indices:
        """The groups of these trials."""
        number = np.zeros(len(indices), np.int64)
        for axis in self.product.axes:
            if axis.path not in self.free and axis.varies:
                number = number * len(axis.values) + self.digit(axis, indices)
        return number

    def trials(self, indices: Indices) -> list[Trial]:
        """These trials."""
        return trials_of(self.fields(indices))

    def chunk(self, indices: Indices, settings: Settings, with_curves: bool = True) -> Chunk:
        """These trials, which have one batch key, as a chunk; without curves, only points that causes are found by are kept."""
        batch = batch_of(self.fields(indices), settings.curve_points)
        batch = batch if with_curves else replace(batch, first_point=first_point_of_causes(batch.curve_epochs))
        return Chunk(indices, batch, settings.engine, settings.causes, with_curves)

    def curves(self, indices: Indices, curve_points: int, engine_name: str) -> list[Curve]:
        """The error curves of these trials, which are trained for them."""
        found: dict[int, Curve] = {}
        for own, batch in make_batches(self.trials(indices), curve_points):
            result = engine(engine_name)(batch)
            found.update(zip(own, map(result.curve, range(len(own))), strict=True))
        return [found[number] for number in range(len(indices))]

    def with_curves(self, rows: RunRows) -> RunRows:
        """These rows with their error curves, for which the trials are trained again where they were not kept."""
        if rows.has_curves:
            return rows
        curves = self.curves(rows.indices, rows.curve_points, rows.engine)
        column = pa.array([errors[:-1] for _, errors in curves], pa.list_(pa.float64()))  # a row has its end already
        return RunRows(rows.table.append_column(CURVE, column))

    def cut(self, curve_points: int, size: int | None = None, with_curves: bool = True) -> list[Indices]:
        """All trials, cut into chunks of about `size`; those that differ in the threshold alone stay together."""
        pieces = []
        for key, indices, numbers in self.batches:
            count = int(numbers.max()) + 1
            per_training = len(indices) / count
            own = int(size / per_training) if size else chunk_trainings(key, curve_points, per_training, with_curves)
            at_once = max(1, own)
            if count == len(indices):  # each trial has a training of its own, and they are in order
                pieces += np.split(indices, range(at_once, count, at_once))
                continue
            order = np.argsort(numbers, kind="stable")
            starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
            pieces += [np.sort(part) for part in np.split(indices[order], starts[at_once::at_once])]
        return pieces

    @cached_property
    def batches(self) -> list[tuple[BatchKey, Indices, Indices]]:
        """Each batch key with the indices of its trials and the numbers of their trainings."""
        every = np.arange(len(self))
        batch_keys, codes = self.field("batch_key", every)
        members = [np.flatnonzero(codes == code) for code in range(len(batch_keys))] if len(batch_keys) > 1 else [every]
        return [(key, indices, self.trainings(indices)) for key, indices in zip(batch_keys, members, strict=True)]

    def forget_batches(self) -> None:
        """Frees the memory of `batches`, which are made again if they are wanted."""
        self.__dict__.pop("batches", None)

    def trainings(self, indices: Indices) -> Indices:
        """A number for each of these trials, by first occurrence, equal where they differ in the threshold alone."""
        return trainings(self.fields(indices))[0]

    def names(self, indices: Indices) -> list[str]:
        """What varies, shortly, as the names of runs: `learning_rate=0.5 range=1 seed=3`."""
        last = [in_a_word(name) for name in self.axes]
        short = [part if last.count(part) == 1 else name for name, part in zip(self.axes, last, strict=True)]
        columns = []
        for name, axis in zip(short, self.axes.values(), strict=True):
            texts = in_short(axis.values)
            columns.append([f"{name}={texts[digit]}" for digit in self.digit(axis, indices).tolist()])
        return [" ".join(parts) for parts in zip(*columns, strict=True)] if columns else ["trial"] * len(indices)

    def axis_columns(self, indices: Indices) -> dict[str, pa.Array]:
        """The values of the axes that vary, as columns of a table."""
        digits = {name: pa.array(self.digit(axis, indices)) for name, axis in self.axes.items()}
        return {name: self._cells[name].take(digits[name]) for name in self.axes}

    @cached_property
    def _cells(self) -> dict[str, pa.Array]:
        """The values of the axes that vary."""
        return {name: cells(axis.values) for name, axis in self.axes.items()}

    @cached_property
    def idle_axes(self) -> list[str]:
        """The axes whose values all make one trial, a line on each."""
        grouped = [axis for axis in self.product.axes if axis.path not in self.free]
        group_keys = np.array(self.group_keys).reshape([len(axis.values) for axis in grouped])
        drawn = any(trial.initial.drawn for trial in self.groups)
        lines = []
        for name, axis in self.axes.items():
            if axis.path is not None and axis.path in self.free:
                values = self.free[axis.path]
                idle = all(value == values[0] for value in values) or (axis.path == "seed" and not drawn)
            else:
                keys_by_value = np.moveaxis(group_keys, grouped.index(axis), 0)
                idle = bool((keys_by_value == keys_by_value[0]).all())
            if idle:
                lines.append(f"{name}: has no effect: its {len(axis.values):,} values all make the same trial")
        return lines

    @property
    def equal_units(self) -> list[str]:
        """A line if trials start with equal hidden units; sweeps over single weights are not looked at."""
        if any(path.startswith("initial.") for path in self.free):
            return []
        return warnings_of_equal_units(self.groups, len(self) // max(1, len(self.groups)))

    def fixed_columns(self, indices: Indices) -> dict[str, pa.Array]:
        """The keys of these trials that are no axes, as columns of a table."""
        group = pa.array(self.group(indices))
        return {name: values.take(group) for name, values in self._fixed.items()}

    @cached_property
    def _fixed(self) -> dict[str, pa.Array]:
        """The values of the groups at each key that is no axis."""
        of_groups = [fixed_keys(trial) for trial in self.groups]
        names = [name for name in dict.fromkeys(chain.from_iterable(of_groups)) if name not in self.axes]
        return {name: cells([keys.get(name) for keys in of_groups]) for name in names}

    def horizons(self, indices: Indices) -> pa.Array:
        """The max_epochs of these trials, as a column."""
        return pa.array([trial.batch_key.max_epochs for trial in self.groups]).take(pa.array(self.group(indices)))

    @property
    def jobs(self) -> Product:
        """The product of the axes that vary, with nothing of how trials are run."""
        bases = ({key: base[key] for key in TRIAL_KEYS} for base in self.product.bases)
        return Product(tuple(self.axes.values()), tuple(bases))

    @classmethod
    def of_recorded(cls, jobs: Product) -> "Plan":
        """The plan whose `jobs` were written, and are these. Raises ConfigError for any others."""
        try:
            return cls.of_jobs(jobs)
        except ConfigError:
            raise
        except (TypeError, KeyError, ValueError, AttributeError, IndexError):  # values where sections belong, and the like
            raise ConfigError("jobs", "…", "are not the jobs of a multirun") from None

    def key(self, curve_points: int) -> str:
        """SHA-256 over all trials, the axes and the number of curve points, whatever the order of axes and values.

        The same command, with the same files, is the same sweep.
        """
        return with_points(self._sorted, curve_points)

    def key_in_order(self, curve_points: int) -> str:
        """SHA-256 over the same with the trials in their order: sweeps of another order have another. Once it was the key."""
        return with_points(self._in_order, curve_points)

    @cached_property
    def _in_order(self) -> "hashlib._Hash":
        """The hash of the axes that vary, each with its values as text, and of the keys of the groups."""
        return begun(self.jobs.axes_json, json.dumps(self.group_keys))

    @cached_property
    def _sorted(self) -> "hashlib._Hash":
        """`_in_order` as it would be with the axes by name and the values of each by their text."""
        texts = {axis.name: axis.words for axis in self.product.axes}
        in_order = {name: sorted(some) for name, some in texts.items()}
        free = [axis for axis in self.product.axes if axis.path in self.free]
        first = {axis.path: texts[axis.name].index(in_order[axis.name][0]) for axis in free}
        groups = [trial.having({path: self.free[path][first[path]] for path in self.free}) for trial in self.groups]
        grouped = [axis for axis in self.product.axes if axis.path not in self.free]
        order = {name: sorted(range(len(texts[name])), key=texts[name].__getitem__) for name in {axis.name for axis in grouped}}
        group_keys = keys_of(groups) if any(first.values()) else self.group_keys
        table = np.array(group_keys).reshape([len(axis.values) for axis in grouped])
        table = table[np.ix_(*(order[axis.name] for axis in grouped))]
        by_name = sorted(range(len(grouped)), key=lambda number: grouped[number].name)
        axes = [(name, in_order[name]) for name in sorted(self.axes)]
        return begun(json.dumps(axes), json.dumps(table.transpose(by_name).ravel().tolist()))


def keys_of(trials: Sequence[Trial]) -> list[str]:
    """The key of each of these trials."""
    return [keys(make_batch([trial]))[0] for trial in trials]


def in_short(values: Sequence[Any]) -> Sequence[str]:
    """Values as text; long numbers have as many digits, but 6 at least, as tell these values apart."""
    if isinstance(values, range) and max(len(str(end)) for end in (values[0], values[-1])) <= LONG:
        return RangeTexts("", values)
    texts = as_overrides(values)
    if max(map(len, texts)) <= LONG or not all(isinstance(value, float | int) for value in values):
        return texts
    for digits in range(6, 17):
        rounded = [as_override(float(f"{value:.{digits}g}")) for value in values]
        if len(set(rounded)) == len(set(texts)):
            return rounded
    return texts


def begun(axes: str, group_keys: str) -> "hashlib._Hash":
    """SHA-256 over a list of these, which are JSON, but for its end: a million values are not kept as text."""
    return hashlib.sha256(f"[{axes}, {group_keys}".encode())


def with_points(sha: "hashlib._Hash", curve_points: int) -> str:
    """SHA-256 over the list with [curve_points] as its last entry."""
    whole = sha.copy()
    whole.update(f", [{curve_points}]]".encode())
    return whole.hexdigest()


def cells(values: Sequence[Any]) -> pa.Array:
    """Values as a column of a table; whole numbers without a sign where one needs all 64 bits, as a seed may."""
    column = axis_cells(values)
    try:
        return pa.array(column, from_pandas=False)
    except OverflowError:
        return pa.array(column, pa.uint64(), from_pandas=False)


def axis_cells(values: Sequence[Any]) -> list[Any]:
    """Values as cells of one column: numbers as they are; as text where there are lists or a mixture; None stays None."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    if len(kinds) <= 1 and not kinds & {list, dict}:
        return list(values)
    return [None if value is None else as_override(value) for value in values]
