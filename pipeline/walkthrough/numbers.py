"""One iteration of one run as plain data: every number of its forward pass, backward pass and update, by name.

No number has a computation of its own here: net inputs, outputs and errors come from `forward` and `total_error`,
deltas and gradients from `backward`, the state before and after the update from the trainer.

Names are the document's: inputs i1, i2, …; hidden units h1, h2, … (in several hidden layers h1_1, h1_2, …, h2_1, …);
outputs o1, o2, …; weights w1, w2, … in the order of the parameters: layer by layer, unit by unit, input by input;
biases b1, b2, … by layer when they are shared, else by unit.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from itertools import accumulate, pairwise
from math import prod
from operator import add

import numpy as np

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch
from pipeline.backprop.network import Network, backward, forward, total_error
from pipeline.backprop.status import STATUSES
from pipeline.backprop.trainer import State, train

UNITS, PARAMETERS = 8, 16  # of a layer, that are shown at most
# The worked example as published, digit by digit
PUBLISHED = (
    "net h1 0.3775, out h1 0.593269992, out h2 0.596884378, net o1 1.105905967, out o1 0.75136507, out o2 0.772928465, "
    "E o1 0.274811083, E o2 0.023560026, E total 0.298371109, ∂E/∂out o1 0.74136507, ∂out o1/∂net o1 0.186815602, "
    "∂net o1/∂w5 0.593269992, ∂E/∂w5 0.082167041, new w5 0.35891648, new w6 0.408666186, new w7 0.511301270, "
    "new w8 0.561370121, new w1 0.149780716, new w2 0.19956143, new w3 0.24975114, new w4 0.29950229"
)


@dataclass(frozen=True, slots=True)
class Term:
    """A weight times the signal that comes through it from the unit at its other end: an output, or a delta."""

    weight: str
    value: float
    unit: str
    signal: float


@dataclass(frozen=True, slots=True)
class Unit:
    """A hidden or output unit and all its numbers, for one pattern.

    net is the sum of the terms `below` and the bias. error_by_output is ∂E/∂out: out − target of an output unit, of a
    hidden one the sum of the terms `above`. slope is ∂out/∂net; delta is ∂E/∂net, the product of both.
    """

    name: str
    activation: str
    below: list[Term]
    bias: tuple[str, float] | None
    net: float
    output: float
    target: float | None
    error: float | None  # ½ (target − out)² of an output unit
    above: list[Term]
    error_by_output: float
    slope: float
    delta: float


@dataclass(frozen=True, slots=True, eq=False)
class Walkthrough:
    """One iteration: one pattern's way through the network, and the update that its gradient goes into.

    outputs[l] (U,), with the inputs as outputs[0]; nets[l], slopes[l] and deltas[l] (U,) belong to outputs[l + 1].
    The parameters old (N,) become new (N,): velocity = momentum × velocity_before − rate × gradient, new = old + velocity,
    all (trained,), as are the rates. gradient is of all patterns, or with update=online of this one, as pattern_gradient.
    """

    batch: Batch
    network: Network
    patterns: int  # of the task
    summed: bool  # is the update's gradient a sum over several patterns?
    weight: str  # whose gradient is explained factor by factor
    iteration: int  # iterations and patterns count from 1
    pattern: int
    outputs: list[Array]
    nets: list[Array]
    slopes: list[Array]
    deltas: list[Array]
    old: Array
    new: Array
    rates: Array
    gradient: Array
    pattern_gradient: Array
    velocity_before: Array
    velocity: Array
    pattern_error: float
    total_error: float
    pattern_error_after: float
    total_error_after: float

    def keep(self, layer: int) -> int | None:
        """The unit of a layer at which the chosen weight begins or ends, which is always shown."""
        above, (index,), source = place(self.network, self.weight)
        return index if layer == above else source if layer == above - 1 else None

    def shown_units(self, layer: int) -> list[Unit | None]:
        """The units of a layer that are shown; None: a gap."""
        shown = few(self.network.units[layer], UNITS, self.keep(layer))
        return [None if index is None else self.unit(layer, index) for index in shown]

    def shown_parameters(self, layers: Iterable[int], biases: bool) -> list[str | None]:
        """The names of the parameters of these layers that are shown; None: a gap."""
        network, names = self.network, list[str | None]()
        for layer in layers:
            first, count = weights_before(network, layer), network.units[layer - 1] * network.units[layer]
            keep = position(network, self.weight) - first
            shown = few(count, PARAMETERS, keep if 0 <= keep < count else None)
            names += [None if w is None else f"w{first + w + 1}" for w in shown]
            if biases and network.bias != "none":
                count = 1 if network.bias == "shared" else network.units[layer]
                shown = few(count, PARAMETERS, self.keep(layer) if network.bias == "per_unit" else None)
                names += [None if u is None else bias_name(network, layer, u) for u in shown]
        return names

    @np.errstate(all="ignore")
    def unit(self, layer: int, index: int) -> Unit:
        """A unit of layer 1, …, L by its index, from 0."""
        network, top = self.network, self.network.layers
        output = float(self.outputs[layer][index])
        below = [self.term((layer, index, v), (layer - 1, v), signal) for v, signal in enumerate(self.outputs[layer - 1])]
        above: list[Term] = []
        target = error = bias = None
        if network.bias != "none":
            name = bias_name(network, layer, index)
            bias = name, self.entry(self.old, name)
        if layer < top:
            above = [self.term((layer + 1, u, index), (layer + 1, u), signal) for u, signal in enumerate(self.deltas[layer])]
            # by reduce, as training adds: `sum` corrects its rounding from Python 3.12 on
            by_output = reduce(add, (term.signal * term.value for term in above), 0.0)
        else:
            target = float(self.batch.targets[self.pattern - 1, index])
            error = float(total_error(np.array([[[output]]]), np.array([[target]]))[0])
            by_output = output - target
        net, slope, delta = (float(numbers[layer - 1][index]) for numbers in (self.nets, self.slopes, self.deltas))
        name, activation = unit_name(network, layer, index), network.activations[layer - 1]
        return Unit(name, activation, below, bias, net, output, target, error, above, by_output, slope, delta)

    def term(self, weight: tuple[int, int, int], unit: tuple[int, int], signal: float) -> Term:
        """A weight (layer, unit, unit below) and the signal of the unit (layer, unit) at one of its ends."""
        name = weight_name(self.network, *weight)
        return Term(name, self.entry(self.old, name), unit_name(self.network, *unit), float(signal))

    def entry(self, array: Array, name: str) -> float:
        """A parameter's number in an array of all parameters, or of all that are trained."""
        return float(array[position(self.network, name)])

    def chain(self, weight: str) -> list[tuple[str, float]]:
        """The chain rule for a weight: three factors by name. Their product, in this order, is ∂E/∂weight."""
        layer, (index,), source = place(self.network, weight)
        unit = self.unit(layer, index)
        return [
            (f"∂E/∂out {unit.name}", unit.error_by_output),
            (f"∂out {unit.name}/∂net {unit.name}", unit.slope),
            (f"∂net {unit.name}/∂{weight}", unit.below[source or 0].signal),
        ]

    @np.errstate(all="ignore")
    def of_pattern(self, pattern: int) -> tuple[float, Array]:
        """(E, ∂E/∂parameter (trained,)) of any pattern, before the update."""
        one, old = slice(pattern - 1, pattern), self.old[:, None]
        outputs, targets = forward(self.network, old, self.batch.inputs[one]), self.batch.targets[one]
        return float(total_error(outputs[-1], targets)[0]), backward(self.network, old, outputs, targets)[:, 0]


