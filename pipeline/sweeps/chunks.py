"""Chunks: trials of one shape, trained by one call. A chunk is a pure function of its trials, and its result a table.

The table has a row per run and all that is ever recorded of it, so that it can be kept, sent and recorded anywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.backprop import engines
from pipeline.backprop.batch import Batch, BatchResult, Progress
from pipeline.results.rows import Indices, result
from pipeline.sweeps.plan import Plan
from pipeline.trials.batching import make_batch, network_of
from pipeline.trials.tasks import load
from pipeline.trials.trial import BatchKey

# What a chunk is held to where the user does not say how large it is.
CHUNK_OPERATIONS = 4e11  # multiply-adds, about, if all is trained to max_epochs: up to a minute on one core

CHUNK_BYTES = 64 * 2**20  # of its result

SMALLEST, LARGEST = 128, 16_384  # trainings


@dataclass(frozen=True, slots=True)
class Chunk:
    """Trials by their places in the sweep, as a batch, and the engine that trains them."""

    places: Indices
    batch: Batch
    engine: str

    def train(
        self, progress: Progress | None = None, threads: int | None = None, outcome: BatchResult | None = None
    ) -> pa.Table:
        """The result of all its trials. Where `progress` raises an exception, `outcome` has what had ended until then."""
        return result(self.places, engines.engine(self.engine)(self.batch, progress, outcome, threads))


def chunks(plan: Plan, missing: NDArray[np.bool_], size: int | None) -> Iterator[tuple[BatchKey, Indices]]:
    """The trials that are missing, cut into chunks of about so many; those that differ in the threshold alone stay together."""
    for shape, places in plan.shapes():
        places = places[missing[places]]
        if not len(places):
            continue
        numbers = plan.trainings(places)
        order = np.argsort(numbers, kind="stable")
        starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
        per_training = len(places) / len(starts)
        at_once = max(1, int(size / per_training)) if size else chunk_trainings(shape, per_training)
        for first in range(0, len(starts), at_once):
            last = starts[first + at_once] if first + at_once < len(starts) else len(places)
            yield shape, np.sort(places[order[starts[first] : last]])


def chunk_trainings(shape: BatchKey, trials: float) -> int:
    """Of how many trainings, with so many trials each, a chunk is made if nobody says."""
    network, patterns = network_of(shape), len(load(shape.task).inputs)
    operations = 4.0 * network.size * patterns * max(1, shape.max_epochs)
    fitting = min(CHUNK_BYTES / (trials * row_bytes(shape)), LARGEST)
    return int(max(1, min(fitting, max(SMALLEST, CHUNK_OPERATIONS / operations))))


def row_bytes(shape: BatchKey) -> int:
    """The size of a run's result, at most."""
    points = min(shape.curve_points, shape.max_epochs + 1)
    return 8 * (points + 2 * network_of(shape).size) + 200


def make_chunk(plan: Plan, shape: BatchKey, places: Indices) -> Chunk:
    """The chunk of the trials at these places."""
    return Chunk(places, make_batch(plan.trials(places)), shape.engine)
