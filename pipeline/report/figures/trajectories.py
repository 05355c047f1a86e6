"""Figures of what happens to the runs on their way: their errors over the epochs, and their weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pipeline.report.figures import drawing
from pipeline.report.figures.drawing import BLUE, GREY, ORANGE, Picture, log_axis, plain, pooled, rows_of, spread, title
from pipeline.report.figures.style import styled
from pipeline.report.numbers import count, tick
from pipeline.results.runs import Runs
from pipeline.stats import trajectories
from pipeline.stats.arrays import Booleans, Floats, Integers, evenly
from pipeline.stats.summary import Summary
from pipeline.stats.trajectories import MOST_RUNS, SHARES, AllWeights, Curves

THIN_CURVES = 30  # of an axis value, that are drawn themselves
MOST_PANELS, MOST_WEIGHTS, MOST_DOTS = 8, 24, 60
MOST_LINEAR, LINEAR = 25.0, 5.0  # larger weights would hide the initial ones: their axis is linear only up to LINEAR
FAR_ABOVE = 1e30  # drawn instead of what is not finite


@dataclass(frozen=True, slots=True)
class KeptWeights:
    """The weights w1, w2, … and biases b1, b2, … of runs of one network, read when they are wanted."""

    runs: Runs

    @property
    def names(self) -> list[str]:
        """Their names (N,)."""
        network = self.runs.rows[0].network
        weights = sum(below * above for below, above in pairwise(network.units))
        return [f"w{n + 1}" if n < weights else f"b{n - weights + 1}" for n in range(network.size)]

    def of(self, which: str, runs: Integers) -> Floats:
        """The parameters (N, runs) of these runs; `which`: initial, final."""
        return self.runs.parameters("initial" if which == "initial" else "parameters", runs)

    def finite(self) -> Booleans:
        """Whether all final ones of each run are finite, (R,)."""
        finite = np.empty(len(self.runs), bool)
        for some in self.runs.rows:
            finite[some.indices] = np.isfinite(some.column("parameters")).all(axis=1)
        return finite


@styled
def error_curves(
    summary: Summary, curves: Curves, axes: Sequence[str] | None = None, error_goals: bool = True
) -> Picture | None:
    """Error over epochs, a panel for each value of the first axis: the median run, and the bands of half and nine tenths.

    Of runs that differ in their threshold only, those with the lowest are drawn (`error_bands`). With `error_goals` the
    thresholds are values of the total error, and drawn.
    """
    thresholds = [goal for goal in summary.thresholds if goal is not None]
    axis = drawing.lines_of(summary, axes)
    lowest = trajectories.of_lowest_threshold(summary)
    shown = [line for line in drawing.lines(summary, axis, MOST_PANELS) if (lowest & summary.having(axis, line[0])).any()]
    bands = trajectories.error_bands(summary, curves, axis, [value for value, _, _ in shown])
    figure, plots = drawing.panels(len(shown), (2.6, 2.3))
    high, used = 0.0, 0
    for plot, (value, label, _) in zip(plots, shown, strict=True):
        rows, table = trajectories.chosen_runs(summary, axis, value), rows_of(bands, axis, value)
        used += len(rows)
        own = curves.of(rows)
        first = np.array([errors[0] for _, errors in own])
        high = max(high, float(trajectories.quantile(np.where(np.isnan(first), np.inf, first), 0.95)))
        for number in evenly(len(rows), THIN_CURVES).tolist():
            plot.plot(own[number][0], positive(own[number][1]), color="0.6", linewidth=0.4, alpha=0.6, rasterized=True)
        epochs = table["epochs"].to_numpy()
        five, quarter, middle, three, most = (positive(table[name].to_numpy()) for name in SHARES)
        plot.fill_between(epochs, five, most, color=BLUE, alpha=0.15, linewidth=0, label="90 % of runs")
        plot.fill_between(epochs, quarter, three, color=BLUE, alpha=0.3, linewidth=0, label="50 %")
        plot.plot(epochs, middle, color=BLUE, linewidth=1.8, label="median")
        runs = lowest & summary.having(axis, value)
        name = label if axis is None else f"{plain(axis)} = {label}"
        plot.set_title(f"{name}\n{(runs & summary.event).sum():,} of {runs.sum():,} converged", fontsize=9)
    last, low = max(1.0, float(bands["epochs"].max())), float(bands["least"].min())
    limits = max(low / 2, 1e-16), min(max(high, low, 1e-16), FAR_ABOVE) * 10
    goals = [goal for goal in thresholds if error_goals and limits[0] <= goal <= limits[1]]
    for plot in plots:
        drawing.epochs_axis(plot, last)
        plot.set(ylim=limits, yscale="log")  # in this order: a scale is fitted to the data while there are no limits
        log_axis(plot.yaxis, *limits, 5)
        for goal in goals:
            plot.axhline(goal, color=ORANGE, linestyle="--", linewidth=1, label="threshold" if goal == goals[0] else None)
    for plot in plots[:-4]:
        plot.set_xlabel("")
    for plot in plots[::4]:
        plot.set_ylabel("total error E")
    drawing.legend_below(figure, plots[0], 4)
    goal = f"those with threshold {plain(thresholds[-1])}; " if thresholds else ""
    some = f"median and bands of {used:,} evenly chosen runs" if used < lowest.sum() else "all runs"
    behind = pooled(summary, [axis, "threshold"], int(lowest.sum()))
    title(figure, f"Error over epochs{f' by {plain(axis)}' if axis else ''}", behind)
    return Picture(
        figure,
        f"Total error over epochs, logarithmic axes: {behind} ({goal}{some}{drawing.some_of(summary, axis, MOST_PANELS)}). "
        "The line is the median run, the bands hold half and nine tenths of the runs, thin lines are single "
        "runs. A run that has ended keeps its last error; one that diverged counts as infinite."
        + (" Dashed: the thresholds." if goals else ""),
    )


def positive(errors: Floats) -> Floats:
    """Errors that a logarithmic axis can show; what is not finite is far above."""
    return np.where(np.isfinite(errors), np.clip(errors, 1 / FAR_ABOVE, FAR_ABOVE), FAR_ABOVE)


@styled
def final_weights(summary: Summary, weights: AllWeights) -> Picture | None:
    """The initial and the final weights, for the runs that converged and for those that did not (`weight_quantiles`).

    Of runs that differ in their threshold only, those with the lowest are shown.
    """
    numbers = spread(range(len(weights.names)), MOST_WEIGHTS)
    if not numbers:
        return None
    groups = trajectories.chosen_weights(summary, weights, numbers)
    quantiles = trajectories.weight_quantiles(groups, [weights.names[number] for number in numbers])
    colours = {"initial": GREY, "final, converged": BLUE, "final, not converged": ORANGE}
    figure = Figure(figsize=(max(5.0, 1.2 + 0.55 * len(numbers)), 4.0), layout="constrained")
    plot = figure.subplots()
    for number, (name, chosen) in enumerate(groups.items()):
        x = np.arange(len(numbers)) + 0.27 * (number - (len(groups) - 1) / 2)
        table = quantiles[quantiles["group"] == name]
        five, quarter, middle, three, most = (table[share].to_numpy() for share in SHARES)
        dots = chosen.values[:, evenly(chosen.values.shape[1], MOST_DOTS)]
        jitter = 0.06 * (np.arange(dots.shape[1]) * 0.618 % 1 - 0.5)
        plot.plot((x[:, None] + jitter).T, dots.T, ".", color=colours[name], markersize=2, alpha=0.35, rasterized=True)
        plot.vlines(x, five, most, color=colours[name], linewidth=1)
        plot.vlines(x, quarter, three, color=colours[name], linewidth=4, label=f"{name} ({chosen.runs:,})")
        plot.plot(x, middle, "_", color="black", markersize=7)
    plot.axhline(0, color="0.4", linewidth=0.8)
    wide = weight_axis(plot, quantiles)
    plot.set_xticks(np.arange(len(numbers)), [plain(weights.names[number], 8) for number in numbers])
    plot.grid(False, axis="x")
    plot.set(xlabel="weight or bias", ylabel="value")
    drawing.legend_below(figure, plot, 3)
    number = int(trajectories.of_lowest_threshold(summary).sum())
    some = f"{len(numbers)} of {len(weights.names):,} parameters" if len(numbers) < len(weights.names) else "all parameters"
    goal = "" if summary.thresholds == [None] else f" with threshold {plain(summary.thresholds[-1])}"
    few = f" (at most {MOST_DOTS}, bars from at most {MOST_RUNS:,}, evenly chosen)" if number > MOST_DOTS else ""
    left_out = int((trajectories.of_lowest_threshold(summary) & summary.ended("diverged")).sum())
    diverged = f" The final weights of {count(left_out, 'run')} that diverged are left out." if left_out else ""
    scale = " Beyond the dotted lines the axis is logarithmic." if wide else ""
    title(figure, "Weights at the start and at the end", f"{count(number, 'run')}{goal}, {some}")
    return Picture(
        figure,
        f"Initial and final weights of {count(number, 'run')}{goal}, {some}: thick bars hold half of the runs, thin ones nine "
        f"tenths, the mark is the median, dots are single runs{few}.{diverged}{scale}",
    )


def weight_axis(plot: Axes, quantiles: pd.DataFrame) -> bool:
    """A vertical axis that holds all quantiles of the weights: logarithmic beyond LINEAR where some are very large.

    Tells whether it is logarithmic there. Single runs far beyond the quantiles are cut off.
    """
    low, high = float(quantiles["q5"].min()), float(quantiles["q95"].max())
    span = max(high - low, 1e-9)
    if max(-low, high) <= MOST_LINEAR:
        plot.set_ylim(min(low - span / 4, 0), max(high + span / 4, 0))
        return False
    plot.set_yscale("symlog", linthresh=LINEAR, linscale=1.0)
    plot.set_ylim(min(1.5 * low, -LINEAR), max(1.5 * high, LINEAR))
    for edge in (-LINEAR, LINEAR):
        plot.axhline(edge, color=GREY, linestyle=":", linewidth=0.8)
    decades = 10.0 ** np.arange(1, np.ceil(np.log10(max(-low, high))) + 1)
    some = decades[:: -(-len(decades) // 4)]
    plot.yaxis.set_major_locator(FixedLocator([*-some[::-1], -LINEAR, 0.0, LINEAR, *some]))
    plot.yaxis.set_major_formatter(FuncFormatter(tick))
    plot.yaxis.set_minor_locator(NullLocator())
    return True
