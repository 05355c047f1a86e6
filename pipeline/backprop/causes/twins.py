"""Hidden units that are equal at the start, and stay equal for ever: they get the same gradients."""

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.network import Network


def twins(network: Network, parameters: Array) -> NDArray[np.int64]:
    """How many groups of equal hidden units each run has, (R,): equal incoming weights, bias and outgoing weights.

    Fukumizu & Amari, "Local minima and plateaus in hierarchical structures of multilayer perceptrons", Neural Networks 13
    (2000).
    """
    weights, biases = network.split(parameters)
    groups = np.zeros(parameters.shape[1], np.int64)
    for layer in range(network.layers - 1):
        units = len(weights[layer])
        parts = [weights[layer].reshape(units, -1, parameters.shape[1]), weights[layer + 1].swapaxes(0, 1)]
        if len(biases[layer]) == units > 1:
            parts.append(biases[layer][:, None])
        first = [np.zeros(parameters.shape[1], bool) for _ in range(units)]  # units that begin a group
        taken = [np.zeros(parameters.shape[1], bool) for _ in range(units)]
        for one in range(units):
            for other in range(one + 1, units):
                equal = np.ones(parameters.shape[1], bool)
                for part in parts:
                    equal &= (part[one] == part[other]).all(axis=0)
                first[one] |= equal & ~taken[one]
                taken[other] |= equal
        for begins in first:
            groups += begins
    return groups
