"""The results of maps that are too large for memory: in nameless files, of which memory holds what is just worked on."""

import mmap
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.maps.grid import Pixels
from pipeline.maps.training import BAND, NAMES, MapResult

MOST_IN_MEMORY = 4096**2  # pixels


@dataclass(frozen=True, slots=True)
class LargeResult(MapResult):
    """A map's result in files of its own, which go with it."""

    files: tuple[mmap.mmap, ...] = ()

    def bands(self) -> Iterator[slice]:
        """All rows, some at a time; those before have left memory."""
        for rows in MapResult.bands(self):
            yield rows
            self.release()

    def of(self, pixels: Pixels) -> MapResult:
        """What became of these pixels; a system maps much around each that is read, so they are read band by band."""
        order = np.argsort(pixels, kind="stable")
        found = MapResult(*(np.empty(len(pixels), getattr(self, name).dtype) for name in NAMES))
        for some in np.split(order, np.flatnonzero(np.diff(pixels[order] // BAND)) + 1):
            part = MapResult.of(self, pixels[some])
            for name in NAMES:
                getattr(found, name)[some] = getattr(part, name)
            self.release()
        return found

    def release(self) -> None:
        """Lets the files alone have what memory holds of them."""
        for file in self.files:
            file.madvise(mmap.MADV_DONTNEED)


def is_large(shape: tuple[int, int]) -> bool:
    """Whether a map has no room in memory."""
    return shape[0] * shape[1] > MOST_IN_MEMORY


def empty_result(shape: tuple[int, int], folder: Path | None = None) -> MapResult:
    """The result of a map of which nothing is trained; of a large one, in a folder, or in that for temporary files.

    A large one's epochs and errors are 0 until they are known. Raises OSError where the disk has no room.
    """
    if not is_large(shape):
        return MapResult.empty(shape)
    kinds = (np.int8, np.int64, np.float64)
    files = tuple(nameless(shape[0] * shape[1] * np.dtype(kind).itemsize, folder) for kind in kinds)
    status, epochs, error = (np.frombuffer(file, kind).reshape(shape) for file, kind in zip(files, kinds, strict=True))
    result = LargeResult(status, epochs, error, files)
    for rows in result.bands():
        status[rows] = -1
    return result


def nameless(size: int, folder: Path | None) -> mmap.mmap:
    """A new file of so many bytes in a folder, without a name: it is gone when nothing holds it."""
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, size)  # a full disk is told now, and does not end the process later
        return mmap.mmap(file.fileno(), size)


def drawn_every(shape: tuple[int, int]) -> int:
    """The how many-th run along each axis of a map is drawn, so that the picture is made in memory."""
    return -(-max(shape) // isqrt(MOST_IN_MEMORY)) if is_large(shape) else 1


def thinned(result: MapResult, every: int) -> MapResult:
    """Every so many-th pixel along each axis, in memory."""
    parts: list[MapResult] = []
    for rows in result.bands():
        first = rows.start + (every // 2 - rows.start) % every
        place = slice(first, rows.stop, every), slice(every // 2, None, every)
        parts.append(MapResult(*(getattr(result, name)[place].copy() for name in NAMES)))
    return MapResult(*(np.concatenate([getattr(part, name) for part in parts]) for name in NAMES))


def central(status: NDArray[np.int8]) -> NDArray[np.int8]:
    """The middle of a map (H, W), as much of it as has room in memory."""
    side = isqrt(MOST_IN_MEMORY)
    if status.size <= MOST_IN_MEMORY:
        return status
    height, width = status.shape
    rows = min(height, max(side, MOST_IN_MEMORY // width))
    columns = min(width, MOST_IN_MEMORY // rows)
    y, x = (height - rows) // 2, (width - columns) // 2
    return status[y : y + rows, x : x + columns].copy()
