"""Symmetric matrices made tridiagonal by Householder's reflections, for many runs at once: + − × ÷ √ in one order."""

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.ordered_sum import added

ROUNDING = 2.0**-51  # of the largest number, at which one beside the diagonal is 0


def reduced(a: Array) -> tuple[Array, Array]:
    """The diagonal (N, R) and what is beside it (N − 1, R) of a tridiagonal matrix similar to a (N, N, R), which is used up.

    The first axis is not turned. The largest numbers must be about 1. Golub & Van Loan, *Matrix Computations*, 4th edition,
    algorithm 8.3.1.
    """
    size = len(a)
    beside = np.empty((max(0, size - 1), a.shape[2]))
    for k in range(size - 1):
        v, rest = a[k + 1 :, k], a[k + 1 :, k + 1 :]
        tail = added(v[1:] * v[1:])
        turned = tail > ROUNDING * ROUNDING
        if not turned.any():
            beside[k] = v[0]
            continue
        norm = np.copysign(np.sqrt(v[0] * v[0] + tail), v[0] + 0.0)  # the sign of 0 is no matter
        beside[k] = np.where(turned, -norm, v[0])
        v[0] += norm
        beta = np.where(turned, 2.0, 0.0) / np.where(turned, v[0] * v[0] + tail, 1.0)
        p = added(rest * v[:, None])
        p *= beta
        p -= v * (0.5 * beta * added(v * p))
        product = v[:, None] * p
        rest -= product
        rest -= product.swapaxes(0, 1)
    return a[np.arange(size), np.arange(size)], beside
