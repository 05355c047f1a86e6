"""Moving over a map: an axis shifted by whole pixels, zoomed, read from a plot's floats; its ends are decimal text.

After a shift the pixels that stay, and after a zoom those that coincide, have the same values to the bit: so they need not be
trained again. The ends of such a window may have many digits; of other windows they are as short as can be seen.
"""

import math
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext

from pipeline.app.sequences import as_text
from pipeline.errors import ConfigError
from pipeline.maps.axis import DIGITS, Axis

SHARPNESS = 5  # digits to which an end is written, of the width of the window: far below a pixel
EXACT = Context(prec=30)  # of ends that keep values to the bit
LONGEST_SHOWN = 20  # characters of an end
SAME_WIDTH = 0.3  # pixels by which a plot's window may be wider and count as moved: of the narrowest, floats say no more
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
    """The window shifted by about this part of its width, whole pixels: -0.25 is a quarter to the left, or down."""
    return shifted(axis, round(Decimal(part) * axis.size))


def shifted(axis: Axis, pixels: int) -> Axis:
    """The window so many pixels further, as far as there are trials."""
    pixels = within_bounds(axis, pixels)
    if not pixels:
        return axis
    with localcontext(DIGITS):
        return inside(axis, axis.edge(pixels), axis.edge(axis.size + pixels))


def within_bounds(axis: Axis, pixels: int) -> int:
    """As many of these pixels as a window can be moved by."""
    if axis.scale == "log" or bounds(axis.name) == (None, None):
        return pixels
    low, high = Decimal(axis.low), Decimal(axis.high)
    lowest, highest = (None if end is None else Decimal(end) for end in bounds(axis.name))
    with localcontext(DIGITS):
        each = (high - low) / axis.size
        if lowest is not None:
            pixels = max(pixels, min(0, int(((lowest - low) / each).to_integral_value(ROUND_CEILING))))
        if highest is not None:
            pixels = min(pixels, max(0, int(((highest - high) / each).to_integral_value(ROUND_FLOOR))))
    return pixels


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
            return inside(axis, (start + first * way).exp(), (start + last * way).exp())
        return inside(axis, low + first * (high - low), low + last * (high - low))


def inside(axis: Axis, low: Decimal, high: Decimal) -> Axis:
    """The window between two ends, within the bounds. Raises ConfigError where none is left."""
    low, high = within(axis, low, high)
    return replace(axis, low=as_text(EXACT.plus(low)), high=as_text(EXACT.plus(high)))


def within(axis: Axis, low: Decimal, high: Decimal) -> tuple[Decimal, Decimal]:
    """Two ends, where they are out of bounds the bounds."""
    lowest, highest = bounds(axis.name)
    low = low if lowest is None or axis.scale == "log" else max(low, Decimal(lowest))
    return low, high if highest is None else min(high, Decimal(highest))


def between(axis: Axis, low: Decimal, high: Decimal) -> Axis:
    """The window between two ends, within the bounds and rounded to what can be seen. Raises ConfigError where none is left."""
    with localcontext(DIGITS):
        low, high = within(axis, low, high)
        ends = [as_text(rounded(end, low, high, axis.scale)) for end in (low, high)]
    return replace(axis, low=ends[0], high=ends[1])


def from_floats(axis: Axis, low: float, high: float) -> Axis:
    """The window that a plot shows, whose ends are floats. Raises ConfigError."""
    for key, end in (("from", low), ("to", high)):
        if not math.isfinite(end):
            raise ConfigError(key, end, "must be a finite number")
    pixels = pixels_moved(axis, low, high)
    if pixels is not None:
        return shifted(axis, pixels)
    return between(axis, Decimal(low), Decimal(high))


def pixels_moved(axis: Axis, low: float, high: float) -> int | None:
    """By how many pixels, about, a plot's window is moved from the axis; None where it is wider or narrower."""
    now = (float(axis.low), float(axis.high))
    if axis.scale == "log":
        if not 0 < low < high:
            return None
        now, (low, high) = (math.log(now[0]), math.log(now[1])), (math.log(low), math.log(high))
    each = (now[1] - now[0]) / axis.size
    first, last = (low - now[0]) / each, (high - now[1]) / each
    return round((first + last) / 2) if abs(last - first) < SAME_WIDTH else None


def rounded(end: Decimal, low: Decimal, high: Decimal, scale: str) -> Decimal:
    """An end of the window from low to high, rounded to a part of its width (of the width there, on a logarithmic axis)."""
    width = high - low
    if scale == "log" and low > 0:
        width = min(end * (high / low).ln(), width)
    if width <= 0:
        return end
    return end.quantize(Decimal(1).scaleb(width.adjusted() - SHARPNESS))


def shown_ends(axis: Axis) -> tuple[str, str]:
    """The ends as text; long ones as short as can be seen."""
    low, high = Decimal(axis.low), Decimal(axis.high)
    with localcontext(DIGITS):
        ends = ((end, as_text(rounded(Decimal(end), low, high, axis.scale))) for end in (axis.low, axis.high))
        low_text, high_text = (short if len(end) > LONGEST_SHOWN else end for end, short in ends)
    return low_text, high_text


def centre_and_width(axis: Axis) -> tuple[str, str]:
    """The centre and the width as text; on a logarithmic axis the geometric mean, and decades."""
    with localcontext(DIGITS):
        low, high = Decimal(axis.low), Decimal(axis.high)
        if axis.scale == "log":
            centre, width = (low * high).sqrt(), (high / low).log10()
        else:
            centre, width = (low + high) / 2, high - low
        texts = as_text(centre), as_text(width)
        if axis.scale == "linear" and max(map(len, texts)) <= LONGEST_SHOWN:
            return texts
        width = width.quantize(Decimal(1).scaleb(width.adjusted() - SHARPNESS))
        return as_text(rounded(centre, low, high, axis.scale)), as_text(width)


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
