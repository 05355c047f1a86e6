"""A film that zooms into a map: the window of each frame, and which of its runs an earlier frame has.

The target is the centre of the same pixel in all frames, and the width shrinks from frame to frame by the same factor, in
`steps` frames to a half. So a quarter of a frame's runs are, to the bit, runs of the frame `steps` before.
"""

from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

import numpy as np

from pipeline.app.sequences import as_text
from pipeline.errors import ConfigError
from pipeline.maps.axis import DIGITS, Axis, decimal
from pipeline.maps.grid import Grid
from pipeline.maps.training import MapResult

MOST_DOUBLINGS = 100  # float64 has 52 bits


@dataclass(frozen=True)
class Film:
    """A film: the target (x, y) as decimal text, how often the width is halved, in how many frames each time, seconds."""

    centre: tuple[str, str]
    doublings: int = 20
    steps: int = 4
    seconds: float = 8.0

    @property
    def frames(self) -> int:
        """The number of frames."""
        return self.doublings * self.steps + 1

    def zoom(self, frame: int) -> Decimal:
        """How many times narrower a frame is than the map."""
        with localcontext(DIGITS):
            return Decimal(2) ** (Decimal(frame) / self.steps)

    def grid(self, of: Grid, frame: int) -> Grid:
        """The trials of a frame, counted from 0."""
        across, down = (zoomed(axis, target, self.zoom(frame)) for axis, target in zip(of.axes, self.centre, strict=True))
        return replace(of, across=across, down=down)

    def check(self, grid: Grid) -> None:
        """Raises ConfigError, whose key is `centre` or `doublings`, where a frame would have no trials, or the same twice."""
        for target, axis in zip(self.centre, grid.axes, strict=True):
            if not Decimal(axis.low) <= decimal("centre", target) <= Decimal(axis.high):
                raise ConfigError("centre", target, f"must be a value of {axis.name} in the map, {axis.low} to {axis.high}")
        self.grid(grid, 0)
        if not self.fits(grid, self.doublings):
            most = next((fewer for fewer in range(self.doublings - 1, 0, -1) if self.fits(grid, fewer)), 0)
            why = "float64 has no numbers for all pixels of the last frame"
            raise ConfigError("doublings", self.doublings, f"must be at most {most} at this centre: {why}")

    def fits(self, grid: Grid, doublings: int) -> bool:
        """Whether all pixels differ after so many doublings."""
        try:
            self.grid(grid, doublings * self.steps)
        except ConfigError as error:
            if error.key == "to":
                return False
            raise
        return True


def zoomed(axis: Axis, target: str, zoom: Decimal) -> Axis:
    """The window of an axis that is so many times narrower: the target is the centre of the pixel in which the axis has it."""
    with localcontext(DIGITS):
        low, high, middle = Decimal(axis.low), Decimal(axis.high), Decimal(target)
        if axis.scale == "log":
            low, high, middle = low.ln(), high.ln(), middle.ln()
        width = high - low
        pixel = min(int((middle - low) / width * axis.size), axis.size - 1)
        left = width / zoom * (2 * pixel + 1) / (2 * axis.size)
        low = middle - left
        high = low + width / zoom
        if axis.scale == "log":
            low, high = low.exp(), high.exp()
        return Axis(axis.name, as_text(low), as_text(high), axis.scale, axis.size)


def shared(grid: Grid, earlier: Grid, result: MapResult) -> MapResult:
    """What an earlier frame has of the runs of a frame: those of the same two numbers, to the bit."""
    known = MapResult.empty(grid.shape)
    (x, its_x), (y, its_y) = (
        np.intersect1d(own.values, its.values, assume_unique=True, return_indices=True)[1:]
        for own, its in zip(grid.axes, earlier.axes, strict=True)
    )
    for name in ("status", "epochs", "final_error"):
        getattr(known, name)[np.ix_(y, x)] = getattr(result, name)[np.ix_(its_y, its_x)]
    return known
