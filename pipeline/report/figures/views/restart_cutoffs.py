"""The figure of restarts: expected running time against the epochs after which a run is given up."""

from collections.abc import Sequence

import numpy as np

from pipeline.report.figures import drawing
from pipeline.report.figures.drawing import PANELS, Picture, plain, rows_of, spread, title
from pipeline.report.figures.style import styled
from pipeline.report.numbers import count
from pipeline.stats.costs.restarts import ert_by_cutoff
from pipeline.stats.sample import NESTED
from pipeline.stats.summary import Summary

CUTOFFS = 120


@styled
def restart_cutoffs(summary: Summary, axes: Sequence[str] | None = None) -> Picture | None:
    """ERT(c) of each value of the first axis, the other settings being those of the best one (`ert_by_cutoff`).

    A panel for each threshold. None without replication, or where nothing converged.
    """
    axis, best = drawing.lines_of(summary, axes), summary.best
    end = summary.horizon
    if not summary.replicated or not len(best) or end < 2:
        return None
    others = [other for other in summary.settings if other not in (axis, NESTED)]
    fixed = {other: best[other].iloc[-1] for other in others}
    part = summary
    if fixed:
        at_best = np.logical_and.reduce([summary.having(*one) for one in fixed.items()])
        part = Summary(summary.results[at_best].reset_index(drop=True))
    by = part.with_thresholds(*([axis] if axis else []))
    cutoffs = np.unique(np.rint(np.logspace(0, np.log10(end), CUTOFFS)))
    table = ert_by_cutoff(part, by, cutoffs)
    goals = [goal for goal in spread(summary.thresholds, PANELS) if np.isfinite(rows_of(table, NESTED, goal)["ert"]).any()]
    if not goals:
        return None
    figure, plots = drawing.panels(len(goals), (3.3, 3.0) if len(goals) > 1 else (5.2, 3.4))
    known = table["ert"][np.isfinite(table["ert"])]
    limits = max(float(known.min()) / 1.5, 0.7), float(known.max()) * 1.5
    for plot, goal in zip(plots, goals, strict=True):
        for value, label, colour in drawing.lines(summary, axis):
            line = rows_of(rows_of(table, NESTED, goal), axis, value)
            line = line[np.isfinite(line["ert"])]
            plot.plot(line["cutoff"], line["ert"], color=colour, label=label, linewidth=1.6)
            if len(line):
                least = line.loc[line["ert"].idxmin()]
                plot.plot(least["cutoff"], least["ert"], "o", color=colour, markersize=5)
        plot.set(xlim=(1, max(end, 2)), ylim=limits, xscale="log", yscale="log", xlabel="cutoff: epochs until a restart")
        drawing.log_axis(plot.xaxis, 1, end, 5)
        drawing.log_axis(plot.yaxis, *limits, 6)
        if goal is not None:
            plot.set_title(f"threshold {plain(goal)}")
    plots[0].set_ylabel("expected running time, epochs")
    drawing.legend(plots, axis)
    held = ", ".join(f"{plain(other)} = {plain(value)}" for other, value in fixed.items())
    starts = count(part.starts[1], "start")
    title(
        figure,
        "What restarts after so many epochs cost",
        f"{starts} a line{f'; {held}, as in the best setting' if held else ''}",
    )
    return Picture(
        figure,
        f"Expected running time if each run is given up after so many epochs and another start is taken, "
        f"{f'by {plain(axis, 40)}' if axis else 'of all runs'}"
        f"{f', held fixed at the best setting: {held}' if held else ''}; {starts} a line{drawing.some_of(summary, axis)}. At "
        "the right end: the expected running time without earlier restarts. Dots: the least of each line, which is too "
        "low, as it was chosen from the same starts; the answer states one from others. A line begins where the first run "
        "converged.",
    )
