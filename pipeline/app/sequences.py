"""Sequences of values for an axis, computed in decimal arithmetic."""

from decimal import Context, Decimal, localcontext
from itertools import pairwise

from pipeline.errors import ConfigError


def logspace(low: str | float, high: str | float, points: int, digits: int = 3) -> str:
    """`points` log-spaced values from low to high (or down) as text: 0.01,0.1,1. Registered as a resolver.

    Computed in decimal arithmetic, which is the same everywhere, and rounded to `digits`, or to more if fewer would not keep
    the values distinct and in order. The first and the last are exact. Raises ConfigError.
    """
    expression = f"${{logspace:{low},{high},{points}}}"
    try:
        first, last = (Decimal(repr(float(str(bound)))) for bound in (low, high))
    except ValueError:
        first = last = Decimal(0)
    if not (first.is_finite() and last.is_finite() and first > 0 and last > 0 and first != last):
        raise ConfigError("logspace", expression, "needs two different numbers greater than 0")
    if type(points) is not int or not 2 <= points <= 100_000:
        raise ConfigError("logspace", expression, "needs 2 to 100000 points")
    if type(digits) is not int or not 1 <= digits <= 17:
        raise ConfigError("logspace", expression, f"needs 1 to 17 digits, not {digits}")
    with localcontext(Context(prec=40)):
        start, step = first.ln(), (last.ln() - first.ln()) / (points - 1)
        between = [(start + step * k).exp() for k in range(1, points - 1)]
    for precision in range(digits, 18):
        values = [as_text(value) for value in (first, *map(Context(prec=precision).plus, between), last)]
        if all(one < other if first < last else one > other for one, other in pairwise(map(float, values))):
            return ",".join(values)
    raise ConfigError("logspace", expression, "has its ends too close together for so many points")


def as_text(value: Decimal) -> str:
    """A decimal number as one writes it: 0.001, 20000, 1e-6, 1e8."""
    value = value.normalize()
    return f"{value:f}" if -5 <= value.adjusted() <= 6 else f"{value:e}".replace("e+", "e")
