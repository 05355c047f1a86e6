"""What training gives: published numbers, other people's numbers, and the same bits whatever else is trained beside it."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
from sklearn.neural_network import MLPRegressor

from pipeline import trainer
from pipeline.network import Network, backward, forward, total_error, worst_output
from pipeline.trainer import CONVERGED, DIVERGED, EXHAUSTED, STATIONARY, STATUSES, Batch, curve_epochs, train
from tests.strategies import alone, assert_same_result, batches, examples, networks, same_bits, seeds
from tests.test_network import Scalar

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


@pytest.mark.parametrize(
    ("bias", "train_bias", "first", "last"),
    [
        ("shared", False, 0.29102777369, 3.510187783e-05),
        ("per_unit", False, 0.29102777369, 3.510187783e-05),
        ("shared", True, 0.2857508867, 4.355321e-06),
        ("per_unit", True, 0.2804714468, 2.447562e-06),
    ],
)
def test_the_worked_example_has_its_published_errors(bias, train_bias, first, last):
    outcome = train(worked_example(bias, train_bias, threshold=[0.2911, 1e-9]))
    assert outcome.epochs.tolist() == [1, 10_000]
    assert outcome.final_error[0] == pytest.approx(first, abs=5e-11)
    assert outcome.final_error[1] == pytest.approx(last, rel=2e-7)


def test_error_9999_of_the_worked_example_is_the_published_one():
    outcome = train(worked_example(threshold=[3.5109e-5, 3.5105e-5]))
    assert outcome.epochs.tolist() == [9999, 10_000]
    np.testing.assert_allclose(outcome.final_error, [3.510854812e-05, 3.510187783e-05], rtol=2e-10)


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
@pytest.mark.parametrize("criterion", ["total_error", "worst_output"])
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

    measure = errors if criterion == "total_error" else worst
    thresholds = np.geomspace(measure[0], measure.min(), 7)[1:-1] * (1 + 1e-7)
    stopped = train(replace(batch, training=np.zeros(5, int), threshold=thresholds))
    smallest = [int(np.flatnonzero(measure <= threshold)[0]) for threshold in thresholds]
    assert (stopped.status == CONVERGED).all()
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
        measure = error if batch.criterion == "total_error" else scalar.worst(inputs, targets)
        gradient = [abs(g) for g in scalar.gradient(inputs, targets)]
        norm = np.nan if any(g != g for g in gradient) else max(gradient)
        if not (error < np.inf) or error > 1e6 * errors[0]:
            status = DIVERGED
        elif measure <= threshold:
            status = CONVERGED
        elif batch.gradient_tolerance > 0 and norm <= batch.gradient_tolerance:
            status = STATIONARY
        elif epoch == batch.max_epochs:
            status = EXHAUSTED
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
