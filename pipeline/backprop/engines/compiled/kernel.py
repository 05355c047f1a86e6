"""What shapes the compiled code, and where it finds its numbers in memory.

The code of a kernel is two functions. `epochs(memory, patterns, stop)` trains all lanes until after some evaluation
(number e, counted from 0) a lane may have ended, or e = stop. It leaves error and gradient of that evaluation in
memory, the errors of all evaluations in `history`, and gives e. The step after that evaluation is then still to be
taken, by `advance(memory, patterns)`.

`memory` is a table of addresses in the order of MEMORY. All but the last three are rows of one number a lane.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

from llvmlite import ir

from pipeline.backprop.engines.compiled.layers import Chains, Layer, Tile
from pipeline.backprop.engines.compiled.vectors import INTEGER, POINTER, Code, Count, Index, Mask, Numbers, Rows, Vector
from pipeline.backprop.network import Network

MEMORY = ("parameters", "velocity", "gradient", "rates", "lanes", "history", "outputs", "deltas", "inputs", "targets", "halt")
# The rows of `lanes`: what each lane is held to, and what it has reached.
LANES = ("momentum", "limit", "threshold", "tolerance", "error", "worst", "terms")
MOMENTUM, LIMIT, THRESHOLD, TOLERANCE, ERROR, WORST, TERMS = range(len(LANES))

SPREAD = 16  # patterns of a block, from which on it matters in which places of the cache they lie


@dataclass(frozen=True, slots=True)
class Kernel:
    """All that shapes the code of `epochs` and `advance`.

    `momentum` and `tolerance` say whether any run has one. `patterns` is their number if the code is for exactly
    that number, else 0; `block` is how many are taken at once. If `unrolled`, all is written out, for each of the `parts` of
    the lanes, and the parameters stay in registers.
    """

    network: Network
    update: str
    criterion: str
    momentum: bool
    tolerance: bool
    lanes: int
    parts: int
    patterns: int
    block: int
    unrolled: bool
    tile: Tile
    chains: Chains

    @property
    def layers(self) -> list[Layer]:
        """The layers of weights, from the first."""
        network = self.network
        biases = [prod(shape) for shape in network.shapes[network.layers :]]
        return [
            Layer(units, inputs, activation, count, network.train_bias, index == 0, self.stride)
            for index, ((inputs, units), activation, count) in enumerate(
                zip(pairwise(network.units), network.activations, biases, strict=True)
            )
        ]

    @property
    def stride(self) -> int:
        """Rows from one unit to the next in a block's outputs: of large blocks an odd number, to spread over the cache."""
        return self.block | 1 if self.block >= SPREAD else self.block

    @property
    def unit_rows(self) -> list[int]:
        """The row of the first output of each layer, and last how many rows there are in all."""
        rows = [0]
        for layer in self.layers:
            rows.append(rows[-1] + layer.units * self.stride)
        return rows

    @property
    def parameter_rows(self) -> tuple[list[int], list[int]]:
        """The rows of the first weight and of the first bias of each layer."""
        rows = [0]
        for shape in self.network.shapes:
            rows.append(rows[-1] + prod(shape))
        return rows[: self.network.layers], rows[self.network.layers : -1]

    @property
    def trained(self) -> list[tuple[int, int, int]]:
        """(layer, first parameter, number) of the trained parameters that share a learning rate."""
        sizes, start, trained = list(map(prod, self.network.shapes)), 0, []
        for index, size in enumerate(sizes):
            if start < self.network.trained and size:
                trained.append((index % self.network.layers, start, size))
            start += size
        return trained

    def going_on(self, lanes: Rows, error: Vector, worst: Vector) -> Mask:
        """The lanes whose error is within its limit and whose measure is above the threshold."""
        return (error <= lanes[LIMIT]) & (self.measure(lanes, error, worst) > lanes[THRESHOLD])

    def measure(self, lanes: Rows, error: Vector, worst: Vector) -> Vector:
        """What the criterion holds against the threshold; TERMS are patterns × outputs."""
        if self.criterion == "worst_output":
            return worst
        return error / lanes[TERMS] if self.criterion == "mean_error" else error


class Memory:
    """The parts of a kernel's memory, by name, within one emitted function."""

    def __init__(self, code: Code, pointers: list[ir.Value], rows: list[Rows] | None = None) -> None:
        self.rows = rows or [Rows(code, pointer) for pointer in pointers[:8]]
        self.parameters, self.velocity, self.gradient, self.rates, self.lanes, self.history = self.rows[:6]
        self.outputs, self.deltas = self.rows[6:]
        self.inputs, self.targets = (Numbers(code, pointer) for pointer in pointers[8:10])
        self.pointers = pointers
        self.code = code

    def part(self, place: Count, parts: int) -> Memory:
        """That of some of the lanes, when they are divided into this number of parts."""
        code = Code(self.code.function, self.code.lanes // parts, self.code.builder)
        return Memory(code, self.pointers, [rows.part(code, place) for rows in self.rows])

    def halted(self) -> ir.Value:
        """Whether training is to be given up."""
        builder = self.code.builder
        flag = builder.load_atomic(self.pointers[10], "monotonic", 8, typ=INTEGER)
        return builder.icmp_signed("!=", flag, ir.Constant(INTEGER, 0))


def function(module: ir.Module, kernel: Kernel, name: str, integers: int, gives: bool = False) -> Any:
    """A new inner function of a kernel's memory and this number of integers: (code, memory, arguments)."""
    kind = ir.FunctionType(INTEGER if gives else ir.VoidType(), [POINTER] * len(MEMORY) + [INTEGER] * integers)
    emitted = ir.Function(module, kind, name)
    emitted.linkage = "internal"
    pointers = list(emitted.args[: len(MEMORY)])
    for pointer in pointers[:-1]:
        pointer.add_attribute("noalias")
    code = Code(emitted, kernel.lanes)
    return code, Memory(code, pointers), [Index(code, value) for value in emitted.args[len(MEMORY) :]]


def export(module: ir.Module, inner: ir.Function, name: str) -> None:
    """The function by which `inner` is called from outside: with the table of its memory."""
    integers = [INTEGER] * (len(inner.args) - len(MEMORY))
    outer = ir.Function(module, ir.FunctionType(inner.ftype.return_type, [POINTER, *integers]), name)
    builder = ir.IRBuilder(outer.append_basic_block())
    pointers = [
        builder.load(builder.gep(outer.args[0], [ir.Constant(INTEGER, index)], source_etype=POINTER), typ=POINTER)
        for index in range(len(MEMORY))
    ]
    result = builder.call(inner, [*pointers, *outer.args[1:]])
    if inner.ftype.return_type == INTEGER:
        builder.ret(result)
    else:
        builder.ret_void()
