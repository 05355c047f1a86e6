"""Marks beside a map's axis: exact decimal numbers at exact places, however narrow the window.

In a window that is narrow beside its values, the marks count from a number that the axis' label has.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

from pipeline.maps.axis import DIGITS, Axis

MOST = 6  # marks along an axis
LONGEST = 7  # characters of a mark; where they would need more, marks count from a number
MULTIPLES = (Decimal(1), Decimal(2), Decimal(5))


@dataclass(frozen=True)
class Marks:
    """Places along an axis, in pixels from its lower end (0 to size), the text at each, and what the axis is."""

    places: tuple[float, ...]
    texts: tuple[str, ...]
    label: str


def marks(axis: Axis, most: int = MOST) -> Marks:
    """The marks of an axis."""
    with localcontext(DIGITS):
        low, high = Decimal(axis.low), Decimal(axis.high)
        log = axis.scale == "log"
        found = list(decades(low, high, most)) if log else []
        if len(found) >= 3:
            texts, label = [written(value) for value in found], axis.name
        else:
            step = nice((high - low) / most)
            found = [step * index for index in range(whole(low / step, ROUND_CEILING), whole(high / step, ROUND_FLOOR) + 1)]
            texts, label = [written(value) for value in found], axis.name
            if max(map(len, texts)) > LONGEST:
                base = found[len(found) // 2]
                unit = Decimal(1).scaleb(step.adjusted())
                texts = [signed((value - base) / unit) for value in found]
                label = f"{axis.name} = {minus(format(base.normalize(), 'f'))} + n × {written(unit)}"
        places = [place(axis, value) for value in found]
    return Marks(tuple(places), tuple(texts), f"{label} (logarithmic)" if log else label)


def place(axis: Axis, value: Decimal) -> float:
    """Where a value stands, in pixels from the lower end."""
    with localcontext(DIGITS):
        low, high = Decimal(axis.low), Decimal(axis.high)
        if axis.scale == "log":
            return float(axis.size * (value / low).ln() / (high / low).ln())
        return float(axis.size * (value - low) / (high - low))


def decades(low: Decimal, high: Decimal, most: int) -> Iterator[Decimal]:
    """Powers of ten from low to high, at most so many; or 1, 2 and 5 times them, where there are few."""
    powers = [Decimal(1).scaleb(exponent) for exponent in range(low.adjusted(), high.adjusted() + 1)]
    inside = [power for power in powers if low <= power <= high]
    if len(inside) < 3:
        powers = [digit * power for power in powers for digit in MULTIPLES]
        inside = [power for power in powers if low <= power <= high]
    yield from inside[:: -(-len(inside) // most)] if inside else inside


def nice(step: Decimal) -> Decimal:
    """The smallest 1, 2 or 5 times a power of ten that is not smaller."""
    power = Decimal(1).scaleb(step.adjusted())
    return next(digit * power for digit in (*MULTIPLES, Decimal(10)) if digit * power >= step)


def whole(number: Decimal, rounding: str) -> int:
    """The next whole number in that direction."""
    return int(number.to_integral_value(rounding))


def written(value: Decimal) -> str:
    """All digits of a number: 0.001, 120, 1e-13."""
    value = value.normalize()
    digits, exponent = len(value.as_tuple().digits), value.adjusted()
    if value and ((exponent <= -5 and digits <= 3) or exponent >= 5):
        text = f"{value:e}".replace("e+", "e")
    else:
        text = f"{value:f}" if value else "0"
    return minus(text) if value < 0 else text


def minus(text: str) -> str:
    """A number with a minus sign for a leading hyphen."""
    return f"−{text[1:]}" if text.startswith("-") else text


def signed(value: Decimal) -> str:
    """A number with its sign: −2, 0, +2."""
    return ("+" if value > 0 else "") + written(value)
