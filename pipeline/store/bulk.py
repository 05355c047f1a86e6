"""Many runs written into MLflow's SQLite store at once: 1 ms a run, where MLflow's client needs 15 or more.

The rows are those that `MlflowClient` would write, inserted by SQLAlchemy core on MLflow's own table models, a chunk of runs
in one transaction. Only schemas whose rows were compared with the client's are written to this way (`KNOWN_SCHEMAS`);
everywhere else `pipeline.store.write` goes through the client.
"""

import io
import math
import sys
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy
from mlflow.entities import Experiment
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag

from pipeline.store.addresses import Address
from pipeline.store.leftovers import journal, remove_weights
from pipeline.store.records import RecordedRun
from pipeline.store.schema import current

KNOWN_SCHEMAS = ("dc11669786a5",)  # MLflow 3.17
BUSY_SECONDS = 0.5  # after which a store that others write to is tried again
MOST_VARIABLES = 32_000  # of one SQLite statement

Metric = tuple[str, str, float, int, int, bool]
Rows = tuple[type[Any], tuple[str, ...], Sequence[tuple[Any, ...]]]  # a table, its columns, their values


class BulkWriter:
    """Writes runs into one experiment of a SQLite store whose artifacts are beside it."""

    at_once = 200  # runs

    def __init__(self, place: Address, experiment: Experiment, user: str) -> None:
        assert place.artifacts
        self.artifacts, self.experiment, self.user = place.artifacts, experiment, user
        self.engine = sqlalchemy.create_engine(place.uri, connect_args={"timeout": BUSY_SECONDS})

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
            (SqlRun, columns, runs),
            (SqlTag, named, rows_of(ids, mine)),
            (SqlParam, named, rows_of(ids, [record.params for record in records])),
            (SqlMetric, measured, points),
            (SqlLatestMetric, measured, latest),
        ]

    def _insert(self, rows: Sequence[Rows]) -> None:
        """Inserts all of them in one transaction."""
        with self.engine.begin() as connection:
            # a write lock from the first statement on: waiting for one half-way would fail at once
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            for table, columns, values in rows:
                # thousands of rows a statement, without a look at each: so other threads are held up least
                head = f"INSERT INTO {table.__tablename__} ({', '.join(columns)}) VALUES "
                group = f"({', '.join('?' * len(columns))})"
                at_once = MOST_VARIABLES // len(columns)
                for start in range(0, len(values), at_once):
                    some = values[start : start + at_once]
                    connection.exec_driver_sql(head + ", ".join([group] * len(some)), tuple(chain.from_iterable(some)))


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
