"""What a layer does in an epoch, for a block of patterns: forward, gradient, the delta of the layer below.

Memory: `outputs` and `deltas` of a layer of U units are rows u · stride + p, one for each unit and pattern of the
block; `weights` and their `gradient` are rows u · V + v. Every sum is one accumulator whose terms are added in index
order. What is free is how many sums are under way at once: tiles of `tile.units` × `tile.patterns` accumulators stay in
registers, and a number once loaded is used for a whole row or column of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipeline.backprop.engines.compiled.activations import EMITTERS
from pipeline.backprop.engines.compiled.vectors import Code, Count, Index, Numbers, Rows, Vector

NEAR = 128 * 1024  # bytes: a layer's outputs that are still near, in the second-level cache, when all its units have theirs


@dataclass(frozen=True, slots=True)
class Tile:
    """How many sums are under way at once, by two directions."""

    units: int
    patterns: int


@dataclass(frozen=True, slots=True)
class Chains:
    """How many activations are under way at once, and how many instructions each is `behind` the one before.

    One alone is a chain in which each instruction waits for the last; the others fill the time.
    """

    fewest: int
    most: int
    behind: int

    def of(self, count: int) -> int:
        """How many of `count`: the most by which all can be divided, as a remainder needs code of its own."""
        return next((size for size in range(self.most, self.fewest, -1) if count % size == 0), self.fewest)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of weights, `units` × `inputs`, with this number of `biases`; the `first` reads the patterns."""

    units: int
    inputs: int
    activation: str
    biases: int
    train_bias: bool
    first: bool
    stride: int  # rows from one unit to the next in a block's outputs


