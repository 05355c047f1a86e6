"""Slope and bend of the activation functions as emitted code: `slope_of` and `bend_of` of `pipeline.backprop.activations`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.backprop.engines.compiled.vectors import Vector


@dataclass(frozen=True, slots=True)
class Slopes:
    """First and second derivative by the net input, from the output."""

    slope_of: Callable[[Vector], Vector]
    bend_of: Callable[[Vector], Vector]


# A network with another activation is left to NumPy.
SLOPES: Mapping[str, Slopes] = {
    "sigmoid": Slopes(
        lambda output: output * (1.0 - output),
        lambda output: (output * (1.0 - output)) * (1.0 - 2.0 * output),
    ),
    "tanh": Slopes(
        lambda output: 1.0 - output * output,
        lambda output: -2.0 * output * (1.0 - output * output),
    ),
    "relu": Slopes(
        lambda output: (output > 0.0).where(1.0, 0.0),
        lambda output: output.code.number(0.0),
    ),
    "identity": Slopes(
        lambda output: output.code.number(1.0),
        lambda output: output.code.number(0.0),
    ),
}
