"""The rows of memory that belong to a layer."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise
from math import prod

from pipeline.backprop.engines.compiled.vectors import Count, Rows, Vector
from pipeline.backprop.network import Network

# What each unit has at one pattern: error is ∂E/∂output, delta ∂E/∂(net input), bent error × bend; moved_… is R{…}.
OF_UNITS = (
    *("output", "slope", "error", "delta", "bent"),
    *("moved_net", "moved_output", "moved_error", "moved_delta"),
)


class Layer:
    """The units of a layer: rows with what each has, and the rows of its weights and biases among all parameters."""

    output: Rows
    slope: Rows
    error: Rows
    delta: Rows
    bent: Rows
    moved_net: Rows
    moved_output: Rows
    moved_error: Rows
    moved_delta: Rows

    def __init__(self, network: Network, index: int, memory: Mapping[str, Rows]) -> None:
        """index: of the layer, 0 for the inputs, which have neither weights nor biases."""
        self.network, self.index = network, index
        self.units, self.is_input = network.units[index], index == 0
        first = sum(network.units[:index])
        for name in OF_UNITS:
            setattr(self, name, memory[name].start(first))
        if not self.is_input:
            starts = [0, *accumulate(map(prod, network.shapes))]
            self.activation = network.activations[index - 1]
            self.inputs, self.first_weight = network.units[index - 1], starts[index - 1]
            self.first_bias = starts[network.layers + index - 1]

    def weight(self, unit: Count, below: Count) -> Count:
        """The row of the weight between a unit and one of the layer below."""
        return unit * self.inputs + below + self.first_weight

    def bias(self, unit: Count) -> Count:
        """The row of a unit's bias."""
        return unit + self.first_bias if self.network.bias == "per_unit" else self.first_bias

    def bias_in(self, rows: Rows, unit: Count) -> Vector | float:
        """What of these rows belongs to a unit's bias; 0 without biases."""
        return 0.0 if self.network.bias == "none" else rows[self.bias(unit)]


def layers(network: Network, memory: Mapping[str, Rows]) -> list[Layer]:
    """All layers, the inputs first."""
    return [Layer(network, index, memory) for index in range(network.layers + 1)]


def pairs(layers: list[Layer]) -> list[tuple[Layer, Layer]]:
    """(layer below, layer), from the first layer of weights on."""
    return list(pairwise(layers))
