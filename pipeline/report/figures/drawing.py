"""What all figures share: labels, scales, and the axes of a sweep that are drawn."""

import functools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pipeline.report.numbers import count, in_short, tick
from pipeline.stats.arrays import evenly
from pipeline.stats.sample import REPLICATES, is_number
from pipeline.stats.summary import Summary

# Okabe & Ito (2008), without yellow, which is hard to see as a line
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
BLUE, ORANGE, GREY = COLOURS[0], COLOURS[1], "0.55"
RANGE = "initial.range"  # the axis that says from which initial weights: drawn first
LINES, PANELS = 7, 3  # values of an axis that colours distinguish, thresholds that have a panel to themselves
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure and its caption, which is also its text alternative."""

    figure: Figure
    caption: str


@functools.cache
def glyphs() -> frozenset[int]:
    """The characters that the figures' font has."""
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def plain(value: Any, longest: int = 26) -> str:
    """A value as a label: numbers shortly, texts cut, in one line, without characters that are markup or not in the font."""
    text = in_short(" ".join(value.split()) if isinstance(value, str) else value) or "(empty)"
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(letter if ord(letter) in glyphs() else "�" for letter in text).replace("$", r"\$")


def spread(values: Sequence[T], most: int) -> list[T]:
    """At most `most` of the values: the first, the last and evenly chosen ones between."""
    return [values[index] for index in evenly(len(values), most)]


def colours_of(values: Sequence[Any]) -> list[Any]:
    """A colour for each value: along viridis where they are numbers, else from the palette."""
    if all(map(is_number, values)):
        return list(matplotlib.colormaps["viridis"](np.linspace(0.0, 0.85, len(values))))
    return [COLOURS[index % len(COLOURS)] for index in range(len(values))]


