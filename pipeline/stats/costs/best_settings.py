"""Which settings may be the best: the one of lowest expected running time in the sample, and those that are not ruled out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.stats.arrays import Booleans, Floats, Integers
from pipeline.stats.costs.bayesian_bootstrap import (
    CHOSEN,
    Resampled,
    Starts,
    ends,
    resampled,
    resamples,
    starts_of,
)  # fmt: skip
from pipeline.stats.costs.ert_intervals import intervals
from pipeline.stats.intervals import LEVEL
from pipeline.stats.sample import NESTED, Sample, is_number

FEWEST_VALUES = 3  # of an axis that can have its best value at an end


def best_settings(sample: Sample, by: Sequence[str]) -> pd.DataFrame:
    """Which of the rows of `summarize` by all axes of settings may be the best, compared within each threshold.

    Columns: ert_low, ert_high, ert_high_seen (`intervals`; as the best was chosen because its ert was low, f is
    Beta(1, U) there); p_better, remains, best (`not_ruled_out`); edge: the axes at whose end the setting lies, joined by
    commas, where an axis has at least three values and all are numbers.
    """
    starts = starts_of(sample, by)
    table = intervals(starts)
    _, keys = sample.groups(by)
    family, _ = Sample(keys).codes([NESTED] if NESTED in by else [])
    best, p_better, remains = not_ruled_out(starts, family)
    high = table["ert_high"].to_numpy(copy=True)
    for group in np.flatnonzero(best & (starts.starts > 1)).tolist():
        high[group] = max(high[group], chosen_high(starts, group))
    table["ert_high"] = high
    table["p_better"], table["remains"], table["best"] = p_better, remains, best
    return table.assign(edge=edges(sample, keys))


def not_ruled_out(starts: Starts, family: Integers) -> tuple[Booleans, Floats, Booleans]:
    """In each family (G,) of groups the best, its rivals' chances, and which remain: (best, p_better, remains), each (G,).

    best has the lowest ert, if it is finite, the first of equal ones. p_better is P(ERT* of the group ≤ ERT* of the best), with
    the same weights for both and to each its own f, Beta(1, U) for the best, as it was chosen; 1 for the best itself. A group
    remains if p_better is more than 5 % ÷ (K − 1) of K groups (Bonferroni).
    In simulations the group that is truly best remained in at least 96 % of samples of 10, 20, 50 and 100 starts, least where
    all of 24 are equal, and also where failures decide that are too rare to be seen.
    Without starts to compare (fewer than two in either), p_better is NaN and the group remains; so do all where none converged.
    """
    ert = starts.ert
    best, p_better = np.zeros(len(ert), bool), np.full(len(ert), np.nan)
    members = np.split(np.argsort(family, kind="stable"), np.cumsum(np.bincount(family))[:-1]) if len(family) else []
    level = np.ones(len(ert))
    for groups in members:
        winner = groups[ert[groups].argmin()]
        best[winner] = np.isfinite(ert[winner])
        level[groups] = (1 - LEVEL) / max(len(groups) - 1, 1)
        if best[winner] and starts.starts[winner] > 1:
            p_better[winner] = 1.0
            rivals = groups[(starts.starts[groups] > 1) & (groups != winner)]
            for some in resamples(starts, rivals):
                of_best = resampled(starts, np.array([winner]), some.seen.shape[1])
                p_better[some.groups] = chances(starts, some, of_best)
    return best, p_better, ~(p_better <= level)


def chances(starts: Starts, rivals: Resampled, of_best: Resampled) -> Floats:
    """P(ERT* of each rival (G,) ≤ ERT* of the best), so many times below 1 ÷ S, too, as it may take with many rivals.

    It is the mean over the resamples of the chance that the best's own f makes up for what the rival costs more: for
    f ~ Beta(1, U), P(f ÷ (1 − f) ≥ x) = (1 + x)^−U.
    A rival without success costs at least (1 − q) ÷ q × its epochs per run, if a share q ~ Beta(½, U) of all starts converges.
    """
    cost = rivals.cost()
    cost = np.where(np.isinf(cost), starts.epochs[rivals.groups, None] / rivals.odds(), cost)
    with np.errstate(divide="ignore", invalid="ignore"):
        more = (cost - of_best.seen) / of_best.failing
    equal = cost <= of_best.seen * (1 + 1e-12)  # they may differ by the rounding of a sum
    logarithm = np.log1p(np.where(equal, 0.0, np.maximum(more, 0.0)))
    return np.asarray(np.exp(-float(of_best.starts[0]) * logarithm).mean(axis=1), float)


def chosen_high(starts: Starts, group: int) -> float:
    """The upper end of the interval of a group that was chosen because its ERT was the lowest: f is Beta(1, U)."""
    samples = resampled(starts, np.array([group])).cost(CHOSEN)
    return float(ends(samples)[1][0])


def edges(sample: Sample, keys: pd.DataFrame) -> list[str]:
    """The axes at whose end, of all values that were tried, each row of `keys` lies; as text, joined by commas."""
    found = [""] * len(keys)
    for axis in map(str, keys):
        values = sample.values(axis)
        if axis == NESTED or len(values) < FEWEST_VALUES or not all(map(is_number, values)):
            continue
        numbers = keys[axis].to_numpy(float)
        for row in np.flatnonzero((numbers == min(values)) | (numbers == max(values))):
            found[row] = f"{found[row]},{axis}".strip(",")
    return found
