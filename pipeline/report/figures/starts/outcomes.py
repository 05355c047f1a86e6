"""The figure of where each start converges: starts up, an axis across, a panel for each range of the initial weights."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import Normalize

from pipeline.report.figures import drawing
from pipeline.report.figures.drawing import RANGE, Picture, plain, spread, title
from pipeline.report.figures.style import styled
from pipeline.report.numbers import count
from pipeline.stats.sample import REPLICATES
from pipeline.stats.starts.outcomes import MOST_SHOWN
from pipeline.stats.starts.outcomes import start_outcomes as outcomes_of
from pipeline.stats.summary import Summary

MOST_PANELS, MOST_VALUES, WRITTEN = 4, 60, 8


@styled
def start_outcomes(summary: Summary, axes: Sequence[str] | None = None) -> Picture | None:
    """Which starts fail wherever, which only at some values of the first axis (other than the range of initial weights).

    None without replication, or without an axis of two values at least.
    """
    replicates = [axis for axis in REPLICATES if axis in summary.axes and summary.size(axis) > 1]
    chosen = next((axis for axis in (summary.main_axes if axes is None else axes) if axes is not None or axis != RANGE), None)
    if not summary.replicated or chosen is None or chosen in REPLICATES or not 2 <= summary.size(chosen) <= MOST_VALUES:
        return None
    second = RANGE if RANGE in summary.axes and chosen != RANGE and summary.size(RANGE) > 1 else None
    ranges = [None] if second is None else spread(summary.values(second), MOST_PANELS)
    outcomes = outcomes_of(summary, chosen, second, ranges)
    values, shown = summary.values(chosen), len(outcomes.first)
    size = max(1.7, 0.3 * len(values) + 0.3), min(6.0, 1.2 + 0.12 * shown)
    figure, plots = drawing.panels(len(ranges), size, MOST_PANELS)
    norm = Normalize(0.0, 1.0)
    for number, (plot, value) in enumerate(zip(plots, ranges, strict=True)):
        cells = np.ma.masked_invalid(outcomes.share[:, :, number])
        line = {"edgecolors": "white", "linewidth": 0.3} if cells.size <= 1500 else {"rasterized": True}
        image = plot.pcolormesh(cells, norm=norm, cmap="viridis", **line)
        some = spread(range(len(values)), WRITTEN)
        plot.set_xticks(np.array(some) + 0.5, [plain(values[index], 10) for index in some], rotation=90)
        plot.set_xlabel(plain(chosen))
        plot.grid(False)
        plot.tick_params(length=0)
        plot.spines[:].set_visible(False)
        if second is not None:
            plot.set_title(f"{plain(second)} {plain(value)}")
    written = spread(range(shown), 20 if shown > 20 else shown)
    labels = ["  ".join(plain(summary.results[axis].iloc[outcomes.first[row]], 16) for axis in replicates) for row in written]
    plots[0].set_yticks(np.array(written) + 0.5, labels, fontsize=8)
    plots[0].set_ylabel(", ".join(map(plain, replicates)) + " (above: failed more often)")
    figure.colorbar(image, ax=plots, label="share of runs that converged").outline.set_visible(False)
    goal = "" if summary.thresholds == [None] else f" at threshold {plain(summary.thresholds[-1])}"
    pairs = outcomes.always + outcomes.sometimes + outcomes.never
    each = " and range" if second else ""
    counted = (
        f"{outcomes.always:,} of {pairs:,} starts{f' (a {plain(replicates[0])}{each})' if second else ''} converge at every "
        f"{plain(chosen)}, {outcomes.sometimes:,} at some, {outcomes.never:,} at none"
    )
    few = f"; {shown} evenly chosen ones of {outcomes.starts:,} are shown" if outcomes.starts > MOST_SHOWN else ""
    title(figure, f"Which starts converge{goal}?", counted)
    others = [axis for axis in summary.settings if axis not in (chosen, second, "threshold") and summary.size(axis) > 1]
    pooled_over = f", pooled over {', '.join(plain(axis, 40) for axis in others)}" if others else ""
    runs = count(len(summary), "run") if goal == "" else f"the runs with the lowest of {len(summary.thresholds)} thresholds"
    return Picture(
        figure,
        f"Where each start converges{goal}: starts (up; a row is the same {', '.join(plain(axis) for axis in replicates)} in "
        f"every panel) against {plain(chosen, 40)} (across), {runs}{pooled_over}. Starts are sorted by how often they failed"
        f"{few}. {counted}. White: not run.",
    )
