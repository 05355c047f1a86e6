"""Heat maps over two axes of a sweep."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patches import Rectangle

from pipeline.report.figures.cell_grid import CellGrid
from pipeline.report.figures.drawing import Picture, log_axis, plain, pooled, readable_on, title
from pipeline.report.figures.style import styled
from pipeline.report.numbers import in_short
from pipeline.stats.sample import NESTED
from pipeline.stats.summary import Summary


@styled
def heat_map(summary: Summary, axes: Sequence[str] | None = None, *, what: str) -> Picture | None:
    """Cells of two axes (down, across), else of the two most telling: a number by colour and, where there is room, written.

    `what` is "median", of the epochs to convergence, or "rate", the share of runs that converged. There is a panel for each
    threshold, unless that is one of the two axes.
    A cell is grey and hatched where the median was not reached, or no run converged, and white where there are no runs.
    """
    grid = CellGrid.of(summary, axes)
    if grid is None:
        return None
    tables = grid.tables(summary.heat_map(grid.down, grid.across))
    numbers = np.concatenate([table[what].to_numpy(float) for table in tables])
    some = bool((np.isfinite(numbers) if what == "median" else numbers > 0).any())
    reached = np.maximum(numbers[np.isfinite(numbers)], 1.0)
    norm: Normalize = Normalize(0.0, 1.0)
    if what == "median":
        norm = LogNorm(*(reached.min(), max(reached.max(), 1.1 * reached.min())) if len(reached) else (1, 10))
    figure, plots = grid.figure()
    for plot, table in zip(plots, tables, strict=True):
        y, x = grid.places(table)
        numbers = table[what].to_numpy(float)
        cells = np.full((len(grid.rows), len(grid.columns)), np.nan)
        cells[y, x] = np.maximum(numbers, 1.0) if what == "median" else numbers
        missed = ~np.isfinite(table["median"].to_numpy(float)) if what == "median" else table["converged"].to_numpy() == 0
        cells[y[missed], x[missed]] = np.nan
        grey = np.full(cells.shape, np.nan)
        grey[y[missed], x[missed]] = 0.85
        plot.pcolormesh(np.ma.masked_invalid(grey), cmap="gray", vmin=0, vmax=1, **grid.line)
        image = plot.pcolormesh(
            np.ma.masked_invalid(cells), norm=norm, cmap="viridis_r" if what == "median" else "viridis", **grid.line
        )
        if grid.written:
            write_cells(plot, table, zip(x, y, missed, numbers, strict=True), image, what)
    grid.label(plots)
    if what == "median":
        headline, label, missing = "Median epochs to convergence", "median epochs", "not reached"
        unreached = "the median was not reached: fewer than half converged"
    else:
        headline, label, missing = "Share of runs that converged", "share converged", "none"
        unreached = "no run converged"
    if some:  # else there is nothing that a scale could be of
        bar = figure.colorbar(image, ax=plots, label=f"{label} ({'hatched' if grid.written else 'grey'}: {missing})")
        bar.outline.set_visible(False)
        if what == "median":
            log_axis(bar.ax.yaxis, norm.vmin or 1, norm.vmax or 10)
    behind = pooled(summary, [grid.down, grid.across, NESTED])
    title(figure, headline if some else f"{headline}: {missing}", behind)
    written_text = " Written in a cell: how many of its runs converged, and the number." if grid.written else ""
    return Picture(
        figure,
        f"{headline} by {plain(grid.down, 40)} (up) and {plain(grid.across, 40)} (across): {behind}."
        f"{written_text} Grey{' and hatched' if grid.written else ''}: {unreached}.",
    )


median_map, rate_map = partial(heat_map, what="median"), partial(heat_map, what="rate")


def write_cells(plot: Axes, table: pd.DataFrame, cells: Any, image: Any, what: str) -> None:
    """The numbers in the cells of a heat map, light on dark, and hatches where there is none."""
    for (x, y, missed, number), converged, runs in zip(cells, table["converged"], table["runs"], strict=True):
        colour, second = "black", "–"
        if missed:
            plot.add_patch(Rectangle((x, y), 1, 1, fill=False, hatch="///", edgecolor="0.65", linewidth=0))
        else:
            second = in_short(number) if what == "median" else f"{number:.0%}"
            colour = readable_on(image.cmap(image.norm(max(number, 1.0) if what == "median" else number)))
        plot.text(x + 0.5, y + 0.5, f"{converged:,}/{runs:,}\n{second}", ha="center", va="center", fontsize=8, color=colour)
