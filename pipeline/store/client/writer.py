"""Runs written by MLflow's client: into a server, and into databases whose schema `bulk` does not know."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.entities import Metric, Param, Run
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from pipeline.store.client.server import ServerClient, end_run, retry
from pipeline.store.client.threads import in_threads, nothing, within
from pipeline.store.failures import A_MOMENT, retry_while_locked, store_errors
from pipeline.store.records import RecordedRun

RUNS_AT_ONCE, THREADS = 64, 8


class ClientWriter:
    """Writes runs into one experiment. `artifacts`: the local folder of its artifacts; None: where MLflow says.

    A server has four requests a run, of several runs at the same time.
    """

    def __init__(self, client: Any, experiment_id: str, artifacts: Path | None) -> None:
        self.client, self.experiment_id, self.artifacts = client, experiment_id, artifacts
        self.at_once, self.threads = (RUNS_AT_ONCE, THREADS) if isinstance(client, ServerClient) else (1, 1)

    def write(self, records: Sequence[RecordedRun], tags: Mapping[str, str], check: Callable[[], None] = nothing) -> list[str]:
        """Writes finished runs, each with these tags beside its own; gives their ids. `check` is called now and then."""
        return in_threads(partial(self._write, tags=tags, check=check), records, self.threads)

    def _write(self, record: RecordedRun, tags: Mapping[str, str], check: Callable[[], None]) -> str:
        tags = {**tags, **record.tags}
        check()
        if isinstance(self.client, ServerClient):
            repeat: Callable[..., Any] = partial(retry, check=check)
            run = self.client.create_run(self.experiment_id, record.name, tags, check)
        else:
            repeat = retry_while_locked
            run = self.client.create_run(self.experiment_id, run_name=record.name, tags=tags)
        run_id = str(run.info.run_id)
        try:
            repeat(self._log, run, record)
            repeat(self._put_weights, run, record)
            repeat(end_run, self.client.client, run_id, "FINISHED")
        except BaseException as error:
            status = "FAILED" if isinstance(error, Exception) else "KILLED"
            with suppress(*store_errors()):
                within(A_MOMENT, partial(end_run, self.client.client, run_id, status))
            raise
        return run_id

    def _log(self, run: Run, record: RecordedRun) -> None:
        """Params, metrics and the curve, all with the time of the run's start: twice they are the same."""
        start = run.info.start_time
        metrics = [Metric(key, value, start, 0) for key, value in record.metrics.items()]
        metrics += [Metric("error", float(error), start, int(epoch)) for epoch, error in zip(*record.curve, strict=True)]
        params = [Param(key, value) for key, value in record.params.items()]
        self.client.client.log_batch(run.info.run_id, metrics, params)

    def _put_weights(self, run: Run, record: RecordedRun) -> None:
        """The artifact `weights.npz`."""
        if self.artifacts:
            folder = self.artifacts / run.info.run_id / "artifacts"
            folder.mkdir(parents=True, exist_ok=True)
            np.savez(folder / "weights.npz", **record.arrays)  # type: ignore[arg-type]
            return
        with tempfile.TemporaryDirectory() as folder_name:
            file = Path(folder_name, "weights.npz")
            np.savez(file, **record.arrays)  # type: ignore[arg-type]
            put(run, self.client, file)


def put(run: Run, client: Any, file: Path, folder: str | None = None) -> None:
    """Stores a file as an artifact of the run, without asking for the run's place again."""
    repository = get_artifact_repository(run.info.artifact_uri, tracking_uri=client.client.tracking_uri)
    repository.log_artifact(str(file), folder)  # type: ignore[no-untyped-call]
