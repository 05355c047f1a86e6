"""The arrays that statistics are made of: numbers, indices and truth values."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]


def distinct(codes: Integers) -> Integers:
    """The distinct codes (G,) of codes (R,), in ascending order. Codes are at least 0."""
    return np.flatnonzero(np.bincount(codes)) if _countable(codes) else np.unique(codes)


def counted(codes: Integers) -> tuple[Integers, Integers]:
    """The distinct codes (G,) in ascending order, and how often each is there, (G,). Codes are at least 0."""
    if not _countable(codes):
        return np.unique(codes, return_counts=True)
    counts = np.bincount(codes)
    present = np.flatnonzero(counts)
    return present, counts[present]


def compact(codes: Integers) -> tuple[Integers, Integers]:
    """The distinct codes (G,) in ascending order, and which of them each code (R,) is. Codes are at least 0."""
    most = int(codes.max(initial=-1))
    if _countable(codes):
        present = np.flatnonzero(np.bincount(codes))
        number = np.empty(most + 1, np.intp)
        number[present] = np.arange(len(present))
        return present, number[codes]
    present, number = np.unique(codes, return_inverse=True)
    return present, number


def _countable(codes: Integers) -> bool:
    """Whether codes are few enough to be counted, which is faster than to sort them."""
    return int(codes.max(initial=-1)) < 4 * len(codes)


def ranked(values: Floats) -> tuple[Floats, Integers]:
    """The distinct values (T,) in ascending order, and which of them each value (R,) is. No value is NaN."""
    whole = whole_numbers(values)
    if whole is not None:
        times, rank = compact(whole)
        return times.astype(float), rank
    codes, different = pd.factorize(values)
    order = np.argsort(different)
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    return different[order], rank[codes]


def whole_numbers(values: NDArray[Any]) -> Integers | None:
    """The values (R,) as integers, if all are whole, none is negative and they are few enough to be counted."""
    if not len(values) or not 0 <= values.min() <= values.max() < 4 * len(values):
        return None
    whole = values.astype(np.intp)
    return whole if np.array_equal(whole, values) else None


def evenly(number: int, most: int) -> Integers:
    """At most `most` of the indices 0 … number − 1: the first, the last and evenly chosen ones between."""
    if number <= most:
        return np.arange(number)
    return np.unique(np.linspace(0, number - 1, most).round().astype(int))
