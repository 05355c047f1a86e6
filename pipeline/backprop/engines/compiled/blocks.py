"""The epochs of a network of any size: parameters in memory, patterns taken in blocks that fit the cache."""

from __future__ import annotations

from dataclasses import replace

from llvmlite import ir

from pipeline.backprop.engines.compiled import layers
from pipeline.backprop.engines.compiled.kernel import ERROR, MOMENTUM, TOLERANCE, WORST, Kernel, Memory, export, function
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
        # The outputs for one pattern lie side by side.
        self.layers = kernel.layers if count != 1 else [replace(layer, stride=1) for layer in kernel.layers]
        self.tile = kernel.tile if count != 1 else Tile(kernel.tile.units * kernel.tile.patterns, 1)
        self.forward = self._emit_forward(module, name, count)
        self.backward = self._emit_backward(module, name, count)

    def _emit_forward(self, module: ir.Module, name: str, known: int) -> ir.Function:
        """Outputs, sums of the error (added to the rows ERROR and WORST), and the deltas of the last layer."""
        kernel = self.kernel
        code, memory, (start, count, _) = function(module, kernel, f"{name}_forward", 3)
        patterns: Count = known or count
        for index, layer in enumerate(self.layers):
            weights, biases = (memory.parameters.start(rows[index]) for rows in kernel.parameter_rows)
            below, outputs = self._below(memory, index, start), memory.outputs.start(kernel.unit_rows[index])
            layers.forward(code, layer, self.tile, kernel.chains, weights, biases, below, outputs, patterns)
        last, rows = self.layers[-1], kernel.unit_rows[-2]
        outputs, targets = memory.outputs.start(rows), memory.targets.start(start * last.units)
        deltas, sums = memory.deltas.start(rows), [memory.lanes[ERROR], memory.lanes[WORST]]
        sums = layers.output_delta(code, last, outputs, targets, deltas, patterns, sums)
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
        for index, layer in reversed(list(enumerate(self.layers))):
            deltas, below = memory.deltas.start(kernel.unit_rows[index]), self._below(memory, index, start)
            by_weight, by_bias = (memory.gradient.start(rows[index]) for rows in kernel.parameter_rows)
            adding = None if known else Index(code, code.integer(0)).below(started)
            layers.gradient(code, self.tile, deltas, below, by_weight, by_bias, patterns, adding)
            if index > 0:
                weights = memory.parameters.start(kernel.parameter_rows[0][index])
                deltas = memory.deltas.start(kernel.unit_rows[index])
                outputs, into = (rows.start(kernel.unit_rows[index - 1]) for rows in (memory.outputs, memory.deltas))
                activation = self.layers[index - 1].activation
                layers.delta_below(code, layer, self.tile, weights, deltas, outputs, activation, into, patterns)
        code.builder.ret_void()
        return code.function

    def _below(self, memory: Memory, index: int, start: Count) -> Below:
        layer = self.layers[index]
        if index == 0:
            return Below(memory.inputs.start(start * layer.inputs), layer)
        return Below(memory.outputs.start(self.kernel.unit_rows[index - 1]), layer)


def call(code: Code, memory: Memory, called: ir.Function, *integers: Count) -> ir.Value:
    """Emits a call of an inner function."""
    return code.builder.call(called, [*memory.pointers, *map(code.integer, integers)])


def emit_evaluate(module: ir.Module, kernel: Kernel, passes: Passes, name: str, with_gradient: bool) -> ir.Function:
    """Error and worst output over all patterns, and the gradient if it is wanted, block by block."""
    code, memory, (patterns,) = function(module, kernel, name, 1)
    memory.lanes[ERROR] = memory.lanes[WORST] = code.number(0.0)

    def block(start: Count) -> None:
        count = (patterns - start).at_most(kernel.block)
        with code.when(code.builder.not_(memory.halted())):
            call(code, memory, passes.forward, start, count, 0)
            if with_gradient:
                call(code, memory, passes.backward, start, count, start)

    code.each(patterns, block, step=kernel.block)
    code.builder.ret_void()
    return code.function


def emit_step(module: ir.Module, kernel: Kernel) -> ir.Function:
    """One update of all trained parameters."""
    code, memory, _ = function(module, kernel, "step", 1)
    for layer, start, size in kernel.trained:
        rate = memory.rates[layer]
        momentum = memory.lanes[MOMENTUM] if kernel.momentum else None

        def update(turn: Count, start: int = start, rate: Vector = rate, momentum: Vector | None = momentum) -> None:
            row = turn + start
            velocity = memory.velocity[row] if kernel.momentum else None
            parameter, velocity = layers.updated(memory.parameters[row], velocity, memory.gradient[row], rate, momentum)
            memory.parameters[row] = parameter
            if velocity is not None:
                memory.velocity[row] = velocity

        code.each(size, update)
    code.builder.ret_void()
    return code.function


def emit_online(module: ir.Module, kernel: Kernel, passes: Passes, step: ir.Function) -> ir.Function:
    """One update after every pattern, in order."""
    code, memory, (patterns,) = function(module, kernel, "online", 1)

    def pattern(p: Count) -> None:
        with code.when(code.builder.not_(memory.halted())):
            call(code, memory, passes.forward, p, 1, 0)
            call(code, memory, passes.backward, p, 1, 0)
            call(code, memory, step, patterns)

    code.each(patterns, pattern)
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
    calm = kernel.going_on(memory.lanes, error, memory.lanes[WORST])
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
