"""Figures of what happens to the runs on their way: their errors over the epochs, and their weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.report.figures.drawing import (
    BLUE,
    GREY,
    ORANGE,
    Picture,
    epochs_axis,
    groups,
    lines_of,
    log_axis,
    panels,
    plain,
    pooled,
    some_of,
    spread,
    styled,
    thresholds_of,
    title,
)
from pipeline.report.words import count
from pipeline.results.runs import Runs
from pipeline.stats.estimators import Booleans, Floats

Curves = Sequence[tuple[NDArray[np.int64], Floats]]

CURVES = 200  # of one axis value, that make its median and bands

THIN_CURVES = 30  # of them that are drawn themselves

MOST_PANELS = 8

MOST_WEIGHTS = 24

MOST_DOTS = 60

MOST_SHOWN = 20_000  # runs that the quantiles of weights are taken from

FAR_ABOVE = 1e30  # in the place of what is not finite


def weights_of(runs: Runs) -> "Weights":
    """The weights w1, w2, … and biases b1, b2, … of runs of one network, at the start and at the end."""
    network, places = runs.rows[0].network, np.arange(len(runs))
    weights = sum(below * above for below, above in pairwise(network.units))
    names = [f"w{n + 1}" if n < weights else f"b{n - weights + 1}" for n in range(network.size)]
    return Weights(names, runs.parameters("initial", places), runs.parameters("parameters", places))


@dataclass(frozen=True, slots=True)
class Weights:
    """The parameters of R runs of one network: names (N,), initial (N, R), final (N, R), columns as the rows of results."""

    names: Sequence[str]
    initial: Floats
    final: Floats


@styled
def error_curves(results: pd.DataFrame, curves: Curves, axes: Sequence[str] | None = None) -> Picture | None:
    """Error over epochs, a panel for each value of the first axis: the median run, and where half and nine tenths of them are.

    `curves` has (epochs, errors) for each row. Of runs that differ in their threshold only, those with the lowest are drawn.
    A run that has ended keeps its last error; a diverged one is infinite from there on.
    """
    thresholds = thresholds_of(results)
    rows = np.arange(len(results)) if thresholds == [None] else np.flatnonzero(results["threshold"] == thresholds[-1])
    drawn = results.iloc[rows].assign(row=rows)
    axis = lines_of(results, axes)
    parts = list(groups(drawn, axis, MOST_PANELS))
    figure, plots = panels(len(parts), (2.6, 2.3))
    last, low, high, used = 1.0, np.inf, 0.0, 0
    for plot, (label, _, runs) in zip(plots, parts, strict=True):
        chosen = spread(runs["row"].tolist(), CURVES)
        used += len(chosen)
        diverged = results["status"].to_numpy()[chosen] == "diverged"
        mine = [curves[row] for row in chosen]
        epochs = max((own for own, _ in mine), key=lambda kept: int(kept[-1]))
        errors = at_epochs(mine, diverged, epochs)
        last, low = max(last, float(epochs[-1])), min(low, float(errors.min()))
        high = max(high, float(np.nanquantile(errors[:, 0], 0.95)))
        for line in spread(range(len(chosen)), THIN_CURVES):
            own, error = mine[line]
            plot.plot(own, positive(error), color="0.6", linewidth=0.4, alpha=0.6, rasterized=True)
        five, quarter, middle, three, most = (positive(quantile(errors, share)) for share in (0.05, 0.25, 0.5, 0.75, 0.95))
        plot.fill_between(epochs, five, most, color=BLUE, alpha=0.15, linewidth=0, label="90 % of runs")
        plot.fill_between(epochs, quarter, three, color=BLUE, alpha=0.3, linewidth=0, label="50 %")
        plot.plot(epochs, middle, color=BLUE, linewidth=1.8, label="median")
        converged = int((runs["status"] == "converged").sum())
        plot.set_title(
            f"{label if axis is None else f'{plain(axis)} = {label}'}\n{converged:,} of {len(runs):,} converged", fontsize=9
        )
        for goal in thresholds if thresholds != [None] else []:
            plot.axhline(goal, color=ORANGE, linestyle="--", linewidth=1, label="threshold" if goal == thresholds[0] else None)
    limits = max(low / 2, 1e-16), min(max(high, low, 1e-16), FAR_ABOVE) * 10
    for plot in plots:
        epochs_axis(plot, last)
        plot.set_yscale("log")
        plot.set_ylim(*limits)
        log_axis(plot.yaxis, *limits, 5)
    for plot in plots[:-4]:
        plot.set_xlabel("")
    for plot in plots[::4]:
        plot.set_ylabel("total error E")
    handles, labels = plots[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9)
    lowest = "" if thresholds == [None] else f"those with threshold {plain(thresholds[-1])}; "
    shown = f"median and bands of {used:,} evenly chosen runs" if used < len(drawn) else "all runs"
    what = pooled(drawn.drop(columns="row"), [axis or "", "threshold"])
    title(figure, f"Error over epochs{f' by {plain(axis)}' if axis else ''}", what)
    return Picture(
        figure,
        f"Total error over epochs, logarithmic axes: {what} ({lowest}{shown}{some_of(drawn, axis, MOST_PANELS)}). "
        "The line is the median run, the bands hold half and nine tenths of the runs, thin lines are single "
        "runs. A run that has ended keeps its last error; one that diverged counts as infinite. Dashed: the thresholds.",
    )


def at_epochs(curves: Curves, diverged: Booleans, epochs: NDArray[np.int64]) -> Floats:
    """The errors (runs, epochs) of curves: the last one measured up to each epoch."""
    errors = np.empty((len(curves), len(epochs)))
    for place, (own, error) in enumerate(curves):
        errors[place] = error[np.searchsorted(own, epochs, side="right") - 1]
        if diverged[place]:
            errors[place, epochs >= own[-1]] = np.inf
    return np.where(np.isnan(errors), np.inf, errors)


def quantile(errors: Floats, share: float) -> Floats:
    """A quantile at each epoch: one of the errors, so that infinite ones do no harm."""
    result: Floats = np.quantile(errors, share, axis=0, method="inverted_cdf")
    return result


def positive(errors: Floats) -> Floats:
    """Errors that a logarithmic axis can show; what is not finite is left out."""
    result: Floats = np.clip(np.where(np.isfinite(errors), errors, FAR_ABOVE), 1 / FAR_ABOVE, FAR_ABOVE)
    return result


@styled
def final_weights(results: pd.DataFrame, weights: Weights) -> Picture | None:
    """Where each weight starts and where it ends, for the runs that converged and for those that did not.

    Of runs that differ in their threshold only, those with the lowest are shown.
    """
    thresholds = thresholds_of(results)
    lowest = np.ones(len(results), bool) if thresholds == [None] else (results["threshold"] == thresholds[-1]).to_numpy()
    converged = (results["status"] == "converged").to_numpy()
    places = spread(range(len(weights.names)), MOST_WEIGHTS)
    if not places:
        return None
    finite_runs = np.isfinite(weights.final).all(axis=0)
    parts = [
        ("initial", GREY, weights.initial, lowest),
        ("final, converged", BLUE, weights.final, lowest & converged & finite_runs),
        ("final, not converged", ORANGE, weights.final, lowest & ~converged & finite_runs),
    ]
    parts = [part for part in parts if part[3].any()]
    figure = Figure(figsize=(max(5.0, 1.2 + 0.55 * len(places)), 4.0), layout="constrained")
    plot = figure.subplots()
    for number, (label, colour, values, runs) in enumerate(parts):
        columns = np.flatnonzero(runs)
        chosen = values[places][:, spread(columns.tolist(), MOST_SHOWN)]
        x = np.arange(len(places)) + 0.27 * (number - (len(parts) - 1) / 2)
        five, quarter, middle, three, most = np.quantile(chosen, (0.05, 0.25, 0.5, 0.75, 0.95), axis=1)
        dots = chosen[:, spread(range(chosen.shape[1]), MOST_DOTS)]
        jitter = 0.06 * (np.arange(dots.shape[1]) * 0.618 % 1 - 0.5)
        plot.plot((x[:, None] + jitter).T, dots.T, ".", color=colour, markersize=2, alpha=0.35, rasterized=True)
        plot.vlines(x, five, most, color=colour, linewidth=1)
        plot.vlines(x, quarter, three, color=colour, linewidth=4, label=f"{label} ({len(columns):,})")
        plot.plot(x, middle, "_", color="black", markersize=7)
    plot.axhline(0, color="0.4", linewidth=0.8)
    plot.set_xticks(np.arange(len(places)), [plain(weights.names[place], 8) for place in places])
    plot.grid(False, axis="x")
    plot.set_xlabel("weight or bias")
    plot.set_ylabel("value")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    runs = count(int(lowest.sum()), "run")
    some = f"{len(places)} of {len(weights.names):,} parameters" if len(places) < len(weights.names) else "all parameters"
    goal = "" if thresholds == [None] else f" with threshold {plain(thresholds[-1])}"
    title(figure, "Weights at the start and at the end", f"{runs}{goal}, {some}")
    return Picture(
        figure,
        f"Initial and final weights of {runs}{goal}, {some}: thick bars hold half of the runs, thin ones nine tenths, the mark "
        f"is the median, dots are single runs{few_dots(lowest)}. Runs whose weights are not finite are left out.",
    )


def few_dots(runs: Booleans) -> str:
    """A remark where not all runs are shown."""
    return f" (at most {MOST_DOTS}, bars from at most {MOST_SHOWN:,}, evenly chosen)" if runs.sum() > MOST_DOTS else ""
