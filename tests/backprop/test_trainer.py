"""What training gives: published numbers, other people's numbers, and the same bits whatever else is trained beside it."""

import os
import subprocess
import sys
import warnings
from dataclasses import fields, replace

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
from sklearn.neural_network import MLPRegressor

from pipeline.backprop.batch import Batch, curve_epochs
from pipeline.backprop.engines import numpy as numpy_engine
from pipeline.backprop.network import Network, backward, forward, total_error, worst_output
from pipeline.backprop.status import STATUSES, Status
from pipeline.backprop.trainer import train
from tests import ROOT
from tests.oracles import Scalar
from tests.strategies import alone, assert_same_result, batches, examples, networks, same_bits, seeds

WEIGHTS = (0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55)
BIASES = {"shared": (0.35, 0.60), "per_unit": (0.35, 0.35, 0.60, 0.60), "none": ()}


def batch_of(
    network, inputs, targets, parameters, learning_rate=0.5, momentum=0.0, threshold=1e-300, training=None, **settings
):
    """A batch, its arrays filled up from numbers; without `training`, a trial per training or all in the only one."""
    parameters = np.array(parameters, float)
    parameters = parameters.reshape(network.size, -1)
    trainings = parameters.shape[1]
    rates = np.array(learning_rate, float)
    rates = rates[:, None] if rates.ndim == 1 else rates
    threshold = np.array(threshold, float).ravel()
    if training is None:
        training = np.arange(trainings) if trainings > 1 else np.zeros(len(threshold), int)
    return Batch(
        network=network,
        inputs=np.array(inputs, float),
        targets=np.array(targets, float),
        initial_parameters=parameters,
        learning_rate=np.broadcast_to(rates, (network.layers, trainings)).copy(),
        momentum=np.broadcast_to(np.array(momentum, float), (trainings,)).copy(),
        training=np.array(training, np.intp),
        threshold=np.broadcast_to(threshold, (len(training),)).copy(),
        **settings,
    )


# The worked example


def worked_example(bias="shared", train_bias=False, **settings):
    network = Network((2, 2, 2), bias=bias, train_bias=train_bias)
    return batch_of(network, [[0.05, 0.10]], [[0.01, 0.99]], [*WEIGHTS, *BIASES[bias]], **settings)


def test_one_epoch_of_the_worked_example_gives_the_published_weights():
    outcome = train(worked_example(max_epochs=1))
    assert outcome.curve_errors[0, 0] == pytest.approx(0.298371109, abs=5e-10)
    assert outcome.final_error[0] == pytest.approx(0.291027773694, abs=5e-13)
    published = [0.149780716, 0.19956143, 0.24975114, 0.29950229, 0.35891648, 0.408666186, 0.511301270, 0.561370121]
    np.testing.assert_allclose(outcome.parameters[:8, 0], published, atol=5e-9)
    assert outcome.parameters[8:, 0].tolist() == [0.35, 0.60]


def test_the_worked_example_has_its_published_errors():
    outcome = train(worked_example(threshold=[0.2911, 3.5109e-5, 3.5105e-5]))
    assert outcome.epochs.tolist() == [1, 9999, 10_000]
    np.testing.assert_allclose(outcome.final_error, [0.29102777369, 3.510854812e-05, 3.510187783e-05], rtol=2e-10)


@pytest.mark.parametrize(
    ("bias", "first", "last"), [("shared", 0.2857508867, 4.355321e-06), ("per_unit", 0.2804714468, 2.447562e-06)]
)
def test_the_worked_example_with_trained_biases_has_its_published_errors(bias, first, last):
    outcome = train(worked_example(bias, train_bias=True, threshold=[0.2911, 1e-9]))
    assert outcome.epochs.tolist() == [1, 10_000]
    assert outcome.final_error[0] == pytest.approx(first, abs=5e-11)
    assert outcome.final_error[1] == pytest.approx(last, rel=2e-7)


def test_equal_biases_that_are_not_trained_are_a_shared_one():
    shared, apart = (train(worked_example(bias, max_epochs=100)) for bias in ("shared", "per_unit"))
    assert same_bits(shared.curve_errors, apart.curve_errors)
    assert same_bits(shared.parameters[:8], apart.parameters[:8])


