"""Sequences of values for an axis, computed in decimal arithmetic."""

from collections.abc import Callable, Sequence
from decimal import Context, Decimal, localcontext
from itertools import pairwise

from pipeline.errors import ConfigError

MOST_POINTS = 100_000


def logspace(low: str | float, high: str | float, points: int, digits: int = 3) -> str:
    """`points` log-spaced values from low to high (or down) as text: 0.01,0.1,1. Registered as a resolver.

    Computed in decimal arithmetic, which is the same everywhere, and rounded to `digits`, or to more if fewer would not keep
    the values distinct and in order. The first and the last are exact. Raises ConfigError.
    """
    expression = f"${{logspace:{low},{high},{points}}}"
    first, last = ends("logspace", expression, low, high, "greater than 0", lambda bound: bound > 0)
    check("logspace", expression, points, digits)
    with localcontext(Context(prec=40)):
        start, step = first.ln(), (last.ln() - first.ln()) / (points - 1)
        between = [(start + step * k).exp() for k in range(1, points - 1)]
    return rounded("logspace", expression, [first, *between, last], digits)


def linspace(low: str | float, high: str | float, points: int, digits: int = 15) -> str:
    """`points` evenly spaced values from low to high (or down) as text: 0,0.25,0.5. As `logspace`, but for the spacing."""
    expression = f"${{linspace:{low},{high},{points}}}"
    first, last = ends("linspace", expression, low, high, "", lambda bound: True)
    check("linspace", expression, points, digits)
    with localcontext(Context(prec=700)):
        between = [first + (last - first) * k / (points - 1) for k in range(1, points - 1)]
    return rounded("linspace", expression, [first, *between, last], digits)


def ends(
    name: str, expression: str, low: object, high: object, allowed: str, accepts: Callable[[Decimal], bool]
) -> tuple[Decimal, Decimal]:
    """The first and the last value. Raises ConfigError."""
    try:
        first, last = (Decimal(repr(float(str(bound)))) for bound in (low, high))
    except ValueError:
        first = last = Decimal(0)
    if not (first.is_finite() and last.is_finite() and accepts(first) and accepts(last) and first != last):
        raise ConfigError(name, expression, f"needs two different numbers {allowed}".rstrip())
    return first, last


def check(name: str, expression: str, points: object, digits: object) -> None:
    """Raises ConfigError unless the numbers of points and of digits can be."""
    if type(points) is not int or not 2 <= points <= MOST_POINTS:
        raise ConfigError(name, expression, f"needs 2 to {MOST_POINTS} points")
    if type(digits) is not int or not 1 <= digits <= 17:
        raise ConfigError(name, expression, f"needs 1 to 17 digits, not {digits}")


def rounded(name: str, expression: str, exact: Sequence[Decimal], digits: int) -> str:
    """The values, rounded to `digits` or as many more as keep them distinct and in order. Raises ConfigError."""
    first, *between, last = exact
    for precision in range(digits, 18):
        values = [as_text(value) for value in (first, *map(Context(prec=precision).plus, between), last)]
        if all(one < other if first < last else one > other for one, other in pairwise(map(float, values))):
            return ",".join(values)
    raise ConfigError(name, expression, "has its ends too close together for so many points")


def as_text(value: Decimal) -> str:
    """A decimal number as one writes it: 0.001, 20000, 1e-6, 1e8."""
    value = value.normalize()
    return f"{value:f}" if -5 <= value.adjusted() <= 6 else f"{value:e}".replace("e+", "e")
