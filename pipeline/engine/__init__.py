"""The compiled engine: the same bits as `pipeline.trainer`, many times faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.trainer import Batch, Outcome, Progress


def train(batch: Batch, progress: Progress | None = None, threads: int | None = None) -> Outcome:
    """Trains every trial of the batch to its end, as `pipeline.trainer.train`, on so many threads (all cores if None)."""
    from pipeline.engine import schedule

    return schedule.train(batch, progress, threads)