@pytest.mark.slow
@pytest.mark.parametrize("train_bias", [False, True])
def test_10000_epochs_of_the_worked_example_agree_with_40_digits(train_bias):
    outcome = train(worked_example("shared", train_bias, threshold=1e-9))
    with mpmath.workdps(40):
        w, (b1, b2) = [mpf(number) for number in WEIGHTS], (mpf(0.35), mpf(0.60))
        inputs, targets, rate = (mpf(0.05), mpf(0.10)), (mpf(0.01), mpf(0.99)), mpf(0.5)

        def sigmoid(z):
            return 1 / (1 + mpmath.exp(-z))

        for epoch in range(10_001):
            h = [sigmoid(w[2 * j] * inputs[0] + w[2 * j + 1] * inputs[1] + b1) for j in range(2)]
            y = [sigmoid(w[4 + 2 * k] * h[0] + w[5 + 2 * k] * h[1] + b2) for k in range(2)]
            error = sum((t - o) ** 2 / 2 for t, o in zip(targets, y, strict=True))
            if epoch == 10_000:
                break
            above = [(o - t) * o * (1 - o) for t, o in zip(targets, y, strict=True)]
            below = [sum(above[k] * w[4 + 2 * k + j] for k in range(2)) * h[j] * (1 - h[j]) for j in range(2)]
            steps = [d * i for d in below for i in inputs] + [d * o for d in above for o in h]
            w = [weight - rate * step for weight, step in zip(w, steps, strict=True)]
            if train_bias:
                b1, b2 = b1 - rate * sum(below), b2 - rate * sum(above)
        assert outcome.final_error[0] == pytest.approx(float(error), rel=1e-10)
        np.testing.assert_allclose(outcome.parameters[:, 0], [float(number) for number in [*w, b1, b2]], rtol=1e-12)


# Other implementations

EPOCHS = 150


def trajectory_of_scikit_learn(batch):
    """error(k) for k = 0 … max_epochs, and the final parameters: MLPRegressor, whose weights are set by hand.

    It divides the gradient by the number of patterns, so its learning rate is multiplied by it.
    """
    network, inputs, targets = batch.network, batch.inputs, batch.targets
    model = MLPRegressor(
        hidden_layer_sizes=network.units[1:-1],
        activation={"sigmoid": "logistic"}.get(network.activation, network.activation),
        solver="sgd",
        alpha=0.0,
        batch_size=len(inputs),
        learning_rate="constant",
        learning_rate_init=batch.learning_rate[0, 0] * len(inputs),
        momentum=batch.momentum[0],
        nesterovs_momentum=False,
        shuffle=False,
    )
    wanted = targets if targets.shape[1] > 1 else targets.ravel()
    model.partial_fit(inputs, wanted)  # makes the arrays; then the weights are set and the momentum is forgotten
    weights, biases = network.split(batch.initial_parameters[:, 0])
    for layer in range(network.layers):
        model.coefs_[layer][...] = weights[layer].T
        model.intercepts_[layer][...] = biases[layer]
    del model._optimizer
    errors = []
    for epoch in range(batch.max_epochs + 1):
        errors.append(0.5 * np.sum((model.predict(inputs).reshape(targets.shape) - targets) ** 2))
        if epoch < batch.max_epochs:
            model.partial_fit(inputs, wanted)
    parameters = [weight.T.ravel() for weight in model.coefs_] + model.intercepts_
    return np.array(errors), np.concatenate(parameters)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "identity"])
@pytest.mark.parametrize("units", [(3, 4, 2), (2, 3, 3, 1), (3, 2)])
def test_trajectories_are_those_of_scikit_learn(units, activation, momentum):
    network = Network(units, activation, "identity", "per_unit", train_bias=True)
    rng = np.random.default_rng(11)
    batch = batch_of(
        network,
        rng.uniform(-1.0, 1.0, (6, units[0])),
        rng.uniform(-1.0, 1.0, (6, units[-1])),
        rng.uniform(-1.0, 1.0, network.size),
        learning_rate=0.02,
        momentum=momentum,
        max_epochs=EPOCHS,
        curve_points=40,
    )
    errors, parameters = trajectory_of_scikit_learn(batch)
    outcome = train(batch)
    epochs, curve = outcome.curve(0)
    assert len(epochs) >= 30
    np.testing.assert_allclose(curve, errors[epochs], rtol=1e-9)
    np.testing.assert_allclose(outcome.parameters[:, 0], parameters, rtol=1e-9, atol=1e-12)
    assert errors[-1] < 0.9 * errors[0]


