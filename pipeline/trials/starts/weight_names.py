"""Weights and biases by name: those of the worked example's document, and those of the arrays in a run's weights.npz.

w1, w2, … are the weights in the order of the parameters: layer by layer, unit by unit, input by input. b1, b2, … are the
biases: one of each layer where they are shared, else one of each unit. weights_2.0.1 is the weight of unit 0 of layer 2 from
unit 1 below, bias_1.0 the first bias of layer 1; a person may write weights_2[0,1] and bias_1[0].
"""

import re
from math import prod

import numpy as np

from pipeline.backprop.network import Network
from pipeline.errors import ConfigError

NUMBERED = re.compile(r"([wb])([1-9][0-9]{0,8})")
ADDRESS = re.compile(r"((?:weights|bias)_[1-9][0-9]{0,8})((?:\.[0-9]{1,9})+)")


def weight_at(key: str, value: object, name: str, network: Network) -> int:
    """The index of a parameter by its name. Raises ConfigError, with the key and the value, where there is none."""
    weights = sum(map(prod, network.shapes[: network.layers]))
    if match := NUMBERED.fullmatch(name):
        first, end = (0, weights) if match[1] == "w" else (weights, network.size)
        index = first + int(match[2]) - 1
        if index < end:
            return index
    elif (match := ADDRESS.fullmatch(name)) and match[1] in network.names:
        array = network.names.index(match[1])
        shape, indices = network.shapes[array], tuple(map(int, match[2][1:].split(".")))
        if len(indices) == len(shape) and all(index < size for index, size in zip(indices, shape, strict=True)):
            return sum(map(prod, network.shapes[:array])) + int(np.ravel_multi_index(indices, shape))
    raise ConfigError(key, value, f"unknown weight; known are {known(network)}")


def names(network: Network) -> list[str]:
    """The names w1, w2, …, b1, b2, … of all weights and biases."""
    weights = sum(map(prod, network.shapes[: network.layers]))
    return [f"w{n}" if n <= weights else f"b{n - weights}" for n in range(1, network.size + 1)]


def addresses(network: Network) -> list[str]:
    """The addresses of all weights and biases, weights_1[0,0], weights_1[0,1], …, in the order of their names."""
    return [
        f"{name}[{','.join(map(str, index))}]"
        for name, shape in zip(network.names, network.shapes, strict=True)
        for index in np.ndindex(*shape)
    ]


def known(network: Network) -> str:
    """The names that weights and biases of a network have, in short."""
    weights = sum(map(prod, network.shapes[: network.layers]))
    ends = [".".join(str(size - 1) for size in shape) for shape in network.shapes]
    parts = [few("w", weights), *([few("b", network.size - weights)] if network.bias != "none" else ["no biases"])]
    arrays = [
        f"{name}.{'.'.join('0' * len(shape))}{f' to {end}' if prod(shape) > 1 else ''}"
        for name, shape, end in zip(network.names, network.shapes, ends, strict=True)
        if prod(shape)
    ]
    shown = arrays if len(arrays) <= 4 else [*arrays[:2], "…"]
    return f"{', '.join(parts)}; {', '.join(shown)}"


def few(letter: str, number: int) -> str:
    """w1, w2 … w8."""
    return (
        ", ".join(f"{letter}{n}" for n in range(1, number + 1)) if number <= 3 else f"{letter}1, {letter}2 … {letter}{number}"
    )
