"""The limit: a training's activation functions alone, and its multiplications and additions at this machine's peak rate.

Both with the arithmetic that makes the same bits everywhere: plain multiplications and additions, not fused. What a
training cannot do without besides (loads, stores, comparisons) is not in the limit.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
from llvmlite import ir

from benchmarks.timing import alternate
from pipeline.backprop.batch import Batch
from pipeline.backprop.engines.compiled.activations import EMITTERS
from pipeline.backprop.engines.compiled.machine_code import link, machine_code, new_module, processor
from pipeline.backprop.engines.compiled.schedule import cores
from pipeline.backprop.engines.compiled.vectors import INTEGER, POINTER, Code, Count, Index, Rows, Vector
from pipeline.backprop.network import Network

REGISTERS = 120  # how many registers' numbers the activations are taken of: in the first-level cache
CHAINS = (
    (8, 3),
    (10, 2),
    (12, 2),
    (15, 2),
)  # (activations at once, instructions between two), of which the fastest is the floor
REPEATED = 8  # how often a turn of the arithmetic takes each of its registers
# (multiplications, additions) of one unit's error × slope
SLOPE = {"sigmoid": (2, 1), "tanh": (2, 1), "relu": (0, 0), "identity": (0, 0)}


@cache
def _activation(name: str) -> tuple[Callable[[int, int], None], int]:
    """`run(rows, turns)`: y = activation(y) for all rows, so many times, as fast as it goes; how many numbers there are."""
    numbers = REGISTERS * processor().width
    memory = np.full(numbers + 8, 0.5)
    start = memory.ctypes.data + -memory.ctypes.data % 64
    runs = [_activation_staggered(name, *chains) for chains in CHAINS]
    seconds = alternate({str(place): partial(run, start, 2000) for place, run in enumerate(runs)})
    return min(enumerate(runs), key=lambda run: min(seconds[str(run[0])]))[1], numbers


def _activation_staggered(name: str, count: int, behind: int) -> Callable[[int, int], None]:
    module = new_module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, INTEGER]), "run")
    code = Code(function, processor().width)
    rows = Rows(code, function.args[0])

    def one(row: Count) -> None:
        rows[row] = EMITTERS[name].function(rows[row])

    def turn(_: Count, __: list[Vector]) -> Sequence[Vector]:
        def some(group: Count) -> None:
            code.staggered([partial(one, group * count + place) for place in range(count)], behind)

        code.each(Index(code, code.integer(REGISTERS // count)), some)
        return ()

    code.loop(Index(code, function.args[1]), turn)
    code.builder.ret_void()
    return _callable(module)


@cache
def _arithmetic() -> tuple[Callable[[int, int], None], int]:
    """`run(rows, turns)`: multiplications and as many additions, independent, in registers; how many of each in a turn."""
    module = new_module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, INTEGER]), "run")
    code = Code(function, processor().width)
    rows = Rows(code, function.args[0])
    half = (processor().registers - 4) // 2
    one, registers = rows[0], [rows[place + 1] for place in range(2 * half)]

    def turn(_: Count, vectors: list[Vector]) -> Sequence[Vector]:
        for _ in range(REPEATED):
            products = [vector * one for vector in vectors[:half]]
            vectors = [*products, *(vector + one for vector in vectors[half:])]
        return vectors

    for place, vector in enumerate(code.loop(Index(code, function.args[1]), turn, registers)):
        rows[place + 1] = vector
    code.builder.ret_void()
    return _callable(module), REPEATED * half * code.lanes


def _callable(module: ir.Module) -> Callable[[int, int], None]:
    """The function `run(rows, turns)` of a module."""
    owner, [address] = link(machine_code(module), ("run",))
    function: Any = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(address)
    function.owner = owner
    return function


def operations(network: Network, patterns: int, momentum: bool) -> tuple[int, int]:
    """(multiplications, additions) of one epoch of one run, without those within the activation functions."""
    products = sums = 0
    for layer, (below, units) in enumerate(pairwise(network.units)):
        matrices = 3 if layer else 2  # net inputs, gradient, and the deltas of the layer below
        by_slope = SLOPE[network.activations[layer]]
        products += matrices * below * units + by_slope[0] * units
        sums += matrices * below * units + by_slope[1] * units
        if network.train_bias:
            sums += units
    outputs = network.units[-1]
    products, sums = patterns * (products + 2 * outputs), patterns * (sums + 2 * outputs)
    steps = 2 if momentum else 1
    return products + steps * network.trained, sums + steps * network.trained


def on_all_cores(calls: Sequence[tuple[Callable[[int, int], None], int]], numbers: int) -> Callable[[], object]:
    """Calls each `run(rows, turns)` with its turns, at the same time on every core; `numbers` is how many they need."""
    pool = ThreadPoolExecutor(cores())

    def share(_: int) -> None:
        memory = np.full(numbers + 8, 0.5)
        start = memory.ctypes.data + -memory.ctypes.data % 64
        for call, turns in calls:
            call(start, turns)

    return lambda: list(pool.map(share, range(cores())))


def activations_alone(batch: Batch) -> Callable[[], object]:
    """As many sigmoids and tanhs as training the batch to max_epochs computes, on all cores."""
    units = dict.fromkeys(batch.network.activations, 0)
    for name, width in zip(batch.network.activations, batch.network.units[1:], strict=True):
        units[name] += width
    work = batch.trainings * batch.max_epochs * len(batch.inputs)
    calls, numbers = [], 0
    for name, count in units.items():
        if name in ("sigmoid", "tanh"):
            call, numbers = _activation(name)
            calls.append((call, work * count // (cores() * numbers)))
    return on_all_cores(calls, numbers)


def arithmetic_alone(batch: Batch) -> Callable[[], object]:
    """As many multiplications and additions as training the batch to max_epochs takes besides, on all cores."""
    call, of_each = _arithmetic()
    needed = max(operations(batch.network, len(batch.inputs), bool(batch.momentum.any())))
    turns = batch.trainings * batch.max_epochs * needed // (cores() * of_each)
    return on_all_cores([(call, turns)], (processor().registers + 1) * processor().width)
