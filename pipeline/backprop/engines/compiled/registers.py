"""The epochs of a very small network: everything written out, the parameters in registers from epoch to epoch.

The textbook once more, for one pattern after the other, on lists of Vectors. The lanes are divided into parts of one
register each: their forward passes are staggered, so that one's net inputs and another's activations are computed at
the same time; their gradients and steps follow one after the other, which needs the fewest registers.

A gradient starts from its first term instead of from 0 plus that term: this differs in the sign of a zero at most, and
as no weight is ever −0, no result shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from llvmlite import ir

from pipeline.backprop.engines.compiled.activations import EMITTERS
from pipeline.backprop.engines.compiled.kernel import ERROR, MOMENTUM, TOLERANCE, WORST, Kernel, Memory, export, function
from pipeline.backprop.engines.compiled.layers import add_error, updated
from pipeline.backprop.engines.compiled.vectors import Code, Count, Emitted, Index, Loop, Mask, Vector


def emit(module: ir.Module, kernel: Kernel) -> None:
    """Writes `epochs` and `advance` into the module."""
    emit_epochs(module, kernel)
    code, memory, _ = function(module, kernel, "step", 1)

    def advance(place: Count) -> None:
        state = State.load(kernel, memory.part(place, kernel.parts))
        gradient = [state.memory.gradient[row] for row in range(kernel.network.trained)]
        advanced([state], [gradient])[0].store()

    code.each(Index(code, code.integer(kernel.parts)), advance)  # rarely done: a loop is less to compile
    code.builder.ret_void()
    export(module, code.function, "advance")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an epoch finds: outputs[p][l], differences[p], and the sums (error, largest |target − output|)."""

    outputs: list[list[list[Vector]]]
    differences: list[list[Vector]]
    sums: list[Vector]


@dataclass(frozen=True, slots=True)
class State:
    """Of one part of the lanes: parameters, velocities (of the trained ones, if there is momentum), as Vectors."""

    kernel: Kernel
    code: Code
    memory: Memory
    parameters: list[Vector]
    velocity: list[Vector]

    @classmethod
    def of_parts(cls, kernel: Kernel, memory: Memory) -> list[State]:
        """From memory, one of each part of the lanes."""
        return [cls.load(kernel, memory.part(place, kernel.parts)) for place in range(kernel.parts)]

    @classmethod
    def load(cls, kernel: Kernel, memory: Memory) -> State:
        """From memory."""
        parameters = [memory.parameters[row] for row in range(kernel.network.size)]
        velocity = [memory.velocity[row] for row in range(kernel.network.trained if kernel.momentum else 0)]
        return cls(kernel, memory.code, memory, parameters, velocity)

    def store(self) -> None:
        """Back into memory."""
        for row in range(self.kernel.network.trained):
            self.memory.parameters[row] = self.parameters[row]
        for row, vector in enumerate(self.velocity):
            self.memory.velocity[row] = vector

    def carried(self) -> list[Vector]:
        """What a step changes."""
        return self.parameters[: self.kernel.network.trained] + self.velocity

    def with_carried(self, vectors: list[Vector]) -> State:
        """The same, but for what a step changes."""
        trained = self.kernel.network.trained
        return replace(self, parameters=vectors[:trained] + self.parameters[trained:], velocity=vectors[trained:])

    def weight(self, layer: int, unit: int, below: int) -> Vector:
        """From a unit of the layer below to one of this layer."""
        first = self.kernel.parameter_rows[0][layer]
        return self.parameters[first + unit * self.kernel.network.units[layer] + below]

    def bias_row(self, layer: int, unit: int) -> int | None:
        """Where a unit's bias stands: its own, the layer's, or nowhere."""
        first = self.kernel.parameter_rows[1][layer]
        return {"shared": first, "per_unit": first + unit, "none": None}[self.kernel.network.bias]

    def forward(self, patterns: range) -> list[list[list[Vector]]]:
        """outputs[p][l]: those of all layers for these patterns; the first are the inputs."""
        network = self.kernel.network
        outputs = [[[self.memory.inputs[p * network.units[0] + i] for i in range(network.units[0])]] for p in patterns]
        for layer, activation in enumerate(network.activations):
            units = network.units[layer + 1]
            nets = [self.net(layer, unit, each[layer]) for each in outputs for unit in range(units)]
            chains = [partial(EMITTERS[activation].function, net) for net in nets]
            values = self.code.staggered(chains, self.kernel.chains.behind)
            for place, each in enumerate(outputs):
                each.append(values[place * units : (place + 1) * units])
        return outputs

    def net(self, layer: int, unit: int, below: list[Vector]) -> Vector:
        """The net input of a unit: bias + Σ weight × below."""
        row = self.bias_row(layer, unit)
        net = self.code.number(0.0) if row is None else self.parameters[row]
        for place, output in enumerate(below):
            net = net + self.weight(layer, unit, place) * output
        return net

    def differences(self, outputs: list[list[Vector]], pattern: int) -> list[Vector]:
        """The outputs minus the targets."""
        return [y - self.memory.targets[pattern * len(outputs[-1]) + k] for k, y in enumerate(outputs[-1])]

    def backward(self, outputs: list[list[Vector]], delta: list[Vector], gradient: dict[int, Vector]) -> None:
        """Adds one pattern's part of the gradient, by parameter."""

        def add(row: int, term: Vector) -> None:
            gradient[row] = gradient[row] + term if row in gradient else term

        network = self.kernel.network
        for layer in reversed(range(network.layers)):
            activation = network.activations[layer]
            delta = [EMITTERS[activation].times_slope(*pair) for pair in zip(delta, outputs[layer + 1], strict=True)]
            first = self.kernel.parameter_rows[0][layer]
            for unit, d in enumerate(delta):
                for below, output in enumerate(outputs[layer]):
                    add(first + unit * len(outputs[layer]) + below, d * output)
                row = self.bias_row(layer, unit)
                if network.train_bias and row is not None:
                    add(row, d)
            if layer > 0:
                delta = [self._above(layer, below, delta) for below in range(len(outputs[layer]))]

    def _above(self, layer: int, below: int, delta: list[Vector]) -> Vector:
        total = delta[0] * self.weight(layer, 0, below)
        for unit, d in enumerate(delta[1:], 1):
            total = total + d * self.weight(layer, unit, below)
        return total

    def evaluate(self) -> Evaluation:
        """Forward pass and errors of all patterns."""
        patterns = range(self.kernel.patterns)
        outputs, sums = self.forward(patterns), [self.code.number(0.0)] * 2
        differences = [self.differences(outputs[pattern], pattern) for pattern in patterns]
        for of_pattern in differences:
            for difference in of_pattern:
                sums = add_error(sums, difference)
        return Evaluation(outputs, differences, sums)

    def gradient(self, found: Evaluation) -> list[Vector]:
        """The gradient over all patterns, by trained parameter."""
        gradient = dict[int, Vector]()
        for outputs, differences in zip(found.outputs, found.differences, strict=True):
            self.backward(outputs, differences, gradient)
        return [gradient[row] for row in sorted(gradient)]

    def step(self, gradient: list[Vector]) -> State:
        """One update of the trained parameters."""
        parameters, velocity = list(self.parameters), list(self.velocity)
        for layer, start, size in self.kernel.trained:
            for row in range(start, start + size):
                last = velocity[row] if velocity else None
                rate, momentum = self.memory.rates[layer], self.memory.lanes[MOMENTUM]
                parameters[row], last = updated(parameters[row], last, gradient[row], rate, momentum)
                if last is not None:
                    velocity[row] = last
        return replace(self, parameters=parameters, velocity=velocity)

    def learn(self, pattern: int, outputs: list[list[Vector]]) -> State:
        """One update by the gradient of a single pattern."""
        gradient = dict[int, Vector]()
        self.backward(outputs, self.differences(outputs, pattern), gradient)
        return self.step([gradient[row] for row in sorted(gradient)])


