"""Where a run stands at its end, as plain data: units, gradient, curvature, how its error falls, and why it did not converge.

Numbers of causes are those that the run is recorded with (`backprop.causes`); the rest is counted from the same passes.
"""

from dataclasses import dataclass
from functools import cached_property
from math import isnan

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch, BatchResult
from pipeline.backprop.causes.bound import lowest_error
from pipeline.backprop.causes.curvature import hessian
from pipeline.backprop.causes.curve_shape import CurveShape, shape
from pipeline.backprop.causes.ending import SLOPE, WRONG, Ending, ending
from pipeline.backprop.causes.limits import is_small
from pipeline.backprop.causes.of_batch import causes, goals
from pipeline.backprop.causes.rules import Cause, fall, rules
from pipeline.backprop.network import Network, backward, forward
from pipeline.backprop.status import Status
from pipeline.backprop.trainer import measured
from pipeline.walkthrough.numbers import unit_name, weight_name

NEGATIVE = -1e-12  # of the largest absolute eigenvalue: below it one is negative, as in `causes.ending`


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer at the end of a run: its units, and the weights and trained biases that lead to them."""

    name: str
    activation: str
    units: int
    flat: list[str]  # units whose slope is below SLOPE for every pattern; of relu: that give 0 for every pattern
    wrong: int | None  # pairs of pattern and output that are wrong and flat; None of a hidden layer
    learning_rate: float
    gradient: float  # its norm
    step: float  # the largest |η ∂E/∂w|
    largest: float  # |w|
    moved: int  # weights that such a step changes
    trained: int


@dataclass(frozen=True, slots=True)
class Equals:
    """Hidden units that are equal at the start, by name: the weights that come in, one row a unit, and those that go out."""

    units: list[str]
    incoming: list[list[str]]
    outgoing: list[list[str]]


@dataclass(frozen=True, eq=False)
class RunEnd:
    """The end of a batch's one run. Arrays in `ending` and `curve` are (1,)."""

    result: BatchResult
    cause: Cause
    number: float  # the cause's
    goal: float  # the total error at which it would have converged, or has
    measure: float  # what is held against the threshold
    bound: float  # the lowest total error that there can be
    ending: Ending
    curve: CurveShape
    layers: list[Layer]
    equals: list[Equals]
    negative: int | None  # directions in which the error bends down; None where not looked at

    @property
    def batch(self) -> Batch:
        """What was trained."""
        return self.result.batch

    @property
    def status(self) -> Status:
        """How it ended."""
        return Status(self.result.status[0])

    @property
    def epochs(self) -> int:
        """The epochs trained."""
        return int(self.result.epochs[0])

    @property
    def error(self) -> float:
        """The total error at the end."""
        return float(self.result.final_error[0])

    @property
    def with_kinks(self) -> bool:
        """Whether hidden units have kinks, of which the Hessian does not know."""
        return self.batch.network.activation == "relu" and self.batch.network.layers > 1

    def at(self, name: str) -> float:
        """A number of `ending`."""
        return float(getattr(self.ending, name)[0])

    def of_curve(self, name: str) -> float:
        """A number of `curve`."""
        return float(getattr(self.curve, name)[0])

    @cached_property
    def rules(self) -> list[tuple[Cause, bool]]:
        """The causes in the order in which they are asked for, and whether the rule of each holds; of exhausted runs."""
        goal, bound, equal = (np.array([float(value)]) for value in (self.goal, self.bound, len(self.equals)))
        held = rules(self.ending, self.curve, goal, self.batch.max_epochs, bound, equal, self.with_kinks)
        return [(cause, bool(holds[0])) for cause, holds in held]

    @property
    @np.errstate(all="ignore")
    def fall(self) -> tuple[float, float]:
        """(τ, ρ) with which the fall of a descending run is foreseen."""
        tau, rho = fall(self.ending, self.curve, self.batch.max_epochs, self.with_kinks)
        return float(tau[0]), float(rho[0])


