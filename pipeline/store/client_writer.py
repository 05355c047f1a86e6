"""Runs written by MLflow's client: into a server, and into databases whose schema `bulk` does not know."""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.entities import Metric, Param, RunTag

from pipeline.store.records import RecordedRun

METRICS_AT_ONCE = 1000


class ClientWriter:
    """Writes runs into one experiment. `artifacts`: the local folder of its artifacts; None: where MLflow says."""

    at_once = 1  # runs

    def __init__(self, client: Any, experiment_id: str, artifacts: Path | None) -> None:
        self.client, self.experiment_id, self.artifacts = client, experiment_id, artifacts

    def write(self, records: Sequence[RecordedRun], tags: Mapping[str, str]) -> list[str]:
        """Writes finished runs, each with these tags beside its own; gives their ids."""
        return [self._write(record, tags) for record in records]

    def _write(self, record: RecordedRun, tags: Mapping[str, str]) -> str:
        run_id = str(self.client.create_run(self.experiment_id, run_name=record.name, tags=dict(tags)).info.run_id)
        with self._ending(run_id):
            now = int(time.time() * 1000)
            metrics = [Metric(key, value, now, 0) for key, value in record.metrics.items()]
            metrics += [Metric("error", float(error), now, int(epoch)) for epoch, error in zip(*record.curve, strict=True)]
            first, *rest = (metrics[i : i + METRICS_AT_ONCE] for i in range(0, len(metrics), METRICS_AT_ONCE))
            params = [Param(key, value) for key, value in record.params.items()]
            own = [RunTag(key, value) for key, value in record.tags.items()]
            self.client.log_batch(run_id, first, params, own, synchronous=True)
            for more in rest:
                self.client.log_batch(run_id, more)
            with tempfile.TemporaryDirectory() as folder:
                np.savez(os.path.join(folder, "weights.npz"), **record.arrays)  # type: ignore[arg-type]
                self.client.log_artifact(run_id, os.path.join(folder, "weights.npz"))
        return run_id

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
