"""What the numerical tests draw (networks, batches of trials), and what it means that two results have the same bits."""

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.batch import Batch, BatchResult
from pipeline.backprop.network import Network
from pipeline.backprop.trainer import CRITERIA, UPDATES
from tests.amounts import FULL

BIAS_MODES = (("shared", False), ("shared", True), ("per_unit", False), ("per_unit", True), ("none", False))


def examples(count):
    """Settings of a property test: half of `count` examples (all with FULL), the same every time, however long one takes."""
    number = count if FULL else min(count, max(20, count // 2))
    return settings(
        max_examples=number, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )


def bits(numbers):
    """The 64 bits of each number as an integer; any NaN counts as one NaN."""
    numbers = np.asarray(numbers, float)
    return np.where(np.isnan(numbers), np.nan, numbers).view(np.int64)


def same_bits(one, other):
    """Do two arrays have the same shape and the same bits?"""
    return np.array_equal(bits(one), bits(other))


seeds = st.integers(0, 2**32 - 1)


def counts(low, high):
    """Whole numbers from low to high, none of them rare."""
    return st.sampled_from(range(low, high + 1))


@st.composite
def networks(draw, max_hidden=3, max_units=4, activations=tuple(ACTIVATIONS), outputs=tuple(ACTIVATIONS)):
    """Networks with no hidden layer up to `max_hidden`, with every kind of bias and activation."""
    sizes = counts(1, max_units)
    hidden = [draw(sizes) for _ in range(draw(counts(0, max_hidden)))]
    bias, train_bias = draw(st.sampled_from(BIAS_MODES))
    return Network(
        (draw(sizes), *hidden, draw(sizes)),
        draw(st.sampled_from(activations)),
        draw(st.sampled_from(outputs)),
        bias,
        train_bias,
    )


@st.composite
def batches(draw, trainings, shapes=None, max_patterns=4, max_epochs=20, most_thresholds=3):
    """Batches of a drawn number of trainings that differ in everything in which the runs of a batch may differ.

    Learning rates reach so far that some runs diverge, thresholds so high that some converge at once.
    """
    network, trainings = draw(networks() if shapes is None else shapes), draw(trainings)
    patterns = draw(counts(1, max_patterns))
    spread = draw(st.sampled_from((0.5, 2.0, 8.0)))
    fastest = draw(st.sampled_from((0.5, 5.0, 500.0)))
    momenta = draw(st.sampled_from(((0.0,), (0.9,), (0.0, 0.5, 0.9), (0.0, 0.99))))
    rng = np.random.default_rng(draw(seeds))
    repeats = rng.integers(1, most_thresholds + 1, trainings)
    training = rng.permutation(np.repeat(np.arange(trainings), repeats))
    return Batch(
        network=network,
        inputs=rng.uniform(-1.0, 1.0, (patterns, network.units[0])),
        targets=rng.uniform(0.0, 1.0, (patterns, network.units[-1])),
        initial_parameters=rng.uniform(-spread, spread, (network.size, trainings)),
        learning_rate=fastest * 10.0 ** rng.uniform(-2.0, 0.0, (network.layers, trainings)),
        momentum=rng.choice(momenta, trainings),
        training=training,
        threshold=10.0 ** rng.uniform(-4.0, 0.5, len(training)),
        update=draw(st.sampled_from(UPDATES)),
        criterion=draw(st.sampled_from(CRITERIA)),
        max_epochs=draw(st.sampled_from((0, 1, 2, max_epochs // 2, max_epochs - 1, max_epochs))),
        gradient_tolerance=draw(st.sampled_from((0.0, 0.0, 1e-3, 0.05))),
        curve_points=draw(counts(2, 12)),
    )


def alone(batch, trial):
    """The batch that holds this one trial and nothing else."""
    column = batch.training[trial]
    return Batch(
        network=batch.network,
        inputs=batch.inputs,
        targets=batch.targets,
        initial_parameters=np.ascontiguousarray(batch.initial_parameters[:, column, None]),
        learning_rate=np.ascontiguousarray(batch.learning_rate[:, column, None]),
        momentum=batch.momentum[[column]],
        training=np.zeros(1, np.intp),
        threshold=batch.threshold[[trial]],
        update=batch.update,
        criterion=batch.criterion,
        max_epochs=batch.max_epochs,
        gradient_tolerance=batch.gradient_tolerance,
        curve_points=batch.curve_points,
    )


def assert_same_result(one: BatchResult, trial: int, other: BatchResult, other_trial: int = 0):
    """Everything that is known of a trial of one outcome has the same bits as that of a trial of another."""
    assert one.status[trial] == other.status[other_trial]
    assert one.epochs[trial] == other.epochs[other_trial]
    assert same_bits(one.final_error[trial], other.final_error[other_trial])
    assert same_bits(one.gradient_norm[trial], other.gradient_norm[other_trial])
    assert same_bits(one.parameters[:, trial], other.parameters[:, other_trial])
    (epochs, errors), (other_epochs, other_errors) = one.curve(trial), other.curve(other_trial)
    assert np.array_equal(epochs, other_epochs)
    assert same_bits(errors, other_errors)
