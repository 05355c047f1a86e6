"""Runs that are no trial's, such as a sweep's parent run, in a store whose rows are known (`bulk`): begun, added to, and ended.

Each method does what a call of MLflow's client does, in one transaction. Where only the client may do it, because it would
change or refuse something, nothing is done and the answer says so.
"""

import re
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from pipeline.store.bulk import Experiment
from pipeline.store.local.rows import MEASURED, NAMED, Metric, insert, metric, pairs_of, run_rows
from pipeline.store.sqlite import connect, transaction

KEY = re.compile(r"\w[\w.]{0,249}", re.ASCII)  # fewer than MLflow takes
LONGEST_PARAM, LONGEST_TAG = 6000, 8000  # characters, which MLflow takes
EXPERIMENT = "SELECT 1 FROM experiments WHERE experiment_id = ? AND lifecycle_stage = 'active'"
ACTIVE = "run_uuid = ? AND lifecycle_stage = 'active'"


class LocalRuns:
    """The runs of one experiment."""

    def __init__(self, path: Path, experiment: Experiment) -> None:
        self.path, self.experiment = path, experiment

    def begin(self, name: str, params: Mapping[str, str], tags: Mapping[str, str]) -> str | None:
        """A new run, RUNNING; gives its id. None: MLflow may not take these params, or the experiment is deleted meanwhile."""
        if not (name and are_plain(params) and all(len(value) <= LONGEST_PARAM for value in params.values())):
            return None
        run_id, now = uuid.uuid4().hex, int(time.time() * 1000)
        number, location, _ = self.experiment
        rows = [
            run_rows([(run_id, name)], number, location, tags["mlflow.user"], "RUNNING", now, None),
            ("tags", NAMED, pairs_of([run_id], [{**tags, "mlflow.runName": name}])),
            ("params", NAMED, pairs_of([run_id], [params])),
        ]
        try:
            with self._transaction() as connection:
                if not connection.execute(EXPERIMENT, [number]).fetchone():
                    return None
                insert(connection, rows)
        except KeyboardInterrupt:  # perhaps when all was written
            with suppress(sqlite3.Error):
                self.end(run_id, "KILLED")
            raise
        return run_id

    def end(self, run_id: str, status: str) -> bool:
        """Ends a run. False: there is no such run, or it is deleted."""
        with self._transaction() as connection:
            query = f"UPDATE runs SET status = ?, end_time = ? WHERE {ACTIVE}"
            return connection.execute(query, [status, int(time.time() * 1000), run_id]).rowcount == 1

    def name_of(self, run_id: str) -> str | None:
        """The name of a run; None: there is no such run."""
        found = self._find("SELECT name FROM runs WHERE run_uuid = ?", run_id)
        return str(found[0]) if found else None

    def add_metrics(self, run_id: str, points: Sequence[tuple[str, float, int]]) -> bool:
        """Adds metrics, each a key, a value and its step, with the time of the run's start. False: MLflow may not take them.

        What is there already stays once; the latest of a key is that of the highest step, time and value.
        """
        if not are_plain(key for key, _, _ in points):
            return False
        columns, places = ", ".join(MEASURED), ", ".join("?" * len(MEASURED))
        last = "step, timestamp, value"
        new = ", ".join(f"excluded.{name}" for name in last.split(", "))
        changed = ", ".join(f"{name} = excluded.{name}" for name in MEASURED[2:])
        latest = (
            f"INSERT INTO latest_metrics ({columns}) VALUES ({places}) "
            f"ON CONFLICT (key, run_uuid) DO UPDATE SET {changed} WHERE ({new}) > ({last})"
        )
        with self._transaction() as connection:
            found = connection.execute(f"SELECT start_time FROM runs WHERE {ACTIVE}", [run_id]).fetchone()
            if found:
                rows: list[Metric] = [metric(run_id, key, value, step, found[0]) for key, value, step in points]
                connection.executemany(f"INSERT OR IGNORE INTO metrics ({columns}) VALUES ({places})", rows)
                connection.executemany(latest, rows)
            return bool(found)

    def set_tag(self, run_id: str, key: str, value: str) -> bool:
        """Sets a tag of a run. False: MLflow may not take it."""
        if not are_plain([key]) or key == "mlflow.runName" or len(value) > LONGEST_TAG:
            return False
        with self._transaction() as connection:
            query = f"INSERT OR REPLACE INTO tags (run_uuid, key, value) SELECT run_uuid, ?, ? FROM runs WHERE {ACTIVE}"
            return connection.execute(query, [key, value, run_id]).rowcount == 1

    def has_children(self, parent: str) -> bool:
        """Whether there are runs under a parent run, deleted ones too."""
        return bool(self._find("SELECT 1 FROM tags WHERE key = 'mlflow.parentRunId' AND value = ? LIMIT 1", parent))

    def has_unfinished(self, key: str, value: str) -> bool:
        """Whether a run with that tag has not finished."""
        query = (
            "SELECT 1 FROM tags JOIN runs USING (run_uuid) WHERE key = ? AND value = ? AND experiment_id = ? "
            "AND lifecycle_stage = 'active' AND status != 'FINISHED' LIMIT 1"
        )
        return bool(self._find(query, key, value, int(self.experiment.experiment_id)))

    def _find(self, query: str, *values: str | int) -> tuple[str | int, ...] | None:
        with closing(connect(self.path)) as connection:
            return connection.execute(query, values).fetchone()  # type: ignore[no-any-return]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(connect(self.path)) as connection, transaction(connection):
            yield connection


def are_plain(keys: Iterable[str]) -> bool:
    """Whether MLflow takes these keys as they are."""
    return all(map(KEY.fullmatch, keys))
