"""The figure of fixed budgets: the best error after so many epochs, a line for each value of an axis."""

from collections.abc import Sequence

import numpy as np

from pipeline.report.figures import drawing
from pipeline.report.figures.drawing import GREY, Picture, plain, pooled, rows_of, title
from pipeline.report.figures.style import styled
from pipeline.stats.summary import Summary
from pipeline.stats.trajectories import MOST_CURVES, Curves, of_lowest_threshold
from pipeline.stats.views import fixed_budget as metric

FAR_ABOVE = 1e30  # drawn instead of what is not finite


@styled
def fixed_budget(
    summary: Summary, curves: Curves, axes: Sequence[str] | None = None, error_goals: bool = True
) -> Picture | None:
    """The lowest error so far over the epochs (`views.fixed_budget`), over the first axis; with `error_goals` thresholds."""
    axis = drawing.lines_of(summary, axes)
    lines = drawing.lines(summary, axis)
    table = metric.fixed_budget(summary, curves, axis, [value for value, _, _ in lines])
    known = table["median"][np.isfinite(table["median"]) & (table["median"] > 0)]
    if not len(known):
        return None
    figure, [plot] = drawing.panels(1, (5.8, 3.8))
    for value, label, colour in lines:
        part = rows_of(table, axis, value)
        if len(part):
            low, middle, high = (np.clip(part[name].to_numpy(float), 1 / FAR_ABOVE, FAR_ABOVE) for name in metric.SHARES)
            plot.fill_between(part["epochs"], low, high, step="post", color=colour, alpha=0.12, linewidth=0)
            plot.step(part["epochs"], middle, where="post", color=colour, label=label, linewidth=1.6)
    drawing.epochs_axis(plot, float(table["epochs"].max()))
    limits = max(float(known.min()) / 2, 1e-16), min(float(known.max()), FAR_ABOVE) * 3
    plot.set(ylim=limits, yscale="log", ylabel="lowest total error E so far")
    drawing.log_axis(plot.yaxis, *limits)
    goals = [goal for goal in summary.thresholds if error_goals and goal is not None and limits[0] <= goal <= limits[1]]
    for goal in goals:
        plot.axhline(goal, color=GREY, linestyle=":", linewidth=1.2)
    drawing.legend([plot], axis)
    lowest = int(of_lowest_threshold(summary).sum())
    behind = pooled(summary, [axis or "", "threshold"], lowest)
    title(figure, "The best error that so many epochs give", behind)
    most = f"; at most {MOST_CURVES} evenly chosen runs a line" if table["runs"].max() == MOST_CURVES else ""
    goal = f"those with threshold {plain(summary.thresholds[-1])}" if summary.thresholds != [None] else "all runs"
    return Picture(
        figure,
        f"The lowest total error up to each epoch: the median run, and the middle half of the runs as a band; {behind} "
        f"({goal}{most}{drawing.some_of(summary, axis)}). A run that converged has stopped and keeps its last error: with more "
        f"epochs it would have been lower.{' Dotted: the thresholds.' if goals else ''}",
    )
