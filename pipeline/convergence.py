"""Tables of convergence: from one row per run to rates, running times and quartiles. Pandas in, pandas out.

`results` has a row per run: a column for each axis of the sweep, and `status`, `epochs`, `final_error`.

Runs that did not converge are censored, not missing: a quantile of the epochs to convergence counts them as later than any
epoch, so it is infinite ("not reached") where too few converged.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.trainer import STATUSES

RUN_COLUMNS = ("status", "epochs", "final_error", "gradient_norm", "run_id", "key", "digest")
REPLICATE = "seed"  # the axis over which settings are repeated
STATISTICS = ("runs", *STATUSES, "rate", "ert", "q1", "median", "q3")


def axes_of(results: pd.DataFrame) -> list[str]:
    """The columns of `results` that are axes of the sweep, in their order."""
    return [str(column) for column in results.columns if column not in RUN_COLUMNS]


def settings_of(results: pd.DataFrame) -> list[str]:
    """The axes but for the one over which settings are repeated."""
    return [axis for axis in axes_of(results) if axis != REPLICATE]


def summarize(results: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """A row per value, or combination of values, of the axes `by`, in order of value.

    runs; how many ended with each status; rate = converged ÷ runs; ert = all epochs spent ÷ converged, infinite with
    none (expected running time; Hansen et al., "COCO", 2021); q1, median, q3 of the epochs to convergence.
    """
    converged = results["status"] == "converged"
    groups = results.assign(
        to_convergence=results["epochs"].astype(float).where(converged, np.inf),
        **{status: results["status"] == status for status in STATUSES},
    ).groupby(list(by), sort=True, dropna=False)
    table = pd.DataFrame({"runs": groups.size()})
    for status in STATUSES:
        table[status] = groups[status].sum()
    table["rate"] = table["converged"] / table["runs"]
    table["ert"] = groups["epochs"].sum() / table["converged"].replace(0, np.nan)
    table["ert"] = table["ert"].fillna(np.inf)
    for name, share in (("q1", 0.25), ("median", 0.5), ("q3", 0.75)):
        table[name] = groups["to_convergence"].agg(reached_by, share=share)
    result: pd.DataFrame = table.reset_index()
    return result


def reached_by(epochs: pd.Series, share: float) -> float:
    """The first epoch by which at least that share of the runs has converged; infinite where it never is."""
    return float(np.sort(epochs.to_numpy())[math.ceil(share * len(epochs)) - 1])


def by_axis(results: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """One summary for each axis that is not just a repetition."""
    return {axis: summarize(results, [axis]) for axis in settings_of(results)}


def best_settings(results: pd.DataFrame) -> pd.DataFrame:
    """The setting of lowest ERT, one for each threshold where that is an axis; settings without success are left out."""
    settings = settings_of(results)
    if not settings:
        return pd.DataFrame()
    cells = summarize(results, settings)
    cells = cells[np.isfinite(cells["ert"])].sort_values("ert", kind="stable")
    if "threshold" in settings:
        cells = cells.groupby("threshold", sort=False).head(1).sort_values("threshold", ascending=False)
    else:
        cells = cells.head(1)
    return cells.reset_index(drop=True)


def in_words(results: pd.DataFrame) -> str:
    """The answer in a sentence or two, with its numbers."""
    total = results["status"].value_counts().reindex(STATUSES, fill_value=0)
    text = f"{total['converged']:,} of {count(len(results), 'run')} converged ({total['converged'] / len(results):.0%})"
    others = [f"{total[status]:,} {status}" for status in STATUSES[1:] if total[status]]
    text += (f"; {', '.join(others)}" if others else "") + "."
    best = best_settings(results)
    if len(best) and len(settings_of(results)):
        final = best.iloc[-1]
        setting = [f"{axis}={in_short(final[axis])}" for axis in settings_of(results) if axis != "threshold"]
        goal = f"Down to threshold {in_short(final['threshold'])}" if "threshold" in best else "Here"
        if setting:
            text += (
                f" {goal}, {' '.join(setting)} costs least: {in_short(final['ert'])} epochs per success"
                f" ({int(final['converged'])} of {count(int(final['runs']), 'run')} converged)."
            )
        elif "threshold" in best:
            text += f" {goal}, a success costs {in_short(final['ert'])} epochs."
    for axis in settings_of(results):
        table = summarize(results, [axis])
        lowest, highest = table.iloc[table["rate"].argmin()], table.iloc[table["rate"].argmax()]
        if lowest["rate"] < highest["rate"]:
            text += (
                f" The rate goes from {lowest['rate']:.0%} at {axis}={in_short(lowest[axis])}"
                f" to {highest['rate']:.0%} at {axis}={in_short(highest[axis])}."
            )
    return text


def count(number: int, word: str) -> str:
    """1 run, 2 runs."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def in_short(value: Any) -> str:
    """A number for reading: at most four significant digits, thousands separated; infinite is «not reached»."""
    if isinstance(value, bool | np.bool_ | str) or not isinstance(value, int | float | np.integer | np.floating):
        return str(value)
    if np.isnan(value):
        return "null"
    if np.isinf(value):
        return "not reached"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its numbers as text."""
    shown = table.map(in_short)
    if "rate" in table:
        shown["rate"] = table["rate"].map("{:.0%}".format)
    return shown


def grid(results: pd.DataFrame) -> pd.DataFrame:
    """Each setting as «converged/runs median», the values of the last axis (but threshold) as columns."""
    settings = settings_of(results)
    across = [axis for axis in settings if axis != "threshold"][-1:]
    down = [axis for axis in settings if axis not in across]
    if not across or not down:
        return pd.DataFrame()
    down.sort(key=lambda axis: axis != "threshold")
    cells = summarize(results, settings)
    cells["cell"] = [
        f"{row['converged']}/{row['runs']} {in_short(row['median']) if np.isfinite(row['median']) else '–'}"
        for row in cells.to_dict("records")
    ]
    table = cells.pivot(index=down, columns=across[0], values="cell").fillna("")
    table.columns = [f"{across[0]}={in_short(value)}" for value in table.columns]
    return table.reset_index()


def to_markdown(table: pd.DataFrame) -> str:
    """A table in Markdown; text as it is."""
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