@np.errstate(all="ignore")  # a step to infinity is worth seeing, too
def walk(batch: Batch, weight: str, iteration: int = 1, pattern: int = 1) -> Walkthrough:
    """Walks through an iteration of the batch's one run as the trainer makes it."""
    network, one = batch.network, slice(pattern - 1, pattern)
    state = state_before(batch, iteration, pattern)
    old, velocity_before = state.parameters.copy(), state.velocity.copy()
    outputs = forward(network, old, batch.inputs)
    followed = [outputs[0][one], *(layer[one] for layer in outputs[1:])]
    pattern_gradient = backward(network, old, followed, batch.targets[one])
    gradient = backward(network, old, outputs, batch.targets) if batch.update == "batch" else pattern_gradient
    state.step(gradient)
    after = forward(network, state.parameters, batch.inputs)[-1]
    return Walkthrough(
        batch=batch,
        network=network,
        patterns=len(batch.inputs),
        summed=batch.update == "batch" and len(batch.inputs) > 1,
        weight=weight,
        iteration=iteration,
        pattern=pattern,
        outputs=[layer[0, :, 0] for layer in followed],
        nets=net_inputs(network, old, followed),
        slopes=[
            ACTIVATIONS[name].times_slope(np.ones(layer.shape), layer)[0, :, 0]
            for name, layer in zip(network.activations, followed[1:], strict=True)
        ],
        deltas=deltas(network, old, followed, batch.targets[one]),
        old=old[:, 0],
        new=state.parameters[:, 0],
        rates=network.rates(batch.learning_rate)[:, 0],
        gradient=gradient[:, 0],
        pattern_gradient=pattern_gradient[:, 0],
        velocity_before=velocity_before[:, 0],
        velocity=state.velocity[:, 0],
        pattern_error=float(total_error(followed[-1], batch.targets[one])[0]),
        total_error=float(total_error(outputs[-1], batch.targets)[0]),
        pattern_error_after=float(total_error(after[one], batch.targets[one])[0]),
        total_error_after=float(total_error(after, batch.targets)[0]),
    )


