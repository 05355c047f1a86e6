"""K*: whether the learning rate is too high for where the weights are, by the tangent kernel of the outputs' net inputs."""

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.curvature import net_jacobian
from pipeline.backprop.causes.eigenvalues import eigen
from pipeline.backprop.causes.limits import is_small
from pipeline.backprop.network import Network, forward

STEEPEST = {"sigmoid": 1 / 16, "tanh": 1.0, "relu": 1.0, "identity": 1.0}  # the largest slope², of an output


@np.errstate(all="ignore")
def k_star(network: Network, parameters: Array, inputs: Array, targets: Array, learning_rate: Array, momentum: Array) -> Array:
    """K* (R,) at weights (N, R), learning rates (L, R), momentum (R,); NaN where the network or the task is not small.

    Above 1, a step along the steepest output's net input overshoots as far as it went, or further.
    """
    if not is_small(network, len(targets)):
        return np.full(parameters.shape[1], np.nan)
    outputs = forward(network, parameters, inputs)
    root = np.sqrt(network.rates(learning_rate))
    return k_star_of(network, scaled_jacobian(network, parameters, outputs, root), momentum)


def scaled_jacobian(network: Network, parameters: Array, outputs: list[Array], root: Array) -> Array:
    """D^½ ∂(net input of each output)/∂w, (P, O, trained, R); root: D^½, (trained, R)."""
    patterns = range(len(outputs[0]))
    return np.stack([net_jacobian(network, parameters, outputs, pattern) * root for pattern in patterns])


def k_star_of(network: Network, jacobian: Array, momentum: Array) -> Array:
    """λmax(K) · m ÷ (2(1 + α)), K = Σ D ∂net/∂w ∂net'/∂w over patterns and outputs, m the largest slope² of an output.

    K has the eigenvalues of the matrix of the products of all rows ∂net/∂w, and zeros: the smaller of the two is taken.
    """
    rows = jacobian.reshape(-1, *jacobian.shape[2:])
    if len(rows) > rows.shape[1]:
        rows = rows.swapaxes(0, 1)
    kernel = np.zeros((len(rows), len(rows), rows.shape[2]))
    for column in rows.swapaxes(0, 1):
        kernel += column[:, None] * column[None]
    largest: Array = eigen(kernel)[0][-1]
    return largest * STEEPEST[network.output_activation] / (2.0 * (1.0 + momentum))
