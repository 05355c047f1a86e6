"""What the value of one axis costs over all others: which may be the best, and what a step away from it costs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.stats.arrays import Floats, Integers
from pipeline.stats.costs.bayesian_bootstrap import (
    CHOSEN,
    Starts,
    ends,
    resampled,
    resamples,
    starts_of,
)
from pipeline.stats.costs.best_settings import not_ruled_out
from pipeline.stats.costs.ert_intervals import intervals
from pipeline.stats.sample import NESTED, Sample


def best_values(sample: Sample, axis: str = "learning_rate", within: Sequence[str] = (NESTED,)) -> pd.DataFrame:
    """Which value of the axis may have the lowest ERT, for each threshold (or combination of the axes `within`).

    Columns `within`, the axis, runs, converged, ert, ert_low, ert_high, ert_high_seen (`intervals`), best, p_better, remains
    (`not_ruled_out`) and share_best: in what share of the resamples of the starts that were seen the value has the lowest
    ERT. It is no probability that the value is the best: failures too rare to be seen can decide that. NaN without replication.
    """
    within = [name for name in within if name in sample.axes and name != axis]
    starts = starts_of(sample, [*within, axis])
    _, table = sample.groups([*within, axis])
    family, families = Sample(table).codes(within)
    table["runs"], table["converged"] = (starts.total(name).astype(int) for name in ("runs", "successes"))
    table["ert"] = starts.ert
    table = pd.concat([table, intervals(starts)], axis=1)
    table["share_best"] = shares_best(starts, family, families)
    table["best"], table["p_better"], table["remains"] = not_ruled_out(starts, family)
    return table


def shares_best(starts: Starts, family: Integers, families: int) -> Floats:
    """The share of resamples with f = 0 in which each group (G,) has the lowest ERT of its family, the first of equal ones."""
    share = np.where(starts.starts > 1, 0.0, np.nan)
    for number in range(families):
        lowest, winner = np.array(np.inf), np.array(-1)
        for some in resamples(starts, np.flatnonzero((family == number) & (starts.starts > 1))):
            here = some.seen.min(axis=0)
            winner = np.where(here < lowest, some.groups[some.seen.argmin(axis=0)], winner)
            lowest = np.asarray(np.minimum(here, lowest))
        winners, times = np.unique(winner, return_counts=True)
        share[winners[winners >= 0]] = times[winners >= 0] / winner.size
    return share


def sensitivity(sample: Sample, axes: Sequence[str] | None = None) -> pd.DataFrame:
    """What one step away from the best value of each axis costs: ERT there ÷ ERT of the best, over all other axes.

    Columns axis, best, step ("down", "up"; "other" along an axis whose values are no numbers, where every value is a step),
    value, ratio, its 95 % interval ratio_low, ratio_high, which allows for failures not seen at either value (`ratio_ends`),
    and ratio_low_seen, ratio_high_seen, which do not; NaN without replication.
    An axis with one value, or along which nothing converged, has no row.
    """
    rows = []
    for axis in sample.settings if axes is None else axes:
        starts = starts_of(sample, [axis])
        values, ert = sample.groups([axis])[1][axis], starts.ert
        best = int(ert.argmin()) if len(ert) else 0
        if len(ert) < 2 or not np.isfinite(ert[best]):
            continue
        numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        for number, value in enumerate(values.tolist()):
            if number == best or (numbers and abs(number - best) > 1):
                continue
            ratio = float(_ratio(ert[number], ert[best]))
            step = ("down" if number < best else "up") if numbers else "other"
            rows.append((axis, values.iloc[best], step, value, ratio, *ratio_ends(starts, number, best)))
    columns = ["axis", "best", "step", "value", "ratio", "ratio_low", "ratio_high", "ratio_low_seen", "ratio_high_seen"]
    return pd.DataFrame(rows, columns=columns)


def ratio_ends(starts: Starts, group: int, best: int) -> tuple[float, float, float, float]:
    """The interval (low, high) of ERT ÷ ERT of the best, and that of the starts that were seen alone (`bayesian_bootstrap`).

    The same weights hold for both. For the low end failures not seen are those of the best alone, for the high end those of
    the other alone; those of the best are Beta(1, U), as it was chosen.
    """
    if min(starts.starts[group], starts.starts[best]) < 2:
        return (np.nan,) * 4
    one, other = (resampled(starts, np.array([number])) for number in (group, best))

    low, high = ends(_ratio(one.seen[0], other.seen[0]))
    lowest = ends(_ratio(one.seen[0], other.cost(CHOSEN)[0]))[0]
    highest = ends(_ratio(one.cost()[0], other.seen[0]))[1]
    return float(lowest), float(highest), float(low), float(high)


def _ratio(ert: Floats, of_best: Floats) -> Floats:
    """ERT ÷ ERT, 1 where they are equal, also where both are infinite or 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(ert == of_best, 1.0, np.divide(ert, of_best)), float)
