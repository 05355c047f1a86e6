"""What differs within a sweep: the values of an axis on the same initial weights, the axes against each other.

Runs that agree in everything but what is compared are pairs; pairs from the same initial weights (or, without seeds, that
differ in the threshold alone) are one unit, and no test takes them as independent.
"""

import math
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from pipeline.stats.arrays import Booleans, Floats, Integers
from pipeline.stats.comparisons.paired_tests import holm, mcnemar, paired_prentice_wilcoxon
from pipeline.stats.costs.running_times import performance_ratios
from pipeline.stats.sample import NESTED, Sample

Runs = tuple[Floats, Booleans]  # (time, event)
PAIR_COLUMNS = (
    "pairs", "both", "only_first", "only_second", "neither", "earlier", "later", "ratio", "ratio_q1", "ratio_q3",
    "p_epochs", "p_rate",
)  # fmt: skip


def paired(sample: Sample, axis: str) -> pd.DataFrame:
    """Each two values of the axis, on pairs of runs that agree in all other axes.

    Columns first, second, pairs; both, only_first, only_second, neither: the number of pairs in which these runs converged;
    earlier, later: the number of pairs in which the second converged earlier or later than the first, a run that did not
    counting as later; ratio, the median over pairs of epochs(second) ÷ epochs(first), and its quartiles ratio_q1 and
    ratio_q3; p_epochs (`paired_prentice_wilcoxon`), p_rate (`mcnemar`), and both as corrected by `holm` for all rows.

    A pair of which one converged has a ratio of 0 or infinity, which is on the right side of the median; one of which none
    did has no ratio. Each pair is compared up to the smaller of its horizons. Raises KeyError for what is no axis.
    """
    row, values = matched(sample, axis)
    unit, _ = sample.units([axis])
    rows = []
    for first, second in combinations(range(len(values)), 2):
        both = row[:, [first, second]]
        one, other = both[(both >= 0).all(axis=1)].T
        limit = np.minimum(sample.horizons[one], sample.horizons[other])
        runs = [censored_at(limit, sample.time[some], sample.event[some]) for some in (one, other)]
        rows.append({"first": values[first], "second": values[second], **in_pairs(runs[0], runs[1], unit[one])})
    return corrected(pd.DataFrame(rows, columns=["first", "second", *PAIR_COLUMNS]))


def matched(sample: Sample, axis: str) -> tuple[Integers, list[Any]]:
    """The first row of each combination of the other axes (down) at each value of the axis (across), −1 where there is none."""
    problem, problems = sample.codes([other for other in sample.axes if other != axis])
    value, values = sample.factorized(axis)
    row = np.full((problems, len(values)), -1, np.intp)
    row[problem[::-1], value[::-1]] = np.arange(len(sample) - 1, -1, -1)
    return row, values.tolist()


def censored_at(limit: Floats, time: Floats, event: Booleans) -> Runs:
    """Censor all runs at `limit` (administrative censoring)."""
    event = event & (time <= limit)
    return np.where(event, time, limit), event


def in_pairs(first: Runs, second: Runs, unit: Integers) -> dict[str, Any]:
    """The columns PAIR_COLUMNS of N pairs of runs (time, event), of the units `unit` (N,)."""
    ratios = pair_ratios(first, second)
    q1, median, q3 = _quartiles(ratios)
    one, other = first[1], second[1]
    return {
        "pairs": len(one),
        "both": int((one & other).sum()),
        "only_first": int((one & ~other).sum()),
        "only_second": int((~one & other).sum()),
        "neither": int((~one & ~other).sum()),
        "earlier": int((ratios < 1).sum()),
        "later": int((ratios > 1).sum()),
        "ratio": median,
        "ratio_q1": q1,
        "ratio_q3": q3,
        "p_epochs": paired_prentice_wilcoxon(first, second, unit) if len(one) else np.nan,
        "p_rate": mcnemar(one, other, unit) if len(one) else np.nan,
    }


def pair_ratios(first: Runs, second: Runs) -> Floats:
    """Epochs(second) ÷ epochs(first) of the pairs of which a run converged; 0 or infinite if one did not. Epoch 0 is 1."""
    (time, event), (other_time, other_event) = first, second
    ratio = np.maximum(other_time, 1.0) / np.maximum(time, 1.0)
    ratio = np.select([event & other_event, event], [ratio, np.inf], 0.0)
    return ratio[event | other_event]


def _quartiles(ratios: Floats) -> Floats:
    """The quartiles (3,): between two neighbours their geometric mean. NaN of none, and between 0 and infinity."""
    if not len(ratios):
        return np.full(3, np.nan)
    index = np.array([0.25, 0.5, 0.75]) * (len(ratios) - 1)
    below, above = np.floor(index).astype(np.intp), np.ceil(index).astype(np.intp)
    ordered = np.partition(ratios, [*below, *above])
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt(ordered[below] * ordered[above]), float)


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its p-values corrected for all its rows, in columns of their own."""
    for name in ("p_epochs", "p_rate"):
        table[f"{name}_holm"] = holm(table[name])
    return table


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
