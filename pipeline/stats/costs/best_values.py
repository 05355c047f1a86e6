"""What the value of one axis costs over all others: which is the lowest, how sure that is, and what a step away from it costs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.stats.arrays import Floats
from pipeline.stats.costs.running_times import ert_at_least, ert_influence, expected_running_time
from pipeline.stats.intervals import MOST_UNITS, SEED, bca, draws
from pipeline.stats.sample import NESTED, Sample


def _resampled(sample: Sample, by: Sequence[str], axis: str) -> tuple[pd.DataFrame, Floats, Floats]:
    """A row per group with its ERT; ERT of each group in each resample (G, S), of the same units; their influence (G, U)."""
    group, table = sample.groups(by)
    unit, units = sample.units([axis])
    if units > MOST_UNITS:
        unit, units = np.random.default_rng(SEED).permutation(units)[unit] % MOST_UNITS, MOST_UNITS
    groups = len(table)
    cell = group * units + unit
    spent, successes = (
        np.bincount(cell, values, groups * units).reshape(groups, units).astype(float)
        for values in (sample.epochs, sample.event)
    )
    weights = draws(units)
    table["runs"] = np.bincount(group, minlength=groups)
    table["converged"] = successes.sum(axis=1).astype(int)
    table["spent"] = spent.sum(axis=1)
    table["ert"] = expected_running_time(table["spent"].to_numpy(), table["converged"].to_numpy())
    return table, expected_running_time(spent @ weights, successes @ weights), ert_influence(spent, successes)


def best_values(sample: Sample, axis: str = "learning_rate", within: Sequence[str] = (NESTED,)) -> pd.DataFrame:
    """How sure it is which value of the axis has the lowest ERT, for each threshold (or combination of the axes `within`).

    Columns `within`, the axis, runs, converged, ert, ert_low, ert_high, best (the lowest ERT, if it is finite) and
    share_best: the share of bootstrap resamples, over the units, the same ones for all values, in which the value is best;
    equals share it, and where nothing converged none has it. NaN with fewer than two units.
    """
    within = [name for name in within if name in sample.axes and name != axis]
    table, samples, influence = _resampled(sample, [*within, axis], axis)
    units = influence.shape[1]
    none = np.isinf(table["ert"].to_numpy())
    owner, _ = Sample(table).codes(within)
    table["best"], table["share_best"] = False, np.nan
    table["ert_low"], table["ert_high"] = bca(samples, table["ert"].to_numpy(), influence) if units > 1 else (np.nan, np.nan)
    table.loc[none, "ert_low"] = ert_at_least(table["spent"], table["runs"])[none]
    table.loc[none, "ert_high"] = np.inf
    for number in range(int(owner.max(initial=-1)) + 1):
        rows = np.flatnonzero(owner == number)
        lowest = samples[rows].min(axis=0)
        wins = (samples[rows] == lowest) & np.isfinite(lowest)
        if units > 1:
            table.loc[rows, "share_best"] = (wins / np.maximum(wins.sum(axis=0), 1)).mean(axis=1)
        winner = rows[table["ert"].to_numpy()[rows].argmin()]
        table.loc[winner, "best"] = bool(np.isfinite(table.loc[winner, "ert"]))
    return table[[*within, axis, "runs", "converged", "ert", "ert_low", "ert_high", "share_best", "best"]]


def sensitivity(sample: Sample, axes: Sequence[str] | None = None) -> pd.DataFrame:
    """What one step away from the best value of each axis costs: ERT there ÷ ERT of the best, over all other axes.

    Columns axis, best, step ("down", "up"; "other" along an axis whose values are no numbers, where every value is a step),
    value, ratio, ratio_low, ratio_high (bootstrap over the units, the same ones for both; NaN with fewer than two).
    An axis with one value, or along which nothing converged, has no row.
    """
    rows = []
    for axis in sample.settings if axes is None else axes:
        table, samples, influence = _resampled(sample, [axis], axis)
        ert = table["ert"].to_numpy()
        best = int(ert.argmin())
        if len(ert) < 2 or not np.isfinite(ert[best]):
            continue
        numbers = pd.api.types.is_numeric_dtype(table[axis]) and not pd.api.types.is_bool_dtype(table[axis])
        for number, value in enumerate(table[axis].tolist()):
            if number == best or (numbers and abs(number - best) > 1):
                continue
            ratio = _ratio(ert[number], ert[best])
            ends = (np.array([np.nan]),) * 2
            if influence.shape[1] > 1:
                ratios = _ratio(samples[number], samples[best])
                ends = bca(ratios[None], ratio[None], (influence[number] - influence[best])[None])
            step = ("down" if number < best else "up") if numbers else "other"
            rows.append((axis, table[axis].iloc[best], step, value, float(ratio), float(ends[0][0]), float(ends[1][0])))
    return pd.DataFrame(rows, columns=["axis", "best", "step", "value", "ratio", "ratio_low", "ratio_high"])


def _ratio(ert: Floats, of_best: Floats) -> Floats:
    """ERT ÷ ERT, 1 where they are equal, also where both are infinite or 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(ert == of_best, 1.0, np.divide(ert, of_best))
