"""What is printed of a sweep, and what is kept of it in files: the answer, the main tables, all tables."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import as_override, printable
from pipeline.report.answer import answer
from pipeline.report.named_tables import TABLES, file_name, table_of, varied
from pipeline.report.numbers import count
from pipeline.report.text_tables import Page, readable, without_zeros
from pipeline.results.csv_tables import write_csv
from pipeline.stats.summary import Summary

# What may begin markup: inside a word an underscore does not, nor does a colon before a blank.
MARKUP = re.compile(
    r"[\\|`*\[\]<>&~$@]|(?<![^\W_])_|_(?![^\W_])|:(?=//|[\w+-]+:)|(?<=\bwww)\.|^#|^[+=-](?![\d.])|(?<=^\d)[.)](?=\s|$)"
)
ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;", "$": "&#36;"}
PRINTED_ROWS, PRINTED_AXES = 12, 6  # of a sweep's tables: two screens with the answer
NAMED = 5  # columns that are left out
JUDGEMENTS = ["best", "remains", "p_better"]  # of settings: of the best they say nothing
INTERVALS_SHOWN = "In parentheses: 95 % intervals; those of ert allow for failures not seen."
KEPT_ROWS = 1000  # of a table in summary.txt
Part = tuple[str, str]  # of what is printed: a title, "" if it has none, and a text


def report(summary: Summary, width: int | None = 80, **origin: Any) -> str:
    """All that is printed about a sweep."""
    return joined(report_parts(summary, width, **origin))


def joined(parts: Sequence[Part]) -> str:
    """Parts as a text, an empty line between them."""
    return "\n\n".join(f"{title}\n{text}" if title else text for title, text in parts)


def report_parts(summary: Summary, width: int | None = 80, **origin: Any) -> list[Part]:
    """The answer (`origin`: what it takes of how the sweep was made), the main tables, and what is left out of them."""
    page = Page(width, PRINTED_ROWS)
    parts: list[Part] = [("", page.prose(sentence)) for sentence in answer(summary, **origin)]
    parts += [(page.prose(printable(title)), page.table(table)) for title, table in tables(summary).items()]
    return [*parts, *left_out(page, "the files in summary/ have all", varied(summary)[PRINTED_AXES:])]


def left_out(page: Page, where: str, tables: Sequence[str] = ()) -> list[Part]:
    """What was left out to fit, and where it is."""
    lines = [INTERVALS_SHOWN] if page.intervals else []
    if page.left_out:
        names, more = page.left_out[:NAMED], len(page.left_out) - NAMED
        listed = ", ".join(names) + (f" and {more} more" if more > 0 else "")
        lines.append(f"Left out to fit {page.width} columns: {listed}; COLUMNS=200 shows more, {where}.")
    if tables:
        lines.append(f"Left out, too: the {count(len(tables), 'table')} by {', '.join(map(printable, tables))}; {where}.")
    return [("", "\n".join(map(page.prose, lines)))] if lines else []


def tables(summary: Summary, by: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """The main tables of a sweep by their titles, in the order in which they are read; with `by` just the one."""
    if by:
        return {f"By {', '.join(by)}": summary.by(*by)}
    best = summary.best
    titled = {TABLES["best"][0]: best.drop(columns=JUDGEMENTS)} if len(best) else {}
    axes = varied(summary) or summary.settings[:1]
    titled |= {f"By {axis}": summary.by(axis) for axis in axes[:PRINTED_AXES]}
    held_out = table_of(summary, "held_out")
    return titled | ({TABLES["held_out"][0]: held_out} if len(held_out) else {})


def as_text(table: pd.DataFrame) -> str:
    """A whole table in plain text, numbers to the right."""
    return Page().table(table)


def as_markdown(table: pd.DataFrame) -> str:
    """A table in Markdown, its cells taken as plain text."""
    table = without_zeros(table)
    lines = [[markdown_text(str(name)) for name in table], ["---"] * len(table.columns)]
    lines += [list(map(markdown_text, row)) for row in readable(table).astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def markdown_text(text: str) -> str:
    """Text in one line that Markdown, GitHub's and that of MLflow's pages, shows as it is."""
    return MARKUP.sub(lambda match: ENTITIES.get(match[0], f"\\{match[0]}"), " ".join(printable(text).split()))


def write_tables(summary: Summary, folder: Path, **origin: Any) -> None:
    """The tables as files in folder/summary, which must not exist: each as CSV and Parquet, all together in summary.txt."""
    folder = folder / "summary"
    folder.mkdir()
    titled: dict[str, pd.DataFrame] = {}
    for axis in summary.settings:
        write_table(summary.by(axis), folder / file_name(axis))
        titled[f"By {axis}"] = summary.by(axis)
    for name, (title, _) in TABLES.items():
        if len(table := table_of(summary, name)) and len(table.columns):
            write_table(table, folder / name)
            titled[f"{title}: {name}"] = table
    page = Page(rows=KEPT_ROWS)
    parts = [
        ("", "\n\n".join(answer(summary, **origin))),
        *((printable(title), page.table(table)) for title, table in titled.items()),
    ]
    (folder / "summary.txt").write_text(joined([*parts, *left_out(page, "")]) + "\n", encoding="utf-8")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """A table as CSV and as Parquet, at a path without suffix."""
    write_csv(table, Path(f"{path}.csv"))
    storable(table).to_parquet(f"{path}.parquet", index=False)


def storable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns of one type each, as Parquet has them: a column of numbers and texts becomes text."""
    mixed = [name for name in table if table[name].dtype == object and table[name].dropna().map(type).nunique() > 1]
    return table.assign(**{str(name): table[name].map(as_override) for name in mixed})