def together(states: list[State], emit: Callable[[State], Emitted], patterns: int) -> list[Emitted]:
    """[emit(state) for state in states], each forward pass of `patterns` begun after the activations of the one before."""
    kernel = states[0].kernel
    behind = kernel.chains.behind * patterns * max(kernel.network.units[1:])
    return states[0].code.staggered([partial(emit, state) for state in states], behind)


def advanced(states: list[State], gradients: list[list[Vector]]) -> list[State]:
    """What follows an evaluation: one step by its gradient, or one after every pattern."""
    kernel = states[0].kernel
    if kernel.update == "batch":
        return [state.step(gradient) for state, gradient in zip(states, gradients, strict=True)]
    for pattern in range(kernel.patterns):
        outputs = together(states, partial(State.forward, patterns=range(pattern, pattern + 1)), 1)
        states = [state.learn(pattern, each[0]) for state, each in zip(states, outputs, strict=True)]
    return states


def emit_epochs(module: ir.Module, kernel: Kernel) -> None:
    """Epoch after epoch, until a lane may have ended."""
    code, memory, (_, stop) = function(module, kernel, "train", 2, gives=True)
    before = State.of_parts(kernel, memory)
    loop = Loop(code, [vector for state in before for vector in state.carried()])
    count = len(before[0].carried())
    states = [state.with_carried(loop.carried[place * count :][:count]) for place, state in enumerate(before)]
    found = together(states, State.evaluate, kernel.patterns)
    # Gradients that no test needs are computed after it: so few numbers wait for it in registers.
    early = gradients_of(states, found) if kernel.tolerance else None
    ending = loop.turn.equals(stop)
    for place, state in enumerate(states):
        error, worst = found[place].sums
        state.memory.history[loop.turn] = error
        calm = kernel.going_on(state.memory.lanes, error, worst)
        if early:
            calm = calm & ~flat(state, early[place])
        ending = code.builder.or_(ending, (~calm).any())

    def leaving() -> None:
        for state, evaluation, gradient in zip(states, found, early or gradients_of(states, found), strict=True):
            state.store()
            state.memory.lanes[ERROR], state.memory.lanes[WORST] = evaluation.sums
            for row, component in enumerate(gradient):
                state.memory.gradient[row] = component
        code.builder.ret(loop.turn.value)

    loop.leave(ending, leaving)
    states = advanced(states, early or gradients_of(states, found))
    loop.again(loop.turn + 1, [vector for state in states for vector in state.carried()])
    export(module, code.function, "epochs")


def gradients_of(states: list[State], found: list[Evaluation]) -> list[list[Vector]]:
    """The gradient of each part."""
    return [state.gradient(evaluation) for state, evaluation in zip(states, found, strict=True)]


def flat(state: State, gradient: list[Vector]) -> Mask:
    """The lanes in which no component of the gradient is larger than the tolerance or NaN."""
    tolerance = state.memory.lanes[TOLERANCE]
    result = abs(gradient[0]) <= tolerance
    for component in gradient[1:]:
        result = result & (abs(component) <= tolerance)
    return result
