"""The plane of two inputs: the window that is looked at, what the outputs mean there, and the surface of a network over it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.network import Network, forward
from pipeline.errors import ConfigError
from pipeline.trials.tasks import Task

MARGIN = 0.15  # beside the patterns, of their width
MOST_CLASSES = 7  # that have colours


@dataclass(frozen=True, eq=False)
class Plane:
    """A window of the plane (left, right, bottom, top) with the patterns in it: inputs (P, 2), targets (P, O).

    `names` are those of the inputs, `classes` those of the outputs where there are several, one for each class; else none.
    `low` and `high` are the smallest and the largest target.
    """

    window: tuple[float, float, float, float]
    inputs: Array
    targets: Array
    names: tuple[str, str]
    classes: tuple[str, ...]
    low: float
    high: float

    @classmethod
    def of(cls, task: Task, path: str) -> "Plane":
        """The plane of a task. Raises ConfigError, with the path of explain.surface, for one that cannot be looked at so."""
        (_, inputs), (_, outputs) = task.inputs.shape, task.targets.shape
        if inputs != 2:
            raise ConfigError("explain.surface", path, f"needs a task with two inputs: task={task.name} has {inputs}")
        if outputs > 1 and not is_one_hot(task.targets):
            raise ConfigError(
                "explain.surface", path, f"needs one output, or one for each class: task={task.name} has {outputs}"
            )
        if outputs > MOST_CLASSES:
            raise ConfigError("explain.surface", path, f"has colours for at most {MOST_CLASSES} classes: these are {outputs}")
        sides = [side(column) for column in task.inputs.T]
        low, high = float(task.targets.min()), float(task.targets.max())
        if not low < high:
            low, high = low - 0.5, high + 0.5
        return cls((*sides[0], *sides[1]), task.inputs, task.targets, input_names(task), class_names(task), low, high)

    @property
    def middle(self) -> float:
        """Between the lowest and the highest target."""
        return (self.low + self.high) / 2.0

    def points(self, size: int) -> Array:
        """(size², 2): the points of a grid over the window, row by row, from below."""
        left, right, bottom, top = self.window
        x, y = np.meshgrid(np.linspace(left, right, size), np.linspace(bottom, top, size))
        return np.column_stack([x.ravel(), y.ravel()])

    @np.errstate(all="ignore")  # a run that diverges has a surface, too
    def surface(self, network: Network, parameters: Array, size: int) -> Array:
        """(size, size, O): the outputs at the points of a grid; parameters (N,)."""
        outputs = forward(network, parameters[:, None], self.points(size))[-1]
        return np.nan_to_num(outputs[:, :, 0], nan=self.middle).reshape(size, size, -1)


def is_one_hot(targets: Array) -> bool:
    """Has each row one high value, and elsewhere the low one?"""
    low, high = targets.min(), targets.max()
    return bool(low < high and ((targets == high).sum(axis=1) == 1).all() and np.isin(targets, (low, high)).all())


def side(values: Array) -> tuple[float, float]:
    """The values from which to which an axis goes."""
    low, high = float(values.min()), float(values.max())
    margin = MARGIN * (high - low) or 0.5
    return low - margin, high + margin


def input_names(task: Task) -> tuple[str, str]:
    """The names of the inputs: of a table those of its columns, and whether they are scaled."""
    columns = task.source.inputs if task.source else ()
    if len(columns) != 2:
        return "i1", "i2"
    scaled = [not np.array_equal(column.values, task.inputs[:, at]) for at, column in enumerate(columns)]
    first, second = (
        f"{column.name} (scaled)" if is_scaled else column.name for column, is_scaled in zip(columns, scaled, strict=True)
    )
    return first, second


def class_names(task: Task) -> tuple[str, ...]:
    """The names of the classes: of a table its own; none where there is one output."""
    count = task.targets.shape[1]
    own = task.source.targets[0].classes if task.source and len(task.source.targets) == 1 else None
    if count == 1:
        return ()
    return tuple(own) if own and len(own) == count else tuple(f"o{unit + 1}" for unit in range(count))


def class_of(outputs: Array) -> NDArray[np.intp]:
    """The class whose output is largest; the last axis is that of the outputs."""
    best: NDArray[np.intp] = np.argmax(outputs, axis=-1)
    return best
