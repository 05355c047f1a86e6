"""The epochs of a network of any size: parameters in memory, patterns taken in blocks that fit the cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from pipeline.backprop.engines.compiled import layers
from pipeline.backprop.engines.compiled.kernel import (
    ERROR,
    MOMENTUM,
    TOLERANCE,
    WORST,
    Kernel,
    Memory,
    export,
    function,
    going_on,
)
from pipeline.backprop.engines.compiled.layers import Below, Tile
from pipeline.backprop.engines.compiled.vectors import Code, Count, Index, Loop, Vector


def emit(module: ir.Module, kernel: Kernel) -> None:
    """Writes `epochs` and `advance` into the module."""
    whole = Passes(module, kernel, "block", kernel.patterns)
    single = Passes(module, kernel, "pattern", count=1) if kernel.update == "online" else None
    step = emit_step(module, kernel)
    evaluate = emit_evaluate(module, kernel, whole, "evaluate", True)
    always = kernel.update == "batch" or kernel.tolerance
    measure = evaluate if always else emit_evaluate(module, kernel, whole, "measure", False)
    advance = step if single is None else emit_online(module, kernel, single, step)
    emit_epochs(module, kernel, measure, evaluate, advance)
    export(module, advance, "advance")


class Passes:
    """The functions `forward` and `backward` for a block of patterns: (memory, start, count, started).

    If the number of patterns is known, it is `count`, and the gradient starts from 0; else `count` is 0.
    """

    def __init__(self, module: ir.Module, kernel: Kernel, name: str, count: int) -> None:
        self.kernel = kernel
        self.tile = kernel.tile if count != 1 else Tile(kernel.tile.units * kernel.tile.patterns, 1)
        self.forward = self._emit_forward(module, name, count)
        self.backward = self._emit_backward(module, name, count)

    def _emit_forward(self, module: ir.Module, name: str, known: int) -> ir.Function:
        """Outputs, sums of the error (added to the rows ERROR and WORST), and the deltas of the last layer."""
        kernel = self.kernel
        code, memory, (start, count, _) = function(module, kernel, f"{name}_forward", 3)
        patterns: Count = known or count
        for index, layer in enumerate(kernel.layers):
            layers.forward(
                code,
                layer,
                self.tile,
                kernel.stride,
                memory.parameters.start(kernel.parameter_rows[0][index]),
                memory.parameters.start(kernel.parameter_rows[1][index]),
                self._below(memory, index, start),
                memory.outputs.start(kernel.unit_rows[index]),
                patterns,
            )
        last = kernel.layers[-1]
        rows = kernel.unit_rows[-2]
        sums = layers.output_delta(
            code,
            last,
            kernel.stride,
            memory.outputs.start(rows),
            memory.targets.start(start * last.units),
            memory.deltas.start(rows),
            patterns,
            [memory.lanes[ERROR], memory.lanes[WORST]],
        )
        memory.lanes[ERROR] = sums[0]
        if kernel.criterion == "worst_output":
            memory.lanes[WORST] = sums[1]
        code.builder.ret_void()
        return code.function

    def _emit_backward(self, module: ir.Module, name: str, known: int) -> ir.Function:
        """The gradient: added to what it is so far if `started`, else from 0."""
        kernel = self.kernel
        code, memory, (start, count, started) = function(module, kernel, f"{name}_backward", 3)
        patterns: Count = known or count
        for index, layer in reversed(list(enumerate(kernel.layers))):
            weights, biases = (rows[index] for rows in kernel.parameter_rows)
            rows = kernel.unit_rows[index]
            layers.gradient(
                code,
                layer,
                self.tile,
                kernel.stride,
                memory.deltas.start(rows),
                self._below(memory, index, start),
                memory.gradient.start(weights),
                memory.gradient.start(biases),
                patterns,
                None if known else Index(code, code.integer(0)).below(started),
            )
            if index > 0:
                below = kernel.unit_rows[index - 1]
                layers.delta_below(
                    code,
                    layer,
                    self.tile,
                    kernel.stride,
                    memory.parameters.start(weights),
                    memory.deltas.start(rows),
                    memory.outputs.start(below),
                    kernel.layers[index - 1].activation,
                    memory.deltas.start(below),
                    patterns,
                )
        code.builder.ret_void()
        return code.function

    def _below(self, memory: Memory, index: int, start: Count) -> Below:
        layer = self.kernel.layers[index]
        if index == 0:
            return Below(memory.inputs.start(start * layer.inputs), layer, self.kernel.stride)
        return Below(memory.outputs.start(self.kernel.unit_rows[index - 1]), layer, self.kernel.stride)


def call(code: Code, memory: Memory, called: ir.Function, *integers: Count) -> ir.Value:
    """Emits a call of an inner function."""
    return code.builder.call(called, [*memory.pointers, *map(code.integer, integers)])


def emit_evaluate(module: ir.Module, kernel: Kernel, passes: Passes, name: str, with_gradient: bool) -> ir.Function:
    """Error and worst output over all patterns, and the gradient if it is wanted, block by block."""
    code, memory, (patterns,) = function(module, kernel, name, 1)
    memory.lanes[ERROR] = memory.lanes[WORST] = code.number(0.0)

    def block(start: Count, _: list[Vector]) -> Sequence[Vector]:
        count = (patterns - start).at_most(kernel.block)
        with code.when(code.builder.not_(memory.halted())):
            call(code, memory, passes.forward, start, count, 0)
            if with_gradient:
                call(code, memory, passes.backward, start, count, start)
        return ()

    code.loop(patterns, block, step=kernel.block)
    code.builder.ret_void()
    return code.function


def emit_step(module: ir.Module, kernel: Kernel) -> ir.Function:
    """One update of all trained parameters."""
    code, memory, _ = function(module, kernel, "step", 1)
    for layer, start, size in kernel.trained:
        rate = memory.rates[layer]
        momentum = memory.lanes[MOMENTUM] if kernel.momentum else None

        def update(
            turn: Count, _: list[Vector], start: int = start, rate: Vector = rate, momentum: Any = momentum
        ) -> Sequence[Vector]:
            row = turn + start
            velocity = memory.velocity[row] if kernel.momentum else None
            parameter, velocity = layers.updated(memory.parameters[row], velocity, memory.gradient[row], rate, momentum)
            memory.parameters[row] = parameter
            if velocity is not None:
                memory.velocity[row] = velocity
            return ()

        code.loop(size, update)
    code.builder.ret_void()
    return code.function


def emit_online(module: ir.Module, kernel: Kernel, passes: Passes, step: ir.Function) -> ir.Function:
    """One update after every pattern, in order."""
    code, memory, (patterns,) = function(module, kernel, "online", 1)

    def pattern(p: Count, _: list[Vector]) -> Sequence[Vector]:
        with code.when(code.builder.not_(memory.halted())):
            call(code, memory, passes.forward, p, 1, 0)
            call(code, memory, passes.backward, p, 1, 0)
            call(code, memory, step, patterns)
        return ()

    code.loop(patterns, pattern)
    code.builder.ret_void()
    return code.function


def emit_steep(kernel: Kernel, code: Code, memory: Memory) -> Vector:
    """1 in the lanes of which some gradient component is larger than the tolerance or NaN, else 0."""
    tolerance = memory.lanes[TOLERANCE]

    def component(row: Count, steep: list[Vector]) -> list[Vector]:
        return [(abs(memory.gradient[row]) <= tolerance).where(steep[0], 1.0)]

    return code.loop(kernel.network.trained, component, [code.number(0.0)])[0]


def emit_epochs(module: ir.Module, kernel: Kernel, measure: ir.Function, evaluate: ir.Function, advance: ir.Function) -> None:
    """Epoch after epoch, until a lane may have ended."""
    code, memory, (patterns, stop) = function(module, kernel, "train", 2, gives=True)
    loop = Loop(code)
    call(code, memory, measure, patterns)
    error = memory.lanes[ERROR]
    memory.history[loop.turn] = error
    calm = going_on(kernel, memory, error, memory.lanes[WORST])
    if kernel.tolerance:
        calm = calm & (emit_steep(kernel, code, memory) > 0.0)

    def leaving() -> None:
        if measure is not evaluate:
            call(code, memory, evaluate, patterns)
        code.builder.ret(loop.turn.value)

    ending = code.builder.or_((~calm).any(), loop.turn.equals(stop))
    loop.leave(code.builder.or_(ending, memory.halted()), leaving)
    call(code, memory, advance, patterns)
    loop.again(loop.turn + 1)
    export(module, code.function, "epochs")
