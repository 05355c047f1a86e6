"""The cells that a report's heat map can show: groups of runs by every choice of axes, a data cube (Gray et al. 1997)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import pandas as pd

from pipeline.backprop.status import STATUSES
from pipeline.errors import as_override
from pipeline.report.numbers import count, in_short
from pipeline.report.page.tables import intervals, why
from pipeline.report.text_tables import readable
from pipeline.stats.sample import NESTED
from pipeline.stats.summary import Summary

MOST_AXES = 4  # besides the threshold
MOST_CELLS = 3_000  # in all groupings together
MOST_GROUPED = 2_000_000  # runs, over all groupings: what their intervals take time for
LONGEST = 18  # letters of a label
MEASURES = {"rate": "share of the runs that converged", "median": "median epochs", "ert": "expected epochs per success"}
COLOURS = 256


@dataclass(frozen=True, slots=True)
class Cube:
    """Axes, the most telling first and the threshold last; the labels of their values; a table for each choice of axes.

    A choice has the threshold wherever that is an axis. A table's column named after an axis' number has the indices of its
    values.
    """

    axes: list[str]
    labels: list[list[str]]
    groupings: dict[tuple[int, ...], pd.DataFrame]


def cube(summary: Summary) -> Cube | None:
    """All cells that there is room for; None where no axis but the starts varies, or where there are too many values."""
    axes = [axis for axis in summary.main_axes if axis != NESTED][:MOST_AXES]
    axes += [NESTED] if NESTED in summary.axes and summary.size(NESTED) > 1 else []
    values = {axis: summary.values(axis) for axis in axes}
    groupings: dict[tuple[int, ...], pd.DataFrame] = {}
    cells = grouped = 0
    for chosen in choices(axes):
        most = prod(len(values[axes[number]]) for number in chosen)
        if cells + most > MOST_CELLS or (groupings and grouped + len(summary) > MOST_GROUPED):
            continue
        by = [axes[number] for number in chosen]
        table = summary.by(*by)
        codes = {str(number): indices(table[axes[number]], values[axes[number]]) for number in chosen}
        groupings[chosen] = table.assign(**codes, why=why(summary.cause_counts(*by), len(table)))
        cells, grouped = cells + len(table), grouped + len(summary)
    return Cube(axes, [labels(values[axis]) for axis in axes], groupings) if groupings else None


def choices(axes: Sequence[str]) -> Iterator[tuple[int, ...]]:
    """Choices of axes by their numbers, those that are looked at first first: the two main axes, more of them, fewer."""
    free = [number for number, axis in enumerate(axes) if axis != NESTED]
    nested = tuple(number for number, axis in enumerate(axes) if axis == NESTED)
    found = [some for size in range(len(free) + 1) for some in combinations(free, size) if some or nested]
    found.sort(key=lambda some: (some != tuple(free[:2]), abs(len(some) - 2), some))
    yield from ((*some, *nested) for some in found)


def indices(column: pd.Series, values: Sequence[Any]) -> list[int]:
    """The index of each value of a column among the values of its axis; they are told apart as they are written."""
    places = {as_override(value): place for place, value in enumerate(values)}
    return [places[as_override(value)] for value in column.tolist()]


def labels(values: Sequence[Any]) -> list[str]:
    """A short label for each value of an axis, all different."""
    texts = [in_short(value) for value in values]
    if len(set(texts)) < len(texts):
        texts = [as_override(value) for value in values]
    short = [text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for text in texts]
    return [f"{text} ({place + 1})" if short.count(text) > 1 else text for place, text in enumerate(short)]


def as_data(cube: Cube) -> dict[str, Any]:
    """The cube for the page's script: texts to be shown, and the number of a colour for each measure, −1: none."""
    scales = {measure: scale(cube, measure) for measure in MEASURES}
    return {
        "axes": [{"name": in_short(axis), "values": texts} for axis, texts in zip(cube.axes, cube.labels, strict=True)],
        "nested": cube.axes.index(NESTED) if NESTED in cube.axes else -1,
        "scales": scales,
        "groupings": {
            ",".join(map(str, chosen)): cells(table, chosen, scales) for chosen, table in cube.groupings.items()
        },
    }  # fmt: skip


def cells(table: pd.DataFrame, chosen: Sequence[int], scales: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """The cells of one choice of axes, as columns."""
    read = readable(table).astype(str)
    between = intervals(table, read)
    words = {name: [f"{text} ({ends})" if ends else text for text, ends in zip(read[name], between[name], strict=True)]
             for name in MEASURES}  # fmt: skip
    return {
        "codes": [table[str(number)].tolist() for number in chosen],
        "runs": [f"{converged:,}/{runs:,}" for converged, runs in zip(table["converged"], table["runs"], strict=True)],
        "ended": [ended(row) for row in table[[*STATUSES, "runs", "starts"]].to_dict("records")],
        "why": table["why"].tolist(),
        "short": {name: read[name].str.replace("not reached", "–").tolist() for name in MEASURES},
        "words": words,
        "colour": {name: colours(table, name, scales[name]).tolist() for name in MEASURES},
    }


def ended(row: dict[Any, int]) -> str:
    """What became of the runs of a cell."""
    others = [f"{row[status]:,} {status}" for status in STATUSES[1:] if row[status]]
    starts = f" from {count(row['starts'], 'start')}" if row["starts"] < row["runs"] else ""
    return ", ".join([f"{row['converged']:,} of {count(row['runs'], 'run')}{starts} converged", *others])


def scale(cube: Cube, measure: str) -> tuple[float, float]:
    """The least and the largest number of a measure in all cells that have one; shares go from 0 to 1."""
    if measure == "rate":
        return 0.0, 1.0
    numbers = np.concatenate([table[measure].to_numpy(float) for table in cube.groupings.values()])
    some = np.maximum(numbers[np.isfinite(numbers)], 1.0)
    low = float(some.min(initial=np.inf))
    return (low, max(float(some.max()), 1.1 * low)) if len(some) else (1.0, 10.0)


def colours(table: pd.DataFrame, measure: str, limits: tuple[float, float]) -> np.ndarray[Any, np.dtype[np.intp]]:
    """The number (cells,) of each cell's colour; −1 where no run converged or the median was not reached."""
    numbers, (low, high) = table[measure].to_numpy(float), limits
    missed = (table["converged"].to_numpy() == 0) | ~np.isfinite(numbers)
    share = numbers
    if measure != "rate":
        share = np.log(np.maximum(np.where(missed, low, numbers), 1.0) / low) / np.log(high / low)
    return np.where(missed, -1, np.minimum(np.maximum(share, 0.0) * COLOURS, COLOURS - 1).astype(np.intp))
