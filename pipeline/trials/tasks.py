"""What is to be learned: patterns, by name or from a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.errors import ConfigError
from pipeline.trials.checks import choice, integer, text
from pipeline.trials.trial import TaskChoice


@dataclass(frozen=True, eq=False)
class Task:
    """Named patterns: inputs (P, I) and targets (P, O)."""

    name: str
    inputs: Array
    targets: Array


@cache
def load(task: TaskChoice) -> Task:
    """The task of that name and with those options. Raises ConfigError where a file does not hold it."""
    make, _ = TASKS[task.name]
    inputs, targets = (np.ascontiguousarray(array, float) + 0.0 for array in make(**dict(task.options)))
    inputs.flags.writeable = targets.flags.writeable = False
    return Task(task.name, inputs, targets)


def coded(bits: Any, coding: str) -> Array:
    """0 and 1 as they are (binary), or as −1 and +1 (bipolar)."""
    array = np.array(bits, float)
    return array if coding == "binary" else 2.0 * array - 1.0


def parity(bits: int, coding: str) -> tuple[Array, Array]:
    """Is the number of ones odd? Of two bits: exclusive or. (Rumelhart, Hinton & Williams 1986.)"""
    words = list(product((0, 1), repeat=bits))
    return coded(words, coding), coded([[sum(word) % 2] for word in words], coding)


def encoder(size: int, coding: str) -> tuple[Array, Array]:
    """Reproduce one of `size` unit vectors through a narrow hidden layer (Ackley, Hinton & Sejnowski 1985)."""
    words = coded(np.eye(size), coding)
    return words, words


def symmetry(bits: int, coding: str) -> tuple[Array, Array]:
    """Does the word read the same from both ends? (Rumelhart, Hinton & Williams 1986.)"""
    words = list(product((0, 1), repeat=bits))
    return coded(words, coding), coded([[int(word == word[::-1])] for word in words], coding)


def scaled(columns: Array, scaling: str) -> Array:
    """Each column to mean 0 and standard deviation 1 (standard), or to 0 … 1 (minmax); a constant column to 0."""
    if scaling == "none":
        return columns
    low, high = columns.min(axis=0), columns.max(axis=0)
    constant = low == high
    unit = np.where(constant, 0.0, (columns - low) / np.where(constant, 1.0, high - low))
    if scaling == "minmax":
        return unit
    centred = unit - np.cumsum(unit, axis=0)[-1] / len(unit)  # adds in order: the same everywhere
    variance = np.cumsum(centred * centred, axis=0)[-1] / len(unit)
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, np.sqrt(variance)))


def one_hot(classes: Any) -> Array:
    """A column of 0 and 1 for each class, in sorted order."""
    names, index = np.unique(classes, return_inverse=True)
    return np.eye(len(names))[index]


def classified(name: str, scaling: str) -> tuple[Array, Array]:
    """Fisher's iris (150 patterns, 4 inputs, 3 classes) or handwritten digits (1,797, 64, 10): the copies in scikit-learn."""
    from sklearn import datasets

    inputs, classes = getattr(datasets, f"load_{name}")(return_X_y=True)
    return scaled(inputs, scaling), one_hot(classes)


def csv(path: str, targets: tuple[str, ...], scaling: str) -> tuple[Array, Array]:
    """A table with a header: words of target columns become a column per class; all others are inputs, numbers, scaled."""
    table = read_csv(path)
    for column in targets:
        if column not in table.columns:
            raise ConfigError("task.targets", column, f"no such column in {path}; it has {', '.join(table.columns)}")
    inputs = [column for column in table.columns if column not in targets]
    if not inputs:
        raise ConfigError("task.targets", targets, f"leaves no input column in {path}")
    numbers = [column for column in table.columns if table[column].dtype.kind in "iuf"]
    for column in inputs:
        if column not in numbers:
            raise ConfigError("task.path", path, f"input column {column} must hold numbers only")
    values = table[inputs].to_numpy(float)
    wanted = np.hstack(
        [table[[column]].to_numpy(float) if column in numbers else one_hot(table[column].astype(str)) for column in targets]
    )
    if not (np.isfinite(values).all() and np.isfinite(wanted).all()):
        raise ConfigError("task.path", path, "all numbers must be finite")
    return scaled(values, scaling), wanted


def read_csv(path: str) -> Any:
    """The pandas table in a CSV file. Raises ConfigError where it is not one or has holes."""
    import pandas

    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            table = pandas.read_csv(file, skipinitialspace=True, index_col=False, float_precision="round_trip")
    except OSError as error:
        raise ConfigError("task.path", path, f"cannot be read: {error.strerror}") from None
    except (ValueError, pandas.errors.ParserWarning) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError("task.path", path, f"must be a CSV file with a header: {reason}") from None
    if table.empty:
        raise ConfigError("task.path", path, "has no patterns")
    holes = table.isna().to_numpy()
    if holes.any():
        row, column = np.argwhere(holes)[0]
        raise ConfigError("task.path", path, f"pattern {row + 1} has no value in column {table.columns[column]}")
    return table


def read_targets(key: str, value: object) -> tuple[str, ...]:
    """The names of the target columns: one, or a list."""
    columns = value if isinstance(value, list | tuple) else [value]
    names = tuple(text(key, column, "a column's name, or a list of them") for column in columns)
    if not names or len(set(names)) < len(names):
        raise ConfigError(key, value, "must name one column or more, each once")
    return names


Readers = Mapping[str, Callable[[str, object], Any]]  # of options: each reads one from its key and value, or raises ConfigError
CODING: Readers = {"coding": partial(choice, allowed=("binary", "bipolar"))}
SCALING: Readers = {"scaling": partial(choice, allowed=("none", "standard", "minmax"))}
BITS: Readers = {"bits": partial(integer, low=2, high=12)}
CSV_FILE: Readers = {"path": partial(text, allowed="the path of a CSV file"), "targets": read_targets, **SCALING}

# The tasks by name: the function that makes the patterns, and its options.
TASKS: dict[str, tuple[Callable[..., tuple[Any, Any]], Readers]] = {
    "seed_example": (lambda: ([[0.05, 0.10]], [[0.01, 0.99]]), {}),  # of the worked example
    "xor": (partial(parity, 2), CODING),
    "parity": (parity, {**BITS, **CODING}),
    "encoder": (encoder, {"size": partial(integer, low=2, high=1000), **CODING}),
    "symmetry": (symmetry, {**BITS, **CODING}),
    "iris": (partial(classified, "iris"), SCALING),
    "digits": (partial(classified, "digits"), SCALING),
    "csv": (csv, CSV_FILE),
}
