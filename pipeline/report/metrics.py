"""What the page of a sweep shows as metrics: its most telling numbers, and the share of its runs that converged by epoch."""

import math

import numpy as np

from pipeline.backprop.batch import curve_epochs
from pipeline.results.run_result import Curve
from pipeline.stats.summary import Summary

MOST_POINTS = 100  # of the curve


def numbers(summary: Summary) -> dict[str, float]:
    """runs, converged, rate, ert and median_epochs (Kaplan–Meier) of all runs; those that are infinite are left out."""
    [row] = summary.by(intervals=False).to_dict("records")
    found = {name: float(row[name]) for name in ("runs", "converged", "rate", "ert")} | {"median_epochs": float(row["median"])}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def share_converged(summary: Summary) -> Curve:
    """The share of the runs that has converged by an epoch, as 1 − the Kaplan–Meier curve: the run-length distribution.

    (epochs, shares), each (K,): at log-spaced epochs from 0 to the horizon, or at all where the curve has few steps.
    """
    curve = summary.survival()
    steps, survival = curve["epochs"].to_numpy(), curve["survival"].to_numpy()
    epochs = np.unique(steps.astype(np.int64))
    if len(epochs) > MOST_POINTS:
        epochs = curve_epochs(int(epochs[-1]), MOST_POINTS)
    return epochs, 1.0 - survival[np.searchsorted(steps, epochs, "right") - 1]
