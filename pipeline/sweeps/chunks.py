"""Chunks: trials of one batch key, trained by one call. A chunk is a pure function of its trials, and its result a table."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch, BatchResult, Progress, curve_epochs
from pipeline.backprop.causes.of_batch import Causes, causes, first_point_of_causes
from pipeline.backprop.engines import engine
from pipeline.trials.batching import network_of
from pipeline.trials.tasks import load
from pipeline.trials.trial import BatchKey

if TYPE_CHECKING:
    from pipeline.results.rows import Indices, RunRows

# The limits of a chunk whose size is not given.
CHUNK_OPERATIONS = 4e11  # multiply-adds, about, if all is trained to max_epochs: up to a minute on one core
CHUNK_BYTES = 64 * 2**20  # of its result
SMALLEST, LARGEST = 128, 16_384  # trainings
LARGEST_WITHOUT_CURVES = 32_768  # of which no curves are kept: these take as much memory
FEW_TRIALS = 1_000


Patterns = tuple[Array, Array]  # inputs (P, I) and targets (P, O)


class Work(Protocol):
    """What an executor trains: trials by their indices. Workers elsewhere get it without the patterns, which they get once."""

    @property
    def indices(self) -> "Indices":
        """The indices of the trials."""

    @property
    def batch(self) -> Batch:
        """Their batch."""

    def train(
        self, progress: Progress | None = None, threads: int | None = None, result: BatchResult | None = None
    ) -> BatchResult:
        """The result of the batch. Where `progress` raises an exception, `result` has what had ended until then."""

    def rows(self, result: BatchResult) -> "RunRows":
        """The rows of the trials that have ended."""

    @property
    def is_quick(self) -> bool:
        """Whether `rows` takes no longer than to have a thread do it."""

    @property
    def patterns(self) -> Patterns:
        """The patterns of the task."""

    def with_patterns(self, patterns: Patterns) -> "Work":
        """The same with these patterns, for example none."""


NO_PATTERNS: Patterns = (np.empty((0, 0)), np.empty((0, 0)))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Trials by their indices in the sweep, as a batch; the engine that trains them, whether causes are found, curves kept."""

    indices: "Indices"
    batch: Batch
    engine: str
    with_causes: bool = True
    with_curves: bool = True

    def train(
        self, progress: Progress | None = None, threads: int | None = None, result: BatchResult | None = None
    ) -> BatchResult:
        """The result of its batch. Where `progress` raises an exception, `result` has what had ended until then."""
        return engine(self.engine)(self.batch, progress, result, threads)

    def causes(self, result: BatchResult) -> Causes | None:
        """The causes of its trials, where they are asked for."""
        return causes(result, self.engine) if self.with_causes else None

    def rows(self, result: BatchResult) -> "RunRows":
        """The rows of the trials that have ended."""
        from pipeline.results.rows import RunRows, run_table

        return RunRows(run_table(self.indices, result, self.engine, self.causes(result), self.with_curves))

    @property
    def is_quick(self) -> bool:
        """Whether it has so few trials that `rows` takes no longer than to have a thread do it."""
        return len(self.indices) < FEW_TRIALS

    @property
    def patterns(self) -> Patterns:
        """The patterns of the task."""
        return self.batch.inputs, self.batch.targets

    def with_patterns(self, patterns: Patterns) -> "Chunk":
        """The same with these patterns, for example none."""
        return replace(self, batch=replace(self.batch, inputs=patterns[0], targets=patterns[1]))


def chunk_trainings(key: BatchKey, curve_points: int, trials: float, with_curves: bool = True) -> int:
    """The number of trainings of a chunk, each of that many trials on average, unless `executor.chunk` says."""
    network, patterns = network_of(key), len(load(key.task).inputs)
    operations = 4.0 * network.size * patterns * max(1, key.max_epochs)
    row = row_bytes(key, points_in_memory(key, curve_points, with_curves))
    fitting = min(CHUNK_BYTES / (trials * row), LARGEST if with_curves else LARGEST_WITHOUT_CURVES)
    return int(max(1, min(fitting, max(SMALLEST, CHUNK_OPERATIONS / operations))))


def points_in_memory(key: BatchKey, curve_points: int, with_curves: bool = True) -> int:
    """How many points of each curve there are until its run's row is written: all, or those that causes are found by."""
    epochs = curve_epochs(key.max_epochs, curve_points)
    return len(epochs) - (0 if with_curves else first_point_of_causes(epochs))


def row_bytes(key: BatchKey, points: int) -> int:
    """The size of a run's result with so many points of its curve, at most."""
    return 8 * (points + 2 * network_of(key).size) + 200
