"""The tables of a sweep: which there are, as text and Markdown, and as files."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import as_override, printable
from pipeline.report.answer import answer
from pipeline.report.numbers import in_short
from pipeline.results.columns import HELD_OUT
from pipeline.results.csv_tables import write_csv
from pipeline.stats.summary import INTERVALS, Summary

# What may begin markup: inside a word an underscore does not, nor does a colon before a blank.
MARKUP = re.compile(
    r"[\\|`*\[\]<>&~$@]|(?<![^\W_])_|_(?![^\W_])|:(?=//|[\w+-]+:)|(?<=\bwww)\.|^#|^[+=-](?![\d.])|(?<=^\d)[.)](?=\s|$)"
)
ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;", "$": "&#36;"}
MOST_CELLS, GRID_ROWS = 10_000, 60  # of a grid: more cannot be read, or are not printed


def report(summary: Summary, **origin: Any) -> str:
    """All that is printed about a sweep: the answer (`origin`: what it takes of how the sweep was made), then the tables."""
    parts = [f"{printable(title)}\n{as_text(table)}" for title, table in tables(summary).items()]
    return "\n\n".join([*answer(summary, **origin), *parts])


def tables(summary: Summary, by: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """The tables of a sweep by their titles, in the order in which they are read; with `by` just the one."""
    if by:
        return {f"By {', '.join(by)}": summary.by(*by)}
    titled = {f"By {axis}": summary.by(axis, intervals=False) for axis in summary.settings}
    cells = grid(summary)
    if 0 < len(cells) <= GRID_ROWS:
        titled["Converged/runs and median epochs to convergence of each setting (– not reached)"] = cells
    if len(best := summary.best):
        titled["Lowest expected running time (ert, epochs per success)"] = best
    held_out = summary.held_out(*summary.settings)
    if 0 < len(held_out) <= GRID_ROWS:
        titled["Held-out patterns: medians over runs of the error on them, and of the shares that are right"] = held_out
    return titled


def grid(summary: Summary) -> pd.DataFrame:
    """Each setting as «converged/runs median», the values of the last axis (but threshold) as columns; empty if too many."""
    across = [axis for axis in summary.settings if axis != "threshold"][-1:]
    down = [axis for axis in summary.settings if axis not in across]
    down.sort(key=lambda axis: axis != "threshold")
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


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its numbers as text."""
    shown = table.map(in_short)
    for column in table.columns.intersection(["rate", "rate_low", "rate_high"]):
        shown[column] = table[column].map("{:.0%}".format)
    for column in table.columns.intersection(list(INTERVALS)):
        shown.loc[table[column].isna(), column] = "–"
    for column in table.columns.intersection(list(HELD_OUT)):
        shown.loc[table[column].isna(), column] = "–"
    return shown


def as_text(table: pd.DataFrame) -> str:
    """A table in plain text, numbers to the right."""
    return readable(table).rename(columns=lambda name: printable(str(name))).to_string(index=False)


def as_markdown(table: pd.DataFrame) -> str:
    """A table in Markdown, its cells taken as plain text."""
    lines = [[markdown_text(str(name)) for name in table], ["---"] * len(table.columns)]
    lines += [list(map(markdown_text, row)) for row in readable(table).astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def markdown_text(text: str) -> str:
    """Text in one line that Markdown, GitHub's and that of MLflow's pages, shows as it is."""
    return MARKUP.sub(lambda match: ENTITIES.get(match[0], f"\\{match[0]}"), " ".join(printable(text).split()))


def note(summary: Summary, **origin: Any) -> str:
    """The sweep's description in MLflow, in Markdown: the answer, and the main table."""
    best = summary.best
    title = "Lowest expected running time (ert: epochs per success), by threshold" if "threshold" in best else "Best setting"
    table = f"\n\n{title}:\n\n{as_markdown(best)}" if len(best) else ""
    words = "\n\n".join(map(markdown_text, answer(summary, **origin)))
    return words + table + "\n\nMore in the artifacts: `report.html`, `figures/`, `summary/`."


def write_tables(summary: Summary, folder: Path, **origin: Any) -> None:
    """The tables as files in folder/summary, which must not exist."""
    folder = folder / "summary"
    folder.mkdir()
    for axis in summary.settings:
        name = re.sub(r"[^\w.+@-]", "_", axis)  # without what names a folder
        write_csv(summary.by(axis), folder / f"by_{name}.csv")
    if summary.settings:
        write_csv(summary.by(*summary.settings), folder / "by_setting.csv")
        write_csv(summary.best, folder / "best.csv")
    if len(held_out := summary.held_out(*summary.settings)):
        write_csv(held_out, folder / "held_out.csv")
    (folder / "summary.txt").write_text(report(summary, **origin) + "\n", encoding="utf-8")


def storable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns of one type each, as Parquet has them: a column of numbers and texts becomes text."""
    mixed = [name for name in table if table[name].dtype == object and table[name].dropna().map(type).nunique() > 1]
    return table.assign(**{str(name): table[name].map(as_override) for name in mixed})