def state_before(batch: Batch, iteration: int, pattern: int) -> State:
    """The trainer's state just before the update: with update=online, the one that the pattern meets in its turn."""
    state, patterns = State(batch), len(batch.inputs)
    if batch.update == "batch":
        turns = [slice(None)] * (iteration - 1)
    else:
        turns = [slice(p, p + 1) for p in range(patterns)] * iteration
        turns = turns[: (iteration - 1) * patterns + pattern - 1]
    update(batch, state, turns)
    return state


def update(batch: Batch, state: State, turns: Iterable[slice]) -> None:
    """The updates of a training, one after the other: each for these patterns."""
    for turn in turns:
        outputs = forward(batch.network, state.parameters, batch.inputs[turn])
        state.step(backward(batch.network, state.parameters, outputs, batch.targets[turn]))


def ended_before(batch: Batch, iteration: int) -> tuple[str | None, int]:
    """How training has ended, in words, when the iteration would begin (None: not yet), and after how many epochs."""
    result = train(replace(batch, max_epochs=min(iteration, batch.max_epochs)))
    epochs = int(result.epochs[0])
    return f"{STATUSES[result.status[0]]} after {epochs} epochs" if epochs < iteration else None, epochs


def net_inputs(network: Network, parameters: Array, outputs: list[Array]) -> list[Array]:
    """The net inputs (U,) of each layer: what `forward` gives for the layer alone, with the identity as activation."""
    nets = []
    for layer, (weights, bias) in enumerate(zip(*network.split(parameters), strict=True)):
        alone = Network(network.units[layer : layer + 2], output_activation="identity", bias=network.bias)
        own = np.concatenate([weights.reshape(-1, 1), bias])
        nets.append(forward(alone, own, outputs[layer][:, :, 0])[1][0, :, 0])
    return nets


def deltas(network: Network, parameters: Array, outputs: list[Array], targets: Array) -> list[Array]:
    """∂E/∂net (U,) of each layer: what `backward` gives for a bias that each unit has to itself."""
    twin = replace(network, bias="per_unit", train_bias=True)
    weights = parameters[: weights_before(network, network.layers + 1)]
    gradient = backward(twin, np.concatenate([weights, np.zeros((twin.size - len(weights), 1))]), outputs, targets)
    return [delta[:, 0] for delta in twin.split(gradient)[1]]


