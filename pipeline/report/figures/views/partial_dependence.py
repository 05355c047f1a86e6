"""The figure of partial dependence: what each value of an axis costs on average over the settings of the other axes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from pipeline.report.figures import drawing
from pipeline.report.figures.drawing import BLUE, ORANGE, Picture, plain, spread, title
from pipeline.report.figures.running_times import positions, value_axis
from pipeline.report.figures.style import styled
from pipeline.report.numbers import count
from pipeline.stats.summary import Summary

MOST_AXES, MOST_VALUES = 4, 60


@styled
def partial_dependence(summary: Summary, axes: Sequence[str] | None = None) -> Picture | None:
    """A panel for each axis: the geometric mean of the ERT over the other settings, and their middle half.

    None with fewer than two axes, where there is nothing to average over.
    """
    varying = [axis for axis in summary.settings if summary.size(axis) > 1]
    wanted = [axis for axis in (varying if axes is None else axes) if 1 < summary.size(axis) <= MOST_VALUES]
    tables = {axis: summary.partial_dependence(axis) for axis in spread(wanted, MOST_AXES)} if len(varying) > 1 else {}
    tables = {axis: table for axis, table in tables.items() if table["settings"].max() > 1 and np.isfinite(table["mean"]).all()}
    if not tables:
        return None
    figure = Figure(figsize=(max(5.2, 2.7 * len(tables) + 0.8), 3.9), layout="constrained")
    plots = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    for plot, (axis, table) in zip(plots, tables.items(), strict=True):
        values = summary.values(axis)
        table = table.set_index(axis).reindex(values)
        x, scale = positions(values)
        low, mean, high = (table[name].to_numpy(float) for name in ("low", "mean", "high"))
        plot.fill_between(x, low, high, color=BLUE, alpha=0.2, linewidth=0, label="middle half of the settings")
        plot.plot(x, mean, color=BLUE, marker="o", markersize=4, label="geometric mean over the other settings")
        if (unsolved := table["unsolved"].to_numpy() > 0).any():
            some = "at least: no run converged in some settings"
            plot.plot(x[unsolved], mean[unsolved], "^", color=ORANGE, markersize=7, label=some)
        value_axis(plot, values, x, scale)
        plot.set_xlabel(plain(axis))
    numbers = np.concatenate([table[["low", "mean", "high"]].to_numpy(float).ravel() for table in tables.values()])
    limits = float(numbers.min()) / 1.5, float(numbers.max()) * 1.5
    plots[0].set(ylim=limits, yscale="log", ylabel="expected running time, epochs")
    drawing.log_axis(plots[0].yaxis, *limits)
    labelled = {label: line for plot in plots for line, label in zip(*plot.get_legend_handles_labels(), strict=True)}
    figure.legend(labelled.values(), labelled.keys(), loc="outside lower center", ncols=1, fontsize=9)
    title(figure, "What each axis costs, the others averaged", count(len(summary), "run"))
    some = f"; {MOST_AXES} of {len(wanted)} axes are shown" if len(wanted) > MOST_AXES else ""
    return Picture(
        figure,
        f"Partial dependence (Friedman 2001) of the expected running time on each axis, {count(len(summary), 'run')}: the "
        f"geometric mean over all settings of the other axes, and the middle half of these as a band, which is a spread of "
        f"settings and no interval{some}. A triangle: in some settings no run converged; they count with a lower bound, and "
        "the mean is one, too.",
    )
