"""The cells of two axes of a sweep, as figures of them share it: which there are, where they lie, what stands beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.report.figures.drawing import PANELS, plain, rows_of, spread
from pipeline.stats.arrays import Integers
from pipeline.stats.sample import NESTED
from pipeline.stats.summary import Summary

WRITTEN_CELLS = 12  # along one side: more have no room for their numbers
MOST_CELLS = 400


@dataclass(frozen=True)
class CellGrid:
    """Cells of two axes, `down` and `across`, with their values; `goals`, the threshold of each panel; or one panel, None."""

    down: str
    across: str
    rows: Sequence[Any]
    columns: Sequence[Any]
    goals: Sequence[Any]

    @classmethod
    def of(cls, summary: Summary, axes: Sequence[str] | None) -> "CellGrid | None":
        """The cells of two axes (down, across), else of the two most telling; None without two, or of too many cells."""
        chosen = sorted(summary.main_axes[:2], key=summary.axes.index) if axes is None else list(axes)[:2]
        if len(chosen) < 2 or max(map(summary.size, chosen)) > MOST_CELLS:
            return None
        goals = [None] if NESTED in chosen else spread(summary.thresholds, PANELS + 1)
        return cls(chosen[0], chosen[1], summary.values(chosen[0]), summary.values(chosen[1]), goals)

    @property
    def written(self) -> bool:
        """Whether there is room for text in the cells."""
        return len(self.rows) <= WRITTEN_CELLS and len(self.columns) <= WRITTEN_CELLS

    @property
    def line(self) -> dict[str, Any]:
        """How cells are told apart."""
        return {"edgecolors": "white", "linewidth": 1} if self.written else {"rasterized": True}

    def tables(self, table: pd.DataFrame) -> list[pd.DataFrame]:
        """The rows of a table of all cells that are of each panel."""
        return [rows_of(table, None if goal is None else NESTED, goal) for goal in self.goals]

    def figure(self, wider: float = 1.0) -> tuple[Figure, Sequence[Axes]]:
        """A figure with a panel for each threshold; `wider`: how much wider than usual its cells are."""
        wide, high = (0.85 * wider * len(self.columns), 0.48 * len(self.rows)) if self.written else (4.0, 3.6)
        size = max(4.6, 2.2 + (0.6 + wide) * len(self.goals)), max(3.2, 1.8 + high)
        figure = Figure(figsize=size, layout="constrained")
        return figure, figure.subplots(1, len(self.goals), sharey=True, squeeze=False)[0]

    @cached_property
    def _indices(self) -> list[dict[Any, int]]:
        return [{value: index for index, value in enumerate(values)} for values in (self.rows, self.columns)]

    def places(self, table: pd.DataFrame) -> list[Integers]:
        """Row and column (C,) of the cells in a table."""
        return [
            table[axis].map(index).to_numpy(int) for axis, index in zip((self.down, self.across), self._indices, strict=True)
        ]

    def label(self, plots: Sequence[Axes]) -> None:
        """The values and names of the axes, and the threshold of each panel."""
        for plot, goal in zip(plots, self.goals, strict=True):
            sides: list[tuple[Sequence[Any], Callable[..., Any]]] = [
                (self.columns, plot.set_xticks), (self.rows, plot.set_yticks),
            ]  # fmt: skip
            for values, set_ticks in sides:
                shown = spread(range(len(values)), WRITTEN_CELLS if self.written else 7)
                set_ticks(np.array(shown) + 0.5, [plain(values[index], 12) for index in shown])
            if any(len(plain(value, 12)) > 6 for value in self.columns):
                plot.tick_params(axis="x", rotation=40)
            plot.grid(False)
            plot.tick_params(length=0)
            plot.spines[:].set_visible(False)
            plot.set_xlabel(plain(self.across))
            if goal is not None:
                plot.set_title(f"threshold {plain(goal)}")
        plots[0].set_ylabel(plain(self.down))