def trajectory_of_plain_numpy(batch):
    """The same by matrix products and np.exp, for one sigmoid network of one hidden layer with shared trained biases."""
    (v, w), (b, c) = batch.network.split(batch.initial_parameters[:, 0].copy())
    (rate_below, rate_above), momentum = batch.learning_rate[:, 0], batch.momentum[0]
    steps = [np.zeros_like(part) for part in (v, b, w, c)]
    errors, worst = [], []

    def outputs(x):
        h = 1 / (1 + np.exp(-(x @ v.T + b)))
        return h, 1 / (1 + np.exp(-(h @ w.T + c)))

    for _ in range(batch.max_epochs + 1):
        y = outputs(batch.inputs)[1]
        errors.append(0.5 * np.sum((batch.targets - y) ** 2))
        worst.append(np.abs(batch.targets - y).max())
        size = 1 if batch.update == "online" else len(batch.inputs)
        for start in range(0, len(batch.inputs), size):
            x, t = batch.inputs[start : start + size], batch.targets[start : start + size]
            h, y = outputs(x)
            above = (y - t) * y * (1 - y)
            below = above @ w * h * (1 - h)
            gradients = [below.T @ x, below.sum(), above.T @ h, above.sum()]
            for part, step, gradient, rate in zip(
                (v, b, w, c), steps, gradients, [rate_below] * 2 + [rate_above] * 2, strict=True
            ):
                step *= momentum
                step -= rate * gradient
                part += step
    return np.array(errors), np.array(worst)


@pytest.mark.parametrize("update", ["batch", "online"])
@pytest.mark.parametrize("criterion", ["total_error", "mean_error", "worst_output"])
@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("rates", [[0.5, 0.5], [2.0, 0.3]])
def test_trajectories_are_those_of_plain_numpy(update, criterion, momentum, rates):
    network = Network((3, 4, 2), train_bias=True)
    rng = np.random.default_rng(12)
    batch = batch_of(
        network,
        rng.uniform(-1.0, 1.0, (5, 3)),
        rng.integers(0, 2, (5, 2)),
        rng.uniform(-1.0, 1.0, network.size),
        learning_rate=rates,
        momentum=momentum,
        max_epochs=EPOCHS,
        update=update,
        criterion=criterion,
        curve_points=40,
    )
    errors, worst = trajectory_of_plain_numpy(batch)
    outcome = train(batch)
    epochs, curve = outcome.curve(0)
    np.testing.assert_allclose(curve, errors[epochs], rtol=1e-9)

    measure = {"total_error": errors, "mean_error": errors / 10, "worst_output": worst}[criterion]
    thresholds = np.geomspace(measure[0], measure.min(), 7)[1:-1] * (1 + 1e-7)
    stopped = train(replace(batch, training=np.zeros(5, int), threshold=thresholds))
    smallest = [int(np.flatnonzero(measure <= threshold)[0]) for threshold in thresholds]
    assert (stopped.status == Status.CONVERGED).all()
    assert stopped.epochs.tolist() == smallest
    np.testing.assert_allclose(stopped.final_error, errors[smallest], rtol=1e-9)


def scalar_training(batch, trial):
    """(status, epochs, final error, gradient norm, parameters, error(k) for all k): number by number, by the book."""
    column, threshold = batch.training[trial], batch.threshold[trial]
    scalar = Scalar(batch.network, batch.initial_parameters[:, column])
    trained = batch.network.trained
    rates = [float(rate) for rate in batch.network.rates(batch.learning_rate[:, [column]])[:, 0]]
    momentum, velocity = float(batch.momentum[column]), [0.0] * trained
    inputs, targets = batch.inputs, batch.targets
    patterns = [(inputs, targets)]
    if batch.update == "online":
        patterns = [(inputs[p : p + 1], targets[p : p + 1]) for p in range(len(inputs))]
    errors = []
    while True:
        epoch, error = len(errors), scalar.error(inputs, targets)
        errors.append(error)
        measure = scalar.measure(batch.criterion, inputs, targets)
        gradient = [abs(g) for g in scalar.gradient(inputs, targets)]
        norm = np.nan if any(g != g for g in gradient) else max(gradient)
        if not (error < np.inf) or error > 1e6 * errors[0]:
            status = Status.DIVERGED
        elif measure <= threshold:
            status = Status.CONVERGED
        elif batch.gradient_tolerance > 0 and norm <= batch.gradient_tolerance:
            status = Status.STATIONARY
        elif epoch == batch.max_epochs:
            status = Status.EXHAUSTED
        else:
            for some_inputs, some_targets in patterns:
                step = scalar.gradient(some_inputs, some_targets)
                parameters = scalar.parameters()
                for i in range(trained):
                    kept = momentum * velocity[i] if momentum else 0.0
                    velocity[i] = kept - rates[i] * step[i]
                    parameters[i] = parameters[i] + velocity[i]
                scalar = Scalar(batch.network, parameters)
            continue
        return status, epoch, error, norm, scalar.parameters(), errors


