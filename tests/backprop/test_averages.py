"""What docs/data.md says of learning rates and thresholds elsewhere: by scikit-learn, and by derivatives of a mean."""

import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor

from pipeline.backprop.batch import Batch
from pipeline.backprop.network import Network, forward, mean_error, total_error
from pipeline.backprop.trainer import train

NETWORK = Network((3, 4, 2), output_activation="identity", bias="per_unit", train_bias=True)
PATTERNS, OUTPUTS, RATE = 7, 2, 0.7  # of the library
RANDOM = np.random.default_rng(4)
INPUTS, TARGETS = RANDOM.uniform(-1, 1, (PATTERNS, 3)), RANDOM.uniform(0, 1, (PATTERNS, OUTPUTS))
START = RANDOM.uniform(-1, 1, (NETWORK.size, 1))


def parameters_after(epochs: int, rate: float, momentum: float = 0.0, update: str = "batch"):
    """Ours, (N, 1), after some epochs."""
    once = (np.zeros(1, np.intp), np.array([1e-300]))
    batch = Batch(
        NETWORK, INPUTS, TARGETS, START, np.full((2, 1), rate), np.array([momentum]), *once, max_epochs=epochs, update=update
    )
    return train(batch).parameters


def error_of(parameters):
    """The total error, (1,)."""
    return total_error(forward(NETWORK, parameters, INPUTS)[-1], TARGETS)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(("update", "size"), [("batch", PATTERNS), ("online", 1)])
def test_a_learning_rate_of_scikit_learn_is_ours_times_the_number_of_patterns_of_a_step(momentum, update, size):
    library = MLPRegressor(
        **{"hidden_layer_sizes": (4,), "activation": "logistic"},
        **{"solver": "sgd", "alpha": 0.0, "batch_size": size, "shuffle": False},
        **{"learning_rate_init": RATE, "momentum": momentum, "nesterovs_momentum": False},
    )
    library.partial_fit(INPUTS, TARGETS)  # makes its arrays; the epoch that it trains is taken back
    del library._optimizer
    weights, biases = NETWORK.split(START[:, 0])
    library.coefs_, library.intercepts_ = [layer.T.copy() for layer in weights], [layer.copy() for layer in biases]
    for epoch in (1, 2, 3):
        library.partial_fit(INPUTS, TARGETS)
        theirs = np.concatenate([array.T.ravel() for array in (*library.coefs_, *library.intercepts_)])
        ours = parameters_after(epoch, RATE / size, momentum, update)
        np.testing.assert_allclose(ours[:, 0], theirs, rtol=1e-12)
    if size == PATTERNS:  # else its loss is a mean over its steps
        before = error_of(parameters_after(2, RATE / PATTERNS, momentum))
        assert library.loss_ == pytest.approx(float(mean_error(before, TARGETS)[0]))


def test_a_learning_rate_for_the_mean_square_is_ours_by_two_times_patterns_and_outputs():
    """The mean of (target − output)² over patterns and outputs, as PyTorch's MSELoss and Keras' mse have it."""

    def mean_square(parameters):
        return float(((TARGETS - forward(NETWORK, parameters, INPUTS)[-1][:, :, 0]) ** 2).mean())

    step = 1e-6
    ways = step * np.eye(NETWORK.size)[:, :, None]
    gradient = np.array([[mean_square(START + way) - mean_square(START - way)] for way in ways]) / (2 * step)
    ours = parameters_after(1, 2 * RATE / (PATTERNS * OUTPUTS))
    np.testing.assert_allclose(ours, START - RATE * gradient, rtol=1e-8)
    assert mean_error(error_of(START), TARGETS)[0] == pytest.approx(mean_square(START) / 2)
