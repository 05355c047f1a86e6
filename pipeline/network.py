"""Forward and backward pass of a layered network, for a whole batch of runs at once: the textbook.

All runs of a batch have the same shape and differ in their parameters. A run's parameters are one column of
`parameters: (N, R)`: first the weights of layer 1 (unit by unit, within a unit input by input), of layer 2, …, then the
biases of layer 1, of layer 2, …. So the parameters that training changes always stand first, with biases or without.

Letters: R runs, P patterns, U units of a layer, V units of the layer below, L layers of weights.

Every sum has one accumulator, and its terms are added by index (a net input from the bias on over the units below; a
delta's from 0 over the units above; a gradient's from 0 over patterns; the error over patterns, within them over outputs):
a run's bits then depend on nothing but the run. That is why no `@`, `sum` or `einsum` is found here.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np

from pipeline.arithmetic import Array, sigmoid, tanh

ACTIVATIONS = ("sigmoid", "tanh", "relu", "identity")
BIASES = ("shared", "per_unit", "none")


@dataclass(frozen=True, slots=True)
class Network:
    """The shape of a network: `units` are the sizes of all layers, inputs and outputs included."""

    units: tuple[int, ...]
    activation: str = "sigmoid"
    output_activation: str = "sigmoid"
    bias: str = "shared"
    train_bias: bool = False

    def __post_init__(self) -> None:
        if self.bias == "none":  # nothing to train: one network has one description
            object.__setattr__(self, "train_bias", False)

    @property
    def layers(self) -> int:
        """Number of layers of weights."""
        return len(self.units) - 1

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation function of each layer of weights."""
        return (self.activation,) * (self.layers - 1) + (self.output_activation,)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of weights_1, …, weights_L, bias_1, …, bias_L, in the order of the parameters."""
        sizes = {"shared": [1] * self.layers, "per_unit": self.units[1:], "none": [0] * self.layers}[self.bias]
        return [(above, below) for below, above in pairwise(self.units)] + [(size,) for size in sizes]

    @property
    def names(self) -> list[str]:
        """The names of the same arrays."""
        return [f"{kind}_{layer + 1}" for kind in ("weights", "bias") for layer in range(self.layers)]

    @property
    def size(self) -> int:
        """N, the number of parameters of one run."""
        return sum(map(prod, self.shapes))

    @property
    def trained(self) -> int:
        """How many parameters, counted from the first, training changes."""
        return sum(map(prod, self.shapes if self.train_bias else self.shapes[: self.layers]))

    def split(self, parameters: Array) -> tuple[list[Array], list[Array]]:
        """Views of `parameters: (N, …)` as weights[l]: (U, V, …) and biases[l]: (U, …), (1, …) or (0, …).

        Where there are weights only (a gradient without trained biases), the list of biases is empty.
        """
        arrays, start = [], 0
        for shape in self.shapes if len(parameters) == self.size else self.shapes[: self.layers]:
            stop = start + prod(shape)
            arrays.append(parameters[start:stop].reshape(shape + parameters.shape[1:]))
            start = stop
        return arrays[: self.layers], arrays[self.layers :]

    def rates(self, learning_rate: Array) -> Array:
        """Learning rates by layer (L, R) as learning rates by trained parameter (trained, R)."""
        sizes = list(map(prod, self.shapes))
        layers = list(range(self.layers)) * (2 if self.train_bias else 1)
        return np.repeat(learning_rate[layers], sizes[: len(layers)], axis=0)


def activate(name: str, net: Array) -> Array:
    """The activation function `name` of the net inputs."""
    match name:
        case "sigmoid":
            return sigmoid(net)
        case "tanh":
            return tanh(net)
        case "relu":
            return np.where(net <= 0.0, 0.0, net)  # keeps NaN
        case _:
            return net


def times_derivative(name: str, error: Array, output: Array) -> Array:
    """`error` × the derivative of the activation function, which all four give from the unit's `output`."""
    match name:
        case "sigmoid":
            return error * (output * (1.0 - output))
        case "tanh":
            return error * (1.0 - output * output)
        case "relu":
            return np.where(output > 0.0, error, 0.0)
        case _:
            return error


def forward(network: Network, parameters: Array, inputs: Array) -> list[Array]:
    """The outputs of every layer, layer by layer, as (P, U, R); the first entry are the inputs, (P, I, 1)."""
    weights, biases = network.split(parameters)
    outputs = [inputs[:, :, None]]
    for weight, bias, activation in zip(weights, biases, network.activations, strict=True):
        below = outputs[-1]
        net = np.zeros((len(below), weight.shape[0], weight.shape[2]))
        if len(bias):
            net += bias
        for v in range(weight.shape[1]):
            net += weight[:, v] * below[:, v, None]
        outputs.append(activate(activation, net))
    return outputs


def total_error(outputs: Array, targets: Array) -> Array:
    """E = Σ ½ (target − output)² over patterns and outputs, (R,); outputs (P, O, R), targets (P, O)."""
    difference = outputs - targets[:, :, None]
    squares = 0.5 * (difference * difference)
    error = np.zeros(outputs.shape[2])
    for pattern in squares:
        for unit in pattern:
            error += unit
    return error


def worst_output(outputs: Array, targets: Array) -> Array:
    """The largest |target − output| over patterns and outputs, (R,)."""
    worst: Array = np.abs(outputs - targets[:, :, None]).max(axis=(0, 1))
    return worst


def backward(network: Network, parameters: Array, outputs: list[Array], targets: Array) -> Array:
    """∂E/∂parameter for all trained parameters, (trained, R), by the chain rule from the last layer to the first."""
    weights, _ = network.split(parameters)
    gradient = np.zeros((network.trained, parameters.shape[1]))
    by_weight, by_bias = network.split(gradient)
    delta = outputs[-1] - targets[:, :, None]
    for layer in reversed(range(network.layers)):
        # delta becomes ∂E/∂(net input) of this layer's units
        delta = times_derivative(network.activations[layer], delta, outputs[layer + 1])
        for p in range(len(delta)):
            by_weight[layer] += delta[p][:, None] * outputs[layer][p]
        if network.train_bias:
            _add_bias_gradient(by_bias[layer], delta)
        if layer > 0:
            # … and then ∂E/∂output of the units below
            above = np.zeros(outputs[layer].shape)
            for u in range(delta.shape[1]):
                above += delta[:, u, None] * weights[layer][u]
            delta = above
    return gradient



def _add_bias_gradient(by_bias: Array, delta: Array) -> None:
    """Adds ∂E/∂bias, in place: of a bias per unit over patterns, of a shared one over patterns and within them units."""
    for pattern in delta:
        if len(by_bias) == len(pattern):
            by_bias += pattern
        else:
            for unit in pattern:
                by_bias += unit