def assert_as_by_the_book(outcome):
    for trial in range(len(outcome.status)):
        status, epochs, error, norm, parameters, errors = scalar_training(outcome.batch, trial)
        assert (STATUSES[outcome.status[trial]], outcome.epochs[trial]) == (STATUSES[status], epochs)
        assert same_bits(outcome.final_error[trial], error)
        assert same_bits(outcome.gradient_norm[trial], norm)
        assert same_bits(outcome.parameters[:, trial], parameters)
        kept, curve = outcome.curve(trial)
        assert same_bits(curve, [errors[epoch] for epoch in kept])


@examples(150)
@given(batch=batches(st.integers(1, 3), networks(max_hidden=2, max_units=3), max_patterns=3))
def test_every_bit_of_a_training_is_that_of_a_loop_over_single_numbers(batch):
    assert_as_by_the_book(train(batch))


@examples(40)
@given(batch=batches(st.just(1), st.builds(Network, st.just((1, 1)), output_activation=st.just("tanh")), max_epochs=60))
def test_every_bit_of_one_run_of_one_unit_is_that_of_a_loop_over_single_numbers(batch):
    assert_as_by_the_book(train(batch))


# Statuses, on one weight whose whole trajectory is known: w(k) = (1 − η)ᵏ, error(k) = ½ w(k)², gradient w(k)


def one_weight(weight=1.0, **settings):
    network = Network((1, 1), output_activation="identity", bias="none")
    return batch_of(network, [[1.0]], [[0.0]], [weight], **settings)


def result(batch):
    """(status, epochs) of every trial."""
    outcome = train(batch)
    return [(STATUSES[status], epochs) for status, epochs in zip(outcome.status, outcome.epochs.tolist(), strict=True)]


@pytest.mark.parametrize("epochs", [0, 1, 2, 7, 50])
def test_epochs_are_the_smallest_number_with_an_error_at_most_the_threshold(epochs):
    error = 0.5 * 0.25**epochs
    outcome = train(one_weight(threshold=[error, np.nextafter(error, 0.0)]))
    assert (outcome.status == Status.CONVERGED).all()
    assert outcome.epochs.tolist() == [epochs, epochs + 1]
    assert outcome.final_error.tolist() == [error, error / 4]
    assert outcome.parameters.tolist() == [[0.5**epochs, 0.5 ** (epochs + 1)]]
    assert outcome.gradient_norm.tolist() == [0.5**epochs, 0.5 ** (epochs + 1)]


def test_the_criterion_worst_output_compares_the_largest_difference():
    thresholds = [1.0, 0.5, 0.49, 0.25, 1e-3]
    assert result(one_weight(threshold=thresholds, criterion="worst_output")) == [
        ("converged", epochs) for epochs in (0, 1, 2, 2, 10)
    ]
    assert result(one_weight(threshold=thresholds)) == [("converged", epochs) for epochs in (0, 0, 1, 1, 5)]


def test_the_criterion_mean_error_is_the_total_error_by_patterns_and_outputs():
    network = Network((1, 2), output_activation="identity", bias="none")
    batch = batch_of(network, [[1.0]] * 3, np.zeros((3, 2)), [1.0, 1.0], learning_rate=[1 / 6], criterion="mean_error")
    # error(k) = 3 · w(k)², w(k) = 2⁻ᵏ: the mean over 3 patterns and 2 outputs is ½ · 4⁻ᵏ
    outcome = train(replace(batch, training=np.zeros(3, int), threshold=np.array([0.5, 0.125, 0.12])))
    assert outcome.epochs.tolist() == [0, 1, 2]
    assert outcome.final_error.tolist() == [3.0, 0.75, 0.1875]  # what is recorded is the total error


def test_a_run_is_stationary_when_no_gradient_component_is_larger_than_the_tolerance():
    assert result(one_weight(gradient_tolerance=0.5**5)) == [("stationary", 5)]
    assert result(one_weight(gradient_tolerance=np.nextafter(0.5**5, 0.0))) == [("stationary", 6)]


def test_one_large_gradient_component_keeps_a_run_from_being_stationary():
    network = Network((2, 1), output_activation="identity", bias="none")
    batch = batch_of(network, [[1.0, 1e-3]], [[0.0]], [1.0, 0.0], gradient_tolerance=0.01, max_epochs=3)
    assert result(batch) == [("exhausted", 3)]


def test_without_a_tolerance_nothing_is_stationary():
    network = Network((1, 1), output_activation="relu", bias="none")
    dead = batch_of(network, [[1.0]], [[1.0]], [-1.0], max_epochs=5)
    assert train(dead).gradient_norm.tolist() == [0.0]
    assert result(dead) == [("exhausted", 5)]
    assert result(replace(dead, gradient_tolerance=1e-300)) == [("stationary", 0)]


