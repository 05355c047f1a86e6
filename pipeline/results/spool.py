"""A spool: the results of a sweep in a folder of their own until the store has all of them.

    sweep.json            the sweep: its jobs, its command, its parent run in MLflow
    0000000000.arrow, …   the results of chunks, by the first index in each: Arrow IPC files, a row per run
    lock                  held by the process that works on it

A file appears whole or not at all, so the process may be killed at any time.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.results.rows import RunRows, opened, write

NAME = "kept"
DESCRIPTION = "sweep.json"


class SpoolInUseError(Exception):
    """Another process works on this sweep."""


class Spool:
    """The folder of one sweep, locked. Raises OSError where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = os.open(path / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise SpoolInUseError(path) from None
        self.rows: list[RunRows] = []
        self.done = 0
        opened.cache_clear()
        for file in sorted(path.glob("*.arrow")):
            rows = RunRows(file)
            try:
                self.done += len(rows.indices)
            except (OSError, pa.ArrowInvalid):  # damaged: it is trained again
                file.unlink()
            else:
                self.rows.append(rows)

    @classmethod
    def new(cls, sweep_folder: Path) -> "Spool":
        """A new one inside the sweep's output folder."""
        sweep_folder.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            path = sweep_folder.absolute() / (NAME if number == 1 else f"{NAME}-{number}")
            try:
                path.mkdir()
                return cls(path)
            except FileExistsError:
                continue
        raise AssertionError

    def close(self) -> None:
        """Releases the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """Removes the folder, once all of it is recorded."""
        self.rows.clear()
        opened.cache_clear()
        for file in sorted(self.path.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        self.path.rmdir()
        self.close()

    def describe(self, description: str) -> None:
        """Writes the description of the sweep, as JSON."""
        with whole_file(self.path / DESCRIPTION) as file:
            file.write(description.encode())

    def add(self, table: pa.Table) -> RunRows:
        """Writes the result of a chunk."""
        path = self.path / f"{table.column('place')[0].as_py():010d}.arrow"
        with whole_file(path) as file:
            write(table, file)
        self.rows.append(RunRows(path))
        self.done += len(table)
        return self.rows[-1]

    def missing(self, trials: int) -> NDArray[np.bool_]:
        """Which of the trials have no result yet, (trials,)."""
        missing = np.ones(trials, bool)
        for rows in self.rows:
            missing[rows.indices] = False
        return missing


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to be written, which gets its name when it is complete."""
    draft = path.with_name(path.name + ".draft")
    try:
        with open(draft, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
    finally:
        draft.unlink(missing_ok=True)
