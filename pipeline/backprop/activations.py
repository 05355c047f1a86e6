"""The activation functions, each described in one place. (What the compiled engine makes of them: its `activations.py`.)"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.backprop.arithmetic import Array, sigmoid, tanh


@dataclass(frozen=True, slots=True)
class Activation:
    """A unit's output as a function of its net input, and the slope of that function.

    `function(net)` gives the output; `times_slope(error, output)` gives ∂E/∂net from error = ∂E/∂output: their product with
    the slope, which the output alone determines. `slope_of(output)` and `bend_of(output)` are the first and the second
    derivative by the net input. All are elementwise and leave their arguments as they are. `formula` and
    `slope` say the same as text, whose fields `{net}` and `{out}` take names or numbers. `range`: where outputs are, ends
    included; `steepest`: the largest square of the slope.
    """

    function: Callable[[Array], Array]
    times_slope: Callable[[Array, Array], Array]
    slope_of: Callable[[Array], Array]
    bend_of: Callable[[Array], Array]
    formula: str
    slope: str
    range: tuple[float, float]
    steepest: float


ACTIVATIONS: Mapping[str, Activation] = {
    "sigmoid": Activation(
        function=sigmoid,
        times_slope=lambda error, output: error * (output * (1.0 - output)),
        slope_of=lambda output: output * (1.0 - output),
        bend_of=lambda output: (output * (1.0 - output)) * (1.0 - 2.0 * output),
        formula="1 / (1 + exp(-{net}))",
        slope="{out} × (1 - {out})",
        range=(0.0, 1.0),
        steepest=1 / 16,
    ),
    "tanh": Activation(
        function=tanh,
        times_slope=lambda error, output: error * (1.0 - output * output),
        slope_of=lambda output: 1.0 - output * output,
        bend_of=lambda output: -2.0 * output * (1.0 - output * output),
        formula="tanh({net})",
        slope="1 - ({out})²",
        range=(-1.0, 1.0),
        steepest=1.0,
    ),
    "relu": Activation(
        function=lambda net: np.where(net <= 0.0, 0.0, net),  # NaN stays NaN
        times_slope=lambda error, output: np.where(output > 0.0, error, 0.0),
        slope_of=lambda output: np.where(output > 0.0, 1.0, 0.0),
        bend_of=lambda output: np.zeros_like(output),
        formula="max(0, {net})",
        slope="(1 if {net} > 0, else 0)",
        range=(0.0, np.inf),
        steepest=1.0,
    ),
    "identity": Activation(
        function=lambda net: net,
        times_slope=lambda error, output: error,
        slope_of=lambda output: np.ones_like(output),
        bend_of=lambda output: np.zeros_like(output),
        formula="{net}",
        slope="1",
        range=(-np.inf, np.inf),
        steepest=1.0,
    ),
}
