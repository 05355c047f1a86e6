"""Numbers and classes as inputs and targets: bits, scaled columns, a column per class."""

from typing import Any

import numpy as np

from pipeline.backprop.arithmetic import Array


def coded(bits: Any, coding: str) -> Array:
    """0 and 1 as they are (binary), or as −1 and +1 (bipolar)."""
    array = np.array(bits, float)
    return array if coding == "binary" else 2.0 * array - 1.0


def scaled(columns: Array, scaling: str, like: Array | None = None) -> Array:
    """Each column to mean 0 and standard deviation 1 (standard), or to 0 … 1 (minmax); a constant column to 0.

    As the rows of `like` are scaled, where these are given: those that are trained on.
    """
    if scaling == "none":
        return columns
    rows = columns if like is None else like
    low, high = rows.min(axis=0), rows.max(axis=0)
    constant = low == high

    def in_unit(rows: Array) -> Array:
        return np.where(constant, 0.0, (rows - low) / np.where(constant, 1.0, high - low))

    if scaling == "minmax":
        return in_unit(columns)
    unit = in_unit(rows)
    mean = np.cumsum(unit, axis=0)[-1] / len(unit)  # adds in order: the same everywhere
    centred = unit - mean
    variance = np.cumsum(centred * centred, axis=0)[-1] / len(unit)
    return np.where(constant, 0.0, (in_unit(columns) - mean) / np.where(constant, 1.0, np.sqrt(variance)))


def one_hot(classes: Any) -> Array:
    """A column of 0 and 1 for each class, in sorted order."""
    names, index = np.unique(classes, return_inverse=True)
    return np.eye(len(names))[index]
