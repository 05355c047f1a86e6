"""One or several recorded sweeps as a document: text, Markdown, CSV, Parquet or HTML."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from pipeline.report.side_by_side import conclusions, shown_tables
from pipeline.report.tables import as_markdown, as_text, markdown_cell, storable
from pipeline.results.sweep_results import SweepResults
from pipeline.stats.summary import Summary


def text(sweeps: Sequence[SweepResults], summary: Summary, by: Sequence[str]) -> str:
    """Which sweeps they are, their tables in plain text, and the answer in words."""
    parts = [f"{title}\n{as_text(table)}" for title, table in shown_tables(summary, by).items()]
    return "\n\n".join(["\n".join(headings(sweeps)), *parts, *([] if by else conclusions(sweeps, summary))])


def markdown(sweeps: Sequence[SweepResults], summary: Summary, by: Sequence[str]) -> str:
    """The same in Markdown."""
    parts = [f"## {title}\n\n{as_markdown(table)}" for title, table in shown_tables(summary, by).items()]
    title = f"# {', '.join(markdown_cell(sweep.name) for sweep in sweeps)}"
    return "\n\n".join([title, *headings(sweeps), *([] if by else conclusions(sweeps, summary)), *parts])


def csv(sweeps: Sequence[SweepResults], summary: Summary, by: Sequence[str]) -> str:
    """The one table by `by`, or by all settings, with its intervals."""
    return one_table(summary, by).to_csv(index=False).rstrip("\n")


def parquet(sweeps: Sequence[SweepResults], summary: Summary, by: Sequence[str]) -> bytes:
    """The same table as a Parquet file."""
    return storable(one_table(summary, by)).to_parquet(index=False)


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


DOCUMENTS: dict[str, Callable[[Sequence[SweepResults], Summary, Sequence[str]], str | bytes]] = {
    "text": text,
    "csv": csv,
    "markdown": markdown,
    "html": html,
    "parquet": parquet,
}


def one_table(summary: Summary, by: Sequence[str]) -> pd.DataFrame:
    """A row for each combination of values of `by`, or of all settings."""
    return summary.by(*(by or summary.settings))


def headings(sweeps: Sequence[SweepResults]) -> list[str]:
    """Which sweeps they are."""
    return [f"{sweep.name}: {f'run {sweep.run_id}' if sweep.run_id else f'{len(sweep.table):,} runs'}" for sweep in sweeps]
