"""The Hessian of the total error by the R-operator: a forward and a backward pass for each parameter.

R{f} is the derivative of f as the parameters move along a direction: Pearlmutter, "Fast exact multiplication by the Hessian",
Neural Computation 6 (1994), equations 3.5 to 3.8. Along the direction of one parameter R{∂E/∂w} is a column of the Hessian.
Letters as in `network.py`; D directions. Sums have the order of `network.py`, patterns outermost.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.network import Network

Seen = Callable[[Array], None]


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move of the parameters does: R{net input} and R{output} of a layer at one pattern, each (U, D, R)."""

    net: Array
    output: Array


def hessian(network: Network, parameters: Array, outputs: list[Array], targets: Array, moved: Seen | None = None) -> Array:
    """∂²E/∂w∂w' of all trained parameters, (D, D, R), exactly symmetric. `outputs` as `network.forward` gives them.

    `moved` is called with each pattern's ∂(net input of each output)/∂w, (O, D, R), as `net_jacobian` gives it.
    """
    curvature = moved_gradient(network, parameters, outputs, targets, each_parameter(network), moved)
    for row in range(1, len(curvature)):
        mean = curvature[row, :row]
        mean += curvature[:row, row]
        mean *= 0.5
        curvature[:row, row] = mean
    return curvature


def each_parameter(network: Network) -> Array:
    """The directions of each trained parameter alone, (N, D, 1)."""
    unit = np.zeros((network.size, network.trained, 1))
    unit[: network.trained, :, 0] = np.eye(network.trained)
    return unit


def moved_gradient(
    network: Network,
    parameters: Array,
    outputs: list[Array],
    targets: Array,
    directions: Array,
    seen: Seen | None = None,
) -> Array:
    """R{∂E/∂w} of all trained parameters along D directions (N, D, R or 1): the Hessian times these, (trained, D, R).

    `seen` is called with each pattern's R{net input} of the outputs, (O, D, R).
    """
    weights, _ = network.split(parameters)
    result = np.zeros((network.trained, directions.shape[1], parameters.shape[1]))
    by_weight, by_bias = network.split(result)
    along_weights, along_biases = network.split(directions)
    for pattern, target in enumerate(targets):
        below = [layer[pattern] for layer in outputs]
        moved = _forward(network, weights, along_weights, along_biases, below)
        if seen:
            seen(moved[-1].net)
        _backward(network, weights, along_weights, below, moved, target, by_weight, by_bias)
    return result


def net_jacobian(network: Network, parameters: Array, outputs: list[Array], pattern: int) -> Array:
    """∂(net input of each output)/∂w at one pattern, (O, D, R)."""
    weights, _ = network.split(parameters)
    along = network.split(each_parameter(network))
    return _forward(network, weights, *along, [layer[pattern] for layer in outputs])[-1].net


def _forward(
    network: Network, weights: list[Array], along_weights: list[Array], along_biases: list[Array], below: list[Array]
) -> list[Moved]:
    """R{net} and R{output} of each layer at one pattern. `below`: the outputs (U, R or 1) of all layers, inputs first."""
    moved: list[Moved] = []
    for layer, name in enumerate(network.activations):
        units, units_below, runs = weights[layer].shape
        net = np.zeros((units, along_weights[layer].shape[2], runs))
        if len(along_biases[layer]):
            net += along_biases[layer]
        for v in range(units_below):
            net += along_weights[layer][:, v] * below[layer][v]
            if layer:
                net += weights[layer][:, v, None] * moved[-1].output[v]
        slope = ACTIVATIONS[name].slope_of(below[layer + 1])
        moved.append(Moved(net, slope[:, None] * net))
    return moved


def _backward(
    network: Network,
    weights: list[Array],
    along_weights: list[Array],
    below: list[Array],
    moved: list[Moved],
    target: Array,
    by_weight: list[Array],
    by_bias: list[Array],
) -> None:
    """Adds R{∂E/∂w} of one pattern: of weights (U, V, D, R), of biases (U or 1, D, R)."""
    by_output = below[-1] - target[:, None]  # ∂E/∂output, (U, R)
    moved_by_output = moved[-1].output  # R{∂E/∂output}, (U, D, R)
    for layer in reversed(range(network.layers)):
        activation, output = ACTIVATIONS[network.activations[layer]], below[layer + 1]
        slope, bend = activation.slope_of(output), activation.bend_of(output)
        delta = by_output * slope
        moved_delta = moved_by_output * slope[:, None] + (by_output * bend)[:, None] * moved[layer].net
        for v in range(len(below[layer])):
            by_weight[layer][:, v] += moved_delta * below[layer][v]
            if layer:
                by_weight[layer][:, v] += delta[:, None] * moved[layer - 1].output[v]
        if network.train_bias:
            for unit in [moved_delta] if network.bias == "per_unit" else moved_delta:
                by_bias[layer] += unit
        if layer:
            by_output = np.zeros(below[layer].shape)
            moved_by_output = np.zeros((len(below[layer]), *moved_delta.shape[1:]))
            for u in range(len(delta)):
                by_output += delta[u] * weights[layer][u]
                moved_by_output += moved_delta[u] * weights[layer][u][:, None]
                moved_by_output += along_weights[layer][u] * delta[u]
