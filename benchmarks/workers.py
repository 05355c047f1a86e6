"""What do two workers of one thread each bring over one? `python -m benchmarks.workers`.

The same chunks of XOR by one worker on this machine and by two; and, for what the machine itself gives, by one thread and by
two in this process, without Dask.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.timing import alternate, lowest_and_median, show
from benchmarks.uneven import xor
from pipeline.app.interrupts import Interrupts
from pipeline.sweeps.chunks import Chunk
from pipeline.sweeps.executors.dask_cluster import Cluster
from pipeline.trials.settings import ExecutorChoice

CHUNKS, RUNS, EPOCHS = 16, 1_024, 20_000
ROUNDS = 3


def by_cluster(cluster: Cluster, chunks: list[Chunk]) -> None:
    """All of them, on its workers."""
    for _ in cluster.train(chunks, lambda *_: None):
        pass


def here(threads: int, chunks: list[Chunk]) -> None:
    """All of them, in this process."""
    for chunk in chunks:
        chunk.train(threads=threads)


def main() -> None:
    """Prints and stores the times, and how many times as fast two are as one."""
    batch = xor(RUNS, EPOCHS, 0.0)
    chunks = [Chunk(np.arange(RUNS) + RUNS * number, batch, "compiled") for number in range(CHUNKS)]
    clusters = [Cluster(ExecutorChoice("dask", workers=workers), Interrupts()) for workers in (1, 2)]
    try:
        contenders: dict[str, Callable[[], object]] = {
            "1 worker": partial(by_cluster, clusters[0], chunks),
            "2 workers": partial(by_cluster, clusters[1], chunks),
            "1 thread": partial(here, 1, chunks),
            "2 threads": partial(here, 2, chunks),
        }
        seconds = alternate(contenders, ROUNDS)
    finally:
        for cluster in clusters:
            cluster.close()
    rows = []
    for one, two in (("1 worker", "2 workers"), ("1 thread", "2 threads")):
        for name in (one, two):
            lowest, median = lowest_and_median(seconds[name], 1.0)
            rows.append({"by": name, "lowest s": lowest, "median s": median, "times as fast": min(seconds[one]) / lowest})
    show("workers", rows)


if __name__ == "__main__":
    main()
