"""Baselines: results kept in git as CSV files, one row a trial, to the last bit.

Columns: key; overrides (what one writes on the command line of `pipeline.train`, as the shell quotes it); status; epochs;
final_error (hexadecimal float); digest; curve (`epoch:error` at a few log-spaced epochs, the error in hexadecimal). Only the
overrides are an input: `python -m pipeline.reproduce baseline=update` fills in the rest.
"""

import csv
import io
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.app.composition import COMPOSITION_ERRORS, CONF, compose, compose_multirun, one_line, project_folder
from pipeline.app.progress import progress_bar
from pipeline.backprop.status import STATUSES
from pipeline.errors import ConfigError, printable
from pipeline.reproducibility.drift import ExpectedRun, train_again
from pipeline.results.run_result import Curve, RunResult
from pipeline.results.whole_file import write_output
from pipeline.sweeps.axes import expand
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from pipeline.trials.trial import Trial

FOLDER = project_folder("baselines")
COLUMNS = ("key", "overrides", "status", "epochs", "final_error", "digest", "curve")
CURVE_POINTS = 12
STUDY_SAMPLE = 24  # jobs
Row = dict[str, str]


def files(folder: Path) -> list[Path]:
    """The baselines' files. Raises ConfigError where there is none."""
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise ConfigError("folder", folder, "no such folder" if not folder.is_dir() else "has no CSV files")
    return paths


def shown(path: Path) -> str:
    """A file's path, relative if it is below the working directory."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def read(path: Path) -> list[Row]:
    """The rows of a file, as text. Raises ConfigError that names the line of a broken one."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ConfigError(f"{shown(path)}:1", ",".join(reader.fieldnames or ()), f"must be {','.join(COLUMNS)}")
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise ConfigError(f"{shown(path)}:{reader.line_num}", "…", f"must have {len(COLUMNS)} columns")
                rows.append(row)
    except OSError as error:
        raise ConfigError("folder", path, f"cannot be read: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError("folder", path, f"is not a CSV file: {error}") from None
    return rows


def write(path: Path, rows: Sequence[Row]) -> None:
    """Writes the rows, in one step."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_output(path, text.getvalue().encode())


def read_row(where: str, row: Row) -> ExpectedRun:
    """A row as a result to be compared. Raises ConfigError that names the line of a broken one."""
    trial = trial_of(where, row)
    if not row["key"]:
        raise ConfigError(f"{where}: key", row["key"], "is empty; fill the row in with baseline=update")
    for column in ("key", "digest"):
        if not re.fullmatch("[0-9a-f]{64}", row[column]):
            raise ConfigError(f"{where}: {column}", row[column], "must be 64 hexadecimal digits")
    if row["status"] not in STATUSES:
        raise ConfigError(f"{where}: status", row["status"], f"must be one of {', '.join(STATUSES)}")
    if not re.fullmatch("[0-9]+", row["epochs"]):
        raise ConfigError(f"{where}: epochs", row["epochs"], "must be a whole number")
    try:
        final_error = float.fromhex(row["final_error"])
    except (ValueError, OverflowError):
        raise ConfigError(f"{where}: final_error", row["final_error"], "must be a number like 0x1.8p-3") from None
    curve = read_curve(where, row["curve"])
    name = printable(f"{where}: {row['overrides'] or 'the worked example'}")
    return ExpectedRun(name, trial, row["key"], row["status"], int(row["epochs"]), final_error, row["digest"], lambda: curve)


def read_curve(where: str, text: str) -> Curve:
    """Epochs and errors from `0:0x1.3p-2 1:0x1.2p-2`."""
    try:
        points = [point.split(":") for point in text.split()]
        epochs = np.array([int(epoch) for epoch, _ in points], np.int64)
        errors = np.array([float.fromhex(error) for _, error in points])
    except (ValueError, OverflowError):
        raise ConfigError(f"{where}: curve", text, "must be epoch:error, separated by blanks") from None
    if not len(epochs) or (np.diff(epochs) <= 0).any():
        raise ConfigError(f"{where}: curve", text, "must have epochs that increase")
    return epochs, errors


def filled_in(row: Row, result: RunResult) -> Row:
    """The row with this result."""
    points = " ".join(f"{epoch}:{float(error).hex()}" for epoch, error in zip(*result.curve, strict=True))
    cells = (result.key, row["overrides"], result.status, str(result.epochs), result.final_error.hex(), result.digest, points)
    return dict(zip(COLUMNS, cells, strict=True))


def trial_of(where: str, row: Row) -> Trial:
    """The trial that a row's overrides describe, checked."""
    try:
        trial, _ = read_run(compose(shlex.split(row["overrides"])))
        make_batch([trial])
    except (*COMPOSITION_ERRORS, ValueError) as error:
        raise ConfigError(f"{where}: overrides", row["overrides"], one_line(error)) from None
    return trial


def studies() -> dict[str, str]:
    """The file of each study's sample, by the study's name."""
    return {path.stem: f"study_{path.stem}.csv" for path in sorted((CONF / "study").glob("*.yaml"))}


def sample_of_study(study: str) -> list[Row]:
    """Rows, to be filled in, for a few jobs of a study: always the same ones, the ends of its axes among them."""
    choice = f"study={study}"
    multirun = compose_multirun([choice])
    jobs = expand(multirun.loader, multirun.config, multirun.arguments)
    between = np.random.Generator(np.random.PCG64(0)).permutation(len(jobs))[: STUDY_SAMPLE - 2]
    rows = []
    for index in sorted({0, len(jobs) - 1, *map(int, between)}):
        overrides = [choice, *(text for text in jobs[index].overrides if text != choice)]
        rows.append({**dict.fromkeys(COLUMNS, ""), "overrides": shlex.join(overrides)})
    return rows


def update(folder: Path) -> int:
    """Writes today's results into the baselines, with samples of studies that have none, and prints what has changed."""
    rows = {path: read(path) for path in sorted(folder.glob("*.csv"))}
    if folder == FOLDER:
        rows |= {folder / file: sample_of_study(study) for study, file in studies().items() if folder / file not in rows}
    if not rows:
        files(folder)
    trials = [trial_of(f"{path.name}:{line}", row) for path in rows for line, row in enumerate(rows[path], 2)]
    with progress_bar() as bar:
        results = iter(train_again(trials, "numpy", CURVE_POINTS, bar("numpy", len(trials))))
    for path, before in rows.items():
        after = [filled_in(row, next(results)) for row in before]
        changed = 0
        for line, (old, new) in enumerate(zip(before, after, strict=True), 2):
            columns = [column for column in COLUMNS if old[column] != new[column]]
            changed += bool(columns)
            if columns:
                short = ("status", "epochs", "final_error")  # others are too long
                changes = [f"{one} {old[one]} → {new[one]}" if one in short else one for one in columns]
                how = ", ".join(changes) if old["key"] else "new"
                print(printable(f"{shown(path)}:{line}: {new['overrides']}: {how}"))
        if changed:
            write(path, after)
        print(printable(f"{shown(path)}: {changed} of {len(after)} changed"))
    return 0
