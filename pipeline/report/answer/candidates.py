"""The settings that compete at one threshold."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import as_override
from pipeline.report.setting import named
from pipeline.stats.sample import NESTED
from pipeline.stats.summary import Summary


@dataclass(frozen=True, eq=False)
class Candidates:
    """The settings (rows of `Summary.best_settings`) at one threshold, None where that is no axis; cheapest first."""

    threshold: Any
    rows: pd.DataFrame
    axes: tuple[str, ...]  # those in which settings differ, without the threshold

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
        return others[others["ert"] == self.best["ert"]]

    @cached_property
    def remaining(self) -> pd.DataFrame:
        """The settings that are not ruled out as the best, which is one of them."""
        return self.rows[self.rows["remains"]]

    def name(self, row: pd.Series) -> str:
        """What distinguishes a setting; nothing where there is only one."""
        return named(row, self.axes)

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
    found = []
    for threshold in summary.thresholds[::-1] if len(table) else []:
        mine = ordered[ordered[NESTED] == threshold] if NESTED in ordered else ordered
        found.append(Candidates(threshold if several else None, mine.reset_index(drop=True), axes))
    return found
