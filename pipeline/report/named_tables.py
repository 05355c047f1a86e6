"""The tables of a sweep that have a name: one is asked for by it, and kept in a file of that name."""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from pipeline.report.answer.failures.causes import BY_WORD, advice
from pipeline.report.numbers import in_short
from pipeline.stats.sample import NESTED
from pipeline.stats.starts.first_steps import TOO_LONG
from pipeline.stats.summary import Summary

MOST_COMPARED = 12  # values of an axis, each two of which are compared
MOST_CELLS = 10_000  # of a grid


def by_setting(summary: Summary, axes: Sequence[str] = ()) -> pd.DataFrame:
    """A row per setting, or per combination of values of these axes, with intervals."""
    return summary.by(*(axes or summary.settings))


def paired(summary: Summary, axes: Sequence[str] = ()) -> pd.DataFrame:
    """Each two values of each of these axes, or of all but the threshold that have few enough values, from the same starts."""
    compared = axes or [axis for axis in varied(summary) if axis != NESTED and summary.size(axis) <= MOST_COMPARED]
    return stacked({axis: summary.paired(axis) for axis in compared})


def best_values(summary: Summary, axes: Sequence[str] = ()) -> pd.DataFrame:
    """What each value of each of these axes costs at its best, or of all axes but the threshold."""
    compared = axes or [axis for axis in varied(summary) if axis != NESTED]
    return stacked({axis: summary.best_values(axis).rename(columns={axis: "value"}) for axis in compared})


def grid(summary: Summary) -> pd.DataFrame:
    """Each setting as «converged/runs median», the values of the last axis (but threshold) as columns; empty if too many."""
    across = [axis for axis in summary.settings if axis != NESTED][-1:]
    down = [axis for axis in summary.settings if axis not in across]
    down.sort(key=lambda axis: axis != NESTED)
    cells = summary.by(*summary.settings, intervals=False)
    if not across or not down or len(cells) > MOST_CELLS:
        return pd.DataFrame()
    cells["cell"] = [
        f"{converged}/{runs} {in_short(median) if np.isfinite(median) else '–'}"
        for converged, runs, median in zip(cells["converged"], cells["runs"], cells["median"], strict=True)
    ]
    table = cells.pivot(index=down, columns=across[0], values="cell").fillna("")
    table.columns = [f"{across[0]}={in_short(value)}" for value in table.columns]
    return table.reset_index()


def causes(summary: Summary, axes: Sequence[str] = ()) -> pd.DataFrame:
    """Why runs did not converge, in all or by these axes, with what each word means and what helps."""
    table = summary.causes(*axes)
    if table.empty:
        return table
    causes = [BY_WORD[word] for word in table["cause"]]
    helps = {cause: advice(summary, cause, ~summary.event) for cause in set(causes)}
    return table.assign(meaning=[cause.meaning for cause in causes], helps=[helps[cause] for cause in causes])


TABLES: dict[str, tuple[str, Callable[[Summary], pd.DataFrame]]] = {
    "by_setting": ("Each setting", by_setting),
    "best": ("Lowest expected running time (ert, epochs per success)", lambda summary: summary.best),
    "best_settings": (
        "Each setting: what a success costs, and whether it may be the best",
        lambda summary: summary.best_settings,
    ),
    "restarts": ("What giving up each run after a number of epochs would save", lambda summary: summary.restarts),
    "grid": ("Converged/runs and median epochs to convergence of each setting (– not reached)", grid),
    "causes": ("Why runs did not converge", causes),
    "causes_by_setting": (
        "How many runs of each setting did not converge for which cause",
        lambda summary: summary.cause_counts(*summary.settings),
    ),
    "first_steps": (
        f"At which learning rates the step is too long from the start (K* above {TOO_LONG:g})",
        lambda summary: summary.first_steps,
    ),
    "best_values": ("Each value at its best", best_values),
    "paired": ("Each two values of an axis from the same starts", paired),
    "sensitivity": ("What one step from the best value of an axis costs", lambda summary: summary.sensitivity),
    "variance_shares": (
        "Share of the variance of log epochs that goes with each axis",
        lambda summary: summary.variance_shares,
    ),
    "starts": ("Which starts converge: odds by properties of their weights", lambda summary: summary.start_effects),
    "held_out": (
        "Held-out patterns: medians over runs of the error on them, and of the shares that are right",
        lambda summary: summary.held_out(*summary.settings),
    ),
}
# Those of which `by` names the axes.
BY_AXES = {"by_setting": by_setting, "paired": paired, "best_values": best_values, "causes": causes}


def table_of(summary: Summary, name: str, axes: Sequence[str] = ()) -> pd.DataFrame:
    """The table of that name; empty where the sweep has nothing for it."""
    if not len(summary) or (name not in ("by_setting", "causes") and not summary.settings):
        return pd.DataFrame()
    return BY_AXES[name](summary, axes) if axes else TABLES[name][1](summary)


def varied(summary: Summary) -> list[str]:
    """The axes of settings that take several values."""
    return [axis for axis in summary.settings if summary.size(axis) > 1]


def stacked(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of several axes as one, the column `axis` in front; empty of none."""
    parts = [
        table.astype({name: object for name in ("first", "second", "value") if name in table}) for table in tables.values()
    ]
    named = [part.assign(axis=axis)[["axis", *part]] for axis, part in zip(tables, parts, strict=True) if len(part)]
    return pd.concat(named, ignore_index=True) if named else pd.DataFrame()


def file_name(axis: str) -> str:
    """An axis as the name of a file, without what names a folder."""
    return "by_" + re.sub(r"[^\w.+@-]", "_", axis)
