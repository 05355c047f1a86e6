"""Runs written into MLflow's SQLite store without MLflow, which takes a second to import, and 15 ms a run.

The rows are those that `MlflowClient` would write, many runs in one transaction. Only schemas whose rows were compared with the
client's are read and written this way (`KNOWN_SCHEMAS`); everywhere else `pipeline.store.write` goes through the client.
"""

import io
import math
import os
import sys
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.store.addresses import Address
from pipeline.store.failures import retry_while_locked
from pipeline.store.leftovers import journal, remove_weights
from pipeline.store.records import RecordedRun
from pipeline.store.schema import current
from pipeline.store.sqlite import connect, transaction

KNOWN_SCHEMAS = ("dc11669786a5",)  # MLflow 3.17
WORKSPACES = "MLFLOW_ENABLE_WORKSPACES"  # a variable of the environment
MOST_VARIABLES = 32_000  # of one SQLite statement

Metric = tuple[str, str, float, int, int, bool]
Rows = tuple[str, tuple[str, ...], Sequence[tuple[Any, ...]]]  # a table's name, its columns, their values


class Experiment(NamedTuple):
    """An experiment of a store, its parts named as MLflow does. artifact_location: where the artifacts of its runs are."""

    experiment_id: str
    artifact_location: str
    lifecycle_stage: str


def find_experiment(place: Address, name: str) -> Experiment | None:
    """The experiment of that name in a SQLite store, deleted or not; None where there is none, or only MLflow may say so.

    That is with another schema, and where its workspaces are used.
    """
    if not place.path or current() not in KNOWN_SCHEMAS or os.environ.get(WORKSPACES):
        return None
    with closing(connect(place.path)) as connection:
        if retry_while_locked(connection.execute, "SELECT 1 FROM experiments WHERE workspace != 'default'").fetchone():
            return None
        columns = ", ".join(Experiment._fields)
        found = connection.execute(f"SELECT {columns} FROM experiments WHERE name = ?", [name]).fetchone()
    return Experiment(str(found[0]), *found[1:]) if found else None


class BulkWriter:
    """Writes runs into one experiment of a SQLite store whose artifacts are beside it."""

    at_once = 200  # runs

    def __init__(self, place: Address, experiment: Experiment, user: str) -> None:
        assert place.path
        assert place.artifacts
        self.path, self.artifacts, self.experiment, self.user = place.path, place.artifacts, experiment, user

    @classmethod
    def open(cls, place: Address, experiment: Experiment, user: str) -> "BulkWriter | None":
        """The writer; None, with a line that says so, where the store has a schema that it does not know."""
        if current() in KNOWN_SCHEMAS:
            return cls(place, experiment, user)
        print(f"runs are recorded by MLflow's client, one by one: its schema {current()} is not known here", file=sys.stderr)
        return None

    def write(self, records: Sequence[RecordedRun], tags: Mapping[str, str]) -> list[str]:
        """Writes finished runs, each with these tags beside its own; gives their ids.

        The weights are in place before the rows that speak of them, and the rows of all runs come in one transaction.
        """
        ids = [uuid.uuid4().hex for _ in records]
        with journal(self.artifacts, ids):
            try:
                for run_id, record in zip(ids, records, strict=True):
                    write_weights(self.artifacts / run_id, record)
                self._insert(self._rows(ids, records, tags))
            except BaseException:
                for run_id in ids:
                    remove_weights(self.artifacts / run_id)
                raise
        return ids

    def _rows(self, ids: Sequence[str], records: Sequence[RecordedRun], tags: Mapping[str, str]) -> list[Rows]:
        """The rows of all runs, by table."""
        now = int(time.time() * 1000)
        run = {
            "source_type": "UNKNOWN",
            "source_name": "",
            "entry_point_name": "",
            "user_id": self.user,
            "status": "FINISHED",
            "start_time": now,
            "end_time": now,
            "deleted_time": None,
            "source_version": "",
            "lifecycle_stage": "active",
            "experiment_id": int(self.experiment.experiment_id),
        }
        columns = ("run_uuid", "name", "artifact_uri", *run)
        location = self.experiment.artifact_location
        runs = [
            (run_id, record.name, f"{location}/{run_id}/artifacts", *run.values())
            for run_id, record in zip(ids, records, strict=True)
        ]
        named = ("run_uuid", "key", "value")
        mine = [{**tags, **record.tags, "mlflow.runName": record.name} for record in records]
        measured = (*named, "timestamp", "step", "is_nan")
        points, latest = metric_rows(ids, records, now)
        return [
            ("runs", columns, runs),
            ("tags", named, rows_of(ids, mine)),
            ("params", named, rows_of(ids, [record.params for record in records])),
            ("metrics", measured, points),
            ("latest_metrics", measured, latest),
        ]

    def _insert(self, rows: Sequence[Rows]) -> None:
        """Inserts all of them in one transaction."""
        with closing(connect(self.path)) as connection, transaction(connection):
            for table, columns, values in rows:
                # thousands of rows a statement, without a look at each: so other threads are held up least
                head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
                group = f"({', '.join('?' * len(columns))})"
                at_once = MOST_VARIABLES // len(columns)
                for start in range(0, len(values), at_once):
                    some = values[start : start + at_once]
                    connection.execute(head + ", ".join([group] * len(some)), tuple(chain.from_iterable(some)))


def write_weights(folder: Path, record: RecordedRun) -> None:
    """The artifacts of a run: put together in memory, as each call of the file system takes its time."""
    content = io.BytesIO()
    np.savez(content, **record.arrays)  # type: ignore[arg-type]
    folder.mkdir()
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / "weights.npz").write_bytes(content.getbuffer())


def rows_of(ids: Sequence[str], pairs: Iterable[Mapping[str, str]]) -> list[tuple[str, str, str]]:
    """Rows of tags or params."""
    return [(run_id, key, value) for run_id, values in zip(ids, pairs, strict=True) for key, value in values.items()]


def metric_rows(ids: Sequence[str], records: Sequence[RecordedRun], now: int) -> tuple[list[Metric], list[Metric]]:
    """Every point of every metric; and the last point of each, which MLflow keeps apart."""
    points, latest = [], []
    for run_id, record in zip(ids, records, strict=True):
        numbers = [metric(run_id, key, value, 0, now) for key, value in record.metrics.items()]
        epochs, errors = record.curve
        curve = [metric(run_id, "error", *point, now) for point in zip(errors.tolist(), epochs.tolist(), strict=True)]
        points += [*numbers, *curve]
        latest += [*numbers, curve[-1]]
    return points, latest


def metric(run_id: str, key: str, value: float, step: int, now: int) -> Metric:
    """A metric's row: NaN and infinite values as MLflow keeps them."""
    is_nan = math.isnan(value)
    if is_nan:
        value = 0.0
    elif math.isinf(value):
        value = math.copysign(sys.float_info.max, value)
    return (run_id, key, value, now, step, is_nan)
