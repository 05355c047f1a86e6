"""exp, sigmoid and tanh whose every bit is the same on every machine.

NumPy's own `exp` and `tanh` choose another algorithm on another CPU (numpy issue 23523). The functions here use only
operations that IEEE-754 defines to the last bit (+ − × ÷ and integer shifts), in one fixed order.

The method is the classic one (P. T. P. Tang, ACM TOMS 15, 1989): x = n ln 2 + r with |r| ≤ ½ ln 2, then
exp x = 2ⁿ (1 + q), q = expm1 r. ln 2 is held in two parts, the first of 33 bits, so that n times it is exact. q is a
polynomial of degree 11, r + r² p(r), with p by Remez' algorithm for the least relative error of q (2.3e-17), which is as
good as Taylor's of degree 13; it is added up by Estrin's scheme. Within the clamp the results are off by at most 1.1
(exp), 2.5 (sigmoid) and 2.7 ulp (tanh): `tests/backprop/test_arithmetic.py` holds them against mpmath.

Any NaN gives NaN. All functions work elementwise on float64 arrays of any shape. Large arrays are computed piece by piece, in
memory that each thread keeps and that fits the processor's cache.
"""

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EXP_CLAMP = 708.0  # beyond it, exp(±EXP_CLAMP) is returned: 2ⁿ stays a normal number
TANH_CLAMP = 20.0  # tanh(20) rounds to 1
LOG2_E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01  # 33 bits
LN2_LOW = 1.90821492927058770002e-10

# Adding 1.5 × 2⁵² rounds to an integer, which then stands in the lowest bits; 1023 more, and it is an exponent.
ROUNDING = 6755399441055744.0 + 1023.0
EXPONENT_BITS = 52

# expm1 r = r + r² (c₀ + c₁ r + … + c₉ r⁹)
EXPM1_COEFFICIENTS = (
    *(0.5000000000000006, 0.16666666666666685, 0.0416666666665737, 0.008333333333314612, 0.001388888893235354),
    *(0.00019841269902976452, 2.48015044780127e-05, 2.755722800945365e-06, 2.762631317191893e-07, 2.5114453681991378e-08),
)

PIECE = 32768  # numbers that are computed together


class Memory(threading.local):
    """Work arrays for one piece, each thread's own: fresh ones would cost more than the arithmetic."""

    def __init__(self) -> None:
        self.numbers = np.empty(7 * PIECE)


memory = Memory()


def in_pieces(function: Callable[[Array, Array], Array], z: Array) -> Array:
    """function(z, work arrays), elementwise, piece by piece where z is large."""
    if z.size <= PIECE:
        return function(z, memory.numbers[: 7 * z.size].reshape(7, *z.shape))
    numbers = z.ravel()
    return np.concatenate([in_pieces(function, numbers[i : i + PIECE]) for i in range(0, z.size, PIECE)]).reshape(z.shape)


def exp_parts(work: Array) -> tuple[Array, Array]:
    """(s, q) with exp x = s + s q, s a power of two and |q| < 0.42, both in `work`; x is work[0], within ±EXP_CLAMP or NaN."""
    x, scale, n, q, high, middle, low = work
    c = EXPM1_COEFFICIENTS
    np.multiply(x, LOG2_E, out=scale)
    scale += ROUNDING
    np.subtract(scale, ROUNDING, out=n)
    bits = scale.view(np.int64)
    bits <<= EXPONENT_BITS

    np.multiply(n, LN2_HIGH, out=q)
    x -= q
    n *= LN2_LOW
    x -= n
    r, r2, r4 = x, n, low
    np.multiply(r, r, out=r2)

    # q = r + r² ((c₀₁ + c₂₃ r²) + ((c₄₅ + c₆₇ r²) + c₈₉ r⁴) r⁴), where c₀₁ = c₀ + c₁ r and so on
    np.multiply(r, c[9], out=high)
    high += c[8]
    np.multiply(r, c[7], out=middle)
    middle += c[6]
    middle *= r2
    np.multiply(r, c[5], out=q)
    q += c[4]
    middle += q
    np.multiply(r2, r2, out=r4)
    high *= r4
    middle += high
    middle *= r4
    np.multiply(r, c[3], out=q)
    q += c[2]
    q *= r2
    np.multiply(r, c[1], out=high)
    high += c[0]
    q += high
    q += middle
    q *= r2
    q += r
    return scale, q


def exp_of(x: Array, work: Array) -> Array:
    """The exponential function of a piece."""
    np.clip(x, -EXP_CLAMP, EXP_CLAMP, out=work[0])
    scale, q = exp_parts(work)
    q *= scale
    return q + scale


def sigmoid_of(z: Array, work: Array) -> Array:
    """The logistic function of a piece."""
    denominator = exp_of(np.negative(z, out=work[0]), work)
    denominator += 1.0
    return np.divide(1.0, denominator, out=denominator)


def tanh_of(z: Array, work: Array) -> Array:
    """The hyperbolic tangent of a piece."""
    np.clip(z, -TANH_CLAMP, TANH_CLAMP, out=work[0])
    work[0] *= 2.0
    scale, e = exp_parts(work)
    e *= scale
    scale -= 1.0
    e += scale
    np.add(e, 2.0, out=scale)
    return e / scale


def exp(x: Array) -> Array:
    """The exponential function; beyond ±708 it gives exp(±708), so that nothing overflows and nothing becomes subnormal."""
    return in_pieces(exp_of, x)


def sigmoid(z: Array) -> Array:
    """The logistic function 1 ÷ (1 + e⁻ᶻ)."""
    return in_pieces(sigmoid_of, z)


def tanh(z: Array) -> Array:
    """The hyperbolic tangent, e ÷ (e + 2) with e = expm1(2z); for |z| ≥ 20 it is ±1."""
    return in_pieces(tanh_of, z)