def tiles(code: Code, count: Count, size: int, body: Callable[[Count, int], Any]) -> None:
    """body(start, width) for all of `count` in widths of `size`, as evenly as possible if the count is known."""
    if isinstance(count, int):
        pieces = -(-count // size)
        small, larger = divmod(count, pieces)
        for start, width, times in ((0, small + 1, larger), (larger * (small + 1), small, pieces - larger)):
            turn_by_width(code, times, start, width, body)
        return
    whole = count // size
    code.each(whole, lambda t: body(t * size, size))
    if size > 1:
        code.each(count - whole * size, lambda t: body(whole * size + t, 1))


def turn_by_width(code: Code, times: int, start: int, width: int, body: Callable[[Count, int], Any]) -> None:
    """body(start, width), body(start + width, width), …: `times` calls; a loop in the emitted code if more than one."""
    if times == 1:
        body(start, width)
    elif times > 1:
        code.each(Index(code, code.integer(times)), lambda t: body(t * width + start, width))


@dataclass(frozen=True, slots=True)
class Below:
    """The outputs of the layer below: rows of a block, or the patterns themselves."""

    memory: Rows | Numbers
    layer: Layer

    def __call__(self, unit: Count, pattern: Count) -> Vector:
        """The output of a unit for a pattern of the block."""
        if self.layer.first:
            return self.memory[pattern * self.layer.inputs + unit]
        return self.memory[unit * self.layer.stride + pattern]


def forward(
    code: Code,
    layer: Layer,
    tile: Tile,
    chains: Chains,
    weights: Rows,
    biases: Rows,
    below: Below,
    outputs: Rows,
    patterns: Count,
) -> None:
    """Into `outputs`: bias + Σ weight × below, the sum over the units below; then the activation of that."""

    def units(u: Count, m: int) -> None:
        def some_patterns(p: Count, n: int) -> None:
            def add(v: Count, net: list[Vector]) -> list[Vector]:
                w = [weights[(u + a) * layer.inputs + v] for a in range(m)]
                return add_products(net, w, (below(v, p + b) for b in range(n)))

            net = [bias(code, layer, biases, u + a) for a in range(m) for _ in range(n)]
            net = code.loop(layer.inputs, add, net)
            for a in range(m):
                for b in range(n):
                    outputs[(u + a) * layer.stride + (p + b)] = net[a * n + b]

        tiles(code, patterns, tile.patterns, some_patterns)
        if not at_the_end:
            activate(code, layer, outputs.start(u * layer.stride), m * layer.stride, chains)

    rows = layer.units * layer.stride
    at_the_end = rows * code.lanes * 8 <= NEAR
    tiles(code, layer.units, tile.units, units)
    if at_the_end:
        activate(code, layer, outputs, rows, chains)


def add_products(sums: list[Vector], factors: list[Vector], others: Iterator[Vector]) -> list[Vector]:
    """sums[a, b] + factors[a] × others[b]; each of the others is loaded when its turn comes, which needs fewer registers."""
    sums, columns = list(sums), len(sums) // len(factors)
    for b, other in enumerate(others):
        for a, factor in enumerate(factors):
            sums[a * columns + b] = sums[a * columns + b] + factor * other
    return sums


def activate(code: Code, layer: Layer, outputs: Rows, count: int, chains: Chains) -> None:
    """The activation of the first `count` rows, some at once; also of what stands between the units' outputs."""
    function = EMITTERS[layer.activation].function

    def some_rows(start: Count, n: int) -> None:
        def one(row: Count) -> None:
            outputs[row] = function(outputs[row])

        code.staggered([partial(one, start + place) for place in range(n)], chains.behind)

    if layer.activation != "identity":
        tiles(code, count, chains.of(count), some_rows)


def bias(code: Code, layer: Layer, biases: Rows, unit: Count) -> Vector:
    """The bias of a unit: its own, the layer's, or none."""
    if layer.biases == 0:
        return code.number(0.0)
    return biases[0 if layer.biases == 1 else unit]


def output_delta(
    code: Code, layer: Layer, outputs: Rows, targets: Numbers, deltas: Rows, patterns: Count, sums: list[Vector]
) -> list[Vector]:
    """∂E/∂(net input) of the last layer, into `deltas`; gives the sums (error, worst output), continued."""

    def pattern(p: Count, sums: list[Vector]) -> list[Vector]:
        def unit(k: Count, sums: list[Vector]) -> list[Vector]:
            y = outputs[k * layer.stride + p]
            difference = y - targets[p * layer.units + k]
            deltas[k * layer.stride + p] = EMITTERS[layer.activation].times_slope(difference, y)
            return add_error(sums, difference)

        return code.loop(layer.units, unit, sums)

    return code.loop(patterns, pattern, sums)


def add_error(sums: list[Vector], difference: Vector) -> list[Vector]:
    """(error + ½ difference², the larger of the worst and |difference|). NaN makes the error NaN, which is enough."""
    error, worst = sums
    size = abs(difference)
    return [error + 0.5 * (difference * difference), (worst < size).where(size, worst)]


def delta_below(
    code: Code, layer: Layer, tile: Tile, weights: Rows, deltas: Rows, below: Rows, activation: str, into: Rows, patterns: Count
) -> None:
    """∂E/∂(net input) of the units below: Σ delta × weight over this layer's units, × the derivative."""

    def units_below(v: Count, m: int) -> None:
        def some_patterns(p: Count, n: int) -> None:
            def add(u: Count, total: list[Vector]) -> list[Vector]:
                w = [weights[u * layer.inputs + (v + a)] for a in range(m)]
                return add_products(total, w, (deltas[u * layer.stride + (p + b)] for b in range(n)))

            total = code.loop(layer.units, add, [code.number(0.0)] * (m * n))
            for a in range(m):
                for b in range(n):
                    row = (v + a) * layer.stride + (p + b)
                    into[row] = EMITTERS[activation].times_slope(total[a * n + b], below[row])

        tiles(code, patterns, tile.patterns, some_patterns)

    tiles(code, layer.inputs, tile.units, units_below)


def gradient(
    code: Code, tile: Tile, deltas: Rows, below: Below, by_weight: Rows, by_bias: Rows, patterns: Count, started: Any
) -> None:
    """Adds this block's patterns to ∂E/∂weight and ∂E/∂bias: Σ delta × below; from 0 if it has not `started`."""
    layer = below.layer

    def so_far(memory: Rows, rows: list[Count]) -> list[Vector]:
        zeros = [code.number(0.0)] * len(rows)
        if started is None:
            return zeros
        with code.when(started, zeros) as result:
            result[:] = [memory[row] for row in rows]
        return result

    def units(u: Count, m: int) -> None:
        def units_below(v: Count, n: int) -> None:
            def add(p: Count, total: list[Vector]) -> list[Vector]:
                d = [deltas[(u + a) * layer.stride + p] for a in range(m)]
                return add_products(total, d, (below(v + b, p) for b in range(n)))

            rows = [(u + a) * layer.inputs + (v + b) for a in range(m) for b in range(n)]
            total = code.loop(patterns, add, so_far(by_weight, rows))
            for row, vector in zip(rows, total, strict=True):
                by_weight[row] = vector

        tiles(code, layer.inputs, tile.patterns, units_below)

    def bias_of_units(u: Count, m: int) -> None:
        rows = [u + a for a in range(m)]
        total = code.loop(
            patterns, lambda p, total: [total[a] + deltas[(u + a) * layer.stride + p] for a in range(m)], so_far(by_bias, rows)
        )
        for row, vector in zip(rows, total, strict=True):
            by_bias[row] = vector

    tiles(code, layer.units, tile.units, units)
    if layer.train_bias and layer.biases == layer.units:
        tiles(code, layer.units, 2 * tile.units, bias_of_units)
    elif layer.train_bias:
        total = code.loop(
            patterns,
            lambda p, total: code.loop(layer.units, lambda u, total: [total[0] + deltas[u * layer.stride + p]], total),
            so_far(by_bias, [0]),
        )
        by_bias[0] = total[0]


def updated(
    weight: Vector, velocity: Vector | None, by_weight: Vector, rate: Vector, momentum: Vector | None
) -> tuple[Vector, Vector | None]:
    """V ← αv − η ∂E/∂w, w ← w + v. Where α is 0, nothing of the last step is left in v, be it infinite."""
    if velocity is None or momentum is None:
        return weight - rate * by_weight, None
    velocity = momentum.equals(0.0).where(0.0, velocity * momentum) - rate * by_weight
    return weight + velocity, velocity
