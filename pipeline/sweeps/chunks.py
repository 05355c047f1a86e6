"""Chunks: trials of one shape, trained by one call. A chunk is a pure function of its trials, and its result a table.

The table has a row per run and all that is ever recorded of it, so that it can be kept, sent and recorded anywhere.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.backprop.engines.compiled import named
from pipeline.backprop.trainer import Batch, BatchResult, Progress
from pipeline.results.rows import Indices, RunRows, run_table
from pipeline.sweeps.plan import Plan
from pipeline.trials.batching import make_batch, network_of
from pipeline.trials.settings import Settings
from pipeline.trials.tasks import load
from pipeline.trials.trial import BatchKey

# What a chunk is held to where the user does not say how large it is.
CHUNK_OPERATIONS = 4e11  # multiply-adds, about, if all is trained to max_epochs: up to a minute on one core
CHUNK_BYTES = 64 * 2**20  # of its result
SMALLEST, LARGEST = 128, 16_384  # trainings


@dataclass(frozen=True, slots=True)
class Chunk:
    """Trials by their indices in the sweep, as a batch, and the engine that trains them."""

    indices: Indices
    batch: Batch
    engine: str

    def train(
        self, progress: Progress | None = None, threads: int | None = None, result: BatchResult | None = None
    ) -> BatchResult:
        """The result of its batch. Where `progress` raises an exception, `result` has what had ended until then."""
        options = {} if self.engine == "numpy" else {"threads": threads}
        return named(self.engine)(self.batch, progress, result, **options)

    def rows(self, result: BatchResult) -> RunRows:
        """The rows of the trials that have ended."""
        return RunRows(run_table(self.indices, result, self.engine))


def cut(plan: Plan, curve_points: int, size: int | None = None) -> list[Indices]:
    """All trials, cut into chunks of about `size`; those that differ in the threshold alone stay together."""
    pieces = []
    for key, indices in plan.batches():
        numbers = plan.trainings(indices)
        order = np.argsort(numbers, kind="stable")
        starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
        per_training = len(indices) / len(starts)
        at_once = max(1, int(size / per_training)) if size else chunk_trainings(key, curve_points, per_training)
        pieces += [np.sort(part) for part in np.split(indices[order], starts[at_once::at_once])]
    return pieces


def chunk_trainings(key: BatchKey, curve_points: int, trials: float) -> int:
    """Of how many trainings, with so many trials each, a chunk is made unless `executor.chunk` says."""
    network, patterns = network_of(key), len(load(key.task).inputs)
    operations = 4.0 * network.size * patterns * max(1, key.max_epochs)
    fitting = min(CHUNK_BYTES / (trials * row_bytes(key, curve_points)), LARGEST)
    return int(max(1, min(fitting, max(SMALLEST, CHUNK_OPERATIONS / operations))))


def row_bytes(key: BatchKey, curve_points: int) -> int:
    """The size of a run's result, at most."""
    return 8 * (min(curve_points, key.max_epochs + 1) + 2 * network_of(key).size) + 200


def make_chunk(plan: Plan, settings: Settings, indices: Indices) -> Chunk:
    """The chunk of the trials at these indices."""
    return Chunk(indices, make_batch(plan.trials(indices), settings.curve_points), settings.engine)
