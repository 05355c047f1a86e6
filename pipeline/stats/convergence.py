"""The table of a sweep: rates, running times and quartiles of the epochs to convergence, a row per group of runs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.backprop.status import STATUSES
from pipeline.stats.intervals import wilson
from pipeline.stats.running_times import bootstrap_ert, expected_running_time
from pipeline.stats.sample import NESTED, Sample
from pipeline.stats.survival import product_limit, quantile, restricted_mean

STATISTICS = ("runs", *STATUSES, "rate", "ert", "q1", "median", "q3")
INTERVALS = ("rate_low", "rate_high", "ert_low", "ert_high", "median_low", "median_high", "restricted_mean")
QUARTILES = {"q1": 0.25, "median": 0.5, "q3": 0.75}


def summarize(sample: Sample, by: Sequence[str]) -> pd.DataFrame:
    """A row per value, or combination of values, of the axes `by`, in order of value; one row with none.

    runs; how many ended with each status; rate = converged ÷ runs; ert = all epochs spent ÷ converged, infinite with
    none (`expected_running_time`); q1, median, q3 of the epochs to convergence (Kaplan–Meier; `quantile`). 95 % intervals:
    rate_low, rate_high (`wilson`) and median_low, median_high (log-log); they take the runs of a row as independent, and are
    for rows whose runs differ in their initial weights alone, too narrow where a row has several runs from the same.
    restricted_mean is the mean of the epochs to convergence or to the horizon of all runs. `ert_intervals` has the rest.
    """
    group, table = sample.groups(by)
    groups = len(table)
    counts = np.bincount(group * len(STATUSES) + sample.status, minlength=groups * len(STATUSES)).reshape(-1, len(STATUSES))
    table["runs"] = counts.sum(axis=1)
    for number, name in enumerate(STATUSES):
        table[name] = counts[:, number]
    table["rate"] = table["converged"] / table["runs"]
    table["ert"] = expected_running_time(np.bincount(group, sample.epochs, groups), table["converged"].to_numpy())
    curves = product_limit(sample.time, sample.event, group, ranks=sample.ranked_time)
    for name, share in QUARTILES.items():
        table[name], low, high = quantile(curves, share, groups)
        if name == "median":
            table["median_low"], table["median_high"] = low, high
    table["rate_low"], table["rate_high"] = wilson(table["converged"], table["runs"])
    table["restricted_mean"] = restricted_mean(curves, sample.horizon, groups)
    return table


def ert_intervals(sample: Sample, by: Sequence[str]) -> pd.DataFrame:
    """The 95 % interval of the ert in each row of `summarize`: ert_low, ert_high (`bootstrap_ert` over the units)."""
    low, high = bootstrap_ert(sample.epochs, sample.event, sample.units()[0], sample.codes(by)[0])
    return pd.DataFrame({"ert_low": low, "ert_high": high})


def best_settings(table: pd.DataFrame) -> pd.DataFrame:
    """Of a row for each setting the one of lowest ert, one for each threshold where that is an axis.

    Settings without success are left out.
    """
    reached = table[np.isfinite(table["ert"])].sort_values("ert", kind="stable")
    reached = reached.drop_duplicates(NESTED).sort_values(NESTED, ascending=False) if NESTED in table else reached.head(1)
    best: pd.DataFrame = reached.reset_index(drop=True)
    return best
