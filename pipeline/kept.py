"""What a sweep has trained, kept in a folder of its own until all of it is recorded.

    sweep.json      the sweep: its jobs, its command, its parent run in MLflow
    0000000000.arrow, …   the results of chunks, by the first place in each: Arrow IPC files, a row per run
    lock            held by the process that works on it

A file appears whole or not at all, so the folder may be left by a kill at any time and read by anyone.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arithmetic import Array
from pipeline.chunks import SCALARS, Results, opened, write
from pipeline.plan import Places

NAME = "kept"
DESCRIPTION = "sweep.json"
ROWS_AT_ONCE = 100_000


class InUseError(Exception):
    """Another process works on this sweep."""


class Kept:
    """The folder of one sweep, locked. Raises OSError where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = os.open(path / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise InUseError(path) from None
        self.results: list[Results] = []
        self.done = 0
        opened.cache_clear()
        for file in sorted(path.glob("*.arrow")):
            results = Results(file)
            try:
                self.done += len(results.places)
            except (OSError, pa.ArrowInvalid):  # damaged: it is trained again
                file.unlink()
            else:
                self.results.append(results)

    @classmethod
    def new(cls, sweep_folder: Path) -> "Kept":
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
        """Lets others have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """Removes it, where all is recorded."""
        self.results.clear()
        opened.cache_clear()
        for file in sorted(self.path.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        self.path.rmdir()
        self.close()

    def describe(self, description: dict[str, Any]) -> None:
        """Says what sweep it is."""
        with whole_file(self.path / DESCRIPTION) as file:
            file.write(json.dumps(description).encode())

    def add(self, table: pa.Table) -> Results:
        """Keeps the result of a chunk."""
        place = table.column("place")[0].as_py()
        path = self.path / f"{place:010d}.arrow"
        with whole_file(path) as file:
            write(table, file)
        self.results.append(Results(path))
        self.done += len(table)
        return self.results[-1]

    def missing(self, trials: int) -> NDArray[np.bool_]:
        """Which of the trials have no result yet."""
        found = np.ones(trials, bool)
        for results in self.results:
            found[results.places] = False
        return found

    def rows(self, trials: int) -> Iterator[pa.Table]:
        """All rows in the order of their places, some at a time."""
        for start in range(0, trials, ROWS_AT_ONCE):
            parts = []
            for results in self.results:
                first, last = np.searchsorted(results.places, [start, start + ROWS_AT_ONCE])
                if first < last:
                    parts.append(results.table.select(SCALARS).slice(first, last - first))
            if parts:
                rows = pa.concat_tables(part.replace_schema_metadata() for part in parts)
                yield rows.sort_by("place") if len(parts) > 1 else rows


class Runs(Sequence[tuple[NDArray[np.int64], Array]]):
    """The kept runs by place: their curves, as (epochs, errors), and their weights."""

    def __init__(self, kept: Kept, trials: int) -> None:
        self.results = kept.results
        self.chunk, self.row = np.empty((2, trials), np.int32)
        for number, results in enumerate(kept.results):
            self.chunk[results.places], self.row[results.places] = number, np.arange(len(results.places))

    def __len__(self) -> int:
        return len(self.chunk)

    def __getitem__(self, place: Any) -> Any:
        """(epochs, errors) of the run at that place."""
        return self.results[self.chunk[place]].curve(int(self.row[place]))

    @cached_property
    def networks(self) -> int:
        """How many different networks there are."""
        return len({results.network for results in self.results})

    def parameters(self, which: str, places: Places) -> Array:
        """The parameters (N, R) of the runs at these places, `which` are initial or final ones, all of one network."""
        found = np.empty((self.results[0].network.size, len(places)))
        for number in np.unique(self.chunk[places]):
            mine = self.chunk[places] == number
            found[:, mine] = self.results[number].column(which)[self.row[places[mine]]].T
        return found


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to be written, which takes its name when it is complete."""
    draft = path.with_name(path.name + ".draft")
    try:
        with open(draft, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
