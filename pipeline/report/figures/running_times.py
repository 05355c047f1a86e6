"""Figures of running times: how long runs take to converge, if they do, along one axis of a sweep."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from pipeline.report.figures import drawing
from pipeline.report.figures.drawing import BLUE, ORANGE, PANELS, Picture, plain, pooled, rows_of, spread, title
from pipeline.report.figures.style import styled
from pipeline.report.numbers import count
from pipeline.stats.arrays import Floats
from pipeline.stats.sample import NESTED, is_number
from pipeline.stats.summary import Summary
from pipeline.stats.views.simulated_restarts import SIMULATED, simulated_restarts

STEPS = 400  # points of a line that goes step by step
WRITTEN_VALUES, MOST_VALUES = 8, 60  # along the horizontal axis of `cost`
FAR_ABOVE = 1e12  # drawn instead of infinity


@styled
def survival(summary: Summary, axes: Sequence[str] | None = None) -> Picture | None:
    """The share of runs that have not yet converged over epochs, a line for each value of the first axis."""
    axis = drawing.lines_of(summary, axes)
    goals = spread(summary.thresholds, PANELS)
    figure, plots = drawing.panels(len(goals), (3.3, 2.8) if len(goals) > 1 else (5.2, 3.4))
    end = summary.horizon
    table = carried_on(summary.survival(*summary.with_thresholds(axis or "")), end)
    for plot, goal in zip(plots, goals, strict=True):
        for label, colour, part in steps(summary, rows_of(table, NESTED, goal), axis):
            x = part["epochs"]
            plot.fill_between(x, part["low"], part["high"], step="post", color=colour, alpha=0.12, linewidth=0)
            plot.step(x, part["survival"], where="post", color=colour, label=label, linewidth=1.6)
        drawing.epochs_axis(plot, end)
        drawing.mark_caps(plot, summary.caps(goal))
        plot.set_ylim(-0.02, 1.02)
        if goal is not None:
            plot.set_title(f"threshold {plain(goal)}")
    plots[0].set_ylabel("share not yet converged")
    drawing.legend(plots, axis)
    behind = pooled(summary, [axis or "", "threshold"])
    title(figure, "Share of runs that have not yet converged", behind)
    return Picture(
        figure,
        f"Kaplan–Meier curves of the epochs to convergence with pointwise 95 % intervals: {behind}"
        f"{drawing.some_of(summary, axis)}. Runs stopped at max_epochs (cap, dotted) are censored there; "
        "diverged and stationary runs never converge.",
    )


@styled
def run_lengths(summary: Summary, axes: Sequence[str] | None = None) -> Picture | None:
    """Empirical distribution of run lengths: the share of all (run, threshold) pairs converged, by epoch."""
    axis = drawing.lines_of(summary, axes)
    figure, [plot] = drawing.panels(1, (5.2, 3.4))
    end = summary.horizon
    for label, colour, part in steps(summary, carried_on(summary.run_lengths(*([axis] if axis else [])), end), axis):
        plot.step(part["epochs"], part["share"], where="post", color=colour, label=label, linewidth=1.6)
        plot.plot(part["epochs"].iloc[-1:], part["share"].iloc[-1:], "x", color=colour, markersize=6, clip_on=False)
    restarted = simulated_restarts(summary, [axis] if axis else [])
    for _, colour, part in steps(summary, restarted, axis):
        plot.step(part["epochs"], part["share"], where="post", color=colour, linestyle=":", linewidth=1.4)
    drawing.epochs_axis(plot, max(end, float(restarted["epochs"].max()) if len(restarted) else 0.0))
    drawing.mark_caps(plot, summary.caps())
    unit = "(run, threshold) pairs" if NESTED in summary.axes else "runs converged"
    plot.set(ylim=(-0.02, 1.02), ylabel=f"share of {unit}")
    drawing.legend([plot], axis)
    behind = pooled(summary, [axis or ""])
    title(figure, "Run lengths: share converged by epoch", behind)
    return Picture(
        figure,
        f"Empirical distribution of the epochs to convergence: {behind}{drawing.some_of(summary, axis)}. "
        "A cross marks the share reached at the end, a vertical line (cap) the max_epochs at which runs were stopped."
        + (f" Dotted: {SIMULATED} run lengths of each setting with simulated restarts." if len(restarted) else ""),
    )


@styled
def profiles(summary: Summary, axes: Sequence[str] | None = None) -> Picture | None:
    """Performance profiles (Dolan & Moré 2002): on which share of starts a value of the first axis is within τ of the best.

    None where no start was run at every value, or none converged.
    """
    axis = drawing.lines_of(summary, axes)
    if axis is None:
        return None
    table = summary.profiles(axis)
    problems = int(table["problems"].max())
    if problems < 2 or not table["share"].any():
        return None
    rising = table.loc[table["share"].diff() > 0, "tau"].to_numpy()
    most = max(float(np.quantile(rising, 0.99)) * 1.2 if len(rising) else 0.0, 2.0)
    figure, [plot] = drawing.panels(1, (5.2, 3.4))
    for label, colour, part in steps(summary, table, axis):
        x, y = part["tau"].to_numpy(), part["share"].to_numpy()
        plot.step([1.0, *x, max(most, x[-1])], [0.0, *y, y[-1]], where="post", color=colour, label=label, linewidth=1.6)
    plot.set(xlim=(1, most), xscale="log", ylim=(-0.02, 1.02))
    drawing.log_axis(plot.xaxis, 1, most, 8)
    plot.set(xlabel="factor τ of the fewest epochs from the same start", ylabel="share of starts ρ(τ)")
    drawing.legend([plot], axis)
    same = f"{count(problems, 'start')} (all else equal), {len(summary):,} runs"
    title(figure, f"How often is {plain(axis)} within a factor of the best?", same)
    return Picture(
        figure,
        f"Performance profiles (Dolan & Moré 2002) of {plain(axis, 40)} over {same}{drawing.some_of(summary, axis)}. At τ = 1: "
        "the share of starts on which it needs the fewest epochs; to the right: the share on which it converges at all.",
    )


def carried_on(table: pd.DataFrame, end: float) -> pd.DataFrame:
    """Curves that reach to epoch 1 where the horizon is 0, so that they can be seen."""
    return table if end else pd.concat([table, table.assign(epochs=1.0)], ignore_index=True)


def steps(summary: Summary, table: pd.DataFrame, axis: str | None) -> Iterator[tuple[str, Any, pd.DataFrame]]:
    """(label, colour, steps) of the lines that are drawn; of very many steps, evenly chosen ones."""
    for value, label, colour in drawing.lines(summary, axis):
        part = rows_of(table, axis, value)
        if len(part) > STEPS:
            part = part.iloc[np.unique(np.linspace(0, len(part) - 1, STEPS).astype(int))]
        if len(part):
            yield label, colour, part


@styled
def cost(summary: Summary, axes: Sequence[str] | None = None) -> Picture | None:
    """What a success costs: expected running time and epochs to convergence over the first axis, and the rate below."""
    axis = drawing.lines_of(summary, axes)
    if axis is None or summary.size(axis) < 2:
        return None
    goals = spread(summary.thresholds, PANELS)
    values = spread(summary.values(axis), MOST_VALUES)
    x, scale = positions(values)
    figure = Figure(figsize=(max(3.3 * len(goals) + 1.0, 6.2), 5.2), layout="constrained")
    plots = figure.subplots(2, len(goals), sharex=True, sharey="row", squeeze=False, height_ratios=(2, 1))
    heights: list[Floats] = []
    costs = summary.costs(axis)
    for (upper, lower), goal in zip(plots.T, goals, strict=True):
        table = rows_of(costs, NESTED, goal).set_index(axis).reindex(values)
        q1, median, q3, ert, least = (table[name].to_numpy(float) for name in ("q1", "median", "q3", "ert", "ert_low"))
        upper.fill_between(x, shown(q1), shown(q3), color=BLUE, alpha=0.2, linewidth=0, label="q1 to q3 of epochs")
        upper.plot(x, finite(median), color=BLUE, marker="o", markersize=4, label="median epochs")
        upper.plot(x, finite(ert), color=ORANGE, marker="s", markersize=4, linestyle="--", label="expected running time")
        intervals(upper, x, table, "ert_low", "ert_high_seen", ORANGE)
        intervals(upper, x, table, "ert_high_seen", "ert_high", ORANGE, unseen=True)
        heights.append(np.concatenate([finite(numbers) for numbers in (q1, median, q3, ert, least)]))
        never = ~np.isfinite(ert)
        upper.plot(x[never], np.full(never.sum(), 0.97), "x", color=ORANGE, transform=upper.get_xaxis_transform())
        if goal is not None:
            upper.set_title(f"threshold {plain(goal)}")
        lower.plot(x, table["rate"].to_numpy(float), color=BLUE, marker="o", markersize=4)
        intervals(lower, x, table, "rate_low", "rate_high", BLUE)
        lower.set(ylim=(-0.04, 1.04), xlabel=plain(axis))
        value_axis(lower, values, x, scale)
    drawn = np.concatenate(heights)
    drawn = drawn[np.isfinite(drawn)]
    limits = (drawn.min() / 1.5, drawn.max() * 1.5) if len(drawn) else (1.0, 10.0)
    plots[0, 0].set(ylim=limits, yscale="log", ylabel="epochs")
    drawing.log_axis(plots[0, 0].yaxis, *limits)
    plots[1, 0].set_ylabel("share converged")
    drawing.legend_below(figure, plots[0, 0], 3)
    behind = pooled(summary, [axis, "threshold"])
    title(figure, f"What {plain(axis)} costs", behind)
    return Picture(
        figure,
        f"Epochs to convergence (median, and quartiles as a band), expected running time (all epochs spent per run that "
        f"converged) and the share of runs that converged, by {plain(axis, 40)}: {behind}"
        f"{drawing.some_of(summary, axis, MOST_VALUES)}. Bars: 95 % intervals; dotted on, the expected running time "
        "allowing for failures not seen. A cross at the top: no run "
        "converged. Where a line or band ends, it was not reached.",
    )


def positions(values: Sequence[Any]) -> tuple[Floats, str]:
    """The positions of values along an axis, and its scale: log, linear, or category if they are no numbers, or enormous."""
    if not all(map(is_number, values)):
        return np.arange(len(values), dtype=float), "category"
    numbers = np.array(values, float)
    if np.abs(numbers).max() > FAR_ABOVE or 0 < numbers.min() < 1 / FAR_ABOVE:
        return np.arange(len(values), dtype=float), "category"
    return numbers, "log" if numbers.min() > 0 and numbers.max() > 8 * numbers.min() else "linear"


def value_axis(plot: Axes, values: Sequence[Any], x: Floats, scale: str) -> None:
    """A horizontal axis with the values of an axis of the sweep at their `positions`."""
    if scale != "category":
        plot.set_xscale(scale)
    if len(values) <= WRITTEN_VALUES or scale == "category":
        some = spread(range(len(values)), WRITTEN_VALUES)
        plot.set_xticks(x[some], [plain(values[index], 10) for index in some])
        plot.xaxis.set_minor_locator(NullLocator())
    elif scale == "log":
        drawing.log_axis(plot.xaxis, x[0], x[-1], 5)


def finite(numbers: Floats) -> Floats:
    """Numbers that a logarithmic axis can show, NaN elsewhere: a line has a gap there."""
    return np.where(np.isfinite(numbers), np.maximum(numbers, 1.0), np.nan)


def shown(numbers: Floats) -> Floats:
    """The same, but what was not reached is far above."""
    return np.where(np.isinf(numbers), FAR_ABOVE, finite(numbers))


def intervals(plot: Axes, x: Floats, table: pd.DataFrame, low: str, high: str, colour: str, unseen: bool = False) -> None:
    """Bars between two columns, dotted where they allow for what was `unseen`; beyond the edge where that is infinite."""
    bounds = [np.minimum(table[name].to_numpy(float), FAR_ABOVE) for name in (low, high)]
    known = np.isfinite(bounds).all(axis=0) & (bounds[0] < FAR_ABOVE)
    line = {"linewidth": 1.0, "linestyles": ":"} if unseen else {"linewidth": 1.8}
    plot.vlines(x[known], bounds[0][known], bounds[1][known], color=colour, alpha=0.8, **line)