def luminance(colour: Any) -> float:
    """The relative luminance of a colour, 0 to 1: W3C, Web Content Accessibility Guidelines 2.2, definition of that name."""
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: Any, other: Any) -> float:
    """The contrast ratio of two colours, 1 to 21 (the same guidelines); small text needs 4.5."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def readable_on(colour: Any) -> str:
    """Black or white, whichever is read more easily on that colour: one of them has a contrast of at least 4.58."""
    return max(("black", "white"), key=lambda text: contrast(text, colour))


def mark_caps(plot: Axes, caps: Sequence[int]) -> None:
    """A dotted line at each number of epochs after which runs were stopped; none where there are more than three."""
    for cap in caps if len(caps) <= 3 else []:
        plot.axvline(cap, color=GREY, linestyle=":", linewidth=1.2)
        plot.annotate(
            "cap", (cap, 1), (0, 1), xycoords=("data", "axes fraction"), textcoords="offset points",
            color="0.35", fontsize=8, ha="center", va="bottom", annotation_clip=False,
        )  # fmt: skip


def epochs_axis(plot: Axes, most: float) -> None:
    """A logarithmic axis of epochs that has room for epoch 0."""
    plot.set_xscale("symlog", linthresh=1, linscale=0.3)
    plot.set_xlim(0, max(most, 1) * 1.05)
    decades = 10.0 ** np.arange(int(np.log10(max(most, 1))) + 1)
    plot.xaxis.set_major_formatter(FuncFormatter(tick))
    plot.xaxis.set_minor_locator(NullLocator())
    plot.set_xticks([0, *decades[1 : len(decades) : 2 if len(decades) > 6 else 1]] if most >= 10 else range(int(most) + 1))
    plot.set_xlabel("epochs")


def log_axis(axis: Axis, low: float, high: float, most: int = 7) -> None:
    """Ticks from low to high on an axis that is logarithmic, written as plain text: formulas take long to draw.

    Whole decades, or 1, 2 and 5 of each where there are few.
    """
    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = [float(f"{digit}e{decade:.0f}") for decade in decades for digit in ((1, 2, 5) if len(decades) <= 3 else (1,))]
    inside = [value for value in ticks if low * 0.999 <= value <= high * 1.001]
    axis.set_major_locator(FixedLocator(inside[:: -(-len(inside) // most)] if inside else [low, high]))
    axis.set_major_formatter(FuncFormatter(tick))
    axis.set_minor_locator(NullLocator())


def pooled(summary: Summary, shown: Sequence[str | None], runs: int | None = None) -> str:
    """How many runs there are (or `runs`), and what is pooled over: `720 runs, pooled over seed (10)`."""
    axes = [axis for axis in [*summary.settings, *REPLICATES] if axis in summary.axes and axis not in shown]
    over = [f"{axis} ({summary.size(axis):,})" for axis in axes if summary.size(axis) > 1]
    more = f" and {len(over) - 4} more axes" if len(over) > 5 else ""
    text = ", ".join(plain(one, 40) for one in (over[:4] if more else over)) + more
    return count(len(summary) if runs is None else runs, "run") + (f", pooled over {text}" if over else "")


def title(figure: Figure, headline: str, below: str) -> None:
    """A headline over the figure, and below it which runs the figure shows, wrapped to the width of the figure."""
    width = max(24, int(figure.get_size_inches()[0] * 12))
    figure.suptitle("\n".join([*textwrap.wrap(headline, width), *textwrap.wrap(below, width)]), fontsize=11)


def panels(count: int, size: tuple[float, float], columns: int = 4) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels of that size, which share their axes."""
    across = min(count, columns)
    down = -(-count // across)
    figure = Figure(figsize=(size[0] * across + 0.8, size[1] * down + 1.0), layout="constrained")
    plots = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel().tolist()
    for plot in plots[count:]:
        plot.set_visible(False)
    for plot in plots[max(0, count - across) : count]:
        plot.tick_params(labelbottom=True)
    return figure, plots[:count]


def lines_of(summary: Summary, axes: Sequence[str] | None) -> str | None:
    """The axis whose values have a line each."""
    return next(iter(summary.main_axes if axes is None else axes), None)


def lines(summary: Summary, axis: str | None, most: int = LINES) -> list[tuple[Any, str, Any]]:
    """(value, label, colour) of the values of an axis, at most `most`; one for all runs where there is no axis."""
    if axis is None:
        return [(None, "all runs", BLUE)]
    values = spread(summary.values(axis), most)
    return [(value, plain(value), colour) for value, colour in zip(values, colours_of(values), strict=True)]


def legend(plots: Sequence[Axes], axis: str | None) -> None:
    """What the lines stand for, beside the last panel and at its height."""
    if axis is not None:
        entries = plots[0].get_legend_handles_labels()
        box = plots[-1].legend(*entries, title=plain(axis), loc="center left", fontsize=9, title_fontsize=9)
        box.set_bbox_to_anchor((1.02, 0.5), plots[-1].transAxes)


def legend_below(figure: Figure, plot: Axes, columns: int) -> None:
    """What is drawn in this panel, below all panels, in as many columns at most as the figure has room for."""
    entries = plot.get_legend_handles_labels()
    for fewer in range(columns, 0, -1):
        box = figure.legend(*entries, loc="outside lower center", ncols=fewer, fontsize=9)
        if fewer == 1 or box.get_window_extent().width <= figure.bbox.width:
            break
        box.remove()


def rows_of(table: pd.DataFrame, axis: str | None, value: Any) -> pd.DataFrame:
    """The rows of a table that are of that value of the axis; all where there is no such axis."""
    if axis is None or axis not in table:
        return table
    return table[table[axis].isna() if pd.isna(value) else table[axis] == value]


def some_of(summary: Summary, axis: str | None, most: int = LINES) -> str:
    """A remark where not all values of the axis are shown."""
    number = summary.size(axis) if axis else 0
    return f"; {most} of the {number:,} values of {plain(axis, 40)} are shown" if number > most else ""
