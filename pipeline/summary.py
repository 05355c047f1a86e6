"""`python -m pipeline.summary` prints the tables of the latest sweep again, or of others, or writes them to a file."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.app.application import run
from pipeline.errors import ConfigError, written
from pipeline.report import words
from pipeline.report.tables import FORMATS, SWEEP, markdown, markdown_cell, plain_table, side_by_side, storable, tables
from pipeline.results.columns import RUN_COLUMNS
from pipeline.results.sweep_results import SweepResults
from pipeline.stats import convergence
from pipeline.store.sweeps import read_sweep
from pipeline.trials.checks import choice, refuse_unknown, text
from pipeline.trials.settings import read_tracking

KEYS = ("sweep", "by", "format", "output", "tracking")


def main(settings: dict[str, Any]) -> int:
    """Prints or writes the tables of recorded sweeps."""
    refuse_unknown(settings, KEYS)
    asked = names("sweep", settings["sweep"])
    by = names("by", settings["by"])
    style = choice("format", settings["format"], FORMATS)
    output = settings["output"] and Path(text("output", settings["output"], "the name of a file, or null"))
    if style in ("html", "parquet") and not output:
        raise ConfigError("output", None, f"format={style} needs the name of a file")
    tracking = read_tracking(settings)
    sweeps = [read_sweep(tracking, which) for which in asked or ["latest"]]
    results = sweeps[0].observations if len(sweeps) == 1 else together(sweeps)
    for axis in by:
        if axis not in convergence.axes_of(results):
            axes = ", ".join(convergence.axes_of(results)) or "none"
            raise ConfigError("by", axis, f"is no axis of this sweep; it has {axes}")
    try:
        written_text = WRITERS[style](sweeps, results, by, output)
        if output and written_text is not None:
            output.write_text(written_text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError("output", str(output), f"cannot be written: {error.strerror or error}") from None
    print(f"written to {output}" if output else written_text)
    return 0


def as_text(sweeps: Sequence[SweepResults], results: pd.DataFrame, by: Sequence[str], output: Path | None) -> str:
    """Which sweeps they are, their tables in plain text, and the answer in words."""
    parts = [f"{title}\n{plain_table(table)}" for title, table in asked_tables(sweeps, results, by).items()]
    return "\n\n".join(["\n".join(headings(sweeps)), *parts, *([] if by else conclusions(sweeps))])


def as_markdown(sweeps: Sequence[SweepResults], results: pd.DataFrame, by: Sequence[str], output: Path | None) -> str:
    """The same in Markdown."""
    parts = [f"## {title}\n\n{markdown(table)}" for title, table in asked_tables(sweeps, results, by).items()]
    title = f"# {', '.join(markdown_cell(sweep.name) for sweep in sweeps)}"
    return "\n\n".join([title, *headings(sweeps), *([] if by else conclusions(sweeps)), *parts])


def as_csv(sweeps: Sequence[SweepResults], results: pd.DataFrame, by: Sequence[str], output: Path | None) -> str:
    """The one table by `by`, or by all settings, with its intervals."""
    return one_table(results, by).to_csv(index=False).rstrip("\n")


def as_parquet(sweeps: Sequence[SweepResults], results: pd.DataFrame, by: Sequence[str], output: Path | None) -> None:
    """The same table as a Parquet file."""
    storable(one_table(results, by)).to_parquet(output, index=False)


def as_html(sweeps: Sequence[SweepResults], results: pd.DataFrame, by: Sequence[str], output: Path | None) -> None:
    """A report on the sweeps in one HTML file."""
    from pipeline.report.figures.files import write_figures
    from pipeline.report.html import write_report

    assert output
    first = sweeps[0]
    with tempfile.TemporaryDirectory() as folder:
        figures = write_figures(results, Path(folder))
        title = " and ".join(sweep.name for sweep in sweeps)
        command = "\n".join(sweep.command for sweep in sweeps if sweep.command)
        same = first.configuration if all(sweep.configuration == first.configuration for sweep in sweeps) else {}
        write_report(output, results, same, figures, first.environment, command, title)


WRITERS: dict[str, Callable[[Sequence[SweepResults], pd.DataFrame, Sequence[str], Path | None], str | None]] = {
    "text": as_text,
    "csv": as_csv,
    "markdown": as_markdown,
    "html": as_html,
    "parquet": as_parquet,
}


def asked_tables(sweeps: Sequence[SweepResults], results: pd.DataFrame, by: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The tables to show."""
    return tables(results, by) if len(sweeps) == 1 else side_by_side(results, by)


def one_table(results: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """A row for each combination of values of `by`, or of all settings."""
    return convergence.summarize(results, by or convergence.settings_of(results), intervals=True)


def headings(sweeps: Sequence[SweepResults]) -> list[str]:
    """Which sweeps they are."""
    return [f"{sweep.name}: {f'run {sweep.run_id}' if sweep.run_id else f'{len(sweep.table):,} runs'}" for sweep in sweeps]


def conclusions(sweeps: Sequence[SweepResults]) -> list[str]:
    """The answers in words; of two sweeps also what has changed from the first to the second."""
    if len(sweeps) == 1:
        return [words.in_words(sweeps[0].observations)]
    found = [f"{label}: {words.in_words(sweep.observations)}" for label, sweep in zip(labels(sweeps), sweeps, strict=True)]
    if len(sweeps) == 2:
        try:
            found.append(words.comparison_in_words(*aligned(sweeps)))
        except ValueError as error:  # they cannot be paired
            found.append(str(error))
    return found


def names(key: str, value: object) -> list[str]:
    """A name, names separated by commas, or a list of names, as a list; null is an empty one. Raises ConfigError."""
    if value is None:
        return []
    entries = value if isinstance(value, list) else str(value).split(",")
    found = [str(entry).strip() for entry in entries]
    if not all(found) or len(set(found)) < len(found):
        raise ConfigError(key, value, "must be a name, or a list of different names")
    return found


def labels(sweeps: Sequence[SweepResults]) -> list[str]:
    """What tells the sweeps apart: their names, with the beginning of their run ids where names are the same."""
    given = [sweep.name for sweep in sweeps]
    return [name if given.count(name) == 1 else f"{name} {sweep.run_id[:8]}" for name, sweep in zip(given, sweeps, strict=True)]


def aligned(sweeps: Sequence[SweepResults]) -> list[pd.DataFrame]:
    """The results of each sweep with the axes of all: an axis that a sweep does not have has its configured value there."""
    axes = list(dict.fromkeys(axis for sweep in sweeps for axis in convergence.axes_of(sweep.observations)))
    columns = [*axes, *(column for column in RUN_COLUMNS if all(column in sweep.observations for sweep in sweeps))]
    found = []
    for sweep in sweeps:
        fixed = {axis: configured(sweep.configuration, axis) for axis in axes if axis not in sweep.observations}
        found.append(sweep.observations.assign(**fixed)[columns])
    return found


def together(sweeps: Sequence[SweepResults]) -> pd.DataFrame:
    """The results of several sweeps, with the axis `sweep` in front."""
    parts = []
    for label, results in zip(labels(sweeps), aligned(sweeps), strict=True):
        results.insert(0, SWEEP, label)
        parts.append(results)
    return pd.concat(parts, ignore_index=True)


def configured(configuration: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key as a cell of a table: lists and dictionaries as text; None where there is no such key."""
    value: Any = configuration
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return written(value) if isinstance(value, list | Mapping) else value


if __name__ == "__main__":
    run(main, "summary")
