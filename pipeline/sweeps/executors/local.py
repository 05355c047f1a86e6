"""Training in this process, with all its cores."""

from collections.abc import Iterable, Iterator

import numpy as np

from pipeline.app.interrupts import Interrupts
from pipeline.backprop.batch import BatchResult, Progress
from pipeline.results.rows import RunRows
from pipeline.sweeps.chunks import Work


class Local:
    """Trains in this process, with all its cores."""

    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupts = interrupts

    def train(self, chunks: Iterable[Work], progress: Progress) -> Iterator[RunRows]:
        """The results of the chunks, one by one; of an interrupted one what had ended."""

        def interruptible(runs: int, epochs: int) -> None:
            progress(runs, epochs)
            self.interrupts.raise_if_requested()

        for chunk in chunks:
            result = BatchResult.empty(chunk.batch)
            try:
                with self.interrupts.deferred():
                    chunk.train(interruptible, result=result)
            except KeyboardInterrupt:
                if np.any(result.status >= 0):
                    yield chunk.rows(result)
                raise
            yield chunk.rows(result)

    def close(self) -> None:
        """Nothing is held."""
