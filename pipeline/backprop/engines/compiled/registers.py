"""The epochs of a very small network: everything written out, the parameters in registers from epoch to epoch.

The textbook once more, for one pattern after the other, on lists of Vectors. A gradient starts from its first term
instead of from 0 plus that term: this differs in the sign of a zero at most, and as no weight is ever −0, no result
shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from llvmlite import ir

from pipeline.backprop.engines.compiled.activations import EMITTERS
from pipeline.backprop.engines.compiled.kernel import ERROR, MOMENTUM, TOLERANCE, WORST, Kernel, Memory, export, function
from pipeline.backprop.engines.compiled.layers import add_error, updated
from pipeline.backprop.engines.compiled.vectors import Code, Loop, Vector


def emit(module: ir.Module, kernel: Kernel) -> None:
    """Writes `epochs` and `advance` into the module."""
    emit_epochs(module, kernel)
    code, memory, _ = function(module, kernel, "step", 1)
    state = State.load(kernel, code, memory)
    state.advance([memory.gradient[row] for row in range(kernel.network.trained)]).store()
    code.builder.ret_void()
    export(module, code.function, "advance")


@dataclass(frozen=True, slots=True)
class State:
    """Parameters, velocities (of the trained ones, if there is momentum) and what each step needs, as Vectors."""

    kernel: Kernel
    code: Code
    memory: Memory
    parameters: list[Vector]
    velocity: list[Vector]

    @classmethod
    def load(cls, kernel: Kernel, code: Code, memory: Memory) -> State:
        """From memory."""
        parameters = [memory.parameters[row] for row in range(kernel.network.size)]
        velocity = [memory.velocity[row] for row in range(kernel.network.trained if kernel.momentum else 0)]
        return cls(kernel, code, memory, parameters, velocity)

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
            values = self.code.abreast(EMITTERS[activation].function, nets, self.kernel.abreast)
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

    def evaluate(self, with_gradient: bool) -> tuple[list[Vector], list[Vector]]:
        """(error, largest |target − output|) over all patterns, and the gradient, if it is wanted."""
        sums, gradient = [self.code.number(0.0)] * 2, dict[int, Vector]()
        for pattern, outputs in enumerate(self.forward(range(self.kernel.patterns))):
            differences = self.differences(outputs, pattern)
            for difference in differences:
                sums = add_error(sums, difference)
            if with_gradient:
                self.backward(outputs, differences, gradient)
        return sums, [gradient[row] for row in sorted(gradient)]

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

    def advance(self, gradient: list[Vector]) -> State:
        """What follows an evaluation: one step by its gradient, or one after every pattern."""
        if self.kernel.update == "batch":
            return self.step(gradient)
        state = self
        for pattern in range(self.kernel.patterns):
            outputs, single = state.forward(range(pattern, pattern + 1))[0], dict[int, Vector]()
            state.backward(outputs, state.differences(outputs, pattern), single)
            state = state.step([single[row] for row in sorted(single)])
        return state


def emit_epochs(module: ir.Module, kernel: Kernel) -> None:
    """Epoch after epoch, until a lane may have ended."""
    code, memory, (_, stop) = function(module, kernel, "train", 2, gives=True)
    before = State.load(kernel, code, memory)
    loop = Loop(code, before.carried())
    state = before.with_carried(loop.carried)
    always = kernel.update == "batch" or kernel.tolerance
    (error, worst), gradient = state.evaluate(with_gradient=always)
    memory.history[loop.turn] = error
    calm = kernel.going_on(memory.lanes, error, worst)
    if kernel.tolerance:
        flat = abs(gradient[0]) <= memory.lanes[TOLERANCE]
        for component in gradient[1:]:
            flat = flat & (abs(component) <= memory.lanes[TOLERANCE])
        calm = calm & ~flat

    def leaving() -> None:
        state.store()
        memory.lanes[ERROR], memory.lanes[WORST] = error, worst
        for row, component in enumerate(gradient if always else state.evaluate(with_gradient=True)[1]):
            memory.gradient[row] = component
        code.builder.ret(loop.turn.value)

    loop.leave(code.builder.or_((~calm).any(), loop.turn.equals(stop)), leaving)
    loop.again(loop.turn + 1, state.advance(gradient).carried())
    export(module, code.function, "epochs")
