"""A recorded map trained again: its status, epochs and final errors compared to the last bit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from pipeline.app.progress import progress_bar
from pipeline.backprop.batch import BatchResult
from pipeline.backprop.engines import engine as engine_named
from pipeline.backprop.status import STATUSES, Status
from pipeline.errors import ConfigError, printable
from pipeline.maps.digest import map_digest, map_key
from pipeline.maps.grid import Grid, Pixels
from pipeline.maps.large import empty_result, is_large
from pipeline.maps.recording.artifacts import ARRAYS, CONFIGURATION
from pipeline.maps.recording.request import read_map
from pipeline.maps.recording.session import DIGEST_TAG, KEY_TAG
from pipeline.maps.recording.tiles import TILES, tiles_of
from pipeline.maps.training import MapResult, batch_pixels
from pipeline.store.files import read_arrays, read_yaml
from pipeline.store.read import contents, find_recorded

KINDS = {"status": "i", "epochs": "i", "final_error": "f"}


@dataclass(frozen=True)
class RecordedPixels:
    """The grid and the result of a recorded map, with the name, the id and the tags of its run."""

    grid: Grid
    result: MapResult
    name: str
    run_id: str
    tags: Mapping[str, str]


def recorded_map(uri: str | None, which: str) -> RecordedPixels:
    """The map with that run id, or the latest one. Raises ConfigError where it cannot be read, or is not what its tags say."""
    client, run = find_recorded(uri, which, "map", "that of a map")
    grid, result = read_recorded(client, run)
    return RecordedPixels(grid, result, printable(f"map {run.info.run_name}"), run.info.run_id, run.data.tags)


def read_recorded(client: Any, run: Any) -> tuple[Grid, MapResult]:
    """The grid and the result of a recorded map. Raises ConfigError where they cannot be read, or are not what its tags say."""
    run_id, tags = run.info.run_id, run.data.tags
    config = contents(client, run, CONFIGURATION, read_yaml)
    try:
        grid = read_map(config if isinstance(config, dict) else {}).grid
    except ConfigError as error:
        raise ConfigError("map", run_id, f"cannot be trained again: {error}") from None
    if (key := map_key(grid)) != tags.get(KEY_TAG):
        what = "has another key than its tag says: a file that it is made from has changed"
        raise ConfigError("map", run_id, f"cannot be trained again: its configuration {what}")
    result = read_result(client, run, grid.shape)
    if map_digest(key, result) != tags.get(DIGEST_TAG):
        raise ConfigError("map", run_id, f"{what_holds(grid.shape)} has another digest than its tag says")
    return grid, result


def what_holds(shape: tuple[int, int]) -> str:
    """The artifact that has a map's arrays."""
    return TILES if is_large(shape) else ARRAYS


def read_result(client: Any, run: Any, shape: tuple[int, int]) -> MapResult:
    """The arrays of a recorded map of this shape, tile by tile of a large one. Raises ConfigError."""
    if not is_large(shape):
        return read_part(client, run, ARRAYS, shape)
    try:
        result = empty_result(shape)
    except OSError as error:
        raise ConfigError("map", run.info.run_id, f"{error.strerror}: of a large map, TMPDIR must have room") from None
    for tile in tiles_of(shape):
        read = read_part(client, run, tile.file, (tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start))
        for name in KINDS:
            getattr(result, name)[tile.rows, tile.columns] = getattr(read, name)
        result.release()
    return result


def read_part(client: Any, run: Any, file: str, shape: tuple[int, int]) -> MapResult:
    """The pixels in one artifact. Raises ConfigError."""
    arrays, run_id = contents(client, run, file, partial(read_arrays, kinds="fi")), run.info.run_id
    if any(name not in arrays or arrays[name].shape != shape or arrays[name].dtype.kind != KINDS[name] for name in KINDS):
        raise ConfigError("map", run_id, f"{file} has not the arrays {', '.join(KINDS)} of {shape} pixels")
    status = arrays["status"].astype(np.int8)
    if (arrays["status"] != status).any() or not ((status >= 0) & (status < len(Status))).all():
        raise ConfigError("map", run_id, f"{file} has a pixel that ended in no possible way")
    return MapResult(status, arrays["epochs"].astype(np.int64), arrays["final_error"])


def drifted(grid: Grid, recorded: MapResult, pixels: Sequence[int], engines: Sequence[str]) -> pd.DataFrame:
    """The pixels that an engine does not reproduce: engine, pixel, x, y, and what was and is, each in a row."""
    tables = []
    size = batch_pixels(grid)
    with progress_bar() as bar:
        for engine in engines:
            progress = bar(engine, len(pixels))
            for start in range(0, len(pixels), size):
                some = np.array(pixels[start : start + size], np.int64)
                again = engine_named(engine)(grid.batch(some), progress, None, None)
                tables.append(differing(recorded, again, some).assign(engine=engine))
    return pd.concat(tables, ignore_index=True)


def differing(recorded: MapResult, again: BatchResult, pixels: Pixels) -> pd.DataFrame:
    """Those of these pixels in which a map and what they gave again differ in a bit; any NaN is as any other."""
    known = recorded.of(pixels)
    pairs = {name: (getattr(known, name), getattr(again, name)) for name in KINDS}
    then, now = pairs["final_error"]
    same_bits = (then.view(np.int64) == now.view(np.int64)) | (np.isnan(then) & np.isnan(now))
    wrong = ~same_bits | (pairs["status"][0] != pairs["status"][1]) | (pairs["epochs"][0] != pairs["epochs"][1])
    y, x = np.divmod(pixels[wrong], recorded.status.shape[1])
    table = {"engine": "", "pixel": pixels[wrong], "x": x, "y": y}
    for name, (old, new) in pairs.items():
        table |= {f"{name}_then": old[wrong], f"{name}_now": new[wrong]}
    return pd.DataFrame(table)


def in_words(grid: Grid, drifts: pd.DataFrame, most: int) -> list[str]:
    """The first drifted pixels, each with what was and what is."""
    parts = []
    for row in drifts.head(most).to_dict("records"):
        old, new = (
            f"{STATUSES[row[f'status_{when}']]} after {row[f'epochs_{when}']:,} epochs, "
            f"final error {float(row[f'final_error_{when}']).hex()}"
            for when in ("then", "now")
        )
        x, y = row["x"], row["y"]
        place = f"{grid.across.name}={grid.across.text(x)} {grid.down.name}={grid.down.text(y)}"
        parts.append(f"pixel [{x},{y}], {place}, by {row['engine']}:\n  then: {old}\n  now:  {new}")
    return parts
