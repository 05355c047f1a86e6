"""The figure of what properties of initial weights go with convergence: odds on the left, prediction on the right."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pipeline.report.figures.drawing import BLUE, GREY, ORANGE, Picture, title
from pipeline.report.figures.style import styled
from pipeline.report.numbers import count, tick
from pipeline.report.starts.effects import LABELS, starts_in_words
from pipeline.stats.summary import Summary

ODDS = (1 / 30, 30.0)  # the axis at most


@styled
def start_effects(summary: Summary, axes: Sequence[str] | None = None) -> Picture | None:
    """Odds per standard deviation with their intervals, and out-of-sample AUC (`starts.effects`); None where there is none."""
    table = summary.start_effects
    if table.empty:
        return None
    y = np.arange(len(table))[::-1]
    figure = Figure(figsize=(7.6, 1.7 + 0.34 * len(table)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    odds, low, high = (np.clip(table[name].to_numpy(float), *ODDS) for name in ("odds", "odds_low", "odds_high"))
    shown = (table["p_adjusted"] <= 0.05).to_numpy()
    for some, colour in ((shown, ORANGE), (~shown, BLUE)):
        left.hlines(y[some], low[some], high[some], color=colour, linewidth=1.6)
        left.plot(odds[some], y[some], "o", color=colour, markersize=5)
    left.axvline(1, color=GREY, linewidth=1)
    known = np.concatenate([low, high])[np.isfinite(np.concatenate([low, high]))]
    limits = min(0.45, known.min() / 1.1), max(2.2, known.max() * 1.1)
    ticks = [value for value in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0) if limits[0] <= value <= limits[1]]
    left.set(xscale="log", xlim=limits, ylim=(-0.6, len(table) - 0.4), xlabel="odds of converging × …")
    left.xaxis.set_major_locator(FixedLocator(ticks))
    left.xaxis.set_major_formatter(FuncFormatter(tick))
    left.xaxis.set_minor_locator(NullLocator())
    left.set_yticks(y, [LABELS.get(name, name) for name in table["property"]])
    right.hlines(y, table["auc_low"], table["auc_high"], color=BLUE, linewidth=1.6)
    right.plot(table["auc"], y, "o", color=BLUE, markersize=5)
    right.axvline(0.5, color=GREY, linewidth=1)
    right.set(xlim=(min(0.4, float(table["auc_low"].min()) - 0.02), 1.0), xlabel="pairs told right (AUC)")
    starts, runs = int(table["starts"].iloc[0]), int(table["runs"].iloc[0])
    looked_at = f"{count(starts, 'start')}, {count(runs, 'run')} at settings in which some converged and some did not"
    title(figure, "Which initial weights converge?", looked_at)
    return Picture(
        figure,
        f"What properties of the initial weights go with convergence, all settings held equal: {looked_at}. Left: by what "
        "the odds of converging are multiplied per standard deviation of the property (of «exactly n»: yes against no), each "
        "alone, with 95 % intervals over starts; orange: p ≤ 0.05 allowing for the number of properties. Right: how often the "
        f"property tells which of two new starts converges; 0.5 is a coin. {starts_in_words(table)}",
    )
