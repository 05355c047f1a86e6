"""A store that runs are written to.

A run is a child of its sweep's parent run, or stands alone. It is FINISHED only when all of it is written.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from pipeline.errors import ConfigError
from pipeline.store.addresses import sqlite_path, store_uri
from pipeline.store.environment import environment_tags, source_tags, user
from pipeline.store.failures import A_MOMENT, STORE_ERRORS, RetryingClient, retry_while_locked, unusable
from pipeline.store.read import search
from pipeline.store.records import PLACE_TAG, RecordedRun
from pipeline.store.sqlite import prepare_sqlite

SWEEP_KEY_TAG, SWEEP_FOLDER_TAG = "sweep.key", "sweep.folder"
METRICS_AT_ONCE = 1000

EXPERIMENT_NOTE = (
    "From which initial weights, at which learning rates and down to which error threshold does backpropagation converge, "
    "and how fast? A sweep is a parent run with a child run per trial; the metric `error` is the total error over epochs."
)


class Store:
    """An MLflow store with one of its experiments. Raises ConfigError if it cannot be opened."""

    def __init__(self, uri: str | None, experiment: str) -> None:
        self.uri = store_uri(uri)
        self.folder = prepare_sqlite(self.uri)
        try:
            self.client: Any = RetryingClient(MlflowClient(tracking_uri=self.uri))
            self.experiment_id = self._experiment(experiment)
        except (MlflowException, OSError) as error:
            raise unusable(self.uri, error) from None
        except Exception as error:  # a store's own errors are of any kind: SQLAlchemy's, a plug-in's
            raise unusable(self.uri, error) from error

    def _experiment(self, name: str) -> str:
        experiment = self.client.get_experiment_by_name(name)
        if experiment and experiment.lifecycle_stage != "active":
            raise ConfigError("tracking.experiment", name, "is deleted in this store; restore it or use another name")
        if not experiment:
            location = (self.folder / "artifacts").as_uri() if self.folder else None
            tags = {"mlflow.note.content": EXPERIMENT_NOTE, "mlflow.experimentKind": "custom_model_development"}
            try:
                return str(self.client.create_experiment(name, artifact_location=location, tags=tags))
            except MlflowException:  # another process was faster
                experiment = self.client.get_experiment_by_name(name)
                if not experiment:
                    raise
        return str(experiment.experiment_id)

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
        """The status of a run of this experiment; None if it has no such run."""
        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        here = run.info.lifecycle_stage == "active" and run.info.experiment_id == self.experiment_id
        return str(run.info.status) if here else None

    def begin_again(self, run_id: str, folder: Path) -> None:
        """Puts the parent run of an interrupted sweep back to RUNNING, its spool being in that folder."""
        self.client.update_run(run_id, "RUNNING")
        self.client.set_tag(run_id, SWEEP_FOLDER_TAG, str(folder))

    def end(self, run_id: str, status: str, seconds: float | None = None) -> None:
        """Ends a run; waits for a locked store, for `seconds` (see `retry_while_locked`)."""
        retry_while_locked(self.client.client.set_terminated, run_id, status, seconds=seconds)

    def unfinished(self, key: str) -> Iterator[Run]:
        """The parent runs of sweeps with this key that have not finished, latest first."""
        conditions = f"tags.`{SWEEP_KEY_TAG}` = '{key}'", "attributes.status != 'FINISHED'"
        return search(self.client, self.experiment_id, *conditions, newest_first=True)

    def recorded(self, parent: str) -> dict[int, str]:
        """The finished runs of a sweep: their ids by the index of their trial. Those that were cut short are deleted."""
        ids = {}
        for run in search(self.client, self.experiment_id, f"tags.`mlflow.parentRunId` = '{parent}'"):
            if run.info.status == "FINISHED":
                ids[int(run.data.tags[PLACE_TAG])] = str(run.info.run_id)
            else:
                self.client.set_terminated(run.info.run_id, "KILLED")
                self.client.delete_run(run.info.run_id)
        return ids

    def record(self, record: RecordedRun, parent: str | None = None) -> str:
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

    def record_all(self, records: Iterable[RecordedRun], parent: str, check: Callable[[], None]) -> Iterator[str]:
        """Writes the runs of a sweep, many at a time if `bulk` knows the store; gives each one's id.

        `check` is called before each write; it may raise an exception.
        """
        from pipeline.store.bulk import RUNS_AT_ONCE, BulkWriter

        writer = BulkWriter.open(sqlite_path(self.uri), self.client.get_experiment(self.experiment_id), user())
        waiting = iter(records)
        tags = {**source_tags(), "mlflow.parentRunId": parent}

        def write(some: list[RecordedRun]) -> list[str]:
            assert writer
            check()
            return writer.write(some, tags)

        while some := list(islice(waiting, RUNS_AT_ONCE if writer else 1)):
            check()
            ids = retry_while_locked(write, some) if writer else [self.record(record, parent) for record in some]
            yield from ids

    def log_files(self, run_id: str, folder: Path) -> None:
        """Stores all files of a folder as artifacts of the run."""
        self.client.log_artifacts(run_id, str(folder))

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Adds numbers to a run, with the time of its start: the same ones twice are one entry."""
        begun = self.client.get_run(run_id).info.start_time
        self.client.log_batch(run_id, [Metric(key, float(value), begun, 0) for key, value in metrics.items()])

    def set_note(self, run_id: str, text: str) -> None:
        """Sets the description on the run's page of the UI, in Markdown."""
        self.client.set_tag(run_id, "mlflow.note.content", text)

    def set_experiment_note(self, text: str) -> None:
        """Sets the description on the experiment's page of the UI, in Markdown."""
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

    def sweep_key(self, run_id: str) -> str | None:
        """The key of the sweep that this is the parent run of; None if this experiment has no such parent run."""
        if not (run_id.isascii() and run_id.isalnum() and self.status(run_id)):
            return None
        tags = self.client.get_run(run_id).data.tags
        return str(tags[SWEEP_KEY_TAG]) if SWEEP_KEY_TAG in tags else None
