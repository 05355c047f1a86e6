"""Compiled code that finds the endings and the shapes of the curves of runs, and how it is called."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from llvmlite import ir

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.compiled import eigenvalues, eigenvectors, tridiagonal
from pipeline.backprop.causes.compiled.curve_shape import Curves, shape
from pipeline.backprop.causes.compiled.ending import (
    EndingByMatrices,
    EndingByProduct,
    EndingCode,
    Matrices,
    Runs,
    rows_of_matrices,
    scratch_rows,
)
from pipeline.backprop.causes.compiled.routine import Columns, Routine
from pipeline.backprop.causes.compiled.slopes import SLOPES
from pipeline.backprop.causes.curve_shape import CurveShape, Parts
from pipeline.backprop.causes.ending import Ending
from pipeline.backprop.causes.limits import has_curvature, is_small
from pipeline.backprop.engines.compiled.machine_code import compiled, processor
from pipeline.backprop.engines.compiled.vectors import Numbers, Rows
from pipeline.backprop.network import Network

OF_ENDING, OF_CURVE = ([field.name for field in fields(part)] for part in (Ending, CurveShape))
ALIGNMENT = 64  # bytes
NARROW = 30  # trained parameters: with more, matrices of a wider vector do not fit the cache


@dataclass(frozen=True, slots=True)
class LookCode:
    """All that shapes the code: the network, runs at once, and whether there are matrices.

    `rows` are those of the tangent kernel; 0: as many as trained parameters.

    The code is a function `look`. It takes the addresses of parameters (N, R), learning rates (L, R), momentum (R,), errors
    (K, R), what is found (a row for each of OF_ENDING and OF_CURVE, R), inputs, targets, spans, and memory to work in; R (at
    least `lanes`), the numbers of patterns and of points of a curve, and the bounds of its parts.
    """

    network: Network
    lanes: int
    has_matrices: bool
    rows: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The functions."""
        return ("look",)

    @property
    def what(self) -> str:
        """What is compiled, in words."""
        return f"the causes of {'-'.join(map(str, self.network.units))} networks"

    @property
    def scratch(self) -> dict[str, int]:
        """How many rows of memory each part takes."""
        more = rows_of_matrices(self.network, self.rows) if self.has_matrices else {"bent_step": self.network.trained}
        return scratch_rows(self.network) | more

    def emit(self, module: ir.Module) -> None:
        """Writes `look` into the module."""
        ending_code: Callable[..., EndingCode] = EndingByProduct
        if self.has_matrices:
            matrices = Matrices(*(part.emit(module, self.lanes) for part in (tridiagonal, eigenvalues, eigenvectors)))
            ending_code = partial(EndingByMatrices, rows=self.rows, matrices=matrices)
        code = Routine(module, "look", self.lanes, pointers=10, integers=8)
        *arrays, inputs, targets, spans, scratch, logarithms = code.pointers
        runs, patterns, *bounds = code.integers
        memory, first = {}, 0
        for name, count in self.scratch.items():
            memory[name] = Rows(code, scratch).start(first)
            first += count
        with code.turns((runs + (self.lanes - 1)) // self.lanes) as turn:
            start = (turn * self.lanes).at_most(runs - self.lanes)  # the last ones overlap those before
            parameters, rates, momentum, errors, found = (Columns(code, pointer, runs, start) for pointer in arrays)
            own = Runs(parameters, rates, momentum, Numbers(code, inputs), Numbers(code, targets), patterns)
            ending = ending_code(code, self.network, own, memory, self.scratch).ending()
            curves = Curves(errors, Numbers(code, spans), *bounds)
            late = curves.points - 1 - curves.late
            of_curve = shape(code, curves, *(Rows(code, logarithms).start(late * i) for i in range(3)))
            for row, number in enumerate([ending[name] for name in OF_ENDING] + [of_curve[name] for name in OF_CURVE]):
                found[row] = number
        code.builder.ret_void()


def look_code(network: Network, patterns: int) -> LookCode | None:
    """The code for a network on this machine; None where there is none: it is large, or has activations that are not known."""
    if not has_curvature(network, patterns) or not set(network.activations) <= set(SLOPES):
        return None
    width, rows = processor().width, patterns * network.units[-1]
    if not is_small(network, patterns):
        return LookCode(network, width * 2, has_matrices=False)
    lanes = width * (2 if network.trained <= NARROW else 1)
    return LookCode(network, lanes, has_matrices=True, rows=rows if rows <= network.trained else 0)


def look(
    code: LookCode, inputs: Array, targets: Array, parts: Parts, parameters: Array, rates: Array, momentum: Array, errors: Array
) -> tuple[Ending, CurveShape]:
    """What `look_by_numpy` gives."""
    runs, lanes = len(momentum), code.lanes
    arrays = [parameters, rates, momentum[None], errors]
    if runs < lanes:  # the lanes that are left look at the first run, too
        arrays = [array[:, np.maximum(np.arange(lanes) - lanes + runs, 0)] for array in arrays]
    found = np.empty((len(OF_ENDING) + len(OF_CURVE), max(runs, lanes)))
    given = [np.ascontiguousarray(array, np.float64) for array in (*arrays, found, inputs, targets, parts.spans)]
    room = [aligned(rows, lanes) for rows in (sum(code.scratch.values()), 3 * len(parts.spans))]
    bounds = (parts.late.start, parts.last_half.start, parts.middle.start, parts.middle.stop, parts.end.start)
    pointers = [array.ctypes.data for array in (*given, *room)]
    integers = [found.shape[1], len(inputs), len(errors), *bounds]
    kinds = [ctypes.c_void_p] * len(pointers) + [ctypes.c_int64] * len(integers)
    ctypes.CFUNCTYPE(None, *kinds)(compiled(code).functions["look"])(*pointers, *integers)
    numbers = list(found[:, found.shape[1] - runs :])
    return Ending(*numbers[: len(OF_ENDING)]), CurveShape(*numbers[len(OF_ENDING) :])


def aligned(rows: int, lanes: int) -> Array:
    """Room for rows of a number for each lane, from a multiple of ALIGNMENT on."""
    numbers = np.empty(rows * lanes + ALIGNMENT // 8)
    return numbers[-numbers.ctypes.data % ALIGNMENT // 8 :]
