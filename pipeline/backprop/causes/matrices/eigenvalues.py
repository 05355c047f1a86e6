"""Eigenvalues of symmetric matrices, of many runs at once: + − × ÷ √ in one order, so the same bits anywhere.

A matrix is left alone as soon as it is done: its bits do not depend on the others.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.matrices.tridiagonal import ROUNDING, reduced

STEPS = 50  # for one eigenvalue, at most; two do
add, divide, multiply, subtract = np.add, np.divide, np.multiply, np.subtract

NOTHING = 1e-70  # of the largest number: as good as 0, and out of the way of subnormal numbers, which are slow
TINY = 1e-100  # added to squares, so that 0 is not divided by 0


def eigenvalues(matrices: Array) -> Array:
    """The eigenvalues (N, R), in no order, of symmetric matrices (N, N, R); NaN where one is not finite."""
    a, finite, exponent = scaled(matrices)
    values = np.full(matrices.shape[1:], np.nan)
    values[:, finite] = np.ldexp(of_tridiagonal(*reduced(a)), exponent)
    return values


def scaled(matrices: Array) -> tuple[Array, NDArray[np.intp], NDArray[np.intc]]:
    """Those that are finite, with a largest element from ½ to 1; which they are; the powers of 2 that they are divided by."""
    largest = np.abs(matrices).max(axis=(0, 1))
    finite = np.flatnonzero(np.isfinite(largest))
    exponent = np.frexp(largest[finite])[1]
    a = np.ldexp(matrices if len(finite) == len(largest) else matrices[..., finite], -exponent)
    a *= np.abs(a) > NOTHING
    return a, finite, exponent


def of_tridiagonal(diagonal: Array, beside: Array) -> Array:
    """The eigenvalues (N, R), in no order, of tridiagonal matrices: the diagonal (N, R), what is beside it (N − 1, R).

    The QL method without square roots by Pal, Walker and Kahan, as LAPACK's DSTERF has it: Parlett, *The Symmetric Eigenvalue
    Problem*, section 8.15.
    """
    size, runs = diagonal.shape
    state = np.zeros((2, size, runs))  # the diagonal, and the squares of what is beside it
    np.add(diagonal, 0.0, out=state[0])  # no −0
    squares = np.multiply(beside, beside, out=state[1, :-1])
    zero = np.maximum(np.abs(diagonal).max(axis=0), np.abs(beside).max(axis=0, initial=0.0))
    zero *= ROUNDING
    zero *= zero
    coupled = squares > zero
    squares *= coupled
    coupled = np.logical_or.accumulate(coupled[::-1])[::-1]  # to the row below, or one further down
    rows = int(coupled.any(axis=1).sum()) + 1
    for row in range(rows - 1):
        for _ in range(STEPS):
            at_work = np.flatnonzero(state[1, row] > zero)
            if not len(at_work):
                break
            if len(at_work) == runs:
                step(state[:, row:rows], zero)
            else:
                some = state[:, row:rows].take(at_work, axis=2)
                step(some, zero.take(at_work))
                state[:, row:rows, at_work] = some
    values: Array = state[0] + 0.0
    np.copyto(values[1:], diagonal[1:] + 0.0, where=~coupled)  # as if rows that others need had been left out
    return values


def step(state: Array, zero: Array) -> None:
    """A QL step with Wilkinson's shift for the first eigenvalue, of `state` (2, M, R) as above."""
    squares = state[1, :-1]
    squares *= squares > zero
    d, square = list(state[0]), list(squares)
    root = np.sqrt(square[0])
    half = (d[1] - d[0]) / (2.0 * root)
    shift = d[0] - root / (half + np.copysign(np.sqrt(half * half + 1.0), half))
    shifted = state[0] - shift
    rows, (r, c, s) = list(shifted), np.empty((3, len(zero)))
    gamma = rows[-1]
    p = gamma * gamma
    p += TINY
    for i in range(len(square) - 1, -1, -1):
        add(p, square[i], r)
        if i + 1 < len(square):
            multiply(s, r, square[i + 1])
        divide(p, r, c)
        divide(square[i], r, s)
        multiply(s, gamma, p)
        multiply(c, rows[i], r)
        old, gamma = gamma, r
        subtract(gamma, p, gamma)
        subtract(d[i], gamma, d[i + 1])
        add(d[i + 1], old, d[i + 1])
        multiply(gamma, gamma, p)
        add(p, TINY, p)
        divide(p, c, p)
        r = old
    multiply(s, p, square[0])
    add(gamma, shift, d[0])