@pytest.mark.parametrize("max_epochs", [0, 1, 5])
def test_a_run_is_exhausted_after_max_epochs(max_epochs):
    outcome = train(one_weight(max_epochs=max_epochs))
    assert (outcome.status[0], outcome.epochs[0]) == (Status.EXHAUSTED, max_epochs)
    assert outcome.parameters.tolist() == [[0.5**max_epochs]]


def test_an_error_above_a_million_times_the_first_is_divergence():
    assert result(one_weight(learning_rate=3.0)) == [("diverged", 10)]  # error(k) = ½ 4ᵏ, 4⁹ < 10⁶ < 4¹⁰
    assert result(one_weight(learning_rate=3.0, max_epochs=9)) == [("exhausted", 9)]


def test_an_error_of_a_million_times_the_first_is_not_yet_divergence():
    assert result(one_weight(learning_rate=1001.0)) == [("diverged", 2)]  # error(1) = 10⁶ error(0)
    assert result(one_weight(learning_rate=1002.0)) == [("diverged", 1)]


def test_an_infinite_error_is_divergence():
    assert result(one_weight(1e200)) == [("diverged", 0)]
    assert result(one_weight(learning_rate=1e200)) == [("diverged", 1)]
    # where a million times the first error is no number, an error that is one is none too many: 4⁵ × 8e304 is finite
    assert result(one_weight(4e152, learning_rate=3.0)) == [("diverged", 6)]


def test_an_error_that_is_no_number_is_divergence():
    network = Network((2, 1), output_activation="identity", bias="none")
    outcome = train(batch_of(network, [[1.0, 1.0]], [[0.0]], [np.inf, -np.inf]))
    assert (outcome.status[0], outcome.epochs[0]) == (Status.DIVERGED, 0)
    assert np.isnan(outcome.final_error[0])
    assert np.isnan(outcome.gradient_norm[0])


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"weight": 1e200, "threshold": 1e300, "gradient_tolerance": 1e300}, "diverged"),
        ({"weight": 1e200, "threshold": 1e300}, "diverged"),
        ({"weight": 1e200, "gradient_tolerance": 1e300}, "diverged"),
        ({"weight": 1e200}, "diverged"),
        ({"threshold": 1.0, "gradient_tolerance": 1.0}, "converged"),
        ({"threshold": 1.0}, "converged"),
        ({"gradient_tolerance": 1.0}, "stationary"),
        ({}, "exhausted"),
    ],
)
def test_where_several_statuses_hold_at_once_the_first_counts(settings, status):
    """At max_epochs = 0 all tests fall on the same epoch; 1e200 has an infinite error but finite output and gradient."""
    assert result(one_weight(criterion="worst_output", max_epochs=0, **settings)) == [(status, 0)]


def test_trials_of_one_training_end_each_in_its_own_way():
    thresholds = [1e-300, 0.1, 1e-3, 0.6]
    for settings, ways in (
        ({"learning_rate": 0.5, "max_epochs": 3}, [("exhausted", 3), ("converged", 2), ("exhausted", 3), ("converged", 0)]),
        ({"gradient_tolerance": 0.25}, [("stationary", 2), ("converged", 2), ("stationary", 2), ("converged", 0)]),
        ({"learning_rate": 3.0}, [("diverged", 10)] * 3 + [("converged", 0)]),
    ):
        assert result(one_weight(threshold=thresholds, **settings)) == ways


def test_no_setting_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for learning_rate in (0.5, 3.0, 1e200, 1e308):
            train(one_weight(learning_rate=learning_rate, momentum=0.9, max_epochs=400))


# The same bits, whatever else is trained


def some_of_each_status(outcome, more=()):
    """A trial of every status that came out, and `more`."""
    first = [int(np.flatnonzero(outcome.status == status)[0]) for status in np.unique(outcome.status)]
    return {*first, *(trial % len(outcome.status) for trial in more)}


@pytest.mark.parametrize("shapes", [networks(max_hidden=2), st.builds(Network, st.just((1, 1)))], ids=["any", "one unit"])
@pytest.mark.parametrize("others", [1000, 20, 1])
@examples(30)
@given(data=st.data())
def test_a_run_does_not_depend_on_its_batch(shapes, others, data):
    batch = data.draw(batches(st.just(1 + others), shapes))
    outcome = train(batch)
    for trial in some_of_each_status(outcome, data.draw(st.lists(seeds, min_size=2, max_size=2))):
        assert_same_result(outcome, trial, train(alone(batch, trial)))


