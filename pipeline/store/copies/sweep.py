"""A finished sweep as data, wherever it comes from, and what must hold of it before any of it is written."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.backprop.status import STATUSES
from pipeline.store.files import (
    MOST_BYTES,
    MOST_CELLS,
    MOST_INFLATED,
    DamagedError,
    check_size,
    damage,
    decoded,
    is_text,
)
from pipeline.store.records import PLACE_TAG, RecordedRun
from pipeline.store.write import SOURCE_TAG, SWEEP_FOLDER_TAG, SWEEP_TAG
from pipeline.trials.fingerprint import result_digests

RESULTS = "results.parquet"
# of a run in its store: they belong to no copy
OWN_TAGS = ("mlflow.parentRunId", "mlflow.rootRunId", "mlflow.runName", SOURCE_TAG, SWEEP_FOLDER_TAG, SWEEP_TAG)
TRIALS_TAG = "sweep.trials"
ID = re.compile(r"[0-9a-f]{32}")
KEY = re.compile(r"[\w.:/ -]{1,250}")  # of params, tags and metrics, as MLflow takes them
ARRAY = re.compile(r"(initial_)?(weights|bias)_[1-9]\d{0,3}")
MOST_TEXT = 8000  # characters of a param or a tag
MOST_NUMBER = 2**53
READ = ("run_id", "status", "key", "digest")  # columns of results.parquet

Point = tuple[str, float, int, int]  # a metric's name, value, time and step


@dataclass(frozen=True, slots=True)
class Parent:
    """The parent run of a sweep: its first id, its experiment, its times in ms, and what MLflow tells of it."""

    run_id: str
    experiment: str
    name: str
    start: int
    end: int
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: list[Point]


@dataclass(frozen=True, slots=True)
class Child:
    """The run of a trial, with its id where it was read."""

    run_id: str
    run: RecordedRun

    @property
    def place(self) -> int:
        """The index of its trial."""
        return int(self.run.tags[PLACE_TAG])

    @property
    def bytes(self) -> int:
        """How much memory its numbers take."""
        return sum(array.nbytes for array in (*self.run.curve, *self.run.arrays.values()))


@dataclass(frozen=True, slots=True)
class Sweep:
    """A finished sweep. `folder` has the parent's artifacts; `children` reads the runs, in the order of their trials.

    Each of them is checked against its digest and its row of results.parquet; it raises ConfigError for any that is not right.
    """

    parent: Parent
    folder: Path
    children: Callable[[], Iterator[Child]]


def pieces(children: Iterable[Child], most: int, most_bytes: int) -> Iterator[list[Child]]:
    """The children in lists of at most so many, and of about so many bytes."""
    piece: list[Child] = []
    size = 0
    for child in children:
        piece.append(child)
        size += child.bytes
        if len(piece) == most or size >= most_bytes:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def checked_parent(parent: Parent) -> Parent:
    """The parent run, if it is one. Raises DamagedError."""
    if not ID.fullmatch(parent.run_id):
        raise DamagedError("has no run id of MLflow")
    if not (parent.experiment and len(parent.experiment) <= MOST_TEXT and parent.name and len(parent.name) <= MOST_TEXT):
        raise DamagedError("has no name or no experiment")
    check_pairs("params", parent.params)
    check_pairs("tags", parent.tags)
    if parent.tags.get("kind") != "sweep":
        raise DamagedError("is not the parent run of a sweep: it has no tag kind=sweep")
    if not 0 <= parent.start <= parent.end < MOST_NUMBER:
        raise DamagedError("has times that are none")
    for key, _, time, step in parent.metrics:
        if not is_key(key) or not 0 <= time < MOST_NUMBER or not abs(step) < MOST_NUMBER:
            raise DamagedError("has a metric that is none")
    return parent


def is_key(key: str) -> bool:
    """Whether MLflow takes it as a name of a param, a tag or a metric."""
    return KEY.fullmatch(key) is not None and not {"", ".", ".."} & set(key.split("/"))


def check_pairs(kind: str, pairs: Mapping[str, str]) -> None:
    """Raises DamagedError for params or tags that MLflow does not take."""
    for key, value in pairs.items():
        if not is_key(key) or len(value) > MOST_TEXT or key in OWN_TAGS:
            raise DamagedError(f"has {kind} that MLflow does not take")


def checked(children: Iterable[Child], rows: pa.Table) -> Iterator[Child]:
    """The children, if they are just the runs that these rows of results.parquet name (see `recorded_rows`).

    Raises DamagedError at the first that is not.
    """
    waiting = iter(children)
    for start in range(0, len(rows), 1000):
        for row in rows.slice(start, 1000).to_pylist():
            child = next(waiting, None)
            if child is None:
                raise DamagedError(f"lacks the run of row {row['place']} of {RESULTS}")
            check_child(child, row)
            yield child
    if next(waiting, None):
        raise DamagedError(f"has more runs than {RESULTS} names")


def check_child(child: Child, row: Mapping[str, Any]) -> None:
    """Raises DamagedError for a run that is not the one of that row, or whose result is not the one of its digest."""
    run, tags, metrics = child.run, child.run.tags, child.run.metrics
    where = f"run {child.run_id[:32]!r}"
    found = child.run_id, tags.get(PLACE_TAG), tags.get("status"), tags.get("trial.key"), tags.get("result.digest")
    if found != (row["run_id"], str(row["place"]), row["status"], row["key"], row["digest"]):
        raise DamagedError(f"{where} is not what row {row['place']} of {RESULTS} says")
    if not run.name or len(run.name) > MOST_TEXT or not all(is_key(key) for key in metrics):
        raise DamagedError(f"{where} has a name that MLflow does not take")
    check_pairs("params", run.params)
    check_pairs("tags", tags)
    epochs, final_error = metrics.get("epochs", -1.0), metrics.get("final_error")
    if final_error is None or tags["status"] not in STATUSES or not (0 <= epochs < MOST_NUMBER and epochs.is_integer()):
        raise DamagedError(f"{where} has no result")
    if result_digest(tags["status"], int(epochs), final_error, run.arrays) != tags["result.digest"]:
        raise DamagedError(f"{where} has a result that is not the one of its digest")
    steps, errors = run.curve
    ends = len(steps) == len(errors) > 0 and steps[-1] == epochs and np.array_equal(errors[-1:], [final_error], equal_nan=True)
    if not ends or steps[0] < 0 or (np.diff(steps) <= 0).any() or not (errors[:-1] >= 0.0).all():
        raise DamagedError(f"{where} has a curve that does not lead to its end")


def result_digest(status: str, epochs: int, final_error: float, arrays: Mapping[str, Any]) -> str:
    """The digest of a run's result. Raises DamagedError for arrays that are no weights."""
    if not all(ARRAY.fullmatch(name) for name in arrays):
        raise DamagedError("has arrays that are no weights")
    # as the parameters of a network are in order: all weights, then all biases
    names = sorted((name for name in arrays if not name.startswith("initial_")), key=in_order)
    parameters = np.concatenate([np.empty(0), *(np.ravel(arrays[name]) for name in names)])
    [digest] = result_digests(
        np.array([STATUSES.index(status)]), np.array([epochs]), np.array([final_error]), parameters[:, None]
    )
    return digest


