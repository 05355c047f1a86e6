"""The tables of a report: which there are, and each as it is read and as it is sorted."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.backprop.status import STATUSES
from pipeline.report.named_tables import TABLES, table_of
from pipeline.report.tables import JUDGEMENTS
from pipeline.report.text_tables import readable
from pipeline.stats.quartiles import QUARTILES
from pipeline.stats.sample import NESTED, WORDS
from pipeline.stats.summary import Summary

MOST_ROWS, MOST_TABLES = 100, 12
MOST_COMPARED_AXES, MOST_COMPARED_VALUES = 3, 8  # in pairs: few enough to be read
COMPARED = (
    "first", "second", "pairs", "earlier", "later", "ratio", "ratio_q1", "ratio_q3", "p_epochs_adjusted",
    "p_rate_adjusted", "p_ert_adjusted", "smallest_p",
)  # fmt: skip
WITH_INTERVALS = (*QUARTILES, "rate", "ert", "ratio")  # with the ends in columns `_low` and `_high`
NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")


@dataclass(frozen=True, slots=True)
class Cell:
    """What is read, what it is sorted by (as JavaScript reads a number), and the interval around it."""

    text: str
    order: str
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table to be sorted: a column is (name, whether it is of numbers)."""

    caption: str
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[Cell]]
    left_out: str = ""


def main_tables(summary: Summary, by: Sequence[str] = ()) -> Iterator[Table]:
    """The table by these axes, the best settings, and a table for each axis."""
    if len(summary):
        titled = {f"By {', '.join(by)}": summary.by(*by)} if by else {}
        titled["Lowest expected running time"] = summary.best.drop(columns=JUDGEMENTS, errors="ignore")
        titled |= {f"By {axis}": summary.by(axis) for axis in summary.settings} or {"All runs": summary.by()}
        yield from (sortable(caption, part) for caption, part in list(titled.items())[:MOST_TABLES] if len(part))


def causes(summary: Summary) -> Iterator[Table]:
    """Why runs did not converge: in all, with what the words mean, and by setting."""
    titled = {TABLES[name][0]: table_of(summary, name) for name in ("causes", "causes_by_setting", "first_steps")}
    counts = titled[TABLES["causes_by_setting"][0]]
    if len(counts):
        some = counts[counts["converged"] < counts["runs"]]
        narrow = some[[*summary.settings, "runs", "converged"]].assign(why=why(some, len(some)))
        titled[TABLES["causes_by_setting"][0]] = narrow
    yield from (sortable(caption, part) for caption, part in titled.items() if len(part))


def why(counts: pd.DataFrame, cells: int) -> list[str]:
    """Why the runs of each cell did not converge, the most frequent cause first: 12 minimum, 3 descending."""
    words = [word for word in WORDS if word in counts]
    rows = counts[words].to_dict("records") if words else [{}] * cells
    return [
        ", ".join(f"{runs:,} {word}" for word, runs in sorted(row.items(), key=lambda item: -item[1]) if runs) for row in rows
    ]


def all_settings(summary: Summary) -> Iterator[Table]:
    """Each setting, where there is not already a table of the one axis."""
    if len(summary.settings) >= 2 and len(summary):
        yield sortable("By setting", summary.by(*summary.settings, intervals=False))


def comparisons(summary: Summary) -> Iterator[Table]:
    """What a value of an axis gains over another from the same start, what a step costs, and which axis matters most."""
    axes = [axis for axis in summary.settings if summary.size(axis) > 1]
    if not axes:
        return
    titled = {
        "Settings that are not ruled out as the best": not_ruled_out(summary),
        "What giving up each run after a number of epochs would save": summary.restarts,
        "Which axis matters: share of the variance of log epochs": summary.variance_shares,
    }
    for axis in [axis for axis in axes if axis != NESTED][:MOST_COMPARED_AXES]:
        caption = f"Best {axis}: expected running time, and the share of bootstrap samples in which it is best"
        titled[caption] = summary.best_values(axis)
        if summary.size(axis) <= MOST_COMPARED_VALUES:
            titled[f"Two values of {axis} from the same start"] = summary.paired(axis)[list(COMPARED)]
    titled["What one step from the best value costs: ratio of expected running times"] = summary.sensitivity
    yield from (sortable(caption, part) for caption, part in titled.items() if len(part))


