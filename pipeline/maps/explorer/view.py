"""Moving over a map: an axis shifted, zoomed, read from a plot's floats; its ends are decimal text, as short as can be seen."""

import math
from dataclasses import replace
from decimal import Decimal, localcontext

from pipeline.app.sequences import as_text
from pipeline.errors import ConfigError
from pipeline.maps.axis import DIGITS, Axis

SHARPNESS = 5  # digits to which an end is written, of the width of the window: far below a pixel
BOUNDS = {"momentum": (0, 1)}  # within which a number is a trial's
POSITIVE = ("learning_rate", "threshold", "initial.range", "initial.scale")  # names, or beginnings of names, of those above 0
FIRST_ENDS = {  # low, high and scale that an axis begins with
    "learning_rate": ("0.1", "10000", "log"),
    "momentum": ("0", "1", "linear"),
    "threshold": ("1e-6", "0.1", "log"),
    "initial.range": ("0.1", "20", "log"),
    "initial.scale": ("0.1", "20", "log"),
}
OTHER_ENDS = ("-20", "20", "linear")


def bounds(name: str) -> tuple[int | None, int | None]:
    """The lowest and the highest end that an axis of this name can have, None where there is none."""
    return BOUNDS.get(name, (0 if name.startswith(POSITIVE) else None, None))


def first_axis(name: str, size: int) -> Axis:
    """The axis that is shown of a number before anything is said of its ends."""
    known = name if name in FIRST_ENDS else name.partition(".")[0]
    low, high, scale = FIRST_ENDS.get(known, OTHER_ENDS)
    return Axis(name, low, high, scale, size)


def moved(axis: Axis, part: str) -> Axis:
    """The window shifted by this part of its width: -0.25 is a quarter to the left, or down."""
    return window(axis, Decimal(part), Decimal(1) + Decimal(part))


def zoomed(axis: Axis, factor: str) -> Axis:
    """The window around the same centre, this many times as wide: 0.5 zooms in."""
    half = Decimal(factor) / 2
    return window(axis, Decimal("0.5") - half, Decimal("0.5") + half)


def window(axis: Axis, first: Decimal, last: Decimal) -> Axis:
    """The window from `first` to `last`, both in widths of the present one, from its low end."""
    with localcontext(DIGITS):
        low, high = Decimal(axis.low), Decimal(axis.high)
        if axis.scale == "log":
            start, way = low.ln(), high.ln() - low.ln()
            return between(axis, (start + first * way).exp(), (start + last * way).exp())
        return between(axis, low + first * (high - low), low + last * (high - low))


def between(axis: Axis, low: Decimal, high: Decimal) -> Axis:
    """The window between two ends, within the bounds and rounded to what can be seen. Raises ConfigError where none is left."""
    lowest, highest = bounds(axis.name)
    with localcontext(DIGITS):
        low = low if lowest is None or axis.scale == "log" else max(low, Decimal(lowest))
        high = high if highest is None else min(high, Decimal(highest))
        ends = [as_text(rounded(end, low, high, axis.scale)) for end in (low, high)]
    return replace(axis, low=ends[0], high=ends[1])


def from_floats(axis: Axis, low: float, high: float) -> Axis:
    """The window that a plot shows, whose ends are floats. Raises ConfigError."""
    for key, end in (("from", low), ("to", high)):
        if not math.isfinite(end):
            raise ConfigError(key, end, "must be a finite number")
    return between(axis, Decimal(low), Decimal(high))


def rounded(end: Decimal, low: Decimal, high: Decimal, scale: str) -> Decimal:
    """An end of the window from low to high, rounded to a part of its width (of the width there, on a logarithmic axis)."""
    width = high - low
    if scale == "log" and low > 0:
        width = min(end * (high / low).ln(), width)
    if width <= 0:
        return end
    return end.quantize(Decimal(1).scaleb(width.adjusted() - SHARPNESS))


def centre_and_width(axis: Axis) -> tuple[str, str]:
    """The centre and the width as text; on a logarithmic axis the geometric mean, and decades."""
    with localcontext(DIGITS):
        low, high = Decimal(axis.low), Decimal(axis.high)
        if axis.scale == "linear":
            return as_text((low + high) / 2), as_text(high - low)
        width = (high / low).log10()
        centre = rounded((low * high).sqrt(), low, high, axis.scale)
        return as_text(centre), as_text(width.quantize(Decimal(1).scaleb(width.adjusted() - SHARPNESS)))


def pixel_at(axis: Axis, value: float) -> int | None:
    """The pixel of the axis that has this value within, None where the value is outside."""
    low, high, at = float(axis.low), float(axis.high), value
    if axis.scale == "log":
        if value <= 0:
            return None
        low, high, at = math.log(low), math.log(high), math.log(value)
    place = (at - low) / (high - low) * axis.size
    if not 0 <= place <= axis.size:
        return None
    nearest = min(max(int(place), 0), axis.size - 1)
    near = range(max(nearest - 1, 0), min(nearest + 2, axis.size))
    return min(near, key=lambda pixel: abs(float(axis.values[pixel]) - value))
