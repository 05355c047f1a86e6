"""A film of maps: colours that do not flicker, and an animated WebP.

A run's colour is its place among the runs that ended alike: the mean of its place in its frame and in those before, back to
four times the width. So the colours share out what is seen, as in a map's picture, and change slowly.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pipeline.backprop.status import Status
from pipeline.maps.pictures.colours import SCALES, UNTRAINED, Bytes, colour
from pipeline.maps.pictures.layers import Order, possible_groups
from pipeline.maps.training import MapResult

KNOTS = 1024  # of an order that is kept
SMALLEST = 192  # pixels of the longer side; smaller maps are enlarged
STRIP = 18  # height of the line of text below, in pixels
QUALITY = 80
LAST_FOR = 1500  # milliseconds that the last frame stays


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture of a film: codes (H, W) of colours, the lowest values at the left and at the bottom, and a line of text."""

    codes: Bytes
    text: str


class FilmColours:
    """Gives the frames of a film, one after the other, the codes of their colours; `first` decides which groups there are."""

    def __init__(self, first: MapResult, scale: str, over: int) -> None:
        self.groups = possible_groups(bool((first.status == Status.CONVERGED).any()), SCALES[scale])
        self.orders: list[deque[Order]] = [deque(maxlen=over) for _ in self.groups]
        self.colours = np.concatenate([colour(UNTRAINED), *(group.colours for group in self.groups)])

    def codes(self, result: MapResult) -> Bytes:
        """The codes (H, W) of the next frame's colours."""
        codes: Bytes = (result.status == Status.CONVERGED).astype(
            np.uint8
        )  # where none was expected, as the best of the others
        first = 1
        for group, orders in zip(self.groups, self.orders, strict=True):
            number = len(group.colours)
            members = group.members(result)
            if members.any():
                values = getattr(result, group.by)
                orders.append(thinned(Order.of(values, members, group.falling)))
                distinct, which = np.unique(values[members], return_inverse=True)
                place = np.mean([order.along_ramp(distinct) for order in orders], axis=0)
                codes[members] = (first + np.minimum((place * number).astype(np.intp), number - 1))[which]
            first += number
        return codes


def thinned(order: Order) -> Order:
    """The same with fewer values."""
    if len(order.values) <= KNOTS:
        return order
    kept = np.linspace(0, len(order.values) - 1, KNOTS).astype(np.intp)
    return replace(order, values=order.values[kept], place=order.place[kept], middle=KNOTS // 2)


def write_film(path: Path, frames: Iterable[Frame], colours: Bytes, seconds: float, number: int) -> int:
    """Writes an animated WebP of so many frames; gives its size in bytes. All frames are held, a byte for each pixel."""
    images = [drawn(frame, colours, (index + 1) / number) for index, frame in enumerate(frames)]
    each = round(1000 * seconds / number)
    durations = [*[each] * (number - 1), each + LAST_FOR]
    first, *others = images
    first.save(
        path,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=durations,
        loop=0,
        quality=QUALITY,
        method=4,
        minimize_size=False,
    )
    return path.stat().st_size


def drawn(frame: Frame, colours: Bytes, done: float) -> Image.Image:
    """A frame as a picture, with its text and how far the film is below."""
    larger = enlarged(frame.codes.shape)
    codes = np.repeat(np.repeat(frame.codes[::-1], larger, axis=0), larger, axis=1)
    height, width = codes.shape
    dark, light = len(colours), len(colours) + 1
    image = Image.fromarray(np.concatenate([codes, np.full((STRIP, width), light, np.uint8)]))
    image.putpalette(np.concatenate([colours, colour("0.1"), colour("0.97")]).tobytes())
    draw = ImageDraw.Draw(image)
    draw.text((4, height + 2), frame.text, fill=dark)
    draw.rectangle((0, height + STRIP - 2, round(done * width), height + STRIP), fill=dark)
    return image


def enlarged(shape: Sequence[int]) -> int:
    """How many pixels of the film, along each axis, a run has."""
    return max(1, -(-SMALLEST // max(shape)))
