"""Elementary functions of vectors, with the bits of NumPy's and of `logarithm.py`. Whole numbers are kept as doubles."""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from pipeline.backprop.arithmetic import EXPONENT_BITS, LN2_HIGH, LN2_LOW, ROUNDING
from pipeline.backprop.causes.logarithm import SQRT_HALF, TERMS
from pipeline.backprop.engines.compiled.activations import power_of_two
from pipeline.backprop.engines.compiled.vectors import INTEGER, Mask, Vector

SMALLEST_NORMAL = float(np.finfo(float).smallest_normal)
LOWEST, HIGHEST = -1022.0, 1023.0  # exponents n of normal numbers 2ⁿ
MANTISSA_BITS = (1 << EXPONENT_BITS) - 1
WHOLE = 2.0**EXPONENT_BITS  # added to a small whole number, it has that number in its lowest bits


def called(name: str, *vectors: Vector) -> Vector:
    """LLVM's function of this name, lane by lane."""
    code = vectors[0].code
    full, module = f"llvm.{name}.v{code.lanes}f64", code.function.module
    kind = ir.FunctionType(code.vector, [code.vector] * len(vectors))
    function = module.globals.get(full) or ir.Function(module, kind, full)
    return Vector(code, code.builder.call(function, [vector.value for vector in vectors]))


def sqrt(x: Vector) -> Vector:
    """√x, rounded as IEEE-754 says."""
    return called("sqrt", x)


def copysign(x: Vector, sign: Vector) -> Vector:
    """|x| with this sign."""
    return called("copysign", x, sign)


def is_nan(x: Vector) -> Mask:
    """The lanes in which x is NaN."""
    return ~x.equals(x)


def is_finite(x: Vector) -> Mask:
    """The lanes in which x is neither infinite nor NaN."""
    return abs(x) < np.inf


def maximum(x: Vector, y: Vector | float) -> Vector:
    """The larger one; NaN if one of them is."""
    return ((x > y) | is_nan(x)).where(x, y)


def minimum(x: Vector, y: Vector | float) -> Vector:
    """The smaller one; NaN if one of them is."""
    return ((x < y) | is_nan(x)).where(x, y)


def as_number(mask: Mask) -> Vector:
    """1 where it is true, else 0."""
    return mask.where(1.0, 0.0)


def frexp(x: Vector) -> tuple[Vector, Vector]:
    """(m, n) with x = m 2ⁿ and m from ½ to 1, of finite x ≥ 0; (0, 0) of 0."""
    code, builder = x.code, x.code.builder
    integers = code.vector_of(INTEGER)

    def everywhere(number: int) -> ir.Constant:
        return ir.Constant(integers, [ir.Constant(INTEGER, number)] * code.lanes)

    def bits(number: float) -> int:
        return int(np.float64(number).view(np.int64))

    subnormal, zero = x < SMALLEST_NORMAL, x.equals(0.0)
    whole = builder.bitcast(subnormal.where(x * 2.0**EXPONENT_BITS, x).value, integers)
    places = builder.lshr(whole, everywhere(EXPONENT_BITS))
    exponent = Vector(code, builder.bitcast(builder.or_(places, everywhere(bits(WHOLE))), code.vector)) - WHOLE
    exponent = exponent + subnormal.where(LOWEST - EXPONENT_BITS, LOWEST)
    mantissa = builder.or_(builder.and_(whole, everywhere(MANTISSA_BITS)), everywhere(bits(0.5)))
    return zero.where(0.0, Vector(code, builder.bitcast(mantissa, code.vector))), zero.where(0.0, exponent)


def ldexp(x: Vector, n: Vector) -> Vector:
    """X 2ⁿ of |x| of about 1 or less, rounded once; n from −1100 to 1100."""
    near = (n < LOWEST).where(LOWEST, (n > HIGHEST).where(HIGHEST, n))
    return (x * power_of_two(x.code, (n - near) + ROUNDING)) * power_of_two(x.code, near + ROUNDING)


def log(x: Vector) -> Vector:
    """Ln x as `pipeline.backprop.causes.logarithm.log` has it."""
    usable = (x > 0.0) & (x < np.inf)
    mantissa, exponent = frexp(usable.where(x, 1.0))
    small = as_number(mantissa < SQRT_HALF)
    mantissa = mantissa * (small + 1.0)
    t = (mantissa - 1.0) / (mantissa + 1.0)
    square = t * t
    series = x.code.number(1.0 / (2 * TERMS + 1))
    for k in range(TERMS - 1, -1, -1):
        series = series * square + 1.0 / (2 * k + 1)
    n = exponent - small
    result = n * LN2_HIGH + (t * 2.0 * series + n * LN2_LOW)
    unusable = x.equals(0.0).where(-np.inf, x.equals(np.inf).where(np.inf, np.nan))
    return usable.where(result, unusable)