def not_ruled_out(summary: Summary) -> pd.DataFrame:
    """The settings that may be the best, by threshold and cost; empty without starts to tell, where none can be ruled out."""
    table = summary.best_settings
    if not summary.replicated or not len(table):
        return pd.DataFrame()
    remaining = table[table["remains"]].drop(
        columns=["remains", "best", "starts", "effective_runs", *QUARTILES], errors="ignore"
    )
    by = [name for name in (NESTED, "ert") if name in remaining]
    return pd.DataFrame(remaining.sort_values(by, kind="stable"))


def sortable(caption: str, table: pd.DataFrame) -> Table:
    """A table as it is read and as it is sorted, at most `MOST_ROWS` rows, without columns that say nothing: statuses in which
    no run ended, and how many starts there are where that is the number of runs.
    """
    alone = [name for name in ("starts", "effective_runs") if name in table and "runs" in table]
    if alone and all((table[name] == table["runs"]).all() for name in alone):
        table = table.drop(columns=alone)
    never = [status for status in STATUSES if status in table and not table[status].any()]
    table = table.drop(columns=[status for status in never if status != "converged"])
    shown = table.head(MOST_ROWS)
    read = readable(shown).astype(str)
    between = intervals(shown, read)
    ends = [f"{name}_{end}" for name in between for end in ("low", "high")]
    names = side_by_side([name for name in shown if name not in ends])
    columns = [
        map(Cell, read[name], orders(shown[name]), between.get(str(name), [""] * len(shown))) if len(shown) else []
        for name in names
    ]
    return Table(
        caption,
        [(str(name), pd.api.types.is_numeric_dtype(table[name])) for name in names],
        list(zip(*columns, strict=True)),
        f"The first {MOST_ROWS} of {len(table):,} rows." if len(table) > MOST_ROWS else "",
    )


def side_by_side(names: list[Any]) -> list[Any]:
    """The names of columns, with the other upper end of the ert beside it."""
    if "ert" in names and "ert_high_seen" in names:
        names.remove("ert_high_seen")
        names.insert(names.index("ert") + 1, "ert_high_seen")
    return names


def intervals(table: pd.DataFrame, read: pd.DataFrame) -> dict[str, list[str]]:
    """The interval around each number, 56%–73%, by the name of its column; empty text where there is none, or
    where its lower end is not reached.
    """
    found = {}
    for name in WITH_INTERVALS:
        low, high = f"{name}_low", f"{name}_high"
        if low in table and high in table:
            texts = read[low] + "–" + read[high].str.replace("not reached", "∞")
            found[name] = texts.where(np.isfinite(table[low].astype(float)) & table[high].notna(), "").tolist()
    return found


def orders(column: pd.Series) -> list[str]:
    """What each cell of a column is sorted by: its number or, of texts, its place among them in natural order."""
    if pd.api.types.is_numeric_dtype(column):
        return list(map(order, column.tolist()))
    texts = column.astype(str)
    places = {text: str(place) for place, text in enumerate(sorted(set(texts), key=natural))}
    return texts.map(places).tolist()


def natural(text: str) -> list[tuple[int, Any]]:
    """A sorting key by which the numbers in a text count as numbers: [2] comes before [16]."""
    return [(0, float(part)) if place % 2 else (1, part) for place, part in enumerate(NUMBER.split(text.rstrip("])")))]


def order(value: Any) -> str:
    """A number as JavaScript reads it."""
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(text := str(value), text)
