"""Runs written into MLflow's SQLite store without MLflow, which takes a second to import, and 15 ms a run.

The rows are those that `MlflowClient` would write, many runs in one transaction. Only schemas whose rows were compared with the
client's are read and written this way (`KNOWN_SCHEMAS`); everywhere else `pipeline.store.write` goes through the client.
"""

import io
import os
import sqlite3
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.store.addresses import Address
from pipeline.store.failures import retry_while_locked
from pipeline.store.local.leftovers import journal, remove_weights
from pipeline.store.local.rows import MEASURED, NAMED, Metric, Rows, insert, metric, pairs_of, run_rows
from pipeline.store.records import RecordedRun
from pipeline.store.schema import current
from pipeline.store.sqlite import connect, transaction

KNOWN_SCHEMAS = ("dc11669786a5",)  # MLflow 3.17
WORKSPACES = "MLFLOW_ENABLE_WORKSPACES"  # a variable of the environment


class Experiment(NamedTuple):
    """An experiment of a store, its parts named as MLflow does. artifact_location: where the artifacts of its runs are."""

    experiment_id: str
    artifact_location: str
    lifecycle_stage: str


def is_known() -> bool:
    """Whether the rows of a store with the schema of the installed MLflow are known, and not scoped by its workspaces."""
    return current() in KNOWN_SCHEMAS and not os.environ.get(WORKSPACES)


def find_experiment(place: Address, name: str) -> Experiment | None:
    """The experiment of that name in a SQLite store, deleted or not; None where there is none, or only MLflow may say so.

    That is with another schema, and where its workspaces are used.
    """
    if not place.path or not is_known():
        return None
    with closing(connect(place.path)) as connection:
        columns = ", ".join(Experiment._fields)
        query = f"SELECT {columns}, (SELECT max(workspace != 'default') FROM experiments) FROM experiments WHERE name = ?"
        found = retry_while_locked(connection.execute, query, [name]).fetchone()
    return Experiment(str(found[0]), *found[1:-1]) if found and not found[-1] else None


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
            except BaseException as error:
                if isinstance(error, (sqlite3.Error, OSError)) or not self._may_have(ids[0]):
                    for run_id in ids:
                        remove_weights(self.artifacts / run_id)
                raise
        return ids

    def _may_have(self, run_id: str) -> bool:
        """Whether a run is in the store, as far as can be known: an interrupt may come when all is written."""
        with suppress(sqlite3.Error), closing(connect(self.path)) as connection:
            return bool(connection.execute("SELECT 1 FROM runs WHERE run_uuid = ?", [run_id]).fetchone())
        return True

    def _rows(self, ids: Sequence[str], records: Sequence[RecordedRun], tags: Mapping[str, str]) -> list[Rows]:
        """The rows of all runs, by table."""
        now = int(time.time() * 1000)
        runs = [(run_id, record.name) for run_id, record in zip(ids, records, strict=True)]
        mine = [{**tags, **record.tags, "mlflow.runName": record.name} for record in records]
        points, latest = metric_rows(ids, records, now)
        experiment_id, location, _ = self.experiment
        return [
            run_rows(runs, experiment_id, location, self.user, "FINISHED", now, now),
            ("tags", NAMED, pairs_of(ids, mine)),
            ("params", NAMED, pairs_of(ids, [record.params for record in records])),
            ("metrics", MEASURED, points),
            ("latest_metrics", MEASURED, latest),
        ]

    def _insert(self, rows: Sequence[Rows]) -> None:
        """Inserts all of them in one transaction."""
        with closing(connect(self.path)) as connection, transaction(connection):
            insert(connection, rows)


def write_weights(folder: Path, record: RecordedRun) -> None:
    """The artifacts of a run: put together in memory, as each call of the file system takes its time."""
    content = io.BytesIO()
    np.savez(content, **record.arrays)  # type: ignore[arg-type]
    folder.mkdir()
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / "weights.npz").write_bytes(content.getbuffer())


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
