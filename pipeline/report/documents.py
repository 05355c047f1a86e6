"""One or several recorded sweeps: side by side in one table, and as a document in text, Markdown, CSV, Parquet or HTML."""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import ConfigError, as_override, printable
from pipeline.report.answer import answer, comparison_in_words
from pipeline.report.answer.next_command import with_overrides
from pipeline.report.named_tables import BY_AXES, TABLES, table_of
from pipeline.report.setting import as_value
from pipeline.report.tables import Part, as_markdown, joined, left_out, markdown_text, report_parts, storable, tables
from pipeline.report.text_tables import Page
from pipeline.results.columns import HELD_OUT, NO_AXES
from pipeline.results.csv_tables import csv_text
from pipeline.results.sweep_results import SweepResults
from pipeline.stats.arrays import Integers
from pipeline.stats.comparisons.two_sweeps import compare_axes
from pipeline.stats.sample import REPLICATES, axes_of
from pipeline.stats.selection import matching
from pipeline.stats.summary import Summary
from pipeline.trials.configuration import TRIAL_KEYS

SWEEP = "sweep"  # the axis that tells sweeps apart
COMPARED = "compared"  # the table of what changed between two sweeps
TABLE_NAMES = (*TABLES, COMPARED)
OUTCOMES = ("status", "epochs", "final_error", "gradient_norm", *HELD_OUT)