@np.errstate(all="ignore")
def end_of(result: BatchResult) -> RunEnd:
    """The end of the one run of a batch."""
    batch, parameters, found = result.batch, result.parameters, causes(result)
    network, targets = batch.network, batch.targets
    outputs = forward(network, parameters, batch.inputs)
    end = ending(network, parameters, batch.inputs, targets, batch.learning_rate, batch.momentum)
    epochs, errors = result.curve(0)
    goal = float(found.goal[0])
    return RunEnd(
        result=result,
        cause=Cause(int(found.code[0])),
        number=float(found.number[0]),
        goal=float(goals(batch, parameters, batch.threshold, end.error)[0]) if isnan(goal) else goal,
        measure=float(measured(batch, end.error, outputs[-1])[0]),
        bound=lowest_error(network, batch.inputs, targets),
        ending=end,
        curve=shape(epochs.astype(float), errors[:, None]),
        layers=layers(batch, parameters, outputs),
        equals=equal_units(network, batch.initial_parameters[:, 0]),
        negative=negative_directions(batch, parameters, outputs),
    )


def layers(batch: Batch, parameters: Array, outputs: list[Array]) -> list[Layer]:
    """Each layer, the output layer last; parameters (N, 1), outputs as `forward` gives them."""
    network, targets = batch.network, batch.targets
    gradient = backward(network, parameters, outputs, targets)[:, 0]
    rates, trained = network.rates(batch.learning_rate)[:, 0], parameters[: network.trained, 0]
    step = rates * gradient
    found = []
    for layer, activation in enumerate(network.activations, 1):
        own, output = own_parameters(network, layer), outputs[layer][:, :, 0]
        slope = ACTIVATIONS[activation].slope_of(output)
        flat = np.flatnonzero((slope < SLOPE).all(axis=0))
        wrong = None
        if layer == network.layers:
            away = np.abs(output - targets) > WRONG.get(activation, np.inf)
            wrong = int((away & (slope < SLOPE)).sum())
        found.append(
            Layer(
                name=layer_name(network, layer),
                activation=activation,
                units=network.units[layer],
                flat=[unit_name(network, layer, int(index)) for index in flat],
                wrong=wrong,
                learning_rate=float(batch.learning_rate[layer - 1, 0]),
                gradient=float(np.sqrt((gradient[own] ** 2).sum())),
                step=float(np.abs(step[own]).max()),
                largest=float(np.abs(trained[own]).max()),
                moved=int((trained[own] - step[own] != trained[own]).sum()),
                trained=len(own),
            )
        )
    return found


def layer_name(network: Network, layer: int) -> str:
    """Output, hidden, or hidden 1, hidden 2, … where there are several."""
    if layer == network.layers:
        return "output"
    return "hidden" if network.layers == 2 else f"hidden {layer}"


def own_parameters(network: Network, layer: int) -> NDArray[np.intp]:
    """The indices of a layer's weights and trained biases."""
    weights, biases = network.split(np.arange(float(network.size)))
    both = [weights[layer - 1].ravel(), *([biases[layer - 1]] if network.train_bias else [])]
    return np.concatenate(both).astype(np.intp)


def equal_units(network: Network, parameters: Array) -> list[Equals]:
    """The groups of equal hidden units (`causes.twins`) of one run, by name; parameters (N,)."""
    weights, biases = network.split(parameters + 0.0)  # no −0
    found = []
    for layer in range(1, network.layers):
        incoming, outgoing, bias = weights[layer - 1], weights[layer], biases[layer - 1]
        groups: dict[bytes, list[int]] = {}
        for unit in range(network.units[layer]):
            own = bias[unit : unit + 1] if len(bias) == network.units[layer] > 1 else bias[:0]
            groups.setdefault(np.concatenate([incoming[unit], own, outgoing[:, unit]]).tobytes(), []).append(unit)
        for group in groups.values():
            if len(group) > 1:
                below, above = range(network.units[layer - 1]), range(network.units[layer + 1])
                into = [[weight_name(network, layer, unit, source) for source in below] for unit in group]
                out = [[weight_name(network, layer + 1, index, unit) for index in above] for unit in group]
                found.append(Equals([unit_name(network, layer, unit) for unit in group], into, out))
    return found


def negative_directions(batch: Batch, parameters: Array, outputs: list[Array]) -> int | None:
    """In how many directions the error bends down; None where the whole Hessian is not looked at."""
    if not is_small(batch.network, len(batch.inputs)):
        return None
    root = np.sqrt(batch.network.rates(batch.learning_rate))
    scaled = root[:, None] * hessian(batch.network, parameters, outputs, batch.targets) * root[None]
    if not np.isfinite(scaled).all():
        return None
    values = np.linalg.eigvalsh(scaled[..., 0])
    return int((values < NEGATIVE * np.abs(values).max()).sum())
