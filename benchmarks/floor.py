"""The floor: what the activation functions alone cost, in the arithmetic that makes the same bits everywhere."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from llvmlite import ir

from pipeline.backprop.batch import Batch
from pipeline.backprop.engines.compiled.activations import EMITTERS
from pipeline.backprop.engines.compiled.machine_code import link, machine_code, new_module, processor
from pipeline.backprop.engines.compiled.schedule import cores
from pipeline.backprop.engines.compiled.vectors import INTEGER, POINTER, Code, Count, Index, Rows, Vector

ROWS = 32  # vectors in the cache, of four registers each


@cache
def _function(name: str) -> tuple[int, object]:
    """The address of `run(rows, turns)`: y = activation(y) for all rows, so many times."""
    module = new_module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, INTEGER]), "run")
    code = Code(function, 4 * processor().width)
    rows = Rows(code, function.args[0])

    def turn(_: Count, __: list[Vector]) -> Sequence[Vector]:
        def one(row: Count, _: list[Vector]) -> Sequence[Vector]:
            rows[row] = EMITTERS[name].function(rows[row])
            return ()

        code.loop(ROWS, one)
        return ()

    code.loop(Index(code, function.args[1]), turn)
    code.builder.ret_void()
    linked, addresses = link(machine_code(module), ("run",))
    return addresses[0], linked


def activations_alone(batch: Batch) -> Callable[[], object]:
    """As many sigmoids and tanhs as training the batch to max_epochs computes, on all cores."""
    lanes, threads = 4 * processor().width, cores()
    units = dict.fromkeys(batch.network.activations, 0)
    for name, width in zip(batch.network.activations, batch.network.units[1:], strict=True):
        units[name] += width
    work = batch.trainings * batch.max_epochs * len(batch.inputs)
    prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
    pool = ThreadPoolExecutor(threads)
    calls = [
        (prototype(_function(name)[0]), work * count // (threads * lanes * ROWS))
        for name, count in units.items()
        if name in ("sigmoid", "tanh")
    ]

    def share(_: int) -> None:
        numbers = np.full(ROWS * lanes + 8, 0.5)
        start = numbers.ctypes.data + -numbers.ctypes.data % 64
        for call, turns in calls:
            call(start, turns)

    return lambda: list(pool.map(share, range(threads)))
