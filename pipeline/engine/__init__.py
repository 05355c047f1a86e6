"""The compiled engine: the same bits as `pipeline.trainer`, many times faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.trainer import Batch, Outcome, Progress


def named(name: str) -> Callable[..., Outcome]:
    """The `train` of the engine with that name (`config.ENGINES`)."""
    from pipeline import trainer

    return {"numba": train, "numpy": trainer.train}[name]


def train(
    batch: Batch, progress: Progress | None = None, outcome: Outcome | None = None, threads: int | None = None
) -> Outcome:
    """What `pipeline.trainer.train` gives, bit for bit, by so many threads (None: one for each core)."""
    from pipeline.engine import schedule

    return schedule.train(batch, progress, outcome, threads)
