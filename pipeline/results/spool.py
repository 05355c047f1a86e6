"""A spool: the results of a sweep in a folder of their own until the store has all of them.

    sweep.json                 the sweep: its jobs, its command, its parent run in MLflow
    0000000000-<sum>.arrow, …  the results of chunks, by the first index in each and the checksum of the file: Arrow IPC files,
                               a row per run, with its error curve, but not of a large sweep of which no runs are recorded
    artifacts/                 what is to be stored with the parent run
    lock                       held by the process that works on it

A file appears whole or not at all, so the process may be killed at any time. What an earlier process has left is not believed
unless it has its checksum and its form, and not recorded unless `faults` finds none in it: other files are set aside as
*.damaged, and their trials count as not trained.
"""

import fcntl
import hashlib
import os
import re
import stat
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.errors import printable
from pipeline.results.own_files import remove_own
from pipeline.results.rows import RunRows, opened, write
from pipeline.results.verification import FILE_NAME, DamagedError, file_name, verified_file
from pipeline.results.whole_file import DRAFT, whole_file

NAME = "kept"
DESCRIPTION, LOCK, ARTIFACTS = "sweep.json", "lock", "artifacts"
DRAFTS = DRAFT % r"(sweep\.json|[0-9]{10,19}\.arrow)"
OWN_ARTIFACTS = (
    r"((results|curves)\.parquet|report\.html|jobs\.json|(config|overrides)\.yaml|"
    r"(summary/((by_[\w.+@-]+|best|best_settings|restarts|grid|best_values|paired|sensitivity|variance_shares|starts|held_out|"
    r"causes|causes_by_setting|first_steps)\.(csv|parquet)|summary\.txt)?)|(figures/([a-z_]+(_by_[\w.+@-]+)?\.(svg|png))?)|(weights/([0-9]{10,19}\.npz)?))?"
)
OWN = re.compile(rf"{LOCK}|sweep\.json|{FILE_NAME.pattern}|{DRAFTS}|{ARTIFACTS}(-[0-9]+)?/{OWN_ARTIFACTS}")
MOST_NAMED, LONGEST_NAME = 3, 60


class SpoolInUseError(Exception):
    """Another process works on this sweep."""


