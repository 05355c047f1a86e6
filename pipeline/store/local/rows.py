"""The rows that MLflow's client writes of a run, in the tables of its database."""

import math
import sqlite3
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

MOST_VARIABLES = 32_000  # of one SQLite statement
NAMED = ("run_uuid", "key", "value")
MEASURED = (*NAMED, "timestamp", "step", "is_nan")

Metric = tuple[str, str, float, int, int, bool]
Rows = tuple[str, tuple[str, ...], Sequence[tuple[Any, ...]]]  # a table's name, its columns, their values


def run_rows(
    runs: Sequence[tuple[str, str]], experiment_id: str, location: str, user: str, status: str, start: int, end: int | None
) -> Rows:
    """Runs by id and name, which have begun and ended at these times, in ms; `location`: of the experiment's artifacts."""
    common = {
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "user_id": user,
        "status": status,
        "start_time": start,
        "end_time": end,
        "deleted_time": None,
        "source_version": "",
        "lifecycle_stage": "active",
        "experiment_id": int(experiment_id),
    }
    values = [(run_id, name, f"{location}/{run_id}/artifacts", *common.values()) for run_id, name in runs]
    return "runs", ("run_uuid", "name", "artifact_uri", *common), values


def pairs_of(ids: Sequence[str], pairs: Iterable[Mapping[str, str]]) -> list[tuple[str, str, str]]:
    """Rows of tags or params."""
    return [(run_id, key, value) for run_id, values in zip(ids, pairs, strict=True) for key, value in values.items()]


def metric(run_id: str, key: str, value: float, step: int, now: int) -> Metric:
    """A metric's row: NaN and infinite values as MLflow keeps them."""
    is_nan = math.isnan(value)
    if is_nan:
        value = 0.0
    elif math.isinf(value):
        value = math.copysign(sys.float_info.max, value)
    return (run_id, key, value, now, step, is_nan)


def insert(connection: sqlite3.Connection, rows: Iterable[Rows]) -> None:
    """Inserts them, thousands a statement, without a look at each: so other threads are held up least."""
    for table, columns, values in rows:
        head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
        group = f"({', '.join('?' * len(columns))})"
        at_once = MOST_VARIABLES // len(columns)
        for start in range(0, len(values), at_once):
            some = values[start : start + at_once]
            connection.execute(head + ", ".join([group] * len(some)), tuple(chain.from_iterable(some)))
