"""exp, sigmoid and tanh whose every bit is the same on every machine.

NumPy's own `exp` and `tanh` choose another algorithm on another CPU (numpy issue 23523). The functions here use only
operations that IEEE-754 defines to the last bit (+ − × ÷ and integer shifts), in one fixed order.

The method is the classic one (P. T. P. Tang, ACM TOMS 15, 1989): x = n ln 2 + r with |r| ≤ ½ ln 2, then
exp x = 2ⁿ (1 + q), q = expm1 r. ln 2 is held in two parts, the first of 33 bits, so that n times it is exact. q is its Taylor
polynomial of degree 13, added up by Estrin's scheme. Within the clamp the results are off by at most 0.9 (exp), 1.8 (sigmoid)
and 2.4 ulp (tanh): `tests/test_arithmetic.py` holds them against mpmath.

Any NaN gives NaN. All functions work elementwise on float64 arrays of any shape and return a new array.
"""

from math import factorial

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EXP_CLAMP = 708.0  # beyond it, exp(±EXP_CLAMP) is returned: 2ⁿ stays a normal number
TANH_CLAMP = 20.0  # tanh(20) rounds to 1

LOG2_E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01  # 33 bits
LN2_LOW = 1.90821492927058770002e-10
# Adding 1.5 × 2⁵² rounds to an integer, which then stands in the lowest bits.
ROUNDING = 6755399441055744.0
EXPONENT_BITS = 52
ONE_BITS = 1023 << EXPONENT_BITS

# expm1 r = r + r² (c₀ + c₁ r + … + c₁₁ r¹¹), c_k = 1/(k+2)!
EXPM1_COEFFICIENTS = tuple(1.0 / factorial(k + 2) for k in range(12))


def _clamp(x: Array, bound: float) -> Array:
    """x between −bound and bound; NaN stays NaN."""
    x = np.where(bound < x, bound, x)
    return np.where(x < -bound, -bound, x)


def _exp_parts(x: Array) -> tuple[Array, Array]:
    """(s, q) with exp x = s + s q, s a power of two and |q| < 0.42; x within ±EXP_CLAMP or NaN."""
    shifted = x * LOG2_E
    shifted += ROUNDING
    n = shifted - ROUNDING
    r = x - n * LN2_HIGH
    n *= LN2_LOW
    r -= n
    scale = ((shifted.view(np.int64) << EXPONENT_BITS) + ONE_BITS).view(np.float64)

    c = EXPM1_COEFFICIENTS
    r2 = r * r
    r4 = r2 * r2
    r8 = r4 * r4
    c01, c23, c45, c67, c89, c1011 = (r * c[k + 1] + c[k] for k in range(0, 12, 2))
    polynomial = ((c01 + c23 * r2) + (c45 + c67 * r2) * r4) + (c89 + c1011 * r2) * r8
    polynomial *= r2
    polynomial += r
    return scale, polynomial


def exp(x: Array) -> Array:
    """eˣ; x beyond ±708 gives exp(±708), so that nothing overflows and nothing becomes subnormal."""
    scale, q = _exp_parts(_clamp(x, EXP_CLAMP))
    q *= scale
    q += scale
    return q


def sigmoid(z: Array) -> Array:
    """The logistic function 1 ÷ (1 + e⁻ᶻ)."""
    denominator = exp(-z)
    denominator += 1.0
    return np.divide(1.0, denominator, out=denominator)


def tanh(z: Array) -> Array:
    """The hyperbolic tangent e ÷ (e + 2) with e = expm1(2z); exact to the sign for |z| ≥ 20."""
    scale, q = _exp_parts(2.0 * _clamp(z, TANH_CLAMP))
    q *= scale
    scale -= 1.0
    q += scale
    return np.divide(q, q + 2.0, out=q)