def published(walk: Walkthrough) -> list[tuple[str, str, float]]:
    """(name, published, walked) of the numbers of the worked example."""
    numbers = {"E total": walk.total_error, "∂E/∂w5": float(walk.pattern_gradient[4]), **dict(walk.chain("w5"))}
    numbers |= {f"new w{w + 1}": float(value) for w, value in enumerate(walk.new[:8])}
    for unit in (walk.unit(layer, u) for layer in (1, 2) for u in (0, 1)):
        numbers |= {f"net {unit.name}": unit.net, f"out {unit.name}": unit.output, f"E {unit.name}": unit.error or 0.0}
    pairs = (pair.rpartition(" ") for pair in PUBLISHED.split(", "))
    return [(name, text, numbers[name]) for name, _, text in pairs]


def few(count: int, most: int, keep: int | None = None) -> list[int | None]:
    """Which of `count` things are shown: all, or if there are more than `most` the first, `keep` and the last. None: a gap."""
    if count <= most:
        return list(range(count))
    chosen = sorted({*range(most // 2), *([] if keep is None else [keep]), count - 1})
    gaps = [[None] if index > before + 1 else [] for before, index in pairwise([-1, *chosen])]
    return [shown for gap, index in zip(gaps, chosen, strict=True) for shown in (*gap, index)]


def connection(network: Network, name: str) -> str:
    """From which unit to which a weight leads; which units a bias feeds."""
    layer, units, source = place(network, name)
    below = "" if source is None else f"{unit_name(network, layer - 1, source)} "
    shown = ["…" if u is None else unit_name(network, layer, units[u]) for u in few(len(units), UNITS)]
    return f"{below}→ {', '.join(shown)}"


def unit_name(network: Network, layer: int, index: int) -> str:
    """i1, h1 or o1; h1_1 where there are several hidden layers. Layer 0 are the inputs."""
    if layer == 0:
        return f"i{index + 1}"
    if layer == network.layers:
        return f"o{index + 1}"
    return f"h{index + 1}" if network.layers == 2 else f"h{layer}_{index + 1}"


def weights_before(network: Network, layer: int) -> int:
    """The number of weights below the layer."""
    return sum(below * above for below, above in pairwise(network.units[:layer]))


def weight_name(network: Network, layer: int, index: int, source: int) -> str:
    """The weight to a unit of the layer from a unit of the layer below."""
    return f"w{weights_before(network, layer) + index * network.units[layer - 1] + source + 1}"


def bias_name(network: Network, layer: int, index: int) -> str:
    """The bias of a unit: b1, b2, … by layer if it is shared, else by unit."""
    return f"b{layer}" if network.bias == "shared" else f"b{sum(network.units[1:layer]) + index + 1}"


def position(network: Network, name: str) -> int:
    """The index of a parameter among the parameters. Raises KeyError if none has that name."""
    match = re.fullmatch(r"([wb])([1-9][0-9]{0,11})", name)
    weights = weights_before(network, network.layers + 1)
    if not match or int(match[2]) > (weights if match[1] == "w" else network.size - weights):
        raise KeyError(name)
    return int(match[2]) - 1 + (0 if match[1] == "w" else weights)


def place(network: Network, name: str) -> tuple[int, range, int | None]:
    """(layer, units, input) of a parameter: the units that it feeds, and its input, None if it is a bias."""
    start = position(network, name)
    sizes = [0, *accumulate(map(prod, network.shapes))]
    number = bisect_right(sizes, start) - 1  # of the array that holds it
    layer, source, start = number % network.layers + 1, None, start - sizes[number]
    if number < network.layers:
        start, source = divmod(start, network.units[number])
    elif network.bias == "shared":
        return layer, range(network.units[layer]), None
    return layer, range(start, start + 1), source
