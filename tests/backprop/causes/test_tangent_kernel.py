"""K* at any weights, against LAPACK and finite differences of the outputs' net inputs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logit

from pipeline.backprop.causes.tangent_kernel import k_star
from pipeline.backprop.network import Network, forward

NETWORKS = [(Network((2, 2, 1), bias="per_unit", train_bias=True), 4), (Network((2, 2, 3)), 5), (Network((9, 8, 2)), 2)]


@pytest.mark.parametrize(("network", "patterns"), NETWORKS)
def test_k_star_is_lapacks_of_the_kernel_by_finite_differences(network, patterns):
    random = np.random.default_rng(0)
    parameters = random.normal(size=(network.size, 3))
    inputs, targets = random.normal(size=(patterns, network.units[0])), random.random((patterns, network.units[-1]))
    rates, momentum = random.random((network.layers, 3)), np.array([0.0, 0.5, 0.9])
    jacobian = np.empty((patterns * network.units[-1], network.trained, 3))
    for column in range(network.trained):
        step = np.zeros_like(parameters)
        step[column] = 1e-6
        above, below = (logit(forward(network, parameters + move, inputs)[-1]) for move in (step, -step))
        jacobian[:, column] = ((above - below) / 2e-6).reshape(-1, 3)
    jacobian *= np.sqrt(network.rates(rates))
    largest = [np.linalg.eigvalsh(jacobian[..., run].T @ jacobian[..., run])[-1] for run in range(3)]
    found = k_star(network, parameters, inputs, targets, rates, momentum)
    assert_allclose(found, np.array(largest) / (32 * (1 + momentum)), rtol=1e-6)


def test_k_star_of_large_networks_is_not_computed():
    network = Network((20, 20, 1))
    parameters = np.zeros((network.size, 2))
    found = k_star(network, parameters, np.zeros((1, 20)), np.zeros((1, 1)), np.ones((2, 2)), np.zeros(2))
    assert np.isnan(found).all()
