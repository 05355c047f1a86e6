"""One or several recorded sweeps: side by side in one table, and as a document in text, Markdown, CSV, Parquet or HTML."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import as_override, printable
from pipeline.report.answer import answer, comparison_in_words
from pipeline.report.tables import as_markdown, as_text, markdown_text, storable, tables
from pipeline.results.columns import NO_AXES
from pipeline.results.csv_tables import csv_text
from pipeline.results.sweep_results import SweepResults
from pipeline.stats.sample import axes_of
from pipeline.stats.summary import Summary

SWEEP = "sweep"  # the axis that tells sweeps apart


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


def configured(configuration: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key as a cell of a table: lists and dictionaries as text; None where there is no such key."""
    value: Any = configuration
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return as_override(value) if isinstance(value, list | Mapping) else value


def shown_tables(summary: Summary, by: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The tables of one sweep; of several, which the axis `sweep` tells apart, each one by sweep and by each other axis."""
    if SWEEP not in summary.axes:
        return tables(summary, by)
    if by:
        return tables(summary, list(dict.fromkeys([*by, SWEEP])))
    groups = [[SWEEP], *([axis, SWEEP] for axis in summary.settings if axis != SWEEP)]
    return {f"By {', '.join(group)}": summary.by(*group, intervals=False) for group in groups}


def conclusions(sweeps: Sequence[SweepResults], summary: Summary) -> list[str]:
    """The answers in words; of two sweeps also what has changed from the first to the second."""
    if len(sweeps) == 1:
        return answer(summary, **sweeps[0].origin)
    answers = []
    for label, sweep in zip(labels(sweeps), sweeps, strict=True):
        first, *more = answer(Summary(sweep.observations), **sweep.origin)
        answers += [f"{label}: {first}", *more]
    if len(sweeps) == 2:
        try:
            answers.append(comparison_in_words(*aligned(sweeps)))
        except ValueError as error:  # they cannot be paired
            answers.append(str(error))
    return answers


def text(sweeps: Sequence[SweepResults], summary: Summary, by: Sequence[str]) -> str:
    """Which sweeps they are, their tables in plain text, and the answer in words."""
    parts = [f"{printable(title)}\n{as_text(table)}" for title, table in shown_tables(summary, by).items()]
    words = [] if by else conclusions(sweeps, summary)
    return "\n\n".join(["\n".join(map(printable, headings(sweeps))), *map(printable, words), *parts])


def markdown(sweeps: Sequence[SweepResults], summary: Summary, by: Sequence[str]) -> str:
    """The same in Markdown."""
    parts = [f"## {markdown_text(title)}\n\n{as_markdown(table)}" for title, table in shown_tables(summary, by).items()]
    title = f"# {', '.join(markdown_text(sweep.name) for sweep in sweeps)}"
    words = [] if by else conclusions(sweeps, summary)
    return "\n\n".join([title, *map(markdown_text, [*headings(sweeps), *words]), *parts])


def csv(sweeps: Sequence[SweepResults], summary: Summary, by: Sequence[str]) -> str:
    """The one table by `by`, or by all settings, with its intervals."""
    return csv_text(summary.by(*(by or summary.settings))).removesuffix("\n")


def parquet(sweeps: Sequence[SweepResults], summary: Summary, by: Sequence[str]) -> bytes:
    """The same table as a Parquet file."""
    return storable(summary.by(*(by or summary.settings))).to_parquet(index=False)


def html(sweeps: Sequence[SweepResults], summary: Summary, by: Sequence[str]) -> str:
    """A report on the sweeps in one HTML file."""
    from pipeline.report.figures.files import write_figures
    from pipeline.report.html import render, sections

    first = sweeps[0]
    same = first.configuration if all(sweep.configuration == first.configuration for sweep in sweeps) else {}
    command = "\n".join(sweep.command for sweep in sweeps if sweep.command)
    with tempfile.TemporaryDirectory() as folder:
        parts = sections(summary, same, write_figures(summary, Path(folder)), first.environment, command)
    return render(" and ".join(sweep.name for sweep in sweeps), parts)


def headings(sweeps: Sequence[SweepResults]) -> list[str]:
    """Which sweeps they are."""
    return [f"{sweep.name}: {f'run {sweep.run_id}' if sweep.run_id else f'{len(sweep.table):,} runs'}" for sweep in sweeps]


DOCUMENTS: dict[str, Callable[[Sequence[SweepResults], Summary, Sequence[str]], str | bytes]] = {
    "text": text, "csv": csv, "markdown": markdown, "html": html, "parquet": parquet,
}  # fmt: skip
