"""Eigenvalues of symmetric matrices: the steps of `matrices/eigenvalues.py`, in the same order.

There a matrix is taken out of the batch while others are worked on; here a lane's numbers stay as they are.
"""

from __future__ import annotations

from llvmlite import ir

from pipeline.backprop.causes.compiled.elementary import as_number, copysign, frexp, is_finite, ldexp, maximum, sqrt
from pipeline.backprop.causes.compiled.routine import Routine
from pipeline.backprop.causes.matrices.eigenvalues import NOTHING, STEPS, TINY
from pipeline.backprop.causes.matrices.tridiagonal import ROUNDING
from pipeline.backprop.engines.compiled.vectors import Count, Mask, Rows, Vector


def largest_of(code: Routine, rows: Rows, count: Count) -> Vector:
    """The largest absolute number of the first rows; NaN if one is."""
    largest = code.variable(0.0)
    with code.turns(count) as i:
        largest.value = maximum(largest.value, abs(rows[i]))
    return largest.value


def scaled_down(code: Routine, rows: Rows, count: Count) -> tuple[Mask, Vector]:
    """Divides numbers by a power of 2, so that the largest is from ½ to 1; which lanes are finite, and the exponents.

    What is as good as 0 becomes 0, and so does all of a lane that is not finite.
    """
    largest = largest_of(code, rows, count)
    finite = is_finite(largest)
    _, exponent = frexp(finite.where(largest, 0.0))
    with code.turns(count) as i:
        number = ldexp(rows[i], exponent * -1.0)
        rows[i] = (finite & (abs(number) > NOTHING)).where(number, 0.0)
    return finite, exponent


def emit(module: ir.Module, lanes: int) -> Routine:
    """`of_tridiagonal(diagonal, beside, values, squares, size)`: into `values`; `squares` is room for `size` rows."""
    code = Routine(module, "of_tridiagonal", lanes, pointers=4, integers=1)
    diagonal, beside, values, squares = code.inner()
    [size] = code.integers
    zero = maximum(largest_of(code, diagonal, size), largest_of(code, beside, size - 1)) * ROUNDING
    zero = zero * zero
    with code.turns(size) as i:
        values[i] = diagonal[i] + 0.0
    with code.turns(size - 1) as i:
        square = beside[i] * beside[i]
        squares[i] = square * as_number(square > zero)
    with code.turns(size - 1) as row, code.turns(STEPS, going_on=lambda: squares[row] > zero):
        step(code, values.start(row), squares.start(row), size - row, zero)
    coupled = code.variable(0.0)  # to the row below, or one further down
    with code.turns(size - 1) as turn:
        i = size - 2 - turn
        coupled.value = (beside[i] * beside[i] > zero).where(1.0, coupled.value)
        values[i + 1] = (coupled.value > 0.0).where(values[i + 1], diagonal[i + 1]) + 0.0
    values[0] = values[0] + 0.0
    code.builder.ret_void()
    return code


def step(code: Routine, d: Rows, squares: Rows, size: Count, zero: Vector) -> None:
    """A QL step with Wilkinson's shift for the first eigenvalue, in the lanes where it is not found yet."""
    at_work = squares[0] > zero

    def square(i: Count) -> Vector:
        return squares[i] * as_number(squares[i] > zero)

    root = sqrt(square(0))
    half = (d[1] - d[0]) / (root * 2.0)
    shift = d[0] - root / (half + copysign(sqrt(half * half + 1.0), half))
    last = code.index(size) - 1
    gamma = code.variable(d[last] - shift)
    p, s = code.variable(gamma.value * gamma.value + TINY), code.variable(0.0)
    with code.turns(last) as turn:
        i = last - 1 - turn
        own, old = square(i), gamma.value
        r = p.value + own
        squares[i + 1] = at_work.where(s.value * r, squares[i + 1])  # past the last at first: 0
        c = p.value / r
        s.value = own / r
        gamma.value = c * (d[i] - shift) - s.value * old
        d[i + 1] = at_work.where((d[i] - gamma.value) + old, d[i + 1])
        p.value = (gamma.value * gamma.value + TINY) / c
    squares[0] = at_work.where(s.value * p.value, squares[0])
    d[0] = at_work.where(gamma.value + shift, d[0])
