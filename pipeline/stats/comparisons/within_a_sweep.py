"""What differs within a sweep, without a test: performance profiles of the values of an axis, the axes against each other."""

import math
from itertools import combinations

import numpy as np
import pandas as pd

from pipeline.stats.arrays import Floats, Integers
from pipeline.stats.comparisons.pairs import matched
from pipeline.stats.costs.running_times import performance_ratios
from pipeline.stats.sample import NESTED, Sample


def performance_profiles(sample: Sample, axis: str = "learning_rate") -> pd.DataFrame:
    """ρ(τ): the share of problems on which a value of the axis is within a factor τ of the best value.

    A problem is a combination of the other axes, such as initial weights and threshold; those that were not run at every
    value are left out. Columns the axis, tau, share, problems; a row is a step and holds until the next; each curve begins
    at τ = 1, where it is the share of problems on which the value is best, and ends at the largest τ of all. Dolan & Moré,
    Mathematical Programming 91 (2002), section 2: ρ(τ) = size {problems: r ≤ τ} ÷ problems.
    """
    row, values = matched(sample, axis)
    row = row[(row >= 0).all(axis=1)]
    ratios = performance_ratios(np.where(sample.event, sample.time, np.inf)[row])
    finite = ratios[np.isfinite(ratios)]
    last = float(finite.max(initial=1.0))
    curves = []
    for value, own in zip(values, ratios.T, strict=True):
        taus = np.unique(np.concatenate([[1.0], own[np.isfinite(own)], [last]]))
        share = np.searchsorted(np.sort(own), taus, "right") / max(len(own), 1)
        curves.append(pd.DataFrame({axis: [value] * len(taus), "tau": taus, "share": share, "problems": len(own)}))
    return pd.concat(curves, ignore_index=True)


def imbalance(sample: Sample) -> str:
    """Why the design is not balanced and complete, in a sentence; nothing if it is."""
    cells = math.prod(sample.size(axis) for axis in sample.axes)
    codes, present = sample.codes(sample.axes)
    if present < cells:
        return f"The design is not complete: {present:,} of {cells:,} combinations of the axes were run."
    runs = np.bincount(codes)
    if len(runs) and runs.min() != runs.max():
        return f"The design is not balanced: a combination of the axes has from {runs.min():,} to {runs.max():,} runs."
    return ""


def variance_shares(sample: Sample) -> pd.DataFrame:
    """How much of the variance of the log epochs goes with each axis, and with each pair of axes beyond both alone.

    Columns axis, with_axis ("" for the axis alone, "" and axis "remainder" for what is left), share; largest first, the
    remainder last. The value of a run is log(1 + min(epochs to convergence, horizon)): a run that did not converge counts
    with the horizon, so this is the variance within it.

    Sums of squares ÷ total, of a balanced and complete design, where they add up: SS(a) = Σ (mean(a) − mean)²,
    SS(a, b) = Σ (mean(a, b) − mean)² − SS(a) − SS(b), over runs. Fisher's analysis of variance; Montgomery, *Design and
    Analysis of Experiments*, section 5.3. With nothing to explain the shares are 0. Raises ValueError for any other design.
    """
    if problem := imbalance(sample):
        raise ValueError(problem)
    values = np.log1p(np.where(sample.event, sample.time, sample.horizon))
    varied = [axis for axis in sample.axes if sample.size(axis) > 1]
    codes = {axis: sample.codes([axis])[0] for axis in varied}
    total = float(np.sum(np.square(values - values.mean()))) if len(values) else 0.0
    alone = {axis: sum_of_squares(values, codes[axis]) for axis in varied}
    rows = [(axis, "", square) for axis, square in alone.items()]
    for one, other in combinations(varied, 2):
        square = sum_of_squares(values, codes[one] * sample.size(other) + codes[other]) - alone[one] - alone[other]
        rows.append((one, other, max(square, 0.0)))
    table = pd.DataFrame(rows, columns=["axis", "with_axis", "share"]).astype({"share": float})
    table["share"] = table["share"] / total if total > 1e-12 * max(len(values), 1) else 0.0
    table = table.sort_values("share", ascending=False, kind="stable")
    left = max(1.0 - table["share"].sum(), 0.0) if table["share"].any() else 0.0
    return pd.concat([table, pd.DataFrame([("remainder", "", left)], columns=table.columns)], ignore_index=True)


def sum_of_squares(values: Floats, codes: Integers) -> float:
    """Σ n (mean of the group − mean of all)² over the groups that `codes` (R,) make of `values` (R,)."""
    number = np.bincount(codes)
    present = number > 0
    means = np.bincount(codes, values)[present] / number[present]
    return float(np.sum(number[present] * np.square(means - values.mean())))


def main_axes(sample: Sample) -> list[str]:
    """The axes that vary, without threshold and seed: learning_rate, then by their share of the variance of the log epochs."""
    log_epochs = np.log1p(sample.epochs)
    varied = [axis for axis in sample.settings if axis != NESTED and sample.size(axis) > 1]
    share = {axis: sum_of_squares(log_epochs, sample.factorized(axis)[0]) for axis in varied}
    return sorted(share, key=lambda axis: (axis != "learning_rate", -share[axis]))
