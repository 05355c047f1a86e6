"""How the cost goes along an axis, as far as tests of its values two by two support it."""

import numpy as np
import pandas as pd

from pipeline.stats.arrays import Booleans
from pipeline.stats.comparisons.paired_tests import ALPHA
from pipeline.stats.sample import Sample

# What each shape says of the expected running time, along the values of an axis from low to high.
MEANINGS = {
    "rising": "the cost rises: the highest value is shown to cost more than the lowest, and no fall between them is shown",
    "falling": "the cost falls: the highest value is shown to cost less than the lowest, and no rise between them is shown",
    "valley inside": "the cost falls and then rises: a value between others is shown to cost less than one on either side",
    "peak inside": "the cost rises and then falls: a value between others is shown to cost more than one on either side",
    "none shown": "no such shape is shown, which does not mean that there is none",
    "no test": "the axis has no order, or there are no two starts to compare its values on",
}


def shape(pairs: pd.DataFrame) -> str:
    """One of `MEANINGS`, of the expected running times, from `paired` of an axis whose values have an order.

    Two values differ where p_ert_adjusted is below 0.05, so that with 95 % all differences of an axis are true. To be rising or
    falling the lowest and the highest cost seen must also be at the ends. With a valley and a peak both shown none is.
    """
    if not len(pairs) or pairs["p_ert_adjusted"].isna().all():
        return "no test"
    shown = pairs["p_ert_adjusted"].to_numpy() < ALPHA
    first, second = pairs["ert_first"].to_numpy(), pairs["ert_second"].to_numpy()
    values = pd.unique(pd.concat([pairs["first"], pairs["second"]]))
    place = pd.Index(values)
    low, high = place.get_indexer(pairs["first"]), place.get_indexer(pairs["second"])
    up, down = np.zeros((2, len(values), len(values)), bool)
    up[low, high], down[low, high] = shown & (first < second), shown & (first > second)
    valley, peak = _turns(down, up), _turns(up, down)
    if valley != peak:
        return "valley inside" if valley else "peak inside"
    from_lowest, to_highest = low == 0, high == len(values) - 1
    least_first = (first <= second)[from_lowest].all() and (first <= second)[to_highest].all()
    most_first = (first >= second)[from_lowest].all() and (first >= second)[to_highest].all()
    if up[0, -1] and least_first and not down.any():
        return "rising"
    return "falling" if down[0, -1] and most_first and not up.any() else "none shown"


def _turns(before: Booleans, after: Booleans) -> bool:
    """Is there a value that differs from one before it as `before` (V, V) says, and from one after it as `after` does?"""
    return bool((before.any(axis=0) & after.any(axis=1)).any())


def is_ordered(sample: Sample, axis: str) -> bool:
    """Whether the values of an axis are numbers, so that there is a way along it."""
    values = sample.results[axis]
    numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    return bool(numbers and values.notna().all())