class Spool:
    """The folder of one sweep, locked. Raises OSError where it cannot be written, or is none."""

    description = DESCRIPTION  # the name of that file
    own = OWN  # the names of all that may be there
    artifact_names = OWN_ARTIFACTS
    verified: Callable[[Path], RunRows] = staticmethod(verified_file)

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = locked(path)
        self.rows: list[RunRows] = []
        self.done = 0
        opened.cache_clear()
        try:
            for file in sorted(path.glob("*.arrow")):
                self._open(file)
        except BaseException:
            self.close()
            raise

    @classmethod
    def new(cls, sweep_folder: Path) -> Self:
        """A new one inside the sweep's output folder."""
        sweep_folder.mkdir(parents=True, exist_ok=True)
        return cls(new_folder(sweep_folder.absolute(), NAME))

    def faults(self, check: Callable[[RunRows], None]) -> list[tuple[RunRows, DamagedError]]:
        """The rows for which `check` raises DamagedError, each with that."""
        found = []
        for rows in self.rows:
            try:
                check(rows)
            except DamagedError as error:
                found.append((rows, error))
        return found

    def set_aside(self, faults: Sequence[tuple[RunRows, DamagedError]]) -> None:
        """Renames the files of these rows, which are not believed."""
        for rows, error in faults:
            assert isinstance(rows.source, Path)
            self._set_aside(rows.source, error)
            self.rows.remove(rows)
            self.done -= len(rows.indices)

    def close(self) -> None:
        """Releases the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """Removes what this program wrote into the folder, once all of it is recorded, and the folder if nothing else is there.

        The description goes last but the lock: a removal that is cut short can be made up for.
        """
        self.rows.clear()
        opened.cache_clear()
        last = {self.description: 1, LOCK: 2}
        if not self._is_here():
            say(f"{self.path}: not removed: it is not the folder any more that this process has locked")
        elif left := remove_own(self.path, self.own, lambda name: last.get(name, 0)):
            more = f" and {len(left) - MOST_NAMED:,} more" if len(left) > MOST_NAMED else ""
            say(f"{self.path}: not removed: it has {', '.join(left[:MOST_NAMED])}{more}")
        else:
            self.path.rmdir()
        self.close()

    def describe(self, description: str) -> None:
        """Writes the description of the sweep, as JSON."""
        with whole_file(self.path / self.description) as file:
            file.write(description.encode())

    def add(self, table: pa.Table) -> RunRows:
        """Writes the result of a chunk."""
        draft = self.path / f"{table.column('place')[0].as_py():010d}.arrow"
        path = draft

        def final() -> Path:
            nonlocal path
            path = self.path / file_name(table, hashing.checksum)
            return path

        with whole_file(draft, final) as file:
            hashing = Hashing(file)
            write(table, hashing)
        self.rows.append(RunRows(path))
        self.done += len(table)
        return self.rows[-1]

    def missing(self, trials: int) -> NDArray[np.bool_]:
        """Which of the trials have no result yet, (trials,)."""
        missing = np.ones(trials, bool)
        for rows in self.rows:
            missing[rows.indices] = False
        return missing

    def artifacts(self) -> Path:
        """An empty folder for the artifacts; what an earlier process had left of them is removed."""
        for folder in self.path.glob(f"{ARTIFACTS}*"):
            if self.own.fullmatch(f"{folder.name}/") and not folder.is_symlink() and folder.is_dir():
                remove_own(self.path, re.compile(rf"{folder.name}/{self.artifact_names}"))
        return new_folder(self.path, ARTIFACTS)

    def _open(self, file: Path) -> None:
        """Takes the rows in a file, or sets it aside."""
        try:
            rows = self.verified(file)
        except DamagedError as error:
            self._set_aside(file, error)
        else:
            self.rows.append(rows)
            self.done += len(rows.indices)

    def _is_here(self) -> bool:
        """Whether the folder of that name is still the one that is locked."""
        assert self._lock is not None
        try:
            there = os.lstat(self.path / LOCK)
            return os.path.samestat(there, os.fstat(self._lock)) and not self.path.is_symlink()
        except OSError:
            return False

    def _set_aside(self, file: Path, error: DamagedError) -> None:
        """Renames a file that is not believed, and says so."""
        opened.cache_clear()
        for number in count(1):
            aside = file.with_name(f"{file.name[:LONGEST_NAME]}{'' if number == 1 else f'-{number}'}.damaged")
            if not os.path.lexists(aside):
                break
        file.rename(aside)
        say(f"{file}: {error}; it is not used, and kept as {aside.name}")


class Hashing:
    """A file that is written, and the SHA-256 of what was written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.sha, self.closed = file, hashlib.sha256(), False

    def write(self, data: Any) -> int:
        """Writes bytes."""
        self.sha.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        """Has them written."""
        self.file.flush()

    @property
    def checksum(self) -> str:
        """The SHA-256 so far, in hexadecimal digits."""
        return self.sha.hexdigest()


def locked(path: Path) -> int:
    """The descriptor of a spool's lock, held. Raises SpoolInUseError, and OSError where the folder or the lock is none."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        if not stat.S_ISREG(os.fstat(lock).st_mode):
            raise OSError(f"{path / LOCK} is no regular file")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise SpoolInUseError(path) from None
        raise
    return lock


def new_folder(above: Path, name: str) -> Path:
    """A new folder of that name, or with the first number after it for which there is none yet."""
    for number in count(1):
        path = above / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir()
            return path
        except FileExistsError:
            continue
    raise AssertionError


def say(line: str) -> None:
    """Prints a line on the error output; what is not printable in the names in it is escaped."""
    print(printable(line), file=sys.stderr)
