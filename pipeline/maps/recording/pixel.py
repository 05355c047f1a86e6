"""One pixel of a map: its command, and its run trained alone, with its curve and its cause. Nothing is recorded."""

import shlex

import numpy as np

from pipeline.maps.recording.request import MapRequest
from pipeline.results.run_result import BatchRows
from pipeline.sweeps.chunks import Chunk
from pipeline.sweeps.single import told
from pipeline.trials.batching import make_batch


def show_pixel(request: MapRequest) -> None:
    """Trains and prints the pixel that is asked for."""
    assert request.pixel is not None
    x, y = request.pixel
    grid, settings = request.grid, request.settings
    trial = grid.trial(y, x)
    chunk = Chunk(np.zeros(1, np.int64), make_batch([trial], settings.curve_points), settings.engine)
    result = chunk.train()
    rows = BatchRows(chunk.indices, result, chunk.engine, chunk.causes(result))
    print(f"pixel [{x},{y}]: {grid.across.name}={grid.across.text(x)} {grid.down.name}={grid.down.text(y)}")
    print(shlex.join(["python", "-m", "pipeline.train", *grid.overrides(y, x)]))
    for line in told(trial, chunk, rows):
        print(line)
    [ended] = rows.scalar_rows()
    print(f"key {ended['key']}\ndigest {ended['digest']}")
