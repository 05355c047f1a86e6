"""Forward and backward pass of a layered network, for a whole batch of runs at once: the textbook.

All runs of a batch have the same shape and differ in their parameters. A run's parameters are one column of
`parameters: (N, R)`: first the weights of layer 1 (unit by unit, within a unit input by input), of layer 2, …, then the
biases of layer 1, of layer 2, …. So the parameters that training changes always stand first, with biases or without.

Letters: R runs, P patterns, U units of a layer, V units of the layer below, L layers of weights.

Every sum has one accumulator, and its terms are added by index (a net input from the bias on over the units below; a
delta's from 0 over the units above; a gradient's from 0 over patterns; the error over patterns, within them over outputs):
a run's bits then depend on nothing but the run. That is why no `@`, `sum` or `einsum` is found here. (A sum that starts from
0 is begun with its first product, which is the same but for the sign of a zero, and no result depends on that.)
"""

from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from math import prod

import numpy as np

from pipeline.backprop.arithmetic import ROOM, Array, sigmoid, tanh

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
        return int(_places(self)[-1][0].stop)

    @property
    def trained(self) -> int:
        """How many parameters, counted from the first, training changes."""
        return int(_places(self)[-1 if self.train_bias else self.layers - 1][0].stop)

    def split(self, parameters: Array) -> tuple[list[Array], list[Array]]:
        """Views of `parameters: (N, …)` as weights[l]: (U, V, …) and biases[l]: (U, …), (1, …) or (0, …).

        Where there are weights only (a gradient without trained biases), the list of biases is empty.
        """
        places, runs = _places(self), parameters.shape[1:]
        if len(parameters) < self.size:
            places = places[: self.layers]
        arrays = [parameters[place].reshape(shape + runs) for place, shape in places]
        return arrays[: self.layers], arrays[self.layers :]

    def rates(self, learning_rate: Array) -> Array:
        """Learning rates by layer (L, R) as learning rates by trained parameter (trained, R)."""
        sizes = list(map(prod, self.shapes))
        layers = list(range(self.layers)) * (2 if self.train_bias else 1)
        return np.repeat(learning_rate[layers], sizes[: len(layers)], axis=0)


@cache
def _places(network: Network) -> list[tuple[slice, tuple[int, ...]]]:
    """Where each array stands among the parameters, and its shape."""
    stops = list(accumulate(map(prod, network.shapes)))
    return [(slice(stop - prod(shape), stop), shape) for stop, shape in zip(stops, network.shapes, strict=True)]


class WorkArrays:
    """Memory for the arrays of a pass, used again in the next one: fresh memory would cost more than the arithmetic."""

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}

    def take(self, name: str, *shape: int) -> Array:
        """An array of that shape, with anything in it; the same name gives the same memory."""
        array = self._arrays.get(name)
        if array is None or array.shape != shape:
            size = prod(shape)
            memory = np.empty(size) if array is None or array.base is None or array.base.size < size else array.base
            array = self._arrays[name] = memory[:size].reshape(shape)
        return array


def activate(name: str, net: Array, room: WorkArrays | None = None) -> Array:
    """Turns net inputs into outputs by the activation function `name`, in their place."""
    room = room or WorkArrays()
    match name:
        case "sigmoid":
            sigmoid(net, net, room.take(f"arithmetic {net.shape[1]}", ROOM, *net.shape))
        case "tanh":
            tanh(net, net, room.take(f"arithmetic {net.shape[1]}", ROOM, *net.shape))
        case "relu":
            np.copyto(net, 0.0, where=net <= 0.0)  # keeps NaN
    return net


