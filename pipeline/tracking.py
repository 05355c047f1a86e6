"""MLflow: the only file that knows its calls.

A run is a child of its sweep's parent run, or stands alone. It is written with one `log_batch` where that holds it, and is
FINISHED only when all of it is there.
"""

import atexit
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from textwrap import shorten
from typing import Any
from weakref import WeakSet

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # 3 s a call: a sweep that is not recorded is kept
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

import logging

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import SQLAlchemyError

from pipeline.config import ConfigError
from pipeline.environment import environment_tags, source_tags, user
from pipeline.records import PLACE_TAG, Record

for name in ("alembic", "mlflow"):
    logging.getLogger(name).setLevel(logging.WARNING)
for name in ("mlflow.store.db.utils", "urllib3.connectionpool"):  # they tell of errors that are raised, too
    logging.getLogger(name).setLevel(logging.CRITICAL)

DEFAULT_URI = "sqlite:///mlruns/mlflow.db"
STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError)  # what a store that is full, locked or away raises
BUSY_SECONDS, BUSY_PAUSE = 60.0, 0.05
SQLITE_SECONDS, A_MOMENT = 0.5, 0.3
SWEEP_KEY_TAG, SWEEP_FOLDER_TAG = "sweep.key", "sweep.folder"
METRICS_AT_ONCE = 1000
PAGE = 1000  # runs of one answer
EXPERIMENT_NOTE = (
    "From which initial weights, at which learning rates and down to which error threshold does backpropagation converge, "
    "and how fast? A sweep is a parent run with a child run per trial; the metric `error` is the total error over epochs."
)


ENGINES: WeakSet[Engine] = WeakSet()


@event.listens_for(Engine, "engine_connect")
def remember(connection: Connection) -> None:
    """Keeps in mind which databases are connected to, by MLflow too."""
    ENGINES.add(connection.engine)


@atexit.register
def disconnect() -> None:
    """Closes their connections, so that SQLite moves what is in its write-ahead log into the store's file."""
    for engine in ENGINES:
        engine.dispose()


@event.listens_for(Engine, "before_cursor_execute", retval=True)
def shorten_waiting(_1: Any, _2: Any, statement: str, parameters: Any, _3: Any, _4: Any) -> tuple[str, Any]:
    """Has SQLite wait shortly for a lock where MLflow says 20 s: Ctrl-C is not heard there, but it is in `patiently`."""
    if statement.startswith("PRAGMA busy_timeout"):
        statement = f"PRAGMA busy_timeout = {SQLITE_SECONDS * 1000:.0f}"
    return statement, parameters


def patiently(call: Callable[..., Any], *arguments: Any, seconds: float | None = None, **options: Any) -> Any:
    """Makes a call again, for a minute or so many seconds, as long as it finds a SQLite store locked by others."""
    deadline = time.monotonic() + (BUSY_SECONDS if seconds is None else seconds)
    while True:
        try:
            return call(*arguments, **options)
        except STORE_ERRORS as error:
            if "database is locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(BUSY_PAUSE)


