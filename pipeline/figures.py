"""Pictures of convergence: matplotlib, without a screen."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from pipeline.convergence import in_short, settings_of, summarize

matplotlib.rcParams["svg.hashsalt"] = "backpropagation"  # the same figure is the same file
FORMATS = ("svg", "png")
MOST_CELLS = 40  # along one side of a heat map


def heat_maps(results: pd.DataFrame) -> Figure | None:
    """Median epochs to convergence over the last two axes, a panel for each threshold; None for other designs.

    A cell says how many of its runs converged and their median; it is grey and hatched where the median was not reached.
    """
    axes = [axis for axis in settings_of(results) if axis != "threshold"]
    if len(axes) != 2:
        return None
    down, across = axes
    rows, columns = (sorted(results[axis].unique().tolist()) for axis in axes)
    if len(rows) > MOST_CELLS or len(columns) > MOST_CELLS:
        return None
    thresholds = sorted(results["threshold"].unique(), reverse=True) if "threshold" in results else [None]
    panels = [results if t is None else results[results["threshold"] == t] for t in thresholds]
    tables = [summarize(panel, axes).set_index(axes) for panel in panels]
    reached = np.concatenate([table["median"].to_numpy() for table in tables])
    reached = np.maximum(reached[np.isfinite(reached)], 1.0)
    norm = LogNorm(*(reached.min(), max(reached.max(), 1.1 * reached.min())) if len(reached) else (1, 10))

    figure = Figure(figsize=(2.2 + (0.9 + 0.85 * len(columns)) * len(panels), 1.6 + 0.5 * len(rows)), layout="constrained")
    figure.suptitle(f"Median epochs to convergence ({len(results):,} runs)")
    plots = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for plot, threshold, table in zip(plots, thresholds, tables, strict=True):
        median = table["median"].unstack().reindex(index=rows, columns=columns).to_numpy(float)
        shown = np.ma.masked_invalid(np.where(np.isfinite(median), np.maximum(median, 1.0), np.nan))
        plot.set_facecolor("0.85")
        image = plot.pcolormesh(shown, norm=norm, cmap="viridis_r", edgecolors="white", linewidth=1)
        for (y, x), value in np.ndenumerate(median):
            if (rows[y], columns[x]) not in table.index:
                continue
            cell = table.loc[(rows[y], columns[x])]
            if not np.isfinite(value):
                plot.add_patch(matplotlib.patches.Rectangle((x, y), 1, 1, fill=False, hatch="///", edgecolor="0.6", lw=0))
            middle = np.isfinite(value) and norm(max(value, 1.0)) > 0.55
            plot.text(
                x + 0.5,
                y + 0.5,
                f"{int(cell['converged'])}/{int(cell['runs'])}\n{in_short(value) if np.isfinite(value) else '–'}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if middle else "black",
            )
        plot.set_xticks(np.arange(len(columns)) + 0.5, [in_short(value) for value in columns])
        plot.set_yticks(np.arange(len(rows)) + 0.5, [in_short(value) for value in rows])
        plot.tick_params(length=0)
        plot.set_xlabel(across)
        if threshold is not None:
            plot.set_title(f"threshold {in_short(threshold)}", fontsize=10)
    plots[0].set_ylabel(down)
    figure.colorbar(image, ax=plots, label="median epochs (hatched: not reached)")
    return figure


def write_figures(results: pd.DataFrame, folder: Path) -> None:
    """All figures that this sweep's design allows, as SVG and PNG."""
    folder.mkdir()
    figures = {"heat_maps": heat_maps(results)}
    for name, figure in figures.items():
        if figure:
            for kind in FORMATS:
                figure.savefig(folder / f"{name}.{kind}", dpi=130, metadata={"Date": None} if kind == "svg" else None)
