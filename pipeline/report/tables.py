"""The tables of a sweep, as text, Markdown and files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import written
from pipeline.report import words
from pipeline.report.words import in_short
from pipeline.stats import convergence
from pipeline.stats.convergence import settings_of, summarize

MOST_CELLS = 10_000  # of a grid: nobody reads more


def grid(results: pd.DataFrame) -> pd.DataFrame:
    """Each setting as «converged/runs median», the values of the last axis (but threshold) as columns; empty if too many."""
    settings = settings_of(results)
    across = [axis for axis in settings if axis != "threshold"][-1:]
    down = [axis for axis in settings if axis not in across]
    if not across or not down:
        return pd.DataFrame()
    down.sort(key=lambda axis: axis != "threshold")
    cells = summarize(results, settings)
    if len(cells) > MOST_CELLS:
        return pd.DataFrame()
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


FORMATS = ("text", "csv", "markdown", "html", "parquet")

GRID_ROWS = 60

SWEEP = "sweep"  # the axis that several sweeps side by side have


def report(results: pd.DataFrame) -> str:
    """All that is printed about a sweep."""
    parts = [f"{title}\n{plain_table(table)}" for title, table in tables(results).items()]
    return "\n\n".join([*parts, words.in_words(results)])


def tables(results: pd.DataFrame, by: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """The tables of a sweep by their titles, in the order in which they are read; with `by` just the one."""
    if by:
        return {f"By {', '.join(by)}": convergence.summarize(results, by, intervals=True)}
    found = {f"By {axis}": table for axis, table in convergence.by_axis(results).items()}
    cells = grid(results)
    if 0 < len(cells) <= GRID_ROWS:
        found["Converged/runs and median epochs to convergence of each setting (– not reached)"] = cells
    best = convergence.best_settings(results)
    if len(best):
        found["Lowest expected running time (ert, epochs per success)"] = best
    return found


def side_by_side(results: pd.DataFrame, by: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """The tables of several sweeps, which the axis `sweep` tells apart: each one by sweep, and by each other axis."""
    if by:
        return tables(results, [*by, *([] if SWEEP in by else [SWEEP])])
    axes = [axis for axis in convergence.settings_of(results) if axis != SWEEP]
    groups = [[SWEEP], *([axis, SWEEP] for axis in axes)]
    return {f"By {', '.join(group)}": convergence.summarize(results, group) for group in groups}


def plain_table(table: pd.DataFrame) -> str:
    """A table in plain text, numbers to the right."""
    return words.readable(table).to_string(index=False)


def write_tables(results: pd.DataFrame, folder: Path) -> None:
    """The summary tables, as files."""
    summary = folder / "summary"
    summary.mkdir()
    for axis, table in convergence.by_axis(results, intervals=True).items():
        table.to_csv(summary / f"by_{file_name(axis)}.csv", index=False)
    if settings := convergence.settings_of(results):
        convergence.summarize(results, settings, intervals=True).to_csv(summary / "by_setting.csv", index=False)
        convergence.best_settings(results).to_csv(summary / "best.csv", index=False)
    (summary / "summary.txt").write_text(report(results) + "\n", encoding="utf-8")


def storable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns of one type each, as Parquet has them: a column of numbers and texts becomes text."""
    mixed = [name for name in table if table[name].dtype == object and table[name].dropna().map(type).nunique() > 1]
    return table.assign(**{str(name): table[name].map(written) for name in mixed})


def file_name(axis: str) -> str:
    """An axis as part of a file's name: without what names a folder."""
    return "".join(letter if letter.isalnum() or letter in "._-+@" else "_" for letter in axis)


def note(results: pd.DataFrame) -> str:
    """The sweep's description in MLflow, in Markdown: the answer, and the main table."""
    best = convergence.best_settings(results)
    title = "Lowest expected running time (ert: epochs per success), by threshold" if "threshold" in best else "Best setting"
    table = f"\n\n{title}:\n\n{markdown(best)}" if len(best) else ""
    return words.in_words(results) + table + "\n\nMore in the artifacts: `report.html`, `figures/`, `summary/`."


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown, its cells taken as plain text."""
    escaped = words.readable(table).astype(str).map(markdown_cell)
    escaped.columns = [markdown_cell(str(column)) for column in table.columns]
    return to_markdown(escaped)


def markdown_cell(cell: str) -> str:
    """Text that ends no cell and opens no tag."""
    return " ".join(cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())
