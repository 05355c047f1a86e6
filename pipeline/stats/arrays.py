"""The arrays that statistics are made of: numbers, indices and truth values."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]


def compact(codes: Integers) -> tuple[Integers, Integers]:
    """The distinct codes (G,) in ascending order, and which of them each code (R,) is. Codes are at least 0."""
    most = int(codes.max(initial=-1))
    if most < 4 * len(codes):  # few enough to count; else sort
        present = np.flatnonzero(np.bincount(codes))
        number = np.empty(most + 1, np.intp)
        number[present] = np.arange(len(present))
        return present, number[codes]
    present, number = np.unique(codes, return_inverse=True)
    return present, number


def ranked(values: Floats) -> tuple[Floats, Integers]:
    """The distinct values (T,) in ascending order, and which of them each value (R,) is. No value is NaN."""
    codes, distinct = pd.factorize(values)
    order = np.argsort(distinct)
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    return distinct[order], rank[codes]


def evenly(number: int, most: int) -> Integers:
    """At most `most` of the indices 0 … number − 1: the first, the last and evenly chosen ones between."""
    if number <= most:
        return np.arange(number)
    return np.unique(np.linspace(0, number - 1, most).round().astype(int))
