"""A map trained: status, epochs and final error of its pixels."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import BatchResult, Progress
from pipeline.backprop.engines import engine as engine_named
from pipeline.maps.grid import Grid, Pixels

MOST_PIXELS = 262_144  # of a batch
BATCH_BYTES = 256 * 2**20  # of its arrays
BAND = 2**20  # pixels that are looked at together
NAMES = "status", "epochs", "final_error"


@dataclass(frozen=True, slots=True)
class MapResult:
    """What became of the pixels, (H, W) each: status has the codes of `Status`, −1 of a pixel that is not trained."""

    status: NDArray[np.int8]
    epochs: NDArray[np.int64]
    final_error: Array

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> "MapResult":
        """That of a map of which nothing is trained."""
        return cls(np.full(shape, -1, np.int8), np.zeros(shape, np.int64), np.full(shape, np.nan))

    def copy(self) -> "MapResult":
        """The same in arrays of its own."""
        return MapResult(self.status.copy(), self.epochs.copy(), self.final_error.copy())

    def bands(self) -> Iterator[slice]:
        """All rows, some at a time."""
        height, width = self.status.shape
        rows = max(1, BAND // width)
        yield from (slice(start, min(start + rows, height)) for start in range(0, height, rows))

    def release(self) -> None:
        """Nothing is to be done: this result is in memory (see `maps.large`)."""

    def of(self, pixels: Pixels) -> "MapResult":
        """What became of these pixels (T,), in arrays (T,) of its own."""
        return MapResult(*(getattr(self, name).reshape(-1)[pixels] for name in NAMES))

    def insert(self, pixels: Pixels, result: BatchResult) -> None:
        """Takes over what has ended of these pixels' batch."""
        ended = result.status >= 0
        for name in NAMES:
            getattr(self, name).ravel()[pixels[ended]] = getattr(result, name)[ended]


def train(
    grid: Grid,
    engine: str = "compiled",
    progress: Progress | None = None,
    threads: int | None = None,
    step: int = 1,
    known: MapResult | None = None,
) -> MapResult:
    """Trains the pixels whose row and column are multiples of `step`, but those that are `known`, which the result has too.

    `progress` may raise an exception: then training ends.
    """
    result = known.copy() if known else MapResult.empty(grid.shape)
    wanted = np.zeros(grid.shape, bool)
    wanted[::step, ::step] = True
    train_pixels(grid, np.flatnonzero(wanted & (result.status < 0)), result, engine, progress, threads)
    return result


def train_pixels(
    grid: Grid,
    pixels: Pixels,
    result: MapResult,
    engine: str = "compiled",
    progress: Progress | None = None,
    threads: int | None = None,
) -> None:
    """Trains these pixels into the result."""
    size = batch_pixels(grid)
    for start in range(0, len(pixels), size):
        some = pixels[start : start + size]
        result.insert(some, engine_named(engine)(grid.batch(some), progress, None, threads))


def batch_pixels(grid: Grid) -> int:
    """How many pixels are trained together."""
    return max(1, min(MOST_PIXELS, BATCH_BYTES // (8 * (4 * grid.network.size + 16))))