class Patient:
    """MLflow's client, whose calls are made `patiently`."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return partial(patiently, getattr(self.client, name))


class Store:
    """An MLflow store with one of its experiments. Raises ConfigError where it cannot be opened."""

    def __init__(self, uri: str | None, experiment: str) -> None:
        self.uri = store_uri(uri)
        self.folder = prepare_sqlite(self.uri)
        try:
            self.client: Any = Patient(MlflowClient(tracking_uri=self.uri))
            self.experiment_id = self._experiment(experiment)
        except (MlflowException, OSError) as error:
            raise unopened(self.uri, error) from None
        except Exception as error:  # a store's own errors are of any kind: SQLAlchemy's, a plug-in's
            raise unopened(self.uri, error) from error

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found:
            if found.lifecycle_stage != "active":
                raise ConfigError("tracking.experiment", name, "is deleted in this store; restore it or use another name")
            return str(found.experiment_id)
        location = (self.folder / "artifacts").as_uri() if self.folder else None
        try:
            created = self.client.create_experiment(
                name,
                artifact_location=location,
                tags={"mlflow.note.content": EXPERIMENT_NOTE, "mlflow.experimentKind": "custom_model_development"},
            )
        except MlflowException:  # another process was faster
            found = self.client.get_experiment_by_name(name)
            if not found:
                raise
            created = found.experiment_id
        return str(created)

    def begin(self, kind: str, name: str, params: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """A run that is not a trial's, such as a sweep's parent run, RUNNING until `end`; gives its id."""
        run_id = self._create(name, {**source_tags(), **environment_tags(), **tags, "kind": kind})
        try:
            self.client.log_batch(run_id, params=[Param(key, value) for key, value in params.items()])
        except BaseException:
            with suppress(*STORE_ERRORS):
                self.end(run_id, "FAILED", A_MOMENT)
            raise
        return run_id

    def status(self, run_id: str) -> str | None:
        """The status of a run of this experiment; None where it has no such run."""
        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        here = run.info.lifecycle_stage == "active" and run.info.experiment_id == self.experiment_id
        return str(run.info.status) if here else None

    def begin_again(self, run_id: str, folder: Path) -> None:
        """Puts the parent run of a sweep that was interrupted back to RUNNING, with its results being kept in a folder."""
        self.client.update_run(run_id, "RUNNING")
        self.client.set_tag(run_id, SWEEP_FOLDER_TAG, str(folder))

    def end(self, run_id: str, status: str, seconds: float | None = None) -> None:
        """Ends a run; a locked store is waited for as long as `patiently` does, or so many seconds."""
        patiently(self.client.client.set_terminated, run_id, status, seconds=seconds)

    def unfinished(self, key: str) -> Iterator[Run]:
        """The parent runs of sweeps with this key that have not finished, latest first."""
        condition = f"tags.`{SWEEP_KEY_TAG}` = '{key}' and attributes.status != 'FINISHED'"
        yield from found_runs(self.client, self.experiment_id, condition, newest_first=True)

    def recorded(self, parent: str) -> dict[int, str]:
        """The finished runs of a sweep: their ids by place. Those that were cut short are deleted."""
        found = {}
        for run in found_runs(self.client, self.experiment_id, f"tags.`mlflow.parentRunId` = '{parent}'"):
            if run.info.status == "FINISHED":
                found[int(run.data.tags[PLACE_TAG])] = str(run.info.run_id)
            else:
                self.client.set_terminated(run.info.run_id, "KILLED")
                self.client.delete_run(run.info.run_id)
        return found

    def record(self, record: Record, parent: str | None = None) -> str:
        """Writes one run; gives its id."""
        relation = {"mlflow.parentRunId": parent} if parent else environment_tags()
        run_id = self._create(record.name, {**source_tags(), **relation})
        with self._ending(run_id):
            now = int(time.time() * 1000)
            metrics = [Metric(key, value, now, 0) for key, value in record.metrics.items()]
            metrics += [Metric("error", float(error), now, int(epoch)) for epoch, error in zip(*record.curve, strict=True)]
            first, *rest = (metrics[i : i + METRICS_AT_ONCE] for i in range(0, len(metrics), METRICS_AT_ONCE))
            params = [Param(key, value) for key, value in record.params.items()]
            tags = [RunTag(key, value) for key, value in record.tags.items()]
            self.client.log_batch(run_id, first, params, tags, synchronous=True)
            for more in rest:
                self.client.log_batch(run_id, more)
            with tempfile.TemporaryDirectory() as folder:
                np.savez(os.path.join(folder, "weights.npz"), **record.arrays)  # type: ignore[arg-type]
                self.client.log_artifact(run_id, os.path.join(folder, "weights.npz"))
        return run_id

    def record_all(self, records: Iterable[Record], parent: str, look: Callable[[], None]) -> Iterator[tuple[Record, str]]:
        """Writes the runs of a sweep, many at a time where the store is one that `bulk` knows; gives each one's id.

        `look` is called before each time; it may end it by an exception.
        """
        from pipeline.bulk import RUNS_AT_ONCE, BulkWriter

        writer = BulkWriter.open(sqlite_path(self.uri), self.client.get_experiment(self.experiment_id), user())
        waiting = iter(records)
        tags = {**source_tags(), "mlflow.parentRunId": parent}

        def write(some: list[Record]) -> list[str]:
            assert writer
            look()
            return writer.write(some, tags)

        while some := list(islice(waiting, RUNS_AT_ONCE if writer else 1)):
            look()
            ids = patiently(write, some) if writer else [self.record(record, parent) for record in some]
            yield from zip(some, ids, strict=True)

    def log_files(self, run_id: str, folder: Path) -> None:
        """Stores all files of a folder as artifacts of the run."""
        self.client.log_artifacts(run_id, str(folder))

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Adds numbers to a run, once however often it is done: they have the time of the run's begin."""
        begun = self.client.get_run(run_id).info.start_time
        self.client.log_batch(run_id, [Metric(key, float(value), begun, 0) for key, value in metrics.items()])

    def set_note(self, run_id: str, text: str) -> None:
        """The description that the UI shows on the run's page, in Markdown."""
        self.client.set_tag(run_id, "mlflow.note.content", text)

    def set_experiment_note(self, text: str) -> None:
        """The description that the UI shows on the experiment's page, in Markdown."""
        self.client.set_experiment_tag(self.experiment_id, "mlflow.note.content", text)

    def _create(self, name: str, tags: Mapping[str, str]) -> str:
        run = self.client.create_run(self.experiment_id, run_name=name, tags=dict(tags))
        return str(run.info.run_id)

    @contextmanager
    def _ending(self, run_id: str) -> Iterator[None]:
        status = "FAILED"
        try:
            yield
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            self.client.set_terminated(run_id, status)


@contextmanager
def needed(uri: str) -> Iterator[None]:
    """Work that is not begun without the store. Raises ConfigError where the store does not take part."""
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise unopened(uri, error, "used") from None


