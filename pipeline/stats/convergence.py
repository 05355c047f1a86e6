"""Tables of convergence: from one row per run to rates, running times and quartiles. Pandas in, pandas out.

`results` has a row per run: a column for each axis of the sweep, and `status`, `epochs`, `final_error`; `horizon`, the
max_epochs of the run, if it is known.

Runs that did not converge are censored, not missing: a quantile of the epochs to convergence counts them as later than any
epoch up to the horizon, so it is infinite ("not reached") where too few converged.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.backprop.status import STATUSES
from pipeline.results.columns import RUN_COLUMNS
from pipeline.stats.estimators import (
    Booleans,
    Floats,
    Integers,
    Survival,
    bootstrap_ert,
    product_limit,
    quantile,
    ratio_or_inf,
    restricted_mean,
    wilson,
)

REPLICATE = "seed"  # the axis over which settings are repeated

NESTED = "threshold"  # the axis along which runs share their training

STATISTICS = ("runs", *STATUSES, "rate", "ert", "q1", "median", "q3")

INTERVALS = ("rate_low", "rate_high", "ert_low", "ert_high", "median_low", "median_high", "restricted_mean")

QUARTILES = {"q1": 0.25, "median": 0.5, "q3": 0.75}


def axes_of(results: pd.DataFrame) -> list[str]:
    """The columns of `results` that are axes of the sweep, in their order."""
    return [str(column) for column in results.columns if column not in RUN_COLUMNS]


def settings_of(results: pd.DataFrame) -> list[str]:
    """The axes but for the one over which settings are repeated."""
    return [axis for axis in axes_of(results) if axis != REPLICATE]


def horizon(results: pd.DataFrame) -> float:
    """The epoch up to which the sweep was watched: the largest of `horizons`; 0 of no runs."""
    return float(horizons(results).max(initial=0.0))


def horizons(results: pd.DataFrame) -> Floats:
    """The max_epochs of each run, (R,).

    The column `horizon`, or else the axis `max_epochs`, or else the most epochs of an exhausted run, or else of any run:
    what nobody ran into cannot be known from the results, and does not matter to them.
    """
    for column in ("horizon", "max_epochs"):
        if column in results and results[column].notna().all():
            return results[column].to_numpy(float)
    epochs = results["epochs"].to_numpy(float)
    exhausted = (results["status"] == "exhausted").to_numpy()
    latest = epochs.max(where=exhausted if exhausted.any() else np.ones(len(epochs), bool), initial=0.0)
    return np.full(len(results), latest)


def time_to_convergence(results: pd.DataFrame) -> tuple[Floats, Booleans]:
    """(time, event), each (R,): the epochs to convergence as survival data.

    A converged run is an event at its epochs. An exhausted run is censored at its epochs, which are its max_epochs: it may
    have converged later. A diverged or stationary run is never an event, and its time is infinite: it is known that it does
    not converge by the horizon, or ever. Were it censored where it stopped, it would count as if it might still have
    converged like the others, and the worse a setting, the better its curve would look; it stays at risk instead, as one
    treats a competing event that precludes the event of interest (Fine & Gray, JASA 94 (1999)).
    """
    status = results["status"]
    event = (status == "converged").to_numpy()
    never = status.isin(["diverged", "stationary"]).to_numpy()
    return np.where(never, np.inf, results["epochs"].to_numpy(float)), event


def groups_of(results: pd.DataFrame, by: Sequence[str]) -> tuple[Integers, pd.DataFrame]:
    """The group (R,) of each run, and the values of `by` of each group: a row per group, in order of value.

    With no `by` all runs are one group. Raises KeyError for what is no column.
    """
    by = list(by)
    if not by:
        return np.zeros(len(results), np.intp), pd.DataFrame(index=range(min(len(results), 1)))
    codes: Integers = np.asarray(results.groupby(by, sort=True, dropna=False, observed=True).ngroup(), np.intp)
    first = np.zeros(codes.max(initial=-1) + 1, np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes, results[by].iloc[first].reset_index(drop=True)


def units_of(results: pd.DataFrame, but: Sequence[str] = ()) -> Integers:
    """The unit (R,) of each run: runs from the same initial weights are not independent, and are drawn together.

    The seeds where they are an axis. Else the runs, but those which differ in nothing but the threshold are one unit, as
    they are one training. `but` names axes whose values are compared within a unit.
    """
    axes = axes_of(results)
    if REPLICATE in axes and REPLICATE not in but:
        return groups_of(results, [REPLICATE])[0]
    return groups_of(results, [axis for axis in axes if axis not in (NESTED, *but)])[0]


def summarize(results: pd.DataFrame, by: Sequence[str], intervals: bool = False) -> pd.DataFrame:
    """A row per value, or combination of values, of the axes `by`, in order of value; one row with none.

    runs; how many ended with each status; rate = converged ÷ runs; ert = all epochs spent ÷ converged, infinite with
    none (`expected_running_time`); q1, median, q3 of the epochs to convergence (Kaplan–Meier; `quantile`).

    With `intervals`, 95 % intervals too: rate_low, rate_high (`wilson`); ert_low, ert_high (`bootstrap_ert` over seeds);
    median_low, median_high (log-log); and restricted_mean, the mean of the epochs to convergence or to the horizon of all
    `results`. The intervals of rate and median take the runs of a row as independent: they are for rows whose runs differ
    in their initial weights alone, and too narrow where a row has several runs from the same.
    """
    group, table = _counted(results, by)
    groups = len(table)
    time, event = time_to_convergence(results)
    curves = product_limit(time, event, group)
    quartiles = {name: quantile(curves, share, groups) for name, share in QUARTILES.items()}
    for name, (value, _, _) in quartiles.items():
        table[name] = value
    if intervals:
        table["rate_low"], table["rate_high"] = wilson(table["converged"], table["runs"])
        epochs = results["epochs"].to_numpy(float)
        table["ert_low"], table["ert_high"] = bootstrap_ert(epochs, event, units_of(results), group)
        _, table["median_low"], table["median_high"] = quartiles["median"]
        table["restricted_mean"] = restricted_mean(curves, horizon(results), groups)
    return table


def _counted(results: pd.DataFrame, by: Sequence[str]) -> tuple[Integers, pd.DataFrame]:
    """The group (R,) of each run, and the part of the summary that is counting: up to ert."""
    group, table = groups_of(results, by)
    status = pd.Categorical(results["status"], categories=STATUSES).codes
    counts = np.bincount(group * len(STATUSES) + status, minlength=len(table) * len(STATUSES)).reshape(-1, len(STATUSES))
    table["runs"] = counts.sum(axis=1)
    for place, name in enumerate(STATUSES):
        table[name] = counts[:, place]
    table["rate"] = table["converged"] / table["runs"]
    spent = np.bincount(group, results["epochs"].to_numpy(float), len(table))
    table["ert"] = ratio_or_inf(spent, table["converged"].to_numpy())
    return group, table


def quartiles(results: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """q1, median and q3 of the epochs to convergence per group, each with its log-log interval: q1_low, q1_high, …"""
    group, table = groups_of(results, by)
    curves = product_limit(*time_to_convergence(results), group)
    for name, share in QUARTILES.items():
        table[name], table[f"{name}_low"], table[f"{name}_high"] = quantile(curves, share, len(table))
    return table


def survival(results: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """The Kaplan–Meier curve of each group: the share that has not converged by an epoch, with its log-log interval.

    Columns `by`, epochs, at_risk, converged, censored, survival, low, high. A row is a step, and holds until the next;
    each curve begins at epoch 0 and ends at the horizon.
    """
    group, keys = groups_of(results, by)
    end = horizon(results)
    curves = _within(product_limit(*time_to_convergence(results), group), end)
    table = pd.DataFrame(
        {
            "group": curves.group,
            "epochs": curves.time,
            "at_risk": curves.at_risk,
            "converged": curves.events,
            "censored": curves.censored,
            "survival": curves.survival,
            "low": curves.low,
            "high": curves.high,
        }
    )
    runs = np.bincount(group, minlength=len(keys))
    opening = pd.DataFrame({"group": range(len(keys)), "epochs": 0.0, "at_risk": runs, "converged": 0, "censored": 0}).assign(
        survival=1.0, low=1.0, high=1.0
    )
    table = _framed(table, opening, end)
    step = table[["converged", "censored"]].sum(axis=1)
    table["at_risk"] = runs[table["group"]] - (step.groupby(table["group"]).cumsum() - step)
    return _named(table, keys)


def run_length_ecdf(results: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """The share of the runs of each group, over all thresholds of the sweep, that converged within so many epochs.

    Columns `by`, epochs, share; a row is a step, and holds until the next; each curve begins at epoch 0 and ends at the
    horizon, the cap: of what lies beyond, nothing is known. Hansen et al., "COCO: Performance Assessment",
    arXiv:1605.03560 (2016), section "Empirical Distribution Functions", without simulated restarts.
    """
    group, keys = groups_of(results, by)
    time, event = time_to_convergence(results)
    steps = pd.DataFrame({"group": group[event], "epochs": time[event]}).value_counts(sort=False).sort_index()
    table = steps.rename("converged").reset_index()
    opening = pd.DataFrame({"group": range(len(keys)), "epochs": 0.0, "converged": 0})
    table = _framed(table, opening, horizon(results))
    table["converged"] = table["converged"].where(~table["last"], 0)
    runs = np.bincount(group, minlength=len(keys))
    table["share"] = table.groupby("group")["converged"].cumsum() / runs[table["group"]]
    return _named(table.drop(columns="converged"), keys)


def _within(curves: Survival, end: float) -> Survival:
    """The steps up to the end alone."""
    kept = curves.time <= end
    return Survival(*(getattr(curves, name)[kept] for name in Survival.__dataclass_fields__))


def _framed(table: pd.DataFrame, opening: pd.DataFrame, end: float) -> pd.DataFrame:
    """Steps, sorted, with an opening row where a curve has none at epoch 0, and a `last` row where it has none at the end."""
    begun = set(table.loc[table["epochs"] == 0, "group"])
    table = pd.concat([opening[~opening["group"].isin(begun)], table]).sort_values(["group", "epochs"], kind="stable")
    closing = table.groupby("group").tail(1)
    closing = closing[closing["epochs"] < end].assign(epochs=end, last=True)
    for column in ("converged", "censored"):
        if column in closing:
            closing[column] = 0
    table = pd.concat([table.assign(last=False), closing])
    return table.sort_values(["group", "epochs"], kind="stable", ignore_index=True)


def _named(table: pd.DataFrame, keys: pd.DataFrame) -> pd.DataFrame:
    """The table with the values of its groups in place of their numbers."""
    values = keys.iloc[table["group"].to_numpy()].reset_index(drop=True)
    return pd.concat([values, table.drop(columns=["group", "last"])], axis=1)


def by_axis(results: pd.DataFrame, intervals: bool = False) -> dict[str, pd.DataFrame]:
    """One summary for each axis that is not just a repetition."""
    return {axis: summarize(results, [axis], intervals) for axis in settings_of(results)}


def best_settings(results: pd.DataFrame) -> pd.DataFrame:
    """The setting of lowest ERT, one for each threshold where that is an axis; settings without success are left out."""
    settings = settings_of(results)
    if not settings:
        return pd.DataFrame()
    cells = summarize(results, settings)
    cells = cells[np.isfinite(cells["ert"])].sort_values("ert", kind="stable")
    cells = cells.drop_duplicates(NESTED).sort_values(NESTED, ascending=False) if NESTED in settings else cells.head(1)
    best: pd.DataFrame = cells.reset_index(drop=True)
    return best
