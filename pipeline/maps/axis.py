"""A continuous axis of a map: the values of its pixels, computed in decimal arithmetic and rounded to float64 once."""

import math
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation, localcontext
from functools import cached_property

import numpy as np

from pipeline.app.sequences import as_text
from pipeline.backprop.arithmetic import Array
from pipeline.errors import ConfigError, as_override

SCALES = ("linear", "log")
DIGITS = Context(prec=60)  # float64 needs 17; what is left is for zooming into a part of a part
WINDOW_DIGITS = Context(prec=30)  # of the ends of a window that is given by its centre
MOST_PIXELS = 65_536  # along an axis
LONGEST = 100  # characters of a number


@dataclass(frozen=True)
class Axis:
    """`size` pixels that share the window from `low` to `high` (decimal text) of a trial's number `name`.

    A pixel has the value at its centre, low + (i + ½)(high − low)/size, on a logarithmic axis low (high/low)^((i + ½)/size).
    So a part of the window has the same pixels (`part`), and momentum from 0 to 1 is allowed. Raises ConfigError, whose key is
    `from`, `to`, `scale` or `size`.
    """

    name: str
    low: str
    high: str
    scale: str = "linear"
    size: int = 512

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ConfigError("scale", self.scale, f"must be one of {', '.join(SCALES)}")
        if type(self.size) is not int or not 1 <= self.size <= MOST_PIXELS:
            raise ConfigError("size", self.size, f"must be a whole number, 1 to {MOST_PIXELS}")
        low, high = decimal("from", self.low), decimal("to", self.high)
        if self.scale == "log" and low <= 0:
            raise ConfigError("from", self.low, "must be greater than 0 on a logarithmic axis")
        if not low < high:
            raise ConfigError("to", self.high, f"must be greater than from={self.low}")
        if (np.diff(self.values) <= 0.0).any():
            raise ConfigError("to", self.high, f"is too close to from={self.low}: float64 has not {self.size} numbers between")

    @classmethod
    def around(cls, name: str, centre: str, width: str, scale: str = "linear", size: int = 512) -> "Axis":
        """An axis by its centre and its width, on a logarithmic axis in decades: centre 1 and width 2 are 0.1 to 10.

        Raises ConfigError, whose key may be `centre` or `width`, too.
        """
        middle, wide = decimal("centre", centre), decimal("width", width)
        if wide <= 0:
            raise ConfigError("width", width, "must be greater than 0")
        if scale == "log" and middle <= 0:
            raise ConfigError("centre", centre, "must be greater than 0 on a logarithmic axis")
        with localcontext(WINDOW_DIGITS):
            if scale == "log":
                low, high = (((sign * wide / 2) * Decimal(10).ln()).exp() * middle for sign in (-1, 1))
            else:
                low, high = (middle + sign * wide / 2 for sign in (-1, 1))
            return cls(name, as_text(low), as_text(high), scale, size)

    def edge(self, pixel: int) -> Decimal:
        """The lower end of a pixel; of `size`, the upper end of the window."""
        if pixel in (0, self.size):
            return Decimal(self.high if pixel else self.low)
        return self._at([Decimal(pixel)])[0]

    def part(self, first: int, end: int, size: int | None = None) -> "Axis":
        """The window of the pixels from `first` up to `end`, without `size` with the same pixels."""
        with localcontext(DIGITS):
            low, high = (as_text(self.edge(pixel)) for pixel in (first, end))
        return Axis(self.name, low, high, self.scale, end - first if size is None else size)

    @cached_property
    def values(self) -> Array:
        """The values (size,) of the pixels, which increase; never −0."""
        half = Decimal("0.5")
        return np.array([float(value) for value in self._at([pixel + half for pixel in range(self.size)])]) + 0.0

    def text(self, pixel: int) -> str:
        """The value of a pixel as the command line has it: the same bits."""
        return as_override(float(self.values[pixel]))

    def _at(self, places: list[Decimal]) -> list[Decimal]:
        """The exact numbers (to 60 digits) at places of the window, counted in pixels."""
        with localcontext(DIGITS):
            low, high = Decimal(self.low), Decimal(self.high)
            if self.scale == "linear":
                return [low + (high - low) * place / self.size for place in places]
            start, way = low.ln(), high.ln() - low.ln()
            return [(start + way * place / self.size).exp() for place in places]


def decimal(key: str, given: str) -> Decimal:
    """A number written in decimals, as one that float64 has room for. Raises ConfigError."""
    try:
        number = Decimal(given) if len(given) <= LONGEST else Decimal("NaN")
        if math.isfinite(float(number)):
            return number
    except (InvalidOperation, ValueError, OverflowError):
        pass
    raise ConfigError(key, given, f"must be a finite number of at most {LONGEST} characters")