def reader(uri: str | None) -> tuple[MlflowClient, str]:
    """MLflow's client for a store that is there, and the store's address. Raises ConfigError."""
    uri = store_uri(uri)
    if (path := sqlite_path(uri)) and not path.exists():
        raise ConfigError("tracking.uri", uri, "no such store; `make sweep` makes one")
    with needed(uri):
        return MlflowClient(tracking_uri=uri), uri


def find_sweep(uri: str | None, which: str) -> tuple[MlflowClient, Run]:
    """The parent run of the sweep with that run id, or of the latest finished one. Raises ConfigError if there is none."""
    client, uri = reader(uri)
    try:
        if which != "latest":
            run = client.get_run(which)
            if run.data.tags.get("kind") != "sweep":
                raise ConfigError("sweep", which, "is a run, but not the parent run of a sweep")
            return client, run
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        runs = client.search_runs(
            experiments,
            "tags.kind = 'sweep' and attributes.status = 'FINISHED'",
            max_results=1,
            order_by=["attributes.start_time DESC"],
        )
    except MlflowException as error:
        if which != "latest" and error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise ConfigError("sweep", which, f"no such run in {uri}; give a parent run's id, or latest") from None
        raise unopened(uri, error) from None
    if not runs:
        raise ConfigError("sweep", which, f"there is no finished sweep in {uri}")
    return client, runs[0]


def finished_runs(client: MlflowClient, experiment_id: str, condition: str = "", newest_first: bool = False) -> Iterator[Run]:
    """The finished runs of an experiment that meet a condition in MLflow's search language."""
    search = "attributes.status = 'FINISHED'" + (f" and {condition}" if condition else "")
    return found_runs(client, experiment_id, search, newest_first)


def finished_runs_of(client: MlflowClient, experiment: str) -> Iterator[Run]:
    """The finished runs of the experiment with that name, newest first; none where it is not there."""
    if found := client.get_experiment_by_name(experiment):
        yield from finished_runs(client, found.experiment_id, newest_first=True)


def found_runs(client: MlflowClient, experiment_id: str, condition: str, newest_first: bool = False) -> Iterator[Run]:
    """The runs of an experiment that meet a condition in MLflow's search language, page by page."""
    order = ["attributes.start_time " + ("DESC" if newest_first else "ASC")]
    token = None
    while True:
        page = client.search_runs([experiment_id], condition, max_results=PAGE, order_by=order, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def download(client: MlflowClient, run: Run, name: str, folder: str) -> Path:
    """A local copy of one of the run's artifacts. Raises ConfigError where the run has none of that name."""
    try:
        return Path(client.download_artifacts(run.info.run_id, name, folder))
    except (MlflowException, OSError):
        raise ConfigError("sweep", run.info.run_id, f"has no artifact {name}") from None


def error_curve(client: MlflowClient, run_id: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A run's curve: epochs and errors."""
    points = sorted((point.step, point.value) for point in client.get_metric_history(run_id, "error"))
    return np.array([step for step, _ in points], np.int64), np.array([value for _, value in points], float)


def unopened(uri: str, error: Exception, what: str = "opened") -> ConfigError:
    """The error for a store that does not open."""
    return ConfigError("tracking.uri", uri, f"cannot be {what}: {reason(error)}")


def reason(error: BaseException) -> str:
    """Why a store failed, in one line: what was raised first, without what MLflow and SQLAlchemy say around it."""
    while error.__cause__:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return shorten(lines[0], 200)


def store_uri(uri: str | None) -> str:
    """The store's address: as given, or from the environment, or the default; a SQLite file's path made absolute."""
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    path = sqlite_path(uri)
    return f"sqlite:///{path.absolute()}" if path else uri


def sqlite_path(uri: str) -> Path | None:
    """The file of a SQLite store; None for any other store."""
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix)) if uri.startswith(prefix) else None


def prepare_sqlite(uri: str) -> Path | None:
    """Makes a SQLite store that is not there yet; gives the folder it is in, or None for another kind of store.

    MLflow's migrations fail when two processes run them on one new file. So the schema is made in a file of its own, which then
    takes the store's name in one step, if no other process has by then. WAL lets the UI read while a sweep writes.
    """
    path = sqlite_path(uri)
    if path is None:
        return None
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with tempfile.TemporaryDirectory(prefix=".new-store-", dir=path.parent) as folder:
                draft, copy = Path(folder, "draft.db"), Path(folder, "copy.db")
                MlflowClient(tracking_uri=f"sqlite:///{draft}").search_experiments(max_results=1)
                with sqlite3.connect(draft) as source, sqlite3.connect(copy) as target:
                    source.backup(target)
                source.close()
                target.execute("PRAGMA journal_mode = WAL")
                target.close()
                with suppress(FileExistsError):
                    os.link(copy, path)
        with open(path, "r+b"):
            pass
        connection = sqlite3.connect(path)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("SELECT count(*) FROM sqlite_master")
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        raise unopened(uri, error) from None
    return path.parent
