"""The compiled engine: the same bits as `pipeline.backprop.trainer`, many times faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.backprop.trainer import Batch, BatchResult, Progress


def named(name: str) -> Callable[..., BatchResult]:
    """The `train` of the engine with that name (`config.ENGINES`)."""
    from pipeline.backprop import trainer

    return {"numba": train, "numpy": trainer.train}[name]


def train(
    batch: Batch, progress: Progress | None = None, outcome: BatchResult | None = None, threads: int | None = None
) -> BatchResult:
    """What `pipeline.backprop.trainer.train` gives, bit for bit, by so many threads (None: one for each core)."""
    from pipeline.backprop.engines.compiled.schedule import train as train_scheduled

    return train_scheduled(batch, progress, outcome, threads)
