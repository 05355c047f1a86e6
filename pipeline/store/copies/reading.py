"""A finished sweep read from a store, as `pipeline.store.copies.sweep` describes it."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.dbmodels.models import SqlMetric

from pipeline.errors import ConfigError
from pipeline.results.run_result import Curve
from pipeline.store.addresses import address
from pipeline.store.copies.sweep import (
    ID,
    OWN_TAGS,
    RESULTS,
    TRIALS_TAG,
    Child,
    Parent,
    Sweep,
    checked,
    checked_parent,
    recorded_rows,
)
from pipeline.store.failures import store_errors_as_config_errors
from pipeline.store.files import DamagedError
from pipeline.store.read import error_curve, find_sweep, restored, weights
from pipeline.store.records import RecordedRun
from pipeline.store.write import SOURCE_TAG

AT_ONCE, THREADS = 200, 8  # runs of one request; requests at once at a server


@contextmanager
def sweep_in_store(uri: str | None, which: str) -> Iterator[Sweep]:
    """The sweep of that run id, or the latest one. Raises ConfigError for one that is not finished or not whole."""
    client, run = find_sweep(uri, which)
    run_id = run.info.run_id
    if run.info.status != "FINISHED" or run.info.lifecycle_stage != "active":
        state = "deleted" if run.info.lifecycle_stage != "active" else f"not finished, but {run.info.status}"
        raise ConfigError("sweep", run_id, f"is {state}: only a finished sweep is copied")
    with TemporaryDirectory() as temporary:
        with store_errors_as_config_errors(address(uri).shown), refused(run_id):
            parent = checked_parent(read_parent(client, run))
            folder = artifacts(client, run_id, temporary)
            rows = recorded_rows(folder / RESULTS, run.data.tags.get(TRIALS_TAG))

        def children() -> Iterator[Child]:
            with store_errors_as_config_errors(address(uri).shown), refused(run_id):
                yield from checked(read_children(client, run, rows), rows)

        yield Sweep(parent, folder, children)


@contextmanager
def refused(run_id: str) -> Iterator[None]:
    """Damage to a recorded sweep as ConfigError."""
    try:
        yield
    except DamagedError as error:
        raise ConfigError("sweep", run_id, f"cannot be copied: {error}") from None


def read_parent(client: MlflowClient, run: Run) -> Parent:
    """The parent run. A copy of a copy comes from where the first was."""
    histories = [client.get_metric_history(run.info.run_id, key) for key in sorted(run.data.metrics)]
    tags = {key: value for key, value in sorted(run.data.tags.items()) if key not in OWN_TAGS}
    points = sorted((one.key, one.step, one.timestamp, one.value) for history in histories for one in history)
    return Parent(
        run_id=run.data.tags.get(SOURCE_TAG, run.info.run_id),
        experiment=client.get_experiment(run.info.experiment_id).name,
        name=run.info.run_name,
        start=run.info.start_time,
        end=run.info.end_time,
        params=dict(sorted(run.data.params.items())),
        tags=tags,
        metrics=[(key, restored(value), time, step) for key, step, time, value in points],
    )


def artifacts(client: MlflowClient, run_id: str, temporary: str) -> Path:
    """The folder of a run's artifacts. Raises DamagedError."""
    try:
        folder = Path(client.download_artifacts(run_id, "", temporary))
    except (MlflowException, OSError):
        raise DamagedError("its artifacts are not there") from None
    if any(path.is_symlink() or not (path.is_dir() or path.is_file()) for path in [folder, *folder.rglob("*")]):
        raise DamagedError("has an artifact that is a link")
    if not (folder / RESULTS).is_file():
        raise DamagedError(f"has no artifact {RESULTS}")
    return folder


def read_children(client: MlflowClient, parent: Run, rows: pa.Table) -> Iterator[Child]:
    """The runs that these rows of results.parquet name, in their order. Raises DamagedError if one is not there."""
    threads = THREADS if is_server(client) else 1
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(rows), AT_ONCE):
            ids = rows.column("run_id").slice(start, AT_ONCE).to_pylist()
            if not all(ID.fullmatch(run_id) for run_id in ids):
                raise DamagedError(f"{RESULTS} names a run by what is no run id")
            condition = f"attributes.run_id IN ({', '.join(map(repr, ids))})"
            found = {
                run.info.run_id: run for run in client.search_runs([parent.info.experiment_id], condition, max_results=AT_ONCE)
            }
            curves = {} if threads > 1 else curves_in_database(client, ids)
            for first in range(0, len(ids), threads):
                some = [found.get(run_id) for run_id in ids[first : first + threads]]
                if None in some:
                    raise DamagedError(
                        f"run {ids[first + some.index(None)]}, which {RESULTS} names, is not there or is deleted"
                    )
                yield from pool.map(partial(read_child, client, parent, curves), some)


def read_child(client: MlflowClient, parent: Run, curves: Mapping[str, Curve], run: Run) -> Child:
    """A run with its curve and its weights. Raises DamagedError."""
    run_id, tags = run.info.run_id, run.data.tags
    if run.info.status != "FINISHED" or tags.get("mlflow.parentRunId") != parent.info.run_id:
        raise DamagedError(f"run {run_id} is not finished, or not of this sweep")
    arrays = weights(client, run)
    if arrays is None:
        raise DamagedError(f"run {run_id} has no weights.npz, or a damaged one")
    recorded = RecordedRun(
        name=run.info.run_name,
        params=run.data.params,
        metrics={key: restored(value) for key, value in run.data.metrics.items() if key != "error"},
        tags={key: value for key, value in tags.items() if key not in OWN_TAGS},
        curve=curves[run_id] if run_id in curves else error_curve(client, run_id),
        arrays=arrays,
    )
    return Child(run_id, recorded)


def is_server(client: MlflowClient) -> bool:
    """Whether its store is behind HTTP."""
    return str(client.tracking_uri).startswith(("http://", "https://"))


def curves_in_database(client: MlflowClient, ids: Sequence[str]) -> dict[str, Curve]:
    """The curves of runs by one query: MLflow's client needs one for each, and 20 ms."""
    engine: Any = sqlalchemy.create_engine(client.tracking_uri)
    columns = SqlMetric.run_uuid, SqlMetric.step, SqlMetric.value, SqlMetric.is_nan
    query: Any = sqlalchemy.select(*columns).where(SqlMetric.key == "error", SqlMetric.run_uuid.in_(ids))
    try:
        with engine.connect() as connection:
            points = connection.execute(query.order_by(SqlMetric.run_uuid, SqlMetric.step)).fetchall()
    finally:
        engine.dispose()
    by_run: dict[str, tuple[list[int], list[float]]] = {run_id: ([], []) for run_id in ids}
    for run_id, step, value, is_nan in points:
        by_run[run_id][0].append(step)
        by_run[run_id][1].append(float("nan") if is_nan else restored(value))
    return {run_id: (np.array(epochs, np.int64), np.array(errors)) for run_id, (epochs, errors) in by_run.items()}
