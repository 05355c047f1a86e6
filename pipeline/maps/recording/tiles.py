"""A large map's arrays as artifacts: tiles, each an .npz file, so that a part of the map is read without the rest.

`tiles/<row>-<column>.npz` has status, epochs and final_error of up to TILE × TILE pixels, counted in tiles from the lowest row
and the first column; `axes.npz` has the values of the axes, and the size of a tile.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.maps.grid import Grid
from pipeline.maps.recording.arrays import arrays_of, write_arrays
from pipeline.maps.training import MapResult

TILE = 1024  # pixels along a side
TILES, AXES = "tiles", "axes.npz"


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a map: its file, and its rows and columns."""

    file: str
    rows: slice
    columns: slice


def tiles_of(shape: tuple[int, int]) -> Iterator[Tile]:
    """The tiles of a map, row by row."""
    height, width = shape
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            rows, columns = slice(y, min(y + TILE, height)), slice(x, min(x + TILE, width))
            yield Tile(f"{TILES}/{y // TILE}-{x // TILE}.npz", rows, columns)


def write_tiles(folder: Path, grid: Grid, result: MapResult) -> None:
    """Writes the tiles and the axes of a map into a folder."""
    (folder / TILES).mkdir()
    for tile in tiles_of(grid.shape):
        write_arrays(folder / tile.file, arrays_of(grid, part(result, tile)))
        result.release()
    axes = {"across": grid.across.values, "down": grid.down.values, "tile": np.array([TILE])}
    write_arrays(folder / AXES, axes)


def part(result: MapResult, tile: Tile) -> MapResult:
    """A tile's result."""
    return MapResult(*(getattr(result, name)[tile.rows, tile.columns] for name in ("status", "epochs", "final_error")))
