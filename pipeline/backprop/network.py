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
from functools import cache
from itertools import accumulate, pairwise
from math import prod

import numpy as np

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.arithmetic import Array

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
        return int(_slices(self)[-1][0].stop)

    @property
    def trained(self) -> int:
        """How many parameters, counted from the first, training changes."""
        return int(_slices(self)[-1 if self.train_bias else self.layers - 1][0].stop)

    def split(self, parameters: Array) -> tuple[list[Array], list[Array]]:
        """Views of `parameters: (N, …)` as weights[l]: (U, V, …) and biases[l]: (U, …), (1, …) or (0, …).

        Where there are weights only (a gradient without trained biases), the list of biases is empty.
        """
        slices, runs = _slices(self), parameters.shape[1:]
        if len(parameters) < self.size:
            slices = slices[: self.layers]
        arrays = [parameters[rows].reshape(shape + runs) for rows, shape in slices]
        return arrays[: self.layers], arrays[self.layers :]

    def rates(self, learning_rate: Array) -> Array:
        """Learning rates by layer (L, R) as learning rates by trained parameter (trained, R)."""
        sizes = list(map(prod, self.shapes))
        layers = list(range(self.layers)) * (2 if self.train_bias else 1)
        return np.repeat(learning_rate[layers], sizes[: len(layers)], axis=0)


@cache
def _slices(network: Network) -> list[tuple[slice, tuple[int, ...]]]:
    """The rows of each array among the parameters, and its shape."""
    stops = list(accumulate(map(prod, network.shapes)))
    return [(slice(stop - prod(shape), stop), shape) for stop, shape in zip(stops, network.shapes, strict=True)]


def forward(network: Network, parameters: Array, inputs: Array) -> list[Array]:
    """The outputs of every layer, layer by layer, as (P, U, R); the first entry are the inputs, (P, I, 1)."""
    weights, biases = network.split(parameters)
    outputs = [inputs[:, :, None]]
    for weight, bias, activation in zip(weights, biases, network.activations, strict=True):
        below = outputs[-1]
        units, units_below, runs = weight.shape
        net = np.empty((len(inputs), units, runs))
        net[:] = bias if len(bias) else 0.0
        for v in range(units_below):
            net += weight[:, v] * below[:, v, None]
        outputs.append(ACTIVATIONS[activation].function(net))
    return outputs


def total_error(outputs: Array, targets: Array) -> Array:
    """E = Σ ½ (target − output)² over patterns and outputs, (R,); outputs (P, O, R), targets (P, O)."""
    difference = outputs - targets[:, :, None]
    error = np.zeros(outputs.shape[2])
    for pattern in 0.5 * (difference * difference):
        for unit in pattern:
            error += unit
    return error


def mean_error(error: Array, targets: Array) -> Array:
    """E ÷ (P × O), (R,): the total error as it is summed, and then one division by the number of patterns × outputs."""
    mean: Array = error / float(targets.size)
    return mean


def worst_output(outputs: Array, targets: Array) -> Array:
    """The largest |target − output| over patterns and outputs, (R,)."""
    worst: Array = np.abs(outputs - targets[:, :, None]).max(axis=(0, 1))
    return worst


def backward(network: Network, parameters: Array, outputs: list[Array], targets: Array) -> Array:
    """∂E/∂parameter for all trained parameters, (trained, R), by the chain rule from the last layer to the first."""
    weights, _ = network.split(parameters)
    gradient = np.zeros((network.trained, parameters.shape[1]))
    by_weight, by_bias = network.split(gradient)
    by_output = outputs[-1] - targets[:, :, None]  # ∂E/∂output, (P, U, R)
    for layer in reversed(range(network.layers)):
        delta = ACTIVATIONS[network.activations[layer]].times_slope(by_output, outputs[layer + 1])  # ∂E/∂net
        for pattern, below in zip(delta, outputs[layer], strict=True):
            by_weight[layer] += pattern[:, None] * below
        if network.train_bias:
            for pattern in delta:
                for unit in [pattern] if network.bias == "per_unit" else pattern:
                    by_bias[layer] += unit
        if layer > 0:
            by_output = np.zeros(outputs[layer].shape)
            for u in range(delta.shape[1]):
                by_output += delta[:, u, None] * weights[layer][u]
    return gradient
