"""Who trains the chunks: this process, or the workers of a Dask cluster. Either gives results as they come, in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import pyarrow as pa

from pipeline.app.interrupts import Interrupts
from pipeline.backprop.batch import BatchResult, Progress
from pipeline.results.rows import result
from pipeline.sweeps.chunks import Chunk
from pipeline.trials.settings import ExecutorChoice


class Executor(Protocol):
    """Trains chunks; `progress` is told of ended runs and trained epochs. To be closed after use."""

    def train(self, chunks: Iterable[Chunk], progress: Progress) -> Iterator[pa.Table]:
        """The results of the chunks."""

    def close(self) -> None:
        """Lets everything go that it holds."""


def executor(choice: ExecutorChoice, interrupts: Interrupts) -> Executor:
    """The executor that was chosen, ready to work. Raises ConfigError where it cannot be had."""
    if choice.name == "dask":
        from pipeline.sweeps.dask_cluster import Cluster

        return Cluster(choice, interrupts)
    return Local(interrupts)


class Local:
    """Trains in this process, with all its cores."""

    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupts = interrupts

    def train(self, chunks: Iterable[Chunk], progress: Progress) -> Iterator[pa.Table]:
        """The results of the chunks, one by one; of an interrupted one what had ended."""

        def looking(runs: int, epochs: int) -> None:
            progress(runs, epochs)
            self.interrupts.raise_if_requested()

        for chunk in chunks:
            outcome = BatchResult.empty(chunk.batch)
            try:
                with self.interrupts.deferred():
                    table = chunk.train(looking, outcome=outcome)
            except KeyboardInterrupt:
                if np.any(outcome.status >= 0):
                    yield result(chunk.places, outcome)
                raise
            yield table

    def close(self) -> None:
        """Nothing is held."""
