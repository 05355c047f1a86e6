"""Who trains the chunks: this process, or the workers of a Dask cluster. Either gives results as they come, in any order."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from pipeline.app.interrupts import Interrupts
from pipeline.backprop.batch import Progress
from pipeline.results.rows import RunRows
from pipeline.sweeps.chunks import Work
from pipeline.sweeps.executors.local import Local
from pipeline.trials.settings import ExecutorChoice


class Executor(Protocol):
    """Trains chunks; `progress` is called with the numbers of ended runs and trained epochs. To be closed after use."""

    def train(self, chunks: Iterable[Work], progress: Progress) -> Iterator[RunRows]:
        """The results of the chunks."""

    def close(self) -> None:
        """Releases everything that it holds."""


def executor(choice: ExecutorChoice, interrupts: Interrupts) -> Executor:
    """The chosen executor, ready to work. Raises ConfigError if it is not available."""
    if choice.name == "dask":
        from pipeline.sweeps.executors.dask_cluster import Cluster

        return Cluster(choice, interrupts)
    return Local(interrupts)
