"""The key of a map and the digest of its result, 64 hexadecimal digits each: SHA-256.

key: over all that decides the result, by content, as a trial's key has it: what all pixels have in common, the names and the
values of the axes, and the numbers that the pixels start from. digest: over the key, and the status (int8), epochs (int64) and
final errors (float64) of the pixels, row by row, little-endian; any NaN counts as one NaN. How a map was cut does not enter it.
"""

import hashlib
import json

import numpy as np

from pipeline.maps.grid import Grid
from pipeline.maps.training import MapResult
from pipeline.trials.fingerprint import header, little_endian

KEY_HEADER = "backpropagation map 1"
DIGEST_HEADER = "backpropagation map result 1"


def map_key(grid: Grid) -> str:
    """The key of a map."""
    batch = grid.batch(np.zeros(1, np.int64))
    choices, starts = grid.starts
    words = {
        "axes": [axis.name for axis in grid.axes],
        "shape": grid.shape,
        "changes": [name for name, _ in grid.base.changes],
        "directions": sorted({repr(choice.direction) for choice in choices}),
    }
    sha = hashlib.sha256(f"{KEY_HEADER}\n{header(batch)}{json.dumps(words, sort_keys=True)}\n".encode())
    changes = np.array([value for _, value in grid.base.changes])
    for numbers in (
        *(axis.values for axis in grid.axes),
        batch.threshold,
        batch.learning_rate,
        batch.momentum,
        starts,
        changes,
    ):
        sha.update(little_endian(numbers).tobytes())
    return sha.hexdigest()


def map_digest(key: str, result: MapResult) -> str:
    """The digest of the result of the map with this key."""
    sha = hashlib.sha256(f"{DIGEST_HEADER}\n{key}\n".encode())
    for rows in result.bands():
        sha.update(np.ascontiguousarray(result.status[rows]).tobytes())
    for rows in result.bands():
        sha.update(result.epochs[rows].astype("<i8").tobytes())
    for rows in result.bands():
        sha.update(little_endian(result.final_error[rows]).tobytes())
    return sha.hexdigest()