@pytest.mark.slow
@examples(200)
@given(batch=batches(st.just(1001), max_patterns=6, max_epochs=80), more=st.lists(seeds, min_size=10, max_size=10))
def test_a_run_does_not_depend_on_its_batch_at_length(batch, more):
    outcome = train(batch)
    for trial in some_of_each_status(outcome, more):
        assert_same_result(outcome, trial, train(alone(batch, trial)))


@examples(60)
@given(batch=batches(st.integers(1, 3), most_thresholds=6))
def test_trials_that_share_a_training_are_those_that_were_trained_apart(batch):
    outcome = train(batch)
    for trial in range(len(batch.training)):
        assert_same_result(outcome, trial, train(alone(batch, trial)))


@pytest.mark.parametrize("numbers", [1, 100, 10**9])
@examples(10)
@given(data=st.data())
def test_a_run_does_not_depend_on_the_size_of_blocks(numbers, data):
    batch = data.draw(batches(st.just(50)))
    outcome = train(batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numpy_engine, "BLOCK_NUMBERS", numbers)
        other = numpy_engine.train(batch)
    assert same_bits(outcome.curve_errors, other.curve_errors)
    for trial in range(len(batch.training)):
        assert_same_result(outcome, trial, other, trial)


@examples(20)
@given(batch=batches(st.just(30)), seed=seeds)
def test_the_batch_of_some_trainings_gives_their_results(batch, seed):
    chosen = np.random.default_rng(seed).permutation(30)[:7]
    some = batch.columns(chosen)
    outcome, other = train(batch), train(some)
    trials = np.flatnonzero(np.isin(batch.training, chosen))
    assert len(some.training) == len(trials)
    for place, trial in enumerate(trials):
        assert_same_result(outcome, trial, other, place)


@pytest.mark.parametrize("update", ["batch", "online"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_run_does_not_depend_on_neighbours_that_diverge_or_end(update, momentum):
    network = Network((2, 3, 1), "tanh", "identity", "per_unit", train_bias=True)
    rng = np.random.default_rng(21)
    inputs, targets = rng.uniform(-1.0, 1.0, (4, 2)), rng.uniform(-1.0, 1.0, (4, 1))
    start = rng.uniform(-1.0, 1.0, network.size)
    settings = {"momentum": momentum, "update": update, "max_epochs": 40}
    wanted = train(batch_of(network, inputs, targets, start, learning_rate=[0.05, 0.05], **settings))
    neighbours = {
        "diverges to NaN": (np.full(network.size, np.nan), 0.05, 1e-9),
        "starts at infinity": (np.full(network.size, np.inf), 0.05, 1e-9),
        "diverges at once": (start, 1e300, 1e-9),
        "diverges slowly": (start, 1.5, 1e-9),
        "converges at once": (start, 0.05, 1e9),
        "goes on": (-start, 0.01, 1e-300),
    }
    mine = (start, 0.05, 1e-300)
    columns = [column for neighbour in neighbours.values() for column in (neighbour, mine)]
    outcome = train(
        batch_of(
            network,
            inputs,
            targets,
            np.array([column[0] for column in columns]).T,
            learning_rate=np.array([[column[1] for column in columns]] * 2),
            threshold=[column[2] for column in columns],
            **settings,
        )
    )
    assert set(outcome.status[::2]) == {Status.DIVERGED, Status.CONVERGED, Status.EXHAUSTED}
    for trial in range(1, len(columns), 2):
        assert_same_result(outcome, trial, wanted)


@pytest.mark.parametrize("update", ["batch", "online"])
def test_no_momentum_beside_momentum_is_no_momentum(update):
    """Also where a step was infinite: nothing of it is left in the velocity, so 0 × ∞ spoils nothing."""
    network = Network((1, 1), bias="none")
    for learning_rate, infinite in ((0.5, False), (1e308, True)):
        batch = batch_of(
            network,
            [[1.0], [0.5]],
            [[1000.0], [1000.0]],
            [[0.0, 0.0, 0.0]],
            learning_rate=learning_rate,
            momentum=[0.0, 0.9, 0.0],
            update=update,
            max_epochs=6,
        )
        outcome = train(batch)
        assert outcome.status[0] == Status.EXHAUSTED
        assert np.isinf(outcome.parameters[0, 0]) == infinite
        for trial in (0, 2):
            assert_same_result(outcome, trial, train(alone(batch, trial)))


PROGRAM = """
import numpy as np
from pipeline.trials.fingerprint import digests
from pipeline.backprop.network import Network
from pipeline.backprop.batch import Batch
from pipeline.backprop.trainer import train

runs = 37
rng = np.random.Generator(np.random.PCG64(1))
for activation, update in (("sigmoid", "batch"), ("tanh", "online")):
    network = Network((2, 3, 2), activation, "sigmoid", "shared", True)
    rates, momentum = 10.0 * (1.0 - rng.random((2, runs))), 0.9 * (rng.random(runs) < 0.5)
    weights, every = 8.0 * rng.random((network.size, runs)) - 4.0, np.arange(runs)
    inputs, targets = rng.random((5, 2)), rng.random((5, 2))
    settings = dict(update=update, max_epochs=300)
    batch = Batch(network, inputs, targets, weights, rates, momentum, every, np.full(runs, 1e-9), **settings)
    print(*digests(train(batch)))
"""


def test_bits_do_not_depend_on_the_processors_vector_instructions():
    """NumPy's own exp and tanh would give others (numpy issue 23523)."""
    dispatched = np.show_config("dicts")["SIMD Extensions"].get("found", [])
    if not dispatched:
        pytest.skip("NumPy uses no vector instructions here that could be switched off")
    command, folder = [sys.executable, "-c", PROGRAM], ROOT
    outputs = [
        subprocess.run(command, cwd=folder, env={**os.environ, **changes}, capture_output=True, text=True, check=True).stdout
        for changes in ({}, {"NPY_DISABLE_CPU_FEATURES": " ".join(dispatched)})
    ]
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0].split())) == 2 * 37


