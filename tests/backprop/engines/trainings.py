"""Batches for engines, training by an engine however short it is, and what it means that two results are equal."""

import math

import numpy as np
import pytest

from pipeline.backprop import trainer
from pipeline.backprop.batch import Batch, BatchResult
from pipeline.backprop.engines import ENGINES, engine
from pipeline.backprop.engines.compiled import schedule
from pipeline.backprop.network import Network
from pipeline.trials.fingerprint import digests

XOR_INPUTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR_TARGETS = np.array([[0.0], [1.0], [1.0], [0.0]])


def train(name: str, batch: Batch, progress: object = None, threads: int | None = None, **options: object) -> BatchResult:
    """Training by an engine itself: the compiled one would leave short work to NumPy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule, "numpy_seconds", lambda batch: math.inf)
        return engine(name)(batch, progress, threads=threads, **options)  # type: ignore[arg-type]


def assert_same(ours: BatchResult, definition: BatchResult) -> None:
    """Every bit of a result."""
    np.testing.assert_array_equal(ours.status, definition.status)
    np.testing.assert_array_equal(ours.epochs, definition.epochs)
    assert digests(ours) == digests(definition)
    np.testing.assert_array_equal(ours.gradient_norm, definition.gradient_norm)
    np.testing.assert_array_equal(ours.curve_epochs, definition.curve_epochs)
    np.testing.assert_array_equal(ours.curve_errors, definition.curve_errors)


def check(batch: Batch, *names: str) -> None:
    """By these engines (or all), on one thread and on two, every bit is that of the definition."""
    definition = trainer.train(batch)
    for name in names or ENGINES:
        for threads in (1, 2):
            assert_same(train(name, batch, threads=threads), definition)


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


def xor(trainings: int, max_epochs: int, **settings: object) -> Batch:
    network = Network((2, 2, 1), bias="per_unit", train_bias=True)
    random = make(network, 4, trainings, 0, scale=4.0, max_epochs=max_epochs, **settings)  # type: ignore[arg-type]
    return Batch(
        *(network, XOR_INPUTS, XOR_TARGETS, random.initial_parameters, random.learning_rate, random.momentum),
        *(random.training, random.threshold, random.update, random.criterion, random.max_epochs),
        *(random.gradient_tolerance, random.curve_points),
    )
