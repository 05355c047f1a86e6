"""The figure of fixed targets: expected running time against the threshold, a line for each value of an axis."""

from collections.abc import Sequence

import numpy as np

from pipeline.report.figures import drawing
from pipeline.report.figures.drawing import GREY, Picture, pooled, rows_of, title
from pipeline.report.figures.style import styled
from pipeline.stats.summary import Summary
from pipeline.stats.trajectories import Curves, chosen_runs, of_lowest_threshold
from pipeline.stats.views import fixed_target as metric


@styled
def fixed_target(
    summary: Summary, curves: Curves, axes: Sequence[str] | None = None, error_goals: bool = True
) -> Picture | None:
    """What it costs to reach an error (`views.fixed_target`), over the first axis; with `error_goals` thresholds are marked."""
    axis = drawing.lines_of(summary, axes)
    lines = [line for line in drawing.lines(summary, axis) if len(chosen_runs(summary, axis, line[0], 1))]
    table = metric.fixed_target(summary, curves, axis, [value for value, _, _ in lines])
    if table.empty or not np.isfinite(table["ert"]).any():
        return None
    figure, [plot] = drawing.panels(1, (5.8, 3.8))
    for value, label, colour in lines:
        part = rows_of(table, axis, value)
        part = part[np.isfinite(part["ert"])]
        low, high = (np.maximum(part[name].to_numpy(float), 1.0) for name in ("ert_from", "ert"))
        plot.fill_between(part["target"], low, high, color=colour, alpha=0.15, linewidth=0)
        plot.plot(part["target"], high, color=colour, label=label, linewidth=1.6)
    costs = np.maximum(table["ert"][np.isfinite(table["ert"])].to_numpy(float), 1.0)
    high, low = float(table["target"].max()), float(table["target"].min())
    limits = max(costs.min() / 1.5, 0.7), costs.max() * 1.5
    plot.set(xlim=(high * 1.1, low / 1.1), ylim=limits, xscale="log", yscale="log")
    drawing.log_axis(plot.xaxis, low, high)
    drawing.log_axis(plot.yaxis, *limits)
    goals = [goal for goal in summary.thresholds if error_goals and goal is not None and low <= goal <= high]
    for goal in goals:
        plot.axvline(goal, color=GREY, linestyle=":", linewidth=1.2)
    plot.set(xlabel="target: total error E (harder to the right)", ylabel="expected running time, epochs")
    drawing.legend([plot], axis)
    lowest = int(of_lowest_threshold(summary).sum())
    behind = pooled(summary, [axis or "", "threshold"], lowest)
    title(figure, "What it costs to reach an error", behind)
    most = f"; at most {metric.MOST_RUNS} evenly chosen runs a line" if table["runs"].max() < lowest else ""
    marked = " Dotted: the thresholds." if goals else ""
    return Picture(
        figure,
        f"Expected running time (all epochs spent per run that got there) down to each error, from the error curves of "
        f"{behind}{most}{drawing.some_of(summary, axis)}. Curves are kept at log-spaced epochs: the line takes the kept epoch "
        f"at which the error was reached, the narrow band goes down to the earliest that it may have been. Where a line ends, "
        f"no run got further, or those that converged had stopped.{marked}",
    )
