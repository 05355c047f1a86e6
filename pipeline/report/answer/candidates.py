"""The settings that compete at one threshold."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import as_override
from pipeline.report.answer.limits import enough_starts
from pipeline.report.setting import named
from pipeline.stats.sample import NESTED
from pipeline.stats.summary import Summary


@dataclass(frozen=True, eq=False)
class Candidates:
    """The settings at one threshold, None where that is no axis: rows of `Summary.best_settings`, cheapest first."""

    threshold: Any
    rows: pd.DataFrame
    axes: tuple[str, ...]  # those in which settings differ, without the threshold
    tested: bool  # whether there are enough starts to rule any out

    @cached_property
    def best(self) -> pd.Series:
        """The setting of lowest ERT."""
        return self.rows.iloc[0]

    @property
    def converged(self) -> bool:
        """Whether any run did."""
        return bool(np.isfinite(self.best["ert"]))

    @cached_property
    def equal(self) -> pd.DataFrame:
        """The other settings that cost exactly as much as the best."""
        others = self.rows.iloc[1:]
        return pd.DataFrame(others[others["ert"] == self.best["ert"]])

    @property
    def all_equal(self) -> bool:
        """Whether all settings, two at least, cost exactly the same."""
        return len(self.equal) == len(self.rows) - 1 > 0

    @property
    def alike(self) -> bool:
        """Whether what is said of the best setting is true of all, if all cost the same."""
        columns = ["runs", "converged", "ert_low", "ert_high_seen"]
        return not self.all_equal or len(self.rows[columns].drop_duplicates()) == 1

    @cached_property
    def remaining(self) -> pd.DataFrame:
        """The settings that are not ruled out as the best, which is one of them; all of them if there is no test."""
        return self.rows[self.rows["remains"]] if self.tested else self.rows

    def name(self, row: pd.Series) -> str:
        """What distinguishes a setting; nothing where there is only one."""
        return named(row.to_dict(), self.axes)

    @property
    def at(self) -> str:
        """At which threshold; nothing where there is only one."""
        return "" if self.threshold is None else f"at threshold {as_override(self.threshold)}"


def candidates(summary: Summary) -> list[Candidates]:
    """The settings at each threshold, the lowest first; without axes all runs are one setting."""
    table = summary.best_settings if summary.settings else summary.by().assign(best=True, remains=True, edge="")
    axes = tuple(axis for axis in summary.settings if axis != NESTED and summary.size(axis) > 1)
    ordered = table.sort_values(["ert", "best"], ascending=[True, False], kind="stable") if len(table) else table
    several = NESTED in summary.settings and summary.size(NESTED) > 1
    tested = enough_starts(summary)
    found = []
    for threshold in summary.thresholds[::-1] if len(table) else []:
        mine = ordered[ordered[NESTED] == threshold] if NESTED in ordered else ordered
        found.append(Candidates(threshold if several else None, mine, axes, tested))
    return found
