"""Gradient and Hessian of one pattern, added to those of the patterns before: `network.py` and `curvature.py` in their order.

Parameters, gradient and direction have a row for each parameter; element (i, j) of the Hessian is row i · trained + j. The
R-operator is along one parameter at a time: of the direction that is 1, the rest 0.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.backprop.causes.compiled.layers import Layer, pairs
from pipeline.backprop.causes.compiled.routine import Routine
from pipeline.backprop.causes.compiled.slopes import SLOPES
from pipeline.backprop.engines.compiled.activations import EMITTERS
from pipeline.backprop.engines.compiled.vectors import Count, Rows, Vector

TimesSlope = Callable[[Vector, Vector], Vector]  # (error, output) -> delta


def forward(code: Routine, layers: list[Layer], parameters: Rows) -> None:
    """Outputs and slopes of all units."""
    for below, layer in pairs(layers):
        with code.turns(layer.units) as u:
            net = code.variable(layer.bias_in(parameters, u))
            with code.turns(below.units) as v:
                net.value += parameters[layer.weight(u, v)] * below.output[v]
            layer.output[u] = output = EMITTERS[layer.activation].function(net.value)
            layer.slope[u] = SLOPES[layer.activation].slope_of(output)


def add_gradient(code: Routine, layers: list[Layer], parameters: Rows, gradient: Rows) -> None:
    """Adds the pattern's gradient; the last layer has its error."""
    for below, layer in reversed(pairs(layers)):
        with code.turns(layer.units) as u:
            layer.delta[u] = EMITTERS[layer.activation].times_slope(layer.error[u], layer.output[u])
        with code.turns(layer.units) as u:
            with code.turns(below.units) as v:
                row = layer.weight(u, v)
                gradient[row] += layer.delta[u] * below.output[v]
            if layer.network.train_bias:
                gradient[layer.bias(u)] += layer.delta[u]
        if not below.is_input:
            add_up_errors(code, below, layer, parameters)


def add_up_errors(code: Routine, below: Layer, layer: Layer, parameters: Rows) -> None:
    """The errors of the layer below."""
    with code.turns(below.units) as v:
        error = code.variable(0.0)
        with code.turns(layer.units) as u:
            error.value += layer.delta[u] * parameters[layer.weight(u, v)]
        below.error[v] = error.value


def deltas(code: Routine, layers: list[Layer], parameters: Rows) -> None:
    """Deltas as the Hessian takes them (error × slope), and error × bend; the last layer has its error."""
    for below, layer in reversed(pairs(layers)):
        with code.turns(layer.units) as u:
            layer.delta[u] = layer.error[u] * layer.slope[u]
            layer.bent[u] = layer.error[u] * SLOPES[layer.activation].bend_of(layer.output[u])
        if not below.is_input:
            add_up_errors(code, below, layer, parameters)


def moved_forward(code: Routine, layers: list[Layer], parameters: Rows, direction: Rows) -> None:
    """R{net input} and R{output} of all units."""
    for below, layer in pairs(layers):
        with code.turns(layer.units) as u:
            net = code.variable(code.number(layer.bias_in(direction, u)) + 0.0)
            with code.turns(below.units) as v:
                row = layer.weight(u, v)
                net.value += direction[row] * below.output[v]
                if not below.is_input:
                    net.value += parameters[row] * below.moved_output[v]
            layer.moved_net[u] = net.value
            layer.moved_output[u] = layer.slope[u] * net.value


def moved_backward(
    code: Routine, layers: list[Layer], parameters: Rows, direction: Rows, add: Callable[[Count, Vector], None]
) -> None:
    """R{∂E/∂parameter} of the pattern: `add(parameter, term)` for each of its terms."""
    last = layers[-1]
    with code.turns(last.units) as u:
        last.moved_error[u] = last.moved_output[u]
    for below, layer in reversed(pairs(layers)):
        with code.turns(layer.units) as u:
            layer.moved_delta[u] = layer.moved_error[u] * layer.slope[u] + layer.bent[u] * layer.moved_net[u]
            with code.turns(below.units) as v:
                add(layer.weight(u, v), layer.moved_delta[u] * below.output[v])
                if not below.is_input:
                    add(layer.weight(u, v), layer.delta[u] * below.moved_output[v])
            if layer.network.train_bias:
                add(layer.bias(u), layer.moved_delta[u])
        if not below.is_input:
            with code.turns(below.units) as v:
                error = code.variable(0.0)
                with code.turns(layer.units) as u:
                    row = layer.weight(u, v)
                    error.value += layer.moved_delta[u] * parameters[row]
                    error.value += direction[row] * layer.delta[u]
                below.moved_error[v] = error.value
