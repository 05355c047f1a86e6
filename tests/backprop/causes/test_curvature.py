"""The Hessian by the R-operator, against finite differences and against a second derivation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit

from pipeline.backprop.causes.curvature import hessian, moved_gradient, net_jacobian
from pipeline.backprop.causes.logarithm import log, power
from pipeline.backprop.network import Network, backward, forward

NETWORKS = [
    (Network((2, 2, 2)), 1),
    (Network((2, 2, 1), bias="per_unit", train_bias=True), 4),
    (Network((2, 3, 2, 1), "tanh", "identity", "shared", True), 5),
    (Network((3, 1), output_activation="tanh", bias="none"), 3),
    (Network((4, 3, 3), "relu", "sigmoid", "per_unit", True), 10),
]


def case(network, patterns, runs=3, seed=0):
    random = np.random.default_rng(seed)
    parameters = random.normal(size=(network.size, runs))
    inputs, targets = random.normal(size=(patterns, network.units[0])), random.random((patterns, network.units[-1]))
    return parameters, inputs, targets


@pytest.mark.parametrize(("network", "patterns"), NETWORKS)
def test_the_hessian_is_that_of_finite_differences(network, patterns):
    parameters, inputs, targets = case(network, patterns)
    exact = hessian(network, parameters, forward(network, parameters, inputs), targets)
    assert (exact == exact.swapaxes(0, 1)).all()
    for column in range(network.trained):
        step = np.zeros_like(parameters)
        step[column] = 1e-5
        gradients = [backward(network, p, forward(network, p, inputs), targets) for p in (parameters + step, parameters - step)]
        assert_allclose(exact[:, column], (gradients[0] - gradients[1]) / 2e-5, atol=1e-6)


def test_the_hessian_is_that_of_the_formula_of_one_hidden_layer():
    """Bishop, Neural Networks for Pattern Recognition (1995), section 4.10.5: written out for 2-2-1 without biases."""
    network = Network((2, 2, 1), bias="none")
    parameters, inputs, targets = case(network, 4, runs=1)
    w1, w2 = parameters[:4, 0].reshape(2, 2), parameters[4:, 0]
    expected = np.zeros((6, 6))
    for x, [t] in zip(inputs, targets, strict=True):
        h = expit(w1 @ x)
        y = expit(w2 @ h)
        slope, bend = h * (1 - h), h * (1 - h) * (1 - 2 * h)
        delta, curve = (y - t) * y * (1 - y), (y * (1 - y)) ** 2 + (y - t) * y * (1 - y) * (1 - 2 * y)
        by_net = np.concatenate([np.outer(w2 * slope, x).ravel(), h])
        expected += curve * np.outer(by_net, by_net)
        for unit in range(2):
            rows = slice(2 * unit, 2 * unit + 2)
            expected[rows, rows] += delta * w2[unit] * bend[unit] * np.outer(x, x)
            expected[rows, 4 + unit] += delta * slope[unit] * x
            expected[4 + unit, rows] += delta * slope[unit] * x
    assert_allclose(hessian(network, parameters, forward(network, parameters, inputs), targets)[..., 0], expected, rtol=1e-12)


@pytest.mark.parametrize(("network", "patterns"), NETWORKS)
def test_a_product_with_a_direction_of_each_run_is_the_hessian_times_it(network, patterns):
    parameters, inputs, targets = case(network, patterns)
    outputs = forward(network, parameters, inputs)
    directions = np.zeros((network.size, 1, 3))
    directions[: network.trained] = np.random.default_rng(1).normal(size=(network.trained, 1, 3))
    product = moved_gradient(network, parameters, outputs, targets, directions)[:, 0]
    whole = hessian(network, parameters, outputs, targets)
    assert_allclose(product, np.einsum("ijr,jr->ir", whole, directions[: network.trained, 0]), atol=1e-12)


def test_the_jacobian_of_the_net_inputs_gives_the_gradient():
    network, patterns = NETWORKS[1]
    parameters, inputs, targets = case(network, patterns)
    outputs = forward(network, parameters, inputs)
    gradient = np.zeros((network.trained, 3))
    for pattern in range(patterns):
        y = outputs[-1][pattern]
        delta = (y - targets[pattern][:, None]) * y * (1 - y)
        gradient += np.einsum("or,odr->dr", delta, net_jacobian(network, parameters, outputs, pattern))
    assert_allclose(gradient, backward(network, parameters, outputs, targets), atol=1e-14)


def test_a_run_has_the_same_bits_alone_and_in_a_batch():
    network, patterns = NETWORKS[1]
    parameters, inputs, targets = case(network, patterns, runs=9)
    together = hessian(network, parameters, forward(network, parameters, inputs), targets)
    for run in range(9):
        alone = parameters[:, [run]]
        own = hessian(network, alone, forward(network, alone, inputs), targets)
        assert (own[..., 0] == together[..., run]).all()


def test_logarithms_and_powers():
    x = np.concatenate([np.geomspace(1e-300, 1e300, 5001), 1 + np.linspace(-1e-3, 1e-3, 501), [5e-324]])
    assert_allclose(log(x), np.log(x), rtol=1e-15, atol=1e-18)
    assert np.array_equal(log(np.array([0.0, -1.0, np.nan, np.inf])), [-np.inf, np.nan, np.nan, np.inf], equal_nan=True)
    assert_allclose(power(np.array([2.0, 10.0, 3.0]), np.array([0.5, -3.0, 0.0])), [2**0.5, 1e-3, 1.0], rtol=1e-14)