@dataclass(frozen=True)
class Contents:
    """What a document shows: of these sweeps, the runs for which `where` holds (empty: all); by these axes, or one table."""

    sweeps: Sequence[SweepResults]
    by: Sequence[str] = ()
    table: str = ""
    where: str = ""
    width: int | None = None  # of lines of text

    @classmethod
    def of(
        cls, sweeps: Sequence[SweepResults], by: Sequence[str] = (), table: str = "", where: str = "", width: int | None = None
    ) -> "Contents":
        """Raises ConfigError for an axis or a table that these sweeps do not have, and for a condition that leaves no runs."""
        contents = cls(sweeps, by, table, where, width)
        axes = contents.summary.axes  # of the runs for which the condition holds, or it is refused
        for axis in by:
            if axis not in axes:
                raise ConfigError("by", axis, f"is no axis of this sweep; it has {', '.join(axes) or 'none'}")
        if table and by and table not in BY_AXES:
            raise ConfigError("by", list(by), f"has no meaning for table={table}, only for {', '.join(BY_AXES)}")
        if table == COMPARED and len(sweeps) != 2:
            raise ConfigError("table", table, "compares two sweeps: sweep=[id,id]")
        if table and not len(contents.rows):
            raise ConfigError("table", table, "has no rows: the sweep has nothing for it")
        return contents

    @cached_property
    def chosen(self) -> list[SweepResults]:
        """The sweeps with the runs that are shown."""
        return [runs_where(sweep, self.where) for sweep in self.sweeps]

    @cached_property
    def summary(self) -> Summary:
        """The statistics of all that are shown."""
        return Summary(together(self.chosen))

    @property
    def origins(self) -> list[dict[str, Any]]:
        """What the answer takes of how each sweep was made: of some of its runs, the command that makes those values."""
        origins = [sweep.origin for sweep in self.sweeps]
        for origin, sweep, chosen in zip(origins, self.sweeps, self.chosen, strict=True) if self.where else ():
            left = {axis: chosen.table[axis].unique().tolist() for axis in chosen.axes if axis not in REPLICATES}
            fewer = {axis: some for axis, some in left.items() if len(some) < sweep.table[axis].nunique(dropna=False)}
            values = {axis: ",".join(map(as_value, some)) for axis, some in fewer.items()}
            origin |= {"command": with_overrides(sweep.command, values), "study": ""}
        return origins

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The one table that is asked for: by its name, by axes, or by all settings."""
        if self.table == COMPARED:
            try:
                return compare_axes(*aligned(self.chosen))
            except ValueError as error:  # they cannot be paired
                raise ConfigError("table", self.table, str(error)) from None
        if self.table:
            return table_of(self.summary, self.table, self.by)
        return self.summary.by(*(self.by or self.summary.settings))

    @property
    def headings(self) -> list[str]:
        """Which sweeps they are, and what is left out of them."""
        lines = [
            f"{sweep.name}: {f'run {sweep.run_id}' if sweep.run_id else f'{len(sweep.table):,} runs'}" for sweep in self.sweeps
        ]
        if self.where:
            shown, total = (sum(len(sweep.table) for sweep in sweeps) for sweeps in (self.chosen, self.sweeps))
            lines.append(f"Only runs with {self.where}: {shown:,} of {total:,}; {total - shown:,} are left out.")
            if outcomes := [
                name for name in matching(with_configured(self.sweeps[0], self.where), self.where)[1] if name in OUTCOMES
            ]:
                lines.append(
                    f"They are chosen by how they ended ({', '.join(outcomes)}): rates and times are of these runs alone."
                )
        return lines


def runs_where(sweep: SweepResults, where: str) -> SweepResults:
    """The sweep with those of its runs for which a condition holds; all where it is empty. Raises ConfigError."""
    return replace(sweep, table=sweep.table.iloc[rows_where(sweep, where)].reset_index(drop=True)) if where else sweep


def rows_where(sweep: SweepResults, where: str) -> Integers:
    """The rows of the runs for which a condition holds, at least one. Raises ConfigError."""
    try:
        holds, _ = matching(with_configured(sweep, where), where)
    except ValueError as error:
        raise ConfigError("where", where, str(error)) from None
    if not holds.any():
        raise ConfigError("where", where, f"holds for none of the {len(sweep.table):,} runs of {sweep.name}")
    return np.flatnonzero(holds)


def labels(sweeps: Sequence[SweepResults]) -> list[str]:
    """A different label for each sweep: its name, with the beginning of its run id where names are the same."""
    given = [sweep.name for sweep in sweeps]
    return [name if given.count(name) == 1 else f"{name} {sweep.run_id[:8]}" for name, sweep in zip(given, sweeps, strict=True)]


def aligned(sweeps: Sequence[SweepResults]) -> list[pd.DataFrame]:
    """The results of each sweep with the axes of all: an axis that a sweep does not have has its configured value there."""
    axes = list(dict.fromkeys(axis for sweep in sweeps for axis in axes_of(sweep.observations)))
    columns = [*axes, *(column for column in NO_AXES if all(column in sweep.observations for sweep in sweeps))]
    parts = []
    for sweep in sweeps:
        fixed = {axis: configured(sweep.configuration, axis) for axis in axes if axis not in sweep.observations}
        parts.append(sweep.observations.assign(**fixed)[columns])
    return parts


def together(sweeps: Sequence[SweepResults]) -> pd.DataFrame:
    """The results of one sweep, or those of several with the axis `sweep` in front."""
    if len(sweeps) == 1:
        return sweeps[0].observations
    parts = zip(labels(sweeps), aligned(sweeps), strict=True)
    return pd.concat([results.assign(**{SWEEP: label})[[SWEEP, *results]] for label, results in parts], ignore_index=True)


def with_configured(sweep: SweepResults, where: str) -> pd.DataFrame:
    """The results of a sweep, with what a condition names that was the same in all of its runs and is in no column."""
    named = [name for name in re.findall(r"[\w.]+", where) if name not in sweep.table and name.partition(".")[0] in TRIAL_KEYS]
    fixed = {name: configured(sweep.configuration, name) for name in named}
    return sweep.table.assign(**{name: value for name, value in fixed.items() if value is not None})


def configured(configuration: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key as a cell of a table: lists and dictionaries as text; None where there is no such key."""
    value: Any = configuration
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return as_override(value) if isinstance(value, list | Mapping) else value


