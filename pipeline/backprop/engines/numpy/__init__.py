"""The definition as an engine: `pipeline.backprop.trainer`, block by block of trainings, with progress."""

import time

import numpy as np

from pipeline.backprop import trainer
from pipeline.backprop.batch import Batch, BatchResult, Progress

# How many numbers one array of hidden outputs may hold: a block of trainings is trained at a time, small enough for the
# processor's cache. No result depends on it.
BLOCK_NUMBERS = 32768
PROGRESS_SECONDS = 0.1

# glibc returns large freed memory to the system, and to get it again would cost as much as the arithmetic. Once an array of
# this many numbers has been freed, it keeps what a block needs (mallopt(3), M_MMAP_THRESHOLD). Elsewhere this does nothing.
np.empty(2**19)


def train(
    batch: Batch, progress: Progress | None = None, result: BatchResult | None = None, threads: int | None = None
) -> BatchResult:
    """Trains every trial of the batch to its end, in the calling thread, whatever `threads` says.

    If `progress` raises, an empty `result` of the caller's has what had ended.
    """
    result = result or BatchResult.empty(batch)
    size = block_size(batch)
    for start in range(0, batch.trainings, size):
        trainings = np.arange(start, min(start + size, batch.trainings))
        part = BatchResult.empty(batch.columns(trainings))
        try:
            train_block(part, progress)
        finally:
            result.insert(part, trainings)
    return result


def block_size(batch: Batch) -> int:
    """How many trainings are trained together."""
    return max(16, BLOCK_NUMBERS // (max(batch.network.units) * len(batch.inputs)))


def train_block(result: BatchResult, progress: Progress | None) -> None:
    """Trains a batch as a whole, into its empty result."""
    reported, epochs, last = 0, 0, time.monotonic()

    def report() -> None:
        nonlocal reported, epochs, last
        ended = int(np.count_nonzero(result.status >= 0))
        if progress:
            progress(ended - reported, epochs)
        reported, epochs, last = ended, 0, time.monotonic()

    def after_epoch(trainings: int) -> None:
        nonlocal epochs
        epochs += trainings
        if time.monotonic() - last > PROGRESS_SECONDS:
            report()

    trainer.train(result.batch, result, after_epoch if progress else None)
    report()
