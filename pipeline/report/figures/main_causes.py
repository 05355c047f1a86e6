"""Why runs did not converge, in each cell of two axes of a sweep: the most frequent cause."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from pipeline.backprop.causes.rules import Cause
from pipeline.report.figures.cell_grid import CellGrid
from pipeline.report.figures.drawing import Picture, plain, pooled, readable_on, title
from pipeline.report.figures.style import styled
from pipeline.report.numbers import percent
from pipeline.stats.arrays import Integers
from pipeline.stats.sample import NESTED, WORDS
from pipeline.stats.summary import Summary

# Okabe & Ito (2008), and two greys
COLOURS = {
    Cause.DIVERGED: "#000000", Cause.UNREACHABLE: "#7a7a7a", Cause.SYMMETRIC: "#F0E442", Cause.FROZEN: "#56B4E9",
    Cause.SATURATED: "#E69F00", Cause.OSCILLATING: "#D55E00", Cause.DESCENDING: "#009E73", Cause.PLATEAU: "#0072B2",
    Cause.MINIMUM: "#CC79A7", Cause.UNDECIDED: "#cfcfcf",
}  # fmt: skip
PALETTE = [COLOURS[cause] for cause in Cause if cause is not Cause.NONE]
SHORT = {"unreachable": "unreach.", "oscillating": "oscill.", "descending": "desc.", "symmetric": "symm."}
NONE = -1  # all runs of the cell converged, or no cause is known


@styled
def main_causes(summary: Summary, axes: Sequence[str] | None = None) -> Picture | None:
    """Cells of two axes (down, across), else of the two most telling: the most frequent cause by colour and, with room, word.

    There is a panel for each threshold, unless that is one of the two axes. None where no cause is known.
    """
    grid = CellGrid.of(summary, axes)
    table = pd.DataFrame() if grid is None else summary.cause_counts(*summary.with_thresholds(grid.down, grid.across))
    if grid is None or table.empty:
        return None
    figure, plots = grid.figure()
    present: set[int] = set()
    for plot, part in zip(plots, grid.tables(table), strict=True):
        y, x = grid.places(part)
        main, runs = most_frequent(part)
        present |= set(main.tolist()) - {NONE}
        cells, white = np.full((2, len(grid.rows), len(grid.columns)), np.nan)
        cells[y, x] = np.where(main == NONE, np.nan, main)
        white[y, x] = 1.0
        frames = {"edgecolors": "0.88"} if grid.written else {}
        plot.pcolormesh(np.ma.masked_invalid(white), cmap="gray", vmin=0, vmax=1, **{**grid.line, **frames})
        plot.pcolormesh(
            np.ma.masked_invalid(cells), cmap=ListedColormap(PALETTE), vmin=-0.5, vmax=len(PALETTE) - 0.5, **grid.line
        )
        if grid.written:
            write_cells(plot, part, x, y, main, runs)
    grid.label(plots)
    patches = [Patch(facecolor=PALETTE[number], label=WORDS[number]) for number in sorted(present)]
    figure.legend(handles=patches, loc="outside right center", fontsize=9, title="most frequent cause", title_fontsize=9)
    behind = pooled(summary, [grid.down, grid.across, NESTED])
    title(figure, "Why runs did not converge", behind)
    written = (
        " Written in a cell: the cause and the share of all its runs that have it; where all converged, 100%."
        if grid.written
        else ""
    )
    return Picture(
        figure,
        f"Why runs did not converge by {plain(grid.down, 40)} (up) and {plain(grid.across, 40)} (across): {behind}. "
        f"Colour: the most frequent cause among the runs of a cell that did not converge.{written} White: all converged, "
        "or no cause is known.",
    )


def most_frequent(table: pd.DataFrame) -> tuple[Integers, Integers]:
    """The number (C,) in WORDS of the most frequent cause of each cell, or NONE, and how many of its runs have it."""
    counts = np.stack([table[word].to_numpy(int) if word in table else np.zeros(len(table), int) for word in WORDS], axis=1)
    runs = counts.max(axis=1)
    return np.where(runs > 0, counts.argmax(axis=1), NONE), runs


def write_cells(plot: Axes, table: pd.DataFrame, x: Integers, y: Integers, main: Integers, runs: Integers) -> None:
    """The words and shares in the cells."""
    for column, row, cause, number, converged, all_runs in zip(
        x, y, main, runs, table["converged"], table["runs"], strict=True
    ):
        colour, text = "black", "100%" if converged == all_runs else "–"
        if cause != NONE:
            word = WORDS[cause]
            colour, text = readable_on(PALETTE[cause]), f"{SHORT.get(word, word)}\n{percent(number / all_runs)}"
        plot.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8, color=colour)
