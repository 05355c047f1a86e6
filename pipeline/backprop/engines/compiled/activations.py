"""The activation functions as emitted code, by the names of `pipeline.backprop.activations` and with the same bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from llvmlite import ir

from pipeline.backprop import arithmetic
from pipeline.backprop.engines.compiled.vectors import INTEGER, Code, Vector


def clamp(x: Vector, bound: float) -> Vector:
    """Between −bound and bound; NaN stays NaN."""
    x = (x.code.number(bound) < x).where(bound, x)
    return (x < -bound).where(-bound, x)


def exp_parts(x: Vector, sign: float) -> tuple[Vector, Vector]:
    """(s, q) with exp(±x) = s + s q, as in `pipeline.backprop.arithmetic`.

    The sign is put into the constants, which changes no bit: with r of the other sign, every product has the same bits.
    """
    code = x.code
    shifted = x * (sign * arithmetic.LOG2_E) + arithmetic.ROUNDING
    n = shifted - arithmetic.ROUNDING
    r = x - n * (sign * arithmetic.LN2_HIGH)
    r = r - n * (sign * arithmetic.LN2_LOW)
    scale = power_of_two(code, shifted)

    c = arithmetic.EXPM1_COEFFICIENTS
    r2 = r * r
    r4 = r2 * r2
    c01, c23, c45, c67, c89 = (r * (sign * c[k + 1]) + c[k] for k in range(0, 10, 2))
    polynomial = (c01 + c23 * r2) + ((c45 + c67 * r2) + c89 * r4) * r4
    polynomial = polynomial * r2
    return scale, polynomial + r if sign > 0 else polynomial - r


def power_of_two(code: Code, shifted: Vector) -> Vector:
    """2ⁿ, where n, as an exponent, stands in the lowest bits."""
    integers, builder = code.vector_of(INTEGER), code.builder
    places = ir.Constant(integers, [ir.Constant(INTEGER, arithmetic.EXPONENT_BITS)] * code.lanes)
    bits = builder.shl(builder.bitcast(shifted.value, integers), places)
    return Vector(code, builder.bitcast(bits, code.vector))


def sigmoid(z: Vector) -> Vector:
    """The logistic function 1 ÷ (1 + e⁻ᶻ)."""
    scale, q = exp_parts(clamp(z, arithmetic.EXP_CLAMP), -1.0)
    return 1.0 / ((q * scale + scale) + 1.0)


def tanh(z: Vector) -> Vector:
    """The hyperbolic tangent e ÷ (e + 2) with e = expm1(2z)."""
    scale, q = exp_parts(clamp(z, arithmetic.TANH_CLAMP) * 2.0, 1.0)
    q = q * scale + (scale - 1.0)
    return q / (q + 2.0)


@dataclass(frozen=True, slots=True)
class Emitter:
    """`function(net)` emits a unit's output, `times_slope(error, output)` emits `error` × the slope."""

    function: Callable[[Vector], Vector]
    times_slope: Callable[[Vector, Vector], Vector]


EMITTERS: Mapping[str, Emitter] = {
    "sigmoid": Emitter(sigmoid, lambda error, output: error * (output * (1.0 - output))),
    "tanh": Emitter(tanh, lambda error, output: error * (1.0 - output * output)),
    "relu": Emitter(
        lambda net: (net <= 0.0).where(0.0, net),  # NaN stays NaN
        lambda error, output: (output > 0.0).where(error, 0.0),
    ),
    "identity": Emitter(lambda net: net, lambda error, output: error),
}
