"""exp, sigmoid and tanh whose every bit is the same on every machine.

NumPy's own `exp` and `tanh` choose another algorithm on another CPU (numpy issue 23523). The functions here use only
operations that IEEE-754 defines to the last bit (+ − × ÷ and integer shifts), in one fixed order.

The method is the classic one (P. T. P. Tang, ACM TOMS 15, 1989): x = n ln 2 + r with |r| ≤ ½ ln 2, then
exp x = 2ⁿ (1 + q), q = expm1 r. ln 2 is held in two parts, the first of 33 bits, so that n times it is exact. q is a
polynomial of degree 11, r + r² p(r), with p by Remez' algorithm for the least relative error of q (2.3e-17), which is as
good as Taylor's of degree 13; it is added up by Estrin's scheme. Within the clamp the results are off by at most 1.1
(exp), 2.5 (sigmoid) and 2.7 ulp (tanh): `tests/test_arithmetic.py` holds them against mpmath.

Any NaN gives NaN. All functions work elementwise on float64 arrays of one dimension or more. Where `out` is given, the result
goes there (it may be the argument itself). `room`, of shape (ROOM, *z.shape), is memory to work in: who calls again and
again keeps it, because fresh memory costs more than the arithmetic.
"""

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
ROOM = 7


def _exp_parts(room: Array) -> tuple[Array, Array]:
    """(s, q) with exp x = s + s q, s a power of two and |q| < 0.42, both in `room`; x is room[0], within ±EXP_CLAMP or NaN."""
    x, scale, n, q, high, middle, low = room
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


def _room_for(x: Array, room: Array | None) -> Array:
    return np.empty((ROOM, *x.shape)) if room is None else room


def _exp(room: Array) -> Array:
    """The exponential function of room[0], in `room`."""
    np.clip(room[0], -EXP_CLAMP, EXP_CLAMP, out=room[0])
    scale, q = _exp_parts(room)
    q *= scale
    q += scale
    return q


def exp(x: Array) -> Array:
    """The exponential function; beyond ±708 it gives exp(±708), so that nothing overflows and nothing becomes subnormal."""
    room = _room_for(x, None)
    room[0] = x
    return _exp(room)


def sigmoid(z: Array, out: Array | None = None, room: Array | None = None) -> Array:
    """The logistic function 1 ÷ (1 + e⁻ᶻ)."""
    room = _room_for(z, room)
    np.negative(z, out=room[0])
    denominator = _exp(room)
    denominator += 1.0
    result: Array = np.divide(1.0, denominator, out=out)
    return result


def tanh(z: Array, out: Array | None = None, room: Array | None = None) -> Array:
    """The hyperbolic tangent, e ÷ (e + 2) with e = expm1(2z); for |z| ≥ 20 it is ±1."""
    room = _room_for(z, room)
    np.clip(z, -TANH_CLAMP, TANH_CLAMP, out=room[0])
    room[0] *= 2.0
    scale, e = _exp_parts(room)
    e *= scale
    scale -= 1.0
    e += scale
    np.add(e, 2.0, out=scale)
    result: Array = np.divide(e, scale, out=out)
    return result
