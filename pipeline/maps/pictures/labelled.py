"""The labelled picture of a map: its axes, what the colours stand for with how many runs, and a caption."""

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.maps.axis import Axis
from pipeline.maps.pictures.axis_labels import marks
from pipeline.maps.pictures.layers import Entry, Layer
from pipeline.report.figures.drawing import Picture, plain
from pipeline.report.figures.style import styled

DPI = 100
SMALLEST, LARGEST = 512, 1024  # pixels of the picture's longer side
NARROWEST = 160  # of any side
LEFT, RIGHT, TOP, BOTTOM = 92, 290, 18, 58  # pixels around it
LINE, LETTER = 15, 6.4  # height and width of a letter of the caption, in pixels
LONGEST = 500  # letters of a text
BAR, ENTRY, NUMBERS = 11, 26, 15  # heights in the legend, in pixels


@styled
def labelled(layer: Layer, across: Axis, down: Axis, title: str = "", caption: str = "", every: int = 1) -> Picture:
    """A layer (H, W) with the lowest values at the left and at the bottom. A large map is thinned: every n-th run is drawn.

    Of a very large one the layer itself has only each `every`-th run along either axis.
    """
    height, width = layer.codes.shape
    thinned = -(-max(height, width) // LARGEST)
    if thinned * every > 1:
        caption = f"{caption} Drawn is every {ordinal(thinned * every)} run along each axis.".strip()
    if every > 1:
        caption += f" Colours and numbers of runs are those of every {ordinal(every)}."
    codes = layer.codes[thinned // 2 :: thinned, thinned // 2 :: thinned]
    enlarged = max(1, -(-SMALLEST // max(codes.shape)))
    down_by, across_by = (max(enlarged, -(-NARROWEST // size)) for size in codes.shape)  # pixels of the picture for a run
    rows, columns = codes.shape[0] * down_by, codes.shape[1] * across_by
    top = TOP + (22 if title else 0)
    legend = sum(map(height_of, layer.legend))
    lines = textwrap.wrap(caption, int((LEFT + columns + RIGHT - 30) / LETTER))
    below = BOTTOM + (LINE * len(lines) + 8 if lines else 0)
    page = LEFT + columns + RIGHT, top + max(rows, legend + 10) + below
    figure = Figure(figsize=(page[0] / DPI, page[1] / DPI), dpi=DPI)

    def box(left: float, upper: float, wide: float, high: float) -> tuple[float, float, float, float]:
        """A rectangle, counted in pixels from the left and from the top, as matplotlib has it."""
        return left / page[0], 1 - (upper + high) / page[1], wide / page[0], high / page[1]

    plot = figure.add_axes(box(LEFT, top, columns, rows))
    image = layer.colours[np.repeat(np.repeat(codes, down_by, axis=0), across_by, axis=1)]
    figure.figimage(image, LEFT, page[1] - top - rows, origin="lower")  # pixel by pixel, while imshow resamples
    plot.set(xlim=(0, across.size), ylim=(0, down.size), facecolor="none")
    label_axes(plot, across, down)
    if title:
        figure.text(LEFT / page[0], 1 - 8 / page[1], plain(title, LONGEST), va="top", ha="left", fontsize=12)
    upper = float(top)
    for entry in layer.legend:
        draw_entry(figure, box, entry, layer.colours, LEFT + columns + 22, upper, page)
        upper += height_of(entry)
    for index, line in enumerate(reversed(lines)):
        figure.text(
            14 / page[0], (8 + LINE * index) / page[1], plain(line, LONGEST), va="bottom", ha="left", fontsize=8, color="0.25"
        )
    return Picture(figure, caption)


def label_axes(plot: Axes, across: Axis, down: Axis) -> None:
    """The marks and the names of both axes."""
    horizontal, vertical = marks(across), marks(down)
    plot.set_xticks(horizontal.places, horizontal.texts)
    plot.set_yticks(vertical.places, vertical.texts)
    plot.set_xlabel(plain(horizontal.label, LONGEST))
    plot.set_ylabel(plain(vertical.label, LONGEST))
    plot.grid(False)
    plot.tick_params(length=4, width=0.6, color="0.3")
    plot.spines[:].set_visible(False)


def draw_entry(figure: Figure, box: Any, entry: Entry, colours: Any, left: float, upper: float, page: Any) -> None:
    """A line of the legend: a bar of its colours, its text, and the numbers along it."""
    wide = RIGHT - 22 - 26
    ramp = entry.last > entry.first
    bar = figure.add_axes(box(left, upper + (17 if ramp else 3), wide if ramp else 16, BAR))
    bar.imshow(colours[None, entry.first : entry.last + 1], aspect="auto", interpolation="nearest", extent=(0, 1, 0, 1))
    bar.set(xticks=[], yticks=[])
    bar.spines[:].set(visible=True, color="0.6", linewidth=0.5)
    text_left = left if ramp else left + 24
    figure.text(text_left / page[0], 1 - (upper + 1) / page[1], plain(entry.text, LONGEST), va="top", ha="left", fontsize=9)
    for place, text in entry.along:
        figure.text(
            (left + place * wide) / page[0], 1 - (upper + 17 + BAR + 3) / page[1], text, va="top",
            ha="left" if place < 0.25 else "right" if place > 0.75 else "center", fontsize=8, color="0.3",
        )  # fmt: skip
    if entry.unit:
        figure.text(
            (left + wide / 2) / page[0], 1 - (upper + 17 + BAR + NUMBERS) / page[1], entry.unit, va="top",
            ha="center", fontsize=8, color="0.3",
        )  # fmt: skip


def height_of(entry: Entry) -> int:
    """Of a line of the legend, in pixels."""
    return ENTRY + (BAR + 2 * NUMBERS + 6 if entry.last > entry.first else 0)


def ordinal(number: int) -> str:
    """2nd, 3rd, 4th."""
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10 if number % 100 not in (11, 12, 13) else 0, 'th') }"
