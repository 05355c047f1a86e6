"""The error curve of one run, with what is foreseen of it: the rest of a fall, the end of a plateau, a minimum's error."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.rules import FAR, Cause
from pipeline.backprop.status import Status
from pipeline.report.figures.drawing import BLUE, GREY, ORANGE, epochs_axis, log_axis, title
from pipeline.report.figures.style import styled
from pipeline.report.figures.trajectories import FAR_ABOVE, positive
from pipeline.report.numbers import count
from pipeline.walkthrough.end import RunEnd
from pipeline.walkthrough.story import epochs, short

POINTS = 200  # of the dashed line
LINE = 1.8


def tail(end: RunEnd) -> tuple[Array, Array] | None:
    """(epochs, errors) that are foreseen of a descending run, each (K,), from its end to the goal; None of others.

    E(t) = E₀ (1 + (ρ − 1) t ÷ τ)^(−1 ÷ (ρ − 1)), which solves dE/dt = −(E₀ ÷ τ)(E ÷ E₀)^ρ; at ρ = 1 that is E₀ exp(−t ÷ τ).
    Where the number of epochs is a lower bound, the tail ends as far down as it counts to: at E₀ ÷ FAR.
    """
    if end.cause is not Cause.DESCENDING or not math.isfinite(end.number):
        return None
    tau, rho = end.fall
    excess = rho - 1.0 if abs(rho - 1.0) >= 1e-6 else 1e-6
    later = np.concatenate([[0.0], np.geomspace(min(1.0, end.number), end.number, POINTS - 1)])
    return end.epochs + later, end.error * (1.0 + excess * later / tau) ** (-1.0 / excess)


@styled
def draw(end: RunEnd, setting: str) -> Figure:
    """The curve on logarithmic axes, the goal, and what is foreseen; `setting`: which trial it is, for the title."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    plot = figure.subplots()
    measured, errors = end.result.curve(0)
    errors = positive(errors)
    plot.plot(measured, errors, color=BLUE, linewidth=LINE, label="measured")
    plot.plot(measured[-1:], errors[-1:], "o", color=BLUE, markersize=5)
    lowest, highest, last = [float(errors.min())], float(errors.max()), float(measured[-1])
    if end.goal > 0.0:
        plot.axhline(end.goal, color=ORANGE, linewidth=1, label=f"goal {short(end.goal)}")
        lowest.append(end.goal)
    foreseen = tail(end)
    if foreseen:
        more = "more than " if end.error > FAR * end.goal else "about "
        label = f"foreseen: {more}{epochs(end.number)} more".replace(" epochs more", " more epochs")
        plot.plot(*foreseen, color=BLUE, linewidth=LINE, linestyle="--", label=label)
        last = float(foreseen[0][-1])
    last = max(last, expected(plot, end))
    lowest += level(plot, end)
    limits = max(min(lowest) / 2, 1 / FAR_ABOVE), min(highest * 2, FAR_ABOVE)
    epochs_axis(plot, last)
    plot.set(ylim=limits, yscale="log", ylabel="total error E")  # in this order: a scale is fitted to the data without limits
    log_axis(plot.yaxis, *limits, 6)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    title(figure, headline(end), setting)
    return figure


def headline(end: RunEnd) -> str:
    """How it ended, and the cause."""
    ended = f"{end.status.word.capitalize()} after {count(end.epochs, 'epoch')}"
    return f"{ended}: {end.cause.word}" if end.status is Status.EXHAUSTED else ended


def expected(plot: Axes, end: RunEnd) -> float:
    """A dotted line at the epoch at which something is expected to happen, which is given; 0 where nothing is."""
    said = {
        Cause.PLATEAU: "plateau left",
        Cause.SATURATED: "first output moves",
        Cause.UNDECIDED: "a way down would be seen",
    }.get(end.cause)
    if said is None or not math.isfinite(end.number) or end.epochs + end.number > FAR_ABOVE:
        return 0.0
    plot.axvline(end.epochs + end.number, color=GREY, linestyle=":", linewidth=LINE, label=f"{said}, {epochs(end.number)} on")
    return end.epochs + end.number


def level(plot: Axes, end: RunEnd) -> list[float]:
    """A dotted line at the error below which it does not come, which is given, where the cause says so."""
    said = {Cause.MINIMUM: "error of the minimum", Cause.UNREACHABLE: "lowest error there can be"}.get(end.cause)
    if said is None or not end.number > 0.0:
        return []
    plot.axhline(end.number, color=GREY, linestyle=":", linewidth=LINE, label=f"{said}, {short(end.number)}")
    return [end.number]
