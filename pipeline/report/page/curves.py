"""The error curves that a report keeps inside itself: some runs of each cell, their points thinned."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.backprop.causes.rules import FALLS
from pipeline.errors import as_override
from pipeline.report.answer.failures.causes import BY_WORD
from pipeline.report.causes import why
from pipeline.report.numbers import count, in_short
from pipeline.report.page.cells import Cube, indices
from pipeline.stats.arrays import Floats, Integers, evenly
from pipeline.stats.sample import NESTED
from pipeline.stats.summary import Summary
from pipeline.stats.trajectories import Curves, of_lowest_threshold

MOST_CURVES, MOST_OF_A_CELL = 560, 20
MOST_POINTS, TAIL_POINTS = 40, 12  # of a curve, and of how it is foreseen to go on


def sample(summary: Summary, cube: Cube, curves: Curves | None) -> list[dict[str, Any]]:
    """Evenly chosen runs of each cell with their curves: codes of the cube's axes but the threshold, label, status, x, y.

    Of runs that differ in their threshold only, the one with the lowest, which goes on longest.
    """
    if curves is None:
        return []
    axes = [axis for axis in cube.axes if axis != NESTED]
    rows = chosen(summary, axes)
    some = summary.results.iloc[rows]
    codes = [indices(some[axis], summary.values(axis)) for axis in axes]
    told, tails = reasons(some), foreseen(summary, rows)
    named = [axis for axis in summary.axes if axis not in cube.axes]
    return [
        {
            "codes": list(own),
            "label": ", ".join(map(assigned, named, start)),
            "end": f"{status} after {count(int(epochs), 'epoch')}{reason}",
            "converged": status == "converged",
            **thinned(*curve),
            **tail,
        }
        for curve, own, start, status, epochs, reason, tail in zip(
            curves.of(rows),
            zip(*codes, strict=True) if axes else [()] * len(rows),
            some[named].itertuples(index=False, name=None) if named else [()] * len(rows),
            some["status"],
            some["epochs"],
            told,
            tails,
            strict=True,
        )
    ]  # fmt: skip


def assigned(axis: str, value: Any) -> str:
    """axis=value, cut where that is long."""
    return in_short(f"{axis}={as_override(value)}")[:60]


def chosen(summary: Summary, axes: list[str]) -> Integers:
    """Runs of the lowest threshold, as many of each combination of values of these axes, evenly chosen."""
    longest = np.flatnonzero(of_lowest_threshold(summary))
    group = summary.codes(axes)[0][longest]
    in_groups = longest[np.argsort(group, kind="stable")]
    ends = np.cumsum(np.bincount(group)) if len(group) else np.zeros(0, np.intp)
    starts = np.concatenate([[0], ends[:-1]])[: len(ends)]
    some = evenly(len(ends), MOST_CURVES)
    most = max(1, min(MOST_OF_A_CELL, MOST_CURVES // max(1, len(some))))
    parts = [in_groups[starts[number] + evenly(int(ends[number] - starts[number]), most)] for number in some]
    return np.sort(np.concatenate(parts)) if parts else longest


def reasons(runs: pd.DataFrame) -> list[str]:
    """Why each run did not converge, in a line of its own; nothing where that is not known."""
    names = ("cause", "cause_number", "final_error", "cause_goal", "k_star")
    if not all(name in runs for name in names):
        return [""] * len(runs)
    rows = runs[list(names)].itertuples(index=False, name=None)
    return [f"\n{why(BY_WORD[word], *numbers)}" if word in BY_WORD else "" for word, *numbers in rows]


def foreseen(summary: Summary, rows: Integers) -> list[dict[str, Any]]:
    """How the error of each run is foreseen to go on to the threshold; nothing of runs that do not descend, or lie too far."""
    totals, some = summary.predicted_epochs[rows], summary.results.iloc[rows]
    if "rho" not in some or not np.isfinite(totals).any():
        return [{}] * len(rows)
    ends = zip(totals, some["epochs"], some["final_error"], some["cause_goal"], some["rho"], strict=True)
    return [{"tail": tail(*map(float, end))} if np.isfinite(end[0]) else {} for end in ends]


def tail(total: float, epochs: float, error: float, goal: float, rho: float) -> dict[str, list[float]]:
    """E(t) = E₀ (1 + (ρ − 1) t/τ)^(−1/(ρ − 1)) from the end on, at ρ = 1 E₀ e^(−t/τ); τ: it meets the goal at `total` epochs.

    ρ up to 2, the decay 1/t; 2 where the weights at the end tell no such decay.
    """
    excess = min(rho, 2.0) - 1.0 if 0.0 <= rho < FALLS else 1.0
    if abs(excess) < 1e-6:
        excess = 1e-6
    at = np.geomspace(max(epochs, 1.0), max(total, 1.0), TAIL_POINTS)
    share = (at - at[0]) / (at[-1] - at[0]) if at[-1] > at[0] else np.zeros(TAIL_POINTS)
    errors = error * (1.0 + ((error / goal) ** excess - 1.0) * share) ** (-1.0 / excess)
    return {"x": np.rint(at).tolist(), "y": [float(f"{one:.3g}") for one in errors]}


def thinned(epochs: Integers, errors: Floats) -> dict[str, list[float]]:
    """At most `MOST_POINTS` measured points that logarithmic axes can show, to three digits; the last one is kept."""
    fit = np.flatnonzero((epochs > 0) & np.isfinite(errors) & (errors > 0))
    kept = fit[evenly(len(fit), MOST_POINTS)]
    return {"x": epochs[kept].tolist(), "y": [float(f"{error:.3g}") for error in errors[kept].tolist()]}


def goals(summary: Summary, error_goals: bool) -> list[float]:
    """The thresholds in the order of their values, where they are values of the total error and an axis."""
    thresholds = summary.values(NESTED) if NESTED in summary.axes else []
    numbers = [value for value in thresholds if isinstance(value, int | float)]
    return numbers if error_goals and len(numbers) == len(thresholds) else []
