"""What a vector has along eigenvectors of symmetric matrices: + − × ÷ √ in one order, so the same bits anywhere."""

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.matrices.eigenvalues import NOTHING, of_tridiagonal, scaled
from pipeline.backprop.causes.matrices.tridiagonal import reduced

NEGATIVE = 1e-12  # of the largest eigenvalue: one that is below −that is negative


def downward(matrices: Array, vector: Array) -> tuple[Array, Array]:
    """Eigenvalues (N, R), in no order, of symmetric matrices (N, N, R); shares (N, R) of a vector (N, R) along eigenvectors.

    Shares are of the vector's square; along eigenvectors whose eigenvalues are not negative they are left out: 0. All of a run
    are NaN where something of it is not finite.
    """
    size, runs = vector.shape
    values, shares = np.full((2, size, runs), np.nan)
    a, finite, exponent = scaled(matrices)
    own = np.ldexp(vector[:, finite], -np.frexp(np.abs(vector[:, finite]).max(axis=0))[1])
    bordered = np.zeros((size + 1, size + 1, len(finite)))
    bordered[1:, 1:], bordered[1:, 0] = a, own * (np.abs(own) > NOTHING)
    diagonal, beside = reduced(bordered)  # the vector is turned into the first axis
    found = of_tridiagonal(diagonal[1:], beside[1:])
    found[:, ~np.isfinite(own).all(axis=0)] = np.nan
    values[:, finite] = np.ldexp(found, exponent)
    which, run = np.nonzero(found < -NEGATIVE * np.abs(found).max(axis=0))
    parts = np.where(np.isnan(found), np.nan, 0.0)
    parts[which, run] = first_component(diagonal[1:, run], beside[1:, run], found[which, run])
    shares[:, finite] = parts
    return values, shares


def first_component(diagonal: Array, beside: Array, value: Array) -> Array:
    """The square of the first component of the eigenvector of length 1 for an eigenvalue (R,) of each tridiagonal matrix.

    By twisted factorisation: Fernando, "On computing an eigenvector of a tridiagonal matrix", SIAM J. Matrix Anal. Appl. 18
    (1997). Of equal eigenvalues all have the same vector.
    """
    size = len(diagonal)
    shifted = diagonal - value
    down, up = shifted + NOTHING, shifted + NOTHING  # no 0: pivots from above and from below
    squares = beside * beside
    for i in range(size - 1):
        down[i + 1] -= squares[i] / down[i]
        down[i + 1] += NOTHING
    for i in range(size - 1, 0, -1):
        up[i - 1] -= squares[i - 1] / up[i]
        up[i - 1] += NOTHING
    twist = np.abs(down + up - shifted).argmin(axis=0)
    by_down, by_up = beside / down[:-1], beside / up[1:]
    component = np.ones(len(value))
    length = np.ones(len(value))
    for i in range(size - 1, 0, -1):  # from the twist up to the first
        component *= np.where(twist >= i, by_down[i - 1], 1.0)
        length += np.where(twist >= i, component * component, 0.0)
    first = component
    component = np.ones(len(value))
    for i in range(size - 1):
        component *= np.where(twist <= i, by_up[i], 1.0)
        length += np.where(twist <= i, component * component, 0.0)
    return first * first / length
