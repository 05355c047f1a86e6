"""Eigenvalues and eigenvectors of symmetric matrices by Jacobi's method: + − × ÷ √ in one order, so the same bits anywhere."""

import numpy as np

from pipeline.backprop.arithmetic import Array

SWEEPS = 30  # at most; a matrix of 100 rows needs about ten
ROUNDING = 1e-30  # of the squares beside the diagonal ÷ those on it, at which a matrix is diagonal


def eigen(matrices: Array) -> tuple[Array, Array]:
    """Eigenvalues (N, R) in ascending order and eigenvectors (N, N, R), one a column, of symmetric matrices (N, N, R).

    Cyclic Jacobi rotations by rows: Golub & Van Loan, *Matrix Computations*, 4th edition, algorithm 8.5.3, with the smaller
    angle. A matrix that has become diagonal is left alone, so that its bits do not depend on the others. NaN and infinity
    give NaN.
    """
    size, runs = matrices.shape[0], matrices.shape[-1]
    values, vectors = np.full((size, runs), np.nan), np.full(matrices.shape, np.nan)
    at_work = np.flatnonzero(np.isfinite(matrices).all(axis=(0, 1)))
    a = matrices[..., at_work].copy()
    v = np.zeros(a.shape)
    v[np.arange(size), np.arange(size)] = 1.0
    for sweep in range(SWEEPS + 1):
        over = is_diagonal(a) if sweep < SWEEPS else np.ones(len(at_work), bool)
        values[:, at_work[over]] = a[np.arange(size), np.arange(size)][:, over]
        vectors[..., at_work[over]] = v[..., over]
        if over.all():
            break
        if over.any():
            at_work, a, v = at_work[~over], a[..., ~over], v[..., ~over]
        for p in range(size - 1):
            for q in range(p + 1, size):
                rotate(a, v, p, q)
    order = np.argsort(values, axis=0, kind="stable")
    return np.take_along_axis(values, order, 0), np.take_along_axis(vectors, order[None], 1)


def is_diagonal(a: Array) -> np.ndarray:
    """Whether what is beside the diagonal has vanished, (R,): its squares, added by rows, beside those of the diagonal."""
    on, beside = np.zeros(a.shape[-1]), np.zeros(a.shape[-1])
    for i in range(len(a)):
        on += a[i, i] * a[i, i]
        for j in range(i + 1, len(a)):
            beside += a[i, j] * a[i, j]
    return beside <= ROUNDING * on


def rotate(a: Array, v: Array, p: int, q: int) -> None:
    """Turns rows and columns p and q of a so that a[p, q] vanishes, and the columns of v with them."""
    difference, twice = a[q, q] - a[p, p], 2.0 * a[p, q]
    with np.errstate(all="ignore"):
        theta = difference / twice
        tangent = 1.0 / (np.abs(theta) + np.sqrt(theta * theta + 1.0))
    tangent = np.where(twice == 0.0, 0.0, np.where(theta < 0.0, -tangent, tangent))
    cosine = 1.0 / np.sqrt(tangent * tangent + 1.0)
    sine = tangent * cosine
    shift = tangent * a[p, q]
    row_p, row_q = a[p].copy(), a[q].copy()
    new_p, new_q = cosine * row_p - sine * row_q, sine * row_p + cosine * row_q
    diagonal_p, diagonal_q = row_p[p] - shift, row_q[q] + shift
    new_p[p], new_q[q], new_p[q], new_q[p] = diagonal_p, diagonal_q, 0.0, 0.0
    a[p], a[q], a[:, p], a[:, q] = new_p, new_q, new_p, new_q
    old_p, old_q = v[:, p].copy(), v[:, q].copy()
    v[:, p], v[:, q] = cosine * old_p - sine * old_q, sine * old_p + cosine * old_q
