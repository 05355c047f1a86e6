"""Initial weights that are drawn: each from a uniform number of its own, in the order of the parameters."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.network import Network
from pipeline.backprop.normal_quantile import normal
from pipeline.errors import ConfigError
from pipeline.trials.trial import InitialChoice, Pair


@dataclass(frozen=True, slots=True)
class Scaled:
    """Weights whose variance is 2 ÷ `fans(units below, units above)`, from the usual one of two distributions."""

    fans: Callable[[float, float], float]
    distribution: str


# Kinds of initial weights by name. A new one is a line here and a file in conf/initial/.
SCALED = {
    # X. Glorot & Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010,
    # equations 12 and 16
    "xavier": Scaled(lambda below, above: below + above, "uniform"),
    # K. He et al., "Delving Deep into Rectifiers", ICCV 2015, equation 10
    "he": Scaled(lambda below, above: below, "normal"),
}


def drawn(choice: InitialChoice, network: Network, numbers: Array) -> Array:
    """Parameters (N, R) from uniform numbers from 0 to 1 (N, R); of perturbed weights the noise.

    Raises ConfigError where there is not one entry of `choice` for each layer.
    """
    rows, parameters = rows_of(network), np.empty_like(numbers)
    layers = by_layer(choice, network)
    if choice.kind == "sphere":
        size = network.size if choice.biases is None else rows[network.layers - 1].stop
        parameters[:size] = on_sphere(choice.radius or 0.0, numbers[:size])
    else:
        for number, one in enumerate(rows):
            layer = number % network.layers
            parameters[one] = of_layer(layers[layer], layer, network, numbers[one])
    for own, one in zip(layers, rows[network.layers :], strict=True):
        if own.biases is not None:
            parameters[one] = own.biases
    return parameters


def rows_of(network: Network) -> list[slice]:
    """The rows of weights_1, …, weights_L, bias_1, …, bias_L among the parameters."""
    return [slice(*ends) for ends in pairwise(accumulate(map(math.prod, network.shapes), initial=0))]


def by_layer(choice: InitialChoice, network: Network) -> Sequence[InitialChoice]:
    """What is drawn in each layer. Raises ConfigError."""
    return (choice,) * network.layers if choice.layers is None else one_each("initial.layers", choice.layers, network)


def one_each(key: str, entries: Sequence[InitialChoice | Pair | float], network: Network) -> Sequence[Any]:
    """The entries, if there is one for each layer. Raises ConfigError."""
    if len(entries) != network.layers:
        raise ConfigError(key, f"[{len(entries)} entries]", f"must have {network.layers}: one for each layer of weights")
    return entries


def of_layer(choice: InitialChoice, layer: int, network: Network, numbers: Array) -> Array:
    """The parameters of one layer from uniform numbers.

    Of a kind in SCALED that is its variance; that of a uniform distribution from −r to r is r² ÷ 3.
    """
    if choice.range is not None:
        low, high = pairs(choice.range, network)[layer]
        return low + (high - low) * numbers
    if choice.std is not None:
        std = choice.std[0] if len(choice.std) == 1 else one_each("initial.std", choice.std, network)[layer]
        return std * normal(numbers)
    fans = SCALED[choice.kind].fans(float(network.units[layer]), float(network.units[layer + 1]))
    if choice.distribution == "uniform":
        bound = math.sqrt(6.0 / fans)
        return -bound + (bound + bound) * numbers
    return math.sqrt(2.0 / fans) * normal(numbers)


def pairs(given: Pair | tuple[Pair, ...], network: Network) -> Sequence[Pair]:
    """The range of each layer. Raises ConfigError."""
    return (given,) * network.layers if isinstance(given[0], float) else one_each("initial.range", given, network)


def on_sphere(radius: float, numbers: Array) -> Array:
    """Points (N, R) that are uniform on a sphere of this radius about 0, from uniform numbers: normal deviates by their length.

    M. E. Muller, "A note on a method for generating points uniformly on n-dimensional spheres", Communications of the ACM 2
    (1959).
    """
    deviates = normal(numbers)
    return radius * (deviates / length(deviates))


def length(vectors: Array) -> Array:
    """√Σ v², (R,), of vectors (N, R), summed by index."""
    total = np.zeros(vectors.shape[1])
    for row in vectors:
        total += row * row
    return np.sqrt(total)
