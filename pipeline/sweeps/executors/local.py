"""Training in this process, with all its cores."""

from collections.abc import Iterable, Iterator

import numpy as np

from pipeline.app.interrupts import Interrupts
from pipeline.backprop.batch import BatchResult, Progress
from pipeline.results.rows import RunRows
from pipeline.sweeps.chunks import Work
from pipeline.sweeps.executors.overlap import ahead, behind

Trained = tuple[Work, BatchResult]


class Local:
    """Trains in this process, with all its cores."""

    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupts = interrupts

    def train(self, chunks: Iterable[Work], progress: Progress) -> Iterator[RunRows]:
        """The results of the chunks, one by one; of an interrupted one what had ended."""
        trained = self._trained(chunks, progress)
        return behind(trained, lambda some: some[0].rows(some[1]), lambda some: some[0].is_quick, self.interrupts)

    def _trained(self, chunks: Iterable[Work], progress: Progress) -> Iterator[Trained]:
        """Each chunk with its result; none is begun once an interrupt is requested."""

        def interruptible(runs: int, epochs: int) -> None:
            progress(runs, epochs)
            self.interrupts.raise_if_requested()

        for chunk, result in ahead((chunk, BatchResult.empty(chunk.batch)) for chunk in chunks):
            self.interrupts.raise_if_requested()
            try:
                with self.interrupts.deferred():
                    chunk.train(interruptible, result=result)
            except KeyboardInterrupt:
                if np.any(result.status >= 0):
                    yield chunk, result
                raise
            yield chunk, result

    def close(self) -> None:
        """Nothing is held."""