def times_derivative(name: str, error: Array, output: Array, room: WorkArrays | None = None) -> Array:
    """Multiplies `error`, in its place, by the derivative of the activation function, which the unit's `output` gives."""
    slope = (room or WorkArrays()).take(f"slope {output.shape[1]}", *output.shape)
    match name:
        case "sigmoid":
            np.subtract(1.0, output, out=slope)
            slope *= output
            error *= slope
        case "tanh":
            np.multiply(output, output, out=slope)
            np.subtract(1.0, slope, out=slope)
            error *= slope
        case "relu":
            np.copyto(error, 0.0, where=~(output > 0.0))
    return error


def forward(network: Network, parameters: Array, inputs: Array, room: WorkArrays | None = None) -> list[Array]:
    """The outputs of every layer, layer by layer, as (P, U, R); the first entry are the inputs, (P, I, 1)."""
    room = room or WorkArrays()
    weights, biases = network.split(parameters)
    outputs = [inputs[:, :, None]]
    for layer, (weight, bias, activation) in enumerate(zip(weights, biases, network.activations, strict=True)):
        below = outputs[-1]
        units, units_below, runs = weight.shape
        net = room.take(f"outputs {layer}", len(inputs), units, runs)
        product = room.take(f"product {layer}", len(inputs), units, runs)
        net[:] = bias if len(bias) else 0.0
        for v in range(units_below):
            net += np.multiply(weight[:, v], below[:, v, None], out=product)
        outputs.append(activate(activation, net, room))
    return outputs


def total_error(outputs: Array, targets: Array, room: WorkArrays | None = None) -> Array:
    """E = Σ ½ (target − output)² over patterns and outputs, (R,); outputs (P, O, R), targets (P, O)."""
    squares = (room or WorkArrays()).take("squares", *outputs.shape)
    np.subtract(outputs, targets[:, :, None], out=squares)
    squares *= squares
    squares *= 0.5
    error = np.zeros(outputs.shape[2])
    for pattern in squares:
        for unit in pattern:
            error += unit
    return error


def worst_output(outputs: Array, targets: Array) -> Array:
    """The largest |target − output| over patterns and outputs, (R,)."""
    worst: Array = np.abs(outputs - targets[:, :, None]).max(axis=(0, 1))
    return worst


def backward(
    network: Network, parameters: Array, outputs: list[Array], targets: Array, room: WorkArrays | None = None
) -> Array:
    """∂E/∂parameter for all trained parameters, (trained, R), by the chain rule from the last layer to the first."""
    room = room or WorkArrays()
    runs = parameters.shape[1]
    weights, _ = network.split(parameters)
    gradient = room.take("gradient", network.trained, runs)
    by_weight, by_bias = network.split(gradient)
    delta = room.take(f"delta {network.layers}", *outputs[-1].shape)
    np.subtract(outputs[-1], targets[:, :, None], out=delta)
    for layer in reversed(range(network.layers)):
        # delta becomes ∂E/∂(net input) of this layer's units
        delta = times_derivative(network.activations[layer], delta, outputs[layer + 1], room)
        product = room.take(f"gradient {layer}", *by_weight[layer].shape)
        for p in range(len(delta)):
            first = p == 0
            np.multiply(delta[p][:, None], outputs[layer][p], out=by_weight[layer] if first else product)
            if not first:
                by_weight[layer] += product
        if network.train_bias:
            bias_gradient(by_bias[layer], delta)
        if layer > 0:
            # … and then ∂E/∂output of the units below
            below = room.take(f"delta {layer}", *outputs[layer].shape)
            product = room.take(f"below {layer}", *below.shape)
            np.multiply(delta[:, 0, None], weights[layer][0], out=below)
            for u in range(1, delta.shape[1]):
                below += np.multiply(delta[:, u, None], weights[layer][u], out=product)
            delta = below
    return gradient


def bias_gradient(by_bias: Array, delta: Array) -> None:
    """∂E/∂bias of a layer: a bias per unit adds its delta over patterns, a shared one over patterns and within them units."""
    by_bias[:] = 0.0
    for pattern in delta:
        if len(by_bias) == len(pattern):
            by_bias += pattern
        else:
            for unit in pattern:
                by_bias += unit
