"""The compiled engine: the bits of `pipeline.backprop.trainer`, many times faster. Imports nothing heavy until it trains."""

from pipeline.backprop.batch import Batch, BatchResult, Progress


def train(
    batch: Batch, progress: Progress | None = None, result: BatchResult | None = None, threads: int | None = None
) -> BatchResult:
    """What `pipeline.backprop.trainer.train` gives, bit for bit, by this number of threads (None: one for each core)."""
    from pipeline.backprop.engines.compiled.schedule import train as train_scheduled

    return train_scheduled(batch, progress, result, threads)
