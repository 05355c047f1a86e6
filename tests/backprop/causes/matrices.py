"""Symmetric matrices of all kinds."""

import numpy as np

SIZES = [1, 2, 3, 9, 30]


def symmetric(values, random):
    """A matrix with these eigenvalues."""
    axes, _ = np.linalg.qr(random.normal(size=(len(values), len(values))))
    matrix = (axes * values) @ axes.T
    return 0.5 * (matrix + matrix.T)


def matrices(size):
    """Matrices of all kinds, (N, N, R)."""
    random = np.random.default_rng(size)
    rows = np.arange(size)
    graded = 10.0 ** -(rows[:, None] + rows) * symmetric(random.normal(size=size), random)
    several = [
        symmetric(random.normal(size=size), random),
        symmetric(random.normal(size=size), random),
        graded,
        graded[::-1, ::-1],
        symmetric(10.0**-rows, random),
        symmetric(np.where(rows % 2, 3.0, -2.0), random),  # repeated
        symmetric(np.where(rows, 1e-13, -1.0), random),
        np.zeros((size, size)),
        np.ones((size, size)),
        np.eye(size),
        np.eye(size)[::-1],
        np.diag(random.normal(size=size)),
        np.diag(-1.0 - rows),
        np.diag(np.ones(size - 1), 1) + np.diag(np.ones(size - 1), -1) + np.diag(abs(rows - size // 2)),  # Wilkinson's
        1e200 * symmetric(random.normal(size=size), random),
        1e-200 * symmetric(random.normal(size=size), random),
        1e-320 * np.ones((size, size)),
        symmetric(np.where(rows == 0, -1.0, 0.0), random),
    ]
    return np.stack(several, axis=-1)
