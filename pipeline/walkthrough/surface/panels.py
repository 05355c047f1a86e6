"""The surface at the start, in between and at the end, as panels of one picture: colours for outputs, marks for patterns."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from pipeline.backprop.arithmetic import Array
from pipeline.report.figures.drawing import BLUE, COLOURS, ORANGE, plain, title
from pipeline.report.figures.style import styled
from pipeline.walkthrough.layout import short
from pipeline.walkthrough.surface.course import Course
from pipeline.walkthrough.surface.plane import Plane, class_of

PANELS, COLUMNS, SIZE = 6, 3, 160  # pictures, beside each other, points along each side of one
MAP = LinearSegmentedColormap.from_list("output", [ORANGE, "white", BLUE])
MARKS = "osD^vPX"
FLAT = 1e-6  # differences of outputs, as parts of the range of the targets, that are none
MANY = 100  # patterns, from which on their marks are small


@styled
def panels(way: Course, plane: Plane, setting: str, ended: str) -> Figure:
    """The picture: a panel for each epoch of the course; `setting` says of which trial, `ended` how it ended."""
    number = len(way.epochs)
    across = min(number, COLUMNS)
    down = -(-number // across)
    figure = Figure(figsize=(2.9 * across + 1.1, 2.9 * down + 1.2), layout="constrained")
    plots = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel().tolist()
    for plot in plots[number:]:
        plot.set_visible(False)
    image = None
    for at, plot in enumerate(plots[:number]):
        image = draw(plot, plane, plane.surface(way.batch.network, way.parameters[:, at], SIZE))
        plot.set_title(f"epoch {way.epochs[at]:,}, E = {short(way.errors[at])}", fontsize=10)
        plot.set_xlabel(plain(plane.names[0]) if at + across >= number else "")
        plot.set_ylabel(plain(plane.names[1]) if at % across == 0 else "")
        plot.tick_params(labelbottom=at + across >= number)
    scale(figure, plots[:number], image, plane)
    title(figure, headline(plane), f"{setting}: {ended}.")
    return figure


def headline(plane: Plane) -> str:
    """What the colours are."""
    return "The class whose output is largest" if plane.classes else "The output over the plane of the two inputs"


def draw(plot: Axes, plane: Plane, surface: Array) -> AxesImage:
    """One surface (S, S, O) with the patterns on it, and the line on which classes, or low and high, part."""
    plot.grid(False)
    image = plot.imshow(coloured(plane, surface), origin="lower", extent=plane.window, aspect="auto", interpolation="bilinear",
                        cmap=MAP, vmin=plane.low, vmax=plane.high)  # fmt: skip
    parting_line(plot, plane, surface)
    marks(plot, plane)
    return image


def coloured(plane: Plane, surface: Array) -> Array:
    """What is drawn: the output itself (S, S), or the colour (S, S, 3) of the class, paler where another comes near it."""
    if not plane.classes:
        return surface[:, :, 0]
    best, second = (np.sort(surface, axis=-1)[:, :, -place] for place in (1, 2))
    lead = np.clip((best - second) / (plane.high - plane.low), 0.0, 1.0)[:, :, None]
    strength = 0.15 + 0.65 * lead
    colours = np.array([to_rgb(COLOURS[one]) for one in range(len(plane.classes))])[class_of(surface)]
    return 1.0 - strength * (1.0 - colours)


def parting_line(plot: Axes, plane: Plane, surface: Array) -> None:
    """Where the output is in the middle between the targets, or another class begins; no line where there is no such place."""
    left, right, bottom, top = plane.window
    x, y = (np.linspace(*ends, len(surface)) for ends in ((left, right), (bottom, top)))
    heights = [surface[:, :, 0] - plane.middle]
    if plane.classes:
        others = [np.delete(surface, one, axis=-1).max(axis=-1) for one in range(len(plane.classes))]
        heights = [surface[:, :, one] - other for one, other in enumerate(others)]
    for height in heights:
        is_flat = height.max() - height.min() < FLAT * (plane.high - plane.low)  # there a line would show nothing but rounding
        if height.min() < 0.0 < height.max() and not is_flat:
            plot.contour(x, y, height, levels=[0.0], colors="0.15", linewidths=1.2, linestyles="solid")


def marks(plot: Axes, plane: Plane) -> None:
    """The patterns: a mark and a colour for each class, or for targets above and below the middle."""
    kinds = class_of(plane.targets) if plane.classes else (plane.targets[:, 0] > plane.middle).astype(np.intp)
    size = 14 if len(kinds) > MANY else 48
    for kind, (_, colour, mark) in enumerate(legend(plane)):
        x, y = plane.inputs[kinds == kind].T
        plot.scatter(x, y, s=size, c=colour, marker=mark, edgecolors="black", linewidths=0.8, zorder=3)


def legend(plane: Plane) -> list[tuple[str, str, str]]:
    """(words, colour, mark) of each kind of pattern."""
    if plane.classes:
        return [(plain(name), COLOURS[at], MARKS[at]) for at, name in enumerate(plane.classes)]
    if len(np.unique(plane.targets)) <= 2:
        return [(f"target {short(plane.low)}", ORANGE, "s"), (f"target {short(plane.high)}", BLUE, "o")]
    return [(f"target up to {short(plane.middle)}", ORANGE, "s"), (f"target above {short(plane.middle)}", BLUE, "o")]


def scale(figure: Figure, plots: list[Axes], image: AxesImage | None, plane: Plane) -> None:
    """What the colours and the marks stand for."""
    if image is not None and not plane.classes:
        figure.colorbar(image, ax=plots, label="output", shrink=0.7, extend="both", aspect=30)
    handles = [
        Line2D([], [], linestyle="", marker=mark, color=colour, markeredgecolor="black", label=words)
        for words, colour, mark in legend(plane)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=9)
