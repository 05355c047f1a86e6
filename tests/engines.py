"""Batches to train by two engines, and what must be equal: every bit."""

import numpy as np

from pipeline.backprop import trainer
from pipeline.backprop.engines.compiled import machine_code as compiled
from pipeline.backprop.engines.compiled import schedule
from pipeline.backprop.network import Network
from pipeline.backprop.trainer import Batch, BatchResult
from pipeline.trials.fingerprint import digests


def compiled_training(batch: Batch, threads: int | None = None) -> BatchResult:
    """Training by compiled code, however short it is."""
    return schedule.train_compiled(batch, schedule.choose_kernel(batch, compiled.processor()), threads=threads)


def assert_same(ours: BatchResult, definition: BatchResult) -> None:
    """Every bit of a result."""
    np.testing.assert_array_equal(ours.status, definition.status)
    np.testing.assert_array_equal(ours.epochs, definition.epochs)
    assert digests(ours) == digests(definition)
    np.testing.assert_array_equal(ours.gradient_norm, definition.gradient_norm)
    np.testing.assert_array_equal(ours.curve_epochs, definition.curve_epochs)
    np.testing.assert_array_equal(ours.curve_errors, definition.curve_errors)


def make(
    network: Network,
    patterns: int,
    trainings: int,
    seed: int,
    *,
    scale: float = 1.0,
    rate: float = 2.0,
    momentum: float = 0.0,
    thresholds: tuple[float, ...] = (1e-2,),
    **settings: object,
) -> Batch:
    """Random patterns, weights and rates; a third of the runs without momentum; every threshold for every training."""
    random = np.random.default_rng(seed)
    parameters = random.uniform(-scale, scale, (network.size, trainings))
    parameters[random.random(parameters.shape) < 0.1] = 0.0
    return Batch(
        network,
        random.uniform(-1, 1, (patterns, network.units[0])),
        random.uniform(0, 1, (patterns, network.units[-1])),
        parameters,
        random.uniform(0, rate, (network.layers, trainings)),
        np.where(random.random(trainings) < 0.3, 0.0, momentum),
        np.repeat(np.arange(trainings), len(thresholds)).astype(np.intp),
        np.tile(thresholds, trainings),
        **settings,  # type: ignore[arg-type]
    )


def check(batch: Batch) -> None:
    definition = trainer.train(batch)
    for threads in (1, 2):
        assert_same(compiled_training(batch, threads), definition)
