"""ln and powers whose every bit is the same on every machine; `np.log` and `**` are not."""

import numpy as np

from pipeline.backprop.arithmetic import LN2_HIGH, LN2_LOW, Array, exp

TERMS = 15  # of the series, whose terms fall by 0.0295 at least: enough for float64
SQRT_HALF = 0.7071067811865476


def log(x: Array) -> Array:
    """Ln x, elementwise, within 2 ulp or so; −∞ of 0, NaN below and of NaN.

    x = 2ⁿ m with m from √½ to √2; ln m = 2 artanh t, t = (m − 1) ÷ (m + 1), by its series t + t³/3 + t⁵/5 + …
    """
    x = np.asarray(x, float)
    usable = (x > 0.0) & (x < np.inf)
    all_usable = usable.all()
    mantissa, exponent = np.frexp(x if all_usable else np.where(usable, x, 1.0))  # both exact
    small = mantissa < SQRT_HALF
    mantissa *= 1.0 + small
    t = (mantissa - 1.0) / (mantissa + 1.0)
    square = t * t
    series = np.full(x.shape, 1.0 / (2 * TERMS + 1))
    for k in range(TERMS - 1, -1, -1):
        series *= square
        series += 1.0 / (2 * k + 1)
    n = exponent - 1.0 * small
    result: Array = n * LN2_HIGH + (2.0 * t * series + n * LN2_LOW)
    if all_usable:
        return result
    return np.select([usable, x == 0.0, x == np.inf], [result, -np.inf, np.inf], np.nan)


def power(x: Array, exponent: Array) -> Array:
    """x^exponent of x > 0, elementwise; what is beyond e^±708 is that."""
    return exp(exponent * log(x))
