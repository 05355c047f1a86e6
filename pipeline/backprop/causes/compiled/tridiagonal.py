"""Symmetric matrices made tridiagonal: the steps of `matrices/tridiagonal.py`, in the same order."""

from __future__ import annotations

from llvmlite import ir

from pipeline.backprop.causes.compiled.elementary import copysign, sqrt
from pipeline.backprop.causes.compiled.routine import Routine
from pipeline.backprop.causes.matrices.tridiagonal import ROUNDING


def emit(module: ir.Module, lanes: int) -> Routine:
    """`reduced(a, diagonal, beside, v, p, size)`: v and p are room for a row each; a is used up.

    Element (i, j) of a matrix is row i · size + j.
    """
    code = Routine(module, "reduced", lanes, pointers=5, integers=1)
    a, diagonal, beside, v, p = code.inner()
    [size] = code.integers
    with code.turns(size - 1) as k:
        first = k + 1
        head, tail = a[first * size + k], code.variable(0.0)
        with code.turns(size, first + 1) as i:
            v[i] = a[i * size + k]
            tail.value += v[i] * v[i]
        turned = tail.value > ROUNDING * ROUNDING
        beside[k] = head
        with code.when(turned.any()):
            norm = copysign(sqrt(head * head + tail.value), head + 0.0)
            beside[k] = turned.where(norm * -1.0, head)
            v[first] = head = head + norm
            beta = turned.where(2.0, 0.0) / turned.where(head * head + tail.value, 1.0)
            along = code.variable(0.0)
            with code.turns(size, first) as j:
                total = code.variable(0.0)
                with code.turns(size, first) as i:
                    total.value += a[i * size + j] * v[i]
                p[j] = total.value * beta
                along.value += v[j] * p[j]
            factor = beta * 0.5 * along.value
            with code.turns(size, first) as j:
                p[j] = p[j] - v[j] * factor
            with code.turns(size, first) as i, code.turns(size, first) as j:
                a[i * size + j] = (a[i * size + j] - v[i] * p[j]) - v[j] * p[i]
    with code.turns(size) as i:
        diagonal[i] = a[i * size + i]
    code.builder.ret_void()
    return code
