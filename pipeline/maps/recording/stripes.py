"""Stripes: pixels of a map that are trained by one call. Of each only its status, epochs and final error are kept."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from pipeline.backprop.batch import Batch, BatchResult, Progress
from pipeline.backprop.engines import engine
from pipeline.backprop.status import Status
from pipeline.maps.grid import Grid, Pixels
from pipeline.maps.training import MapResult, batch_pixels
from pipeline.results.rows import RunRows
from pipeline.results.verification import DamagedError
from pipeline.sweeps.chunks import CHUNK_OPERATIONS, Patterns
from pipeline.trials.settings import ExecutorChoice

SMALLEST = 128
STRIPES_PER_WORKER = 8  # so that none waits long for the others
SCHEMA = pa.schema({"place": pa.int64(), "status": pa.int8(), "epochs": pa.int64(), "final_error": pa.float64()})
ROW_BYTES = 25
MOST_LISTED = 2**23  # pixels whose numbers are in memory together
KEY = b"map.key"


@dataclass(frozen=True)
class Stripe:
    """Pixels as an executor trains them. It has no more than the map, so that it is quickly sent to a worker."""

    grid: Grid
    key: str  # of the map
    indices: Pixels
    engine: str
    given: Patterns | None = None  # the patterns, where they are not to be loaded

    @cached_property
    def batch(self) -> Batch:
        """The batch of the pixels."""
        return self.grid.batch(self.indices, 2, self.given)

    def train(
        self, progress: Progress | None = None, threads: int | None = None, result: BatchResult | None = None
    ) -> BatchResult:
        """The result of its batch. Where `progress` raises an exception, `result` has what had ended until then."""
        return engine(self.engine)(self.batch, progress, result, threads)

    def rows(self, result: BatchResult) -> RunRows:
        """The rows of the pixels that have ended."""
        ended = np.flatnonzero(result.status >= 0)
        columns = self.indices[ended], result.status[ended], result.epochs[ended], result.final_error[ended]
        return RunRows(pa.table(list(map(pa.array, columns)), schema=SCHEMA.with_metadata({KEY: self.key})))

    @property
    def is_quick(self) -> bool:
        """Its rows are made in no time."""
        return True

    @property
    def patterns(self) -> Patterns:
        """The patterns of the task."""
        return self.given or self.grid.patterns

    def with_patterns(self, patterns: Patterns) -> "Stripe":
        """The same with these patterns."""
        return replace(self, given=patterns)


def stripes(grid: Grid, key: str, missing: Pixels, engine: str, executor: ExecutorChoice) -> Iterator[Stripe]:
    """These pixels in stripes, row by row."""
    size = stripe_pixels(grid, len(missing), executor)
    return (Stripe(grid, key, missing[start : start + size], engine) for start in range(0, len(missing), size))


def missing_pixels(result: MapResult) -> Iterator[Pixels]:
    """The pixels that are not trained, some at a time: looked for as they are wanted."""
    status = result.status.reshape(-1)
    for start in range(0, len(status), MOST_LISTED):
        if len(missing := np.flatnonzero(status[start : start + MOST_LISTED] < 0)):
            yield missing + start


def stripe_pixels(grid: Grid, pixels: int, executor: ExecutorChoice) -> int:
    """The number of pixels of a stripe, unless `executor.chunk` says: up to about a minute of one core."""
    if executor.chunk is not None:
        return executor.chunk
    operations = 4.0 * grid.network.size * len(grid.patterns[0]) * max(1, grid.batch_key.max_epochs)
    size = min(batch_pixels(grid), max(SMALLEST, int(CHUNK_OPERATIONS / operations)))
    if executor.name == "dask":
        size = min(size, max(SMALLEST, -(-pixels // (STRIPES_PER_WORKER * max(1, executor.workers)))))
    return size


def verify_stripe(table: pa.Table, key: str, shape: tuple[int, int], max_epochs: int) -> None:
    """Raises DamagedError for a table that no stripe of the map with this key has given."""
    if not table.schema.remove_metadata().equals(SCHEMA) or not len(table):
        raise DamagedError("has other columns than stripes of a map have")
    if (table.schema.metadata or {}).get(KEY) != key.encode():
        raise DamagedError("is of another map")
    table.validate(full=True)
    if any(column.null_count for column in table.columns):
        raise DamagedError("lacks values")
    places, status, epochs = (table.column(name).to_numpy() for name in ("place", "status", "epochs"))
    if places[0] < 0 or places[-1] >= shape[0] * shape[1] or (np.diff(places) <= 0).any():
        raise DamagedError("has a pixel twice, or one that the map has not")
    if status.min() < 0 or status.max() >= len(Status) or epochs.min() < 0 or epochs.max() > max_epochs:
        raise DamagedError("has a pixel that ended in no possible way")


def insert(result: MapResult, rows: RunRows) -> int:
    """Takes over a stripe's rows; gives how many pixels they are."""
    table = rows.table
    places = table.column("place").to_numpy()
    first, end = int(places[0]), int(places[-1]) + 1
    where = slice(first, end) if end - first == len(places) else places  # a slice is copied five times as fast
    for name in ("status", "epochs", "final_error"):
        getattr(result, name).reshape(-1)[where] = table.column(name).to_numpy()
    result.release()
    return len(places)