@examples(60)
@given(batch=batches(st.integers(1, 20)))
def test_a_run_that_ended_no_longer_changes(batch):
    """Its weights are those of a run that was stopped at that epoch by max_epochs."""
    outcome = train(batch)
    for trial in some_of_each_status(outcome):
        stopped = stopped_at(outcome.epochs[trial], batch, trial)
        assert stopped.epochs[0] == outcome.epochs[trial]
        assert same_bits(stopped.parameters[:, 0], outcome.parameters[:, trial])
        assert same_bits(stopped.final_error[0], outcome.final_error[trial])
        assert same_bits(stopped.gradient_norm[0], outcome.gradient_norm[trial])


def stopped_at(epoch, batch, trial):
    """The trial alone, ended by nothing but max_epochs (or divergence)."""
    unending = replace(alone(batch, trial), max_epochs=int(epoch), gradient_tolerance=0.0)
    return train(replace(unending, threshold=np.array([5e-324])))


@examples(60)
@given(batch=batches(st.integers(1, 8)))
def test_the_gradient_norm_is_the_largest_component_at_the_final_weights(batch):
    outcome = train(batch)
    with np.errstate(all="ignore"):
        outputs = forward(batch.network, outcome.parameters, batch.inputs)
        gradient = backward(batch.network, outcome.parameters, outputs, batch.targets)
    assert same_bits(outcome.gradient_norm, np.abs(gradient).max(axis=0))


@examples(60)
@given(batch=batches(st.integers(1, 8)))
def test_final_error_and_status_are_those_of_the_final_weights(batch):
    outcome = train(batch)
    with np.errstate(all="ignore"):
        outputs = forward(batch.network, outcome.parameters, batch.inputs)[-1]
        error, worst = total_error(outputs, batch.targets), worst_output(outputs, batch.targets)
    assert same_bits(outcome.final_error, error)
    measures = {"total_error": error, "mean_error": error / batch.targets.size, "worst_output": worst}
    reached = measures[batch.criterion] <= batch.threshold
    assert np.array_equal(reached & (outcome.status != Status.DIVERGED), outcome.status == Status.CONVERGED)
    assert (outcome.epochs[outcome.status == Status.EXHAUSTED] == batch.max_epochs).all()


@examples(40)
@given(batch=batches(st.integers(1, 8)))
def test_training_leaves_the_batch_as_it_was(batch):
    copies = {field.name: np.copy(getattr(batch, field.name)) for field in fields(batch) if field.name != "network"}
    for name in copies:
        if isinstance(array := getattr(batch, name), np.ndarray):
            array.flags.writeable = False
    train(batch)
    assert all(np.array_equal(getattr(batch, name), copy) for name, copy in copies.items())


def test_untrained_biases_stay_and_trained_ones_move():
    for bias in ("shared", "per_unit"):
        start = [*WEIGHTS, *BIASES[bias]]
        assert train(worked_example(bias, False, max_epochs=5)).parameters[8:, 0].tolist() == start[8:]
        assert (train(worked_example(bias, True, max_epochs=5)).parameters[8:, 0] != start[8:]).all()


def test_a_weight_of_minus_0_is_0():
    outcome = train(one_weight(-0.0, max_epochs=0))
    assert same_bits(outcome.parameters, [[0.0]])


