"""What a vector has along eigenvectors: the steps of `matrices/eigenvectors.py`, in the same order."""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from pipeline.backprop.causes.compiled.eigenvalues import largest_of
from pipeline.backprop.causes.compiled.elementary import is_nan
from pipeline.backprop.causes.compiled.routine import Lowest, Routine
from pipeline.backprop.causes.matrices.eigenvalues import NOTHING
from pipeline.backprop.causes.matrices.eigenvectors import NEGATIVE
from pipeline.backprop.engines.compiled.vectors import Count, Rows, Vector


def emit(module: ir.Module, lanes: int) -> Routine:
    """`shares(diagonal, beside, values, shares, down, up, size)`: of the first axis along eigenvectors, into `shares`.

    `down` and `up` are room for `size` rows.
    """
    code = Routine(module, "shares_along", lanes, pointers=6, integers=1)
    diagonal, beside, values, shares, down, up = code.inner()
    [size] = code.integers
    bound = largest_of(code, values, size) * -NEGATIVE
    with code.turns(size) as which:
        value = values[which]
        negative = value < bound
        shares[which] = is_nan(value).where(np.nan, 0.0)
        with code.when(negative.any()):
            share = first_component(code, diagonal, beside, value, down, up, size)
            shares[which] = negative.where(share, shares[which])
    code.builder.ret_void()
    return code


def first_component(code: Routine, diagonal: Rows, beside: Rows, value: Vector, down: Rows, up: Rows, size: Count) -> Vector:
    """The square of the first component of the eigenvector of length 1 for an eigenvalue of each lane."""
    last = code.index(size) - 1

    def shifted(i: Count) -> Vector:
        return diagonal[i] - value

    down[0], up[last] = shifted(0) + NOTHING, shifted(last) + NOTHING
    with code.turns(last) as i:
        down[i + 1] = ((shifted(i + 1) + NOTHING) - beside[i] * beside[i] / down[i]) + NOTHING
    with code.turns(last) as turn:
        i = last - 1 - turn
        up[i] = ((shifted(i) + NOTHING) - beside[i] * beside[i] / up[i + 1]) + NOTHING

    def pivot(i: Count) -> Vector:
        return abs(down[i] + up[i] - shifted(i))

    found = Lowest(code, pivot(0), 0.0)
    with code.turns(size, 1) as i:
        found.see(pivot(i), code.everywhere_index(i))
    twist = found.mark
    component, length = code.variable(1.0), code.variable(1.0)
    with code.turns(last) as turn:  # from the twist up to the first
        i = last - 1 - turn
        within = code.everywhere_index(i) < twist
        component.value *= within.where(beside[i] / down[i], 1.0)
        length.value += within.where(component.value * component.value, 0.0)
    first, component = component.value, code.variable(1.0)
    with code.turns(last) as i:
        within = twist <= code.everywhere_index(i)
        component.value *= within.where(beside[i] / up[i + 1], 1.0)
        length.value += within.where(component.value * component.value, 0.0)
    return first * first / length.value