def in_order(name: str) -> tuple[bool, int]:
    """Where the array of that name is among a network's parameters."""
    kind, _, layer = name.partition("_")
    return kind == "bias", int(layer)


def recorded_rows(path: Path, trials: str | None) -> pa.Table:
    """The rows of results.parquet that have a run: place, run_id, status, key, digest. Raises DamagedError.

    `trials`: how many rows there must be, as the sweep's tag says it.
    """
    found, place = [], 0
    for table in results_tables(path):
        if not set(READ) <= set(table.column_names):
            raise DamagedError(f"{RESULTS} lacks one of the columns {', '.join(READ)}")
        rows = table.select(READ).replace_schema_metadata()
        if not all(is_text(kind) or pa.types.is_null(kind) for kind in rows.schema.types):
            raise DamagedError(f"{RESULTS} has run ids, keys or digests that are no text")
        rows = rows.append_column("place", pa.array(np.arange(place, place + len(rows))))
        found.append(rows.filter(pc.is_valid(rows.column("run_id"))))
        place += len(table)
    if trials is not None and trials != str(place):
        raise DamagedError(f"{RESULTS} has {place:,} rows, but the tag {TRIALS_TAG} says {trials[:20]!r}")
    return pa.concat_tables(found, promote_options="default")


def results_tables(path: Path) -> Iterator[pa.Table]:
    """results.parquet in pieces, as it was written. Raises DamagedError."""
    size = path.stat().st_size
    most = max(MOST_BYTES, MOST_INFLATED * size)
    limits = {"thrift_string_size_limit": MOST_BYTES, "thrift_container_size_limit": MOST_CELLS}
    with damage(f"a Parquet file: {RESULTS}"), pq.ParquetFile(path, **limits) as file:
        check_size(file.metadata, size)
        groups = file.num_row_groups
        texts = [field.name for field in file.schema_arrow if is_text(field.type)]
    if not groups:
        raise DamagedError(f"{RESULTS} is empty")
    for group in range(groups):
        with damage(f"a Parquet file: {RESULTS}"), pq.ParquetFile(path, read_dictionary=texts, **limits) as file:
            table = decoded(file.read_row_group(group), most)
            table.validate(full=True)
        yield table


def write_results(source: Path, target: Path, run_ids: Mapping[int, str]) -> None:
    """results.parquet with these runs, by place, instead of those that it names; all else is as it was."""
    tables = results_tables(source)
    places = iter(range(MOST_NUMBER))
    first = next(tables)
    with pq.ParquetWriter(target, first.schema) as writer:
        for table in chain([first], tables):
            ids = pa.array([run_ids.get(place) for place in islice(places, len(table))], pa.string())
            writer.write_table(table.set_column(table.column_names.index("run_id"), first.schema.field("run_id"), ids))