def shown_tables(contents: Contents) -> dict[str, pd.DataFrame]:
    """The tables of one sweep; of several, which the axis `sweep` tells apart, each one by sweep and by each other axis."""
    summary, by = contents.summary, contents.by
    if contents.table:
        return {title_of(contents.table): contents.rows}
    if SWEEP not in summary.axes:
        return tables(summary, by)
    if by:
        return tables(summary, list(dict.fromkeys([*by, SWEEP])))
    groups = [[SWEEP], *([axis, SWEEP] for axis in summary.settings if axis != SWEEP)]
    return {f"By {', '.join(group)}": summary.by(*group) for group in groups}


def title_of(table: str) -> str:
    """What a named table shows."""
    return TABLES[table][0] if table in TABLES else "What changed from the first sweep to the second"


def conclusions(contents: Contents) -> list[str]:
    """The answers in words; of two sweeps also what has changed from the first to the second."""
    sweeps = contents.chosen
    if contents.by or contents.table:
        return []
    if len(sweeps) == 1:
        return answer(contents.summary, **contents.origins[0])
    answers = []
    for label, sweep, origin in zip(labels(sweeps), sweeps, contents.origins, strict=True):
        first, *more = answer(Summary(sweep.observations), **origin)
        answers += [f"{label}: {first}", *more]
    if len(sweeps) == 2:
        try:
            answers.append(comparison_in_words(*aligned(sweeps)))
        except ValueError as error:  # they cannot be paired
            answers.append(str(error))
    return answers


def parts(contents: Contents) -> list[Part]:
    """Which sweeps they are, the answer in words, and their tables in plain text."""
    page = Page(contents.width)
    headings: Part = ("", "\n".join(page.prose(printable(line)) for line in contents.headings))
    if len(contents.sweeps) == 1 and not contents.by and not contents.table:
        return [headings, *report_parts(contents.summary, contents.width, **contents.origins[0])]
    words: list[Part] = [("", page.prose(printable(text))) for text in conclusions(contents)]
    shown: list[Part] = [(page.prose(printable(title)), page.table(table)) for title, table in shown_tables(contents).items()]
    return [headings, *words, *shown, *left_out(page, "and format=csv output=table.csv all")]


def text(contents: Contents) -> str:
    """The same as one text."""
    return joined(parts(contents))


def markdown(contents: Contents) -> str:
    """The same in Markdown."""
    shown = [f"## {markdown_text(title)}\n\n{as_markdown(table)}" for title, table in shown_tables(contents).items()]
    title = f"# {', '.join(markdown_text(sweep.name) for sweep in contents.sweeps)}"
    return "\n\n".join([title, *map(markdown_text, [*contents.headings, *conclusions(contents)]), *shown])


def csv(contents: Contents) -> str:
    """The one table by its name, by `by`, or by all settings, with its intervals."""
    return csv_text(contents.rows).removesuffix("\n")


def parquet(contents: Contents) -> bytes:
    """The same table as a Parquet file."""
    return storable(contents.rows).to_parquet(index=False)


def html(contents: Contents) -> str:
    """A report on the sweeps in one HTML file."""
    from pipeline.report.figures.files import write_figures
    from pipeline.report.page import render, sections

    sweeps, summary = contents.chosen, contents.summary
    first = sweeps[0]
    same = first.configuration if all(sweep.configuration == first.configuration for sweep in sweeps) else {}
    commands = [origin["command"] or sweep.command for origin, sweep in zip(contents.origins, sweeps, strict=True)]
    command = "\n".join(filter(None, commands))
    with tempfile.TemporaryDirectory() as folder:
        figures = write_figures(summary, Path(folder), axes=contents.by)
        notes = contents.headings[len(sweeps) :]
        shown = sections(summary, same, figures, first.environment, command, notes=notes, by=contents.by)
    return render(" and ".join(sweep.name for sweep in sweeps), shown)


DOCUMENTS: dict[str, Callable[[Contents], str | bytes]] = {
    "text": text, "csv": csv, "markdown": markdown, "html": html, "parquet": parquet,
}  # fmt: skip
