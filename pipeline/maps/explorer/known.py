"""Pixels that an earlier view of a window has trained: whoever moves over a map trains only what is new."""

from collections import deque

import numpy as np

from pipeline.maps.grid import Grid
from pipeline.maps.training import MapResult

MOST_VIEWS = 4  # whose pixels are kept


class KnownPixels:
    """What the last views have trained. A pixel is known where its trial is: the configuration, and both numbers to the bit."""

    def __init__(self) -> None:
        self._views: deque[tuple[Grid, MapResult]] = deque(maxlen=MOST_VIEWS)

    def remember(self, grid: Grid, found: MapResult) -> None:
        """Keeps what has been trained of a view."""
        if (found.status >= 0).any():
            self._views.append((grid, found))

    def of(self, grid: Grid) -> MapResult:
        """The pixels of a view that are known; the others are not trained."""
        result = MapResult.empty(grid.shape)
        for before, found in self._views:
            if has_same_trials(before, grid):
                take_over(before, found, grid, result)
        return result


def has_same_trials(one: Grid, other: Grid) -> bool:
    """Whether pixels with the same two numbers are the same trial."""
    return one.config == other.config and [axis.name for axis in one.axes] == [axis.name for axis in other.axes]


def take_over(before: Grid, found: MapResult, grid: Grid, result: MapResult) -> None:
    """Copies what is trained in the rows and the columns that both views have."""
    _, old_rows, rows = np.intersect1d(before.down.values, grid.down.values, assume_unique=True, return_indices=True)
    _, old_columns, columns = np.intersect1d(before.across.values, grid.across.values, assume_unique=True, return_indices=True)
    old, new = np.ix_(old_rows, old_columns), np.ix_(rows, columns)
    is_trained = found.status[old] >= 0
    for name in ("status", "epochs", "final_error"):
        values = getattr(result, name)
        values[new] = np.where(is_trained, getattr(found, name)[old], values[new])