@examples(60)
@given(batch=batches(st.integers(1, 8)), data=st.data())
def test_trials_of_each_training_come_from_the_highest_threshold_down(batch, data):
    shuffled = np.array(data.draw(st.permutations(range(len(batch.training)))))
    alone = np.unique(batch.training, return_index=True)[1]  # a trial of each training
    for trials in (np.arange(len(batch.training)), shuffled, alone, np.sort(alone)):
        some = replace(batch, training=batch.training[trials], threshold=batch.threshold[trials])
        order, first = some.order()
        assert sorted(order.tolist()) == list(range(len(trials)))
        assert (first[0], first[-1], len(first)) == (0, len(trials), some.trainings + 1)
        for training in range(some.trainings):
            mine = order[first[training] : first[training + 1]]
            assert (some.training[mine] == training).all()
            assert (np.diff(some.threshold[mine]) <= 0.0).all()


# Curves and progress


@examples(60)
@given(max_epochs=st.integers(0, 200) | st.integers(0, 10**12), points=st.integers(2, 1000))
def test_kept_epochs_run_from_0_to_the_last_in_as_many_points_as_asked_for(max_epochs, points):
    epochs = curve_epochs(max_epochs, points)
    assert len(epochs) == min(points, max_epochs + 1)
    assert epochs[0] == 0
    assert epochs[-1] == max_epochs
    assert (np.diff(epochs) > 0).all()


@pytest.mark.parametrize(("max_epochs", "points"), [(10_000, 100), (20_000, 50), (10**6, 1000), (10**12, 7), (300, 200)])
def test_kept_epochs_are_log_spaced_as_far_as_whole_numbers_can_be(max_epochs, points):
    """Each step is the factor that, repeated over the points left, leads to the last epoch; but at least one epoch."""
    epochs = curve_epochs(max_epochs, points).astype(float)
    last, following = epochs[1:-1], epochs[2:]
    even = last * (max_epochs / last) ** (1 / np.arange(points - 2, 0, -1))
    np.testing.assert_array_less(np.abs(following - np.maximum(even, last + 1)), 0.5 + 1e-12 * following)


def test_kept_epochs_of_a_short_curve_are_known():
    assert curve_epochs(10_000, 6).tolist() == [0, 1, 10, 100, 1000, 10_000]
    assert curve_epochs(16, 6).tolist() == [0, 1, 2, 4, 8, 16]
    assert curve_epochs(3, 100).tolist() == [0, 1, 2, 3]
    assert curve_epochs(0, 2).tolist() == [0]
    assert curve_epochs(7, 2).tolist() == [0, 7]


@examples(60)
@given(batch=batches(st.integers(1, 8)))
def test_curves_hold_the_first_and_last_point_and_no_more_than_asked_for(batch):
    outcome = train(batch)
    for trial in range(len(batch.training)):
        epochs, errors = outcome.curve(trial)
        assert len(epochs) == len(errors) <= batch.curve_points
        assert epochs[0] == 0
        assert epochs[-1] == outcome.epochs[trial]
        assert (np.diff(epochs) > 0).all()
        assert same_bits(errors[-1], outcome.final_error[trial])
        assert np.isfinite(errors[:-1]).all()


@examples(40)
@given(batch=batches(st.integers(1, 8), max_epochs=30))
def test_each_point_of_a_curve_is_the_error_of_a_run_stopped_there(batch):
    outcome = train(batch)
    for trial in some_of_each_status(outcome):
        for epoch, error in zip(*outcome.curve(trial), strict=True):
            assert same_bits(stopped_at(epoch, batch, trial).final_error[0], error)


@examples(20)
@given(batch=batches(st.integers(1, 8)), points=st.integers(2, 40))
def test_how_much_of_the_curve_is_kept_changes_nothing_else(batch, points):
    outcome, other = train(batch), train(replace(batch, curve_points=points))
    for name in ("status", "epochs", "final_error", "gradient_norm", "parameters"):
        assert same_bits(getattr(outcome, name), getattr(other, name))


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1e9])
@examples(15)
@given(data=st.data())
def test_progress_is_told_all_trials_and_all_epochs(seconds, data):
    batch = data.draw(batches(st.integers(1, 40)))
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numpy_engine, "PROGRESS_SECONDS", seconds)
        patch.setattr(numpy_engine, "BLOCK_NUMBERS", 1)
        outcome = numpy_engine.train(batch, lambda trials, epochs: told.append((trials, epochs)))
    last = np.zeros(batch.initial_parameters.shape[1], int)
    np.maximum.at(last, batch.training, outcome.epochs)
    trials, epochs = np.sum(told, axis=0)
    assert trials == len(batch.training)
    assert epochs == last.sum()
    for trial, status in enumerate(train(batch).status):
        assert outcome.status[trial] == status
