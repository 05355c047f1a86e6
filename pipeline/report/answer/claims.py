"""What the document's tutorial claims, held against the default study."""

import numpy as np
import pandas as pd

from pipeline.errors import as_override
from pipeline.report.numbers import in_short, percent
from pipeline.report.setting import listed, valued
from pipeline.stats.sample import NESTED
from pipeline.stats.summary import Summary

STUDY, AXIS = "convergence", "learning_rate"


def claims(summary: Summary, study: str, command: str) -> str:
    """«Works well» and «no parameters to tune», in the numbers of the default study; nothing for another sweep."""
    asked = study == STUDY or f"study={STUDY}" in command.split()
    if not asked or AXIS not in summary.settings:
        return ""
    rate = percent(summary.event.mean())
    well = f"The tutorial says that backpropagation «works well»: {rate} of these runs converged."
    return f"{well} {tuning}" if (tuning := _tuning(summary)) else well


def _tuning(summary: Summary) -> str:
    """By what factor learning rates differ in what a success costs, at the lowest threshold; at which no run converged."""
    table, at = summary.by(*summary.with_thresholds(AXIS)), ""
    if NESTED in table:
        lowest = summary.thresholds[-1]
        table, at = table[table[NESTED] == lowest], f"at threshold {as_override(lowest)} "
    known = table[np.isfinite(table["ert"])].sort_values("ert", kind="stable")
    never = [valued(AXIS, value) for value in table.loc[~np.isfinite(table["ert"]), AXIS]]
    parts = []
    if len(known) > 1 and 0 < known["ert"].iloc[0] < known["ert"].iloc[-1]:
        best, worst = known.iloc[0], known.iloc[-1]
        costs = [f"{in_short(row['ert'])} epochs with {valued(AXIS, row[AXIS])}{_interval(row)}" for row in (best, worst)]
        parts.append(f"a success costs {' and '.join(costs)}, {in_short(worst['ert'] / best['ert'])} times as many")
    if never and len(known):
        parts.append(f"no run converged with {listed(never, 'or')}")
    return f"It says that there are «no parameters to tune»: {at}{' and '.join(parts)}." if parts else ""


def _interval(row: pd.Series) -> str:
    """The interval of what a success costs, if there is one."""
    if not np.isfinite(row["ert_low"]):
        return ""
    high = in_short(row["ert_high"]) if np.isfinite(row["ert_high"]) else "any number"
    return f" (95% interval {in_short(row['ert_low'])} to {high})"
