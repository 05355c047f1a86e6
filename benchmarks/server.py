"""What does a run cost at MLflow's server on PostgreSQL, on this machine? `python -m benchmarks.server`.

The same runs by three ways into the same server: this program's, MLflow's client one run after the other, and its fluent
calls; of the last two fewer are timed.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from itertools import islice
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from benchmarks.timing import show
from pipeline.app.composition import compose
from pipeline.store.records import RecordedRun, records
from pipeline.store.write import Store
from pipeline.sweeps.chunks import Chunk
from pipeline.trials.batching import make_batch
from pipeline.trials.configuration import read_trial
from pipeline.trials.settings import RUN_KEYS
from tests.servers import Postgres, Server, running

RUNS, SOME, FEW = 720, 120, 20


def sweep() -> list[RecordedRun]:
    """The records of a sweep."""
    trials = []
    for seed in range(RUNS):
        config = compose(["initial=uniform", f"seed={seed}", "max_epochs=200"])
        trials.append(read_trial({key: value for key, value in config.items() if key not in RUN_KEYS}))
    chunk = Chunk(np.arange(RUNS), make_batch(trials, 100), "compiled")
    return list(records(trials, chunk.rows(chunk.train(lambda *_: None)), [str(trial.initial) for trial in trials]))


def ours(uri: str, runs: list[RecordedRun]) -> None:
    """By `Store`."""
    store = Store(uri, "ours")
    parent = store.begin("sweep", "sweep", {}, {})
    list(store.record_all(runs, parent, lambda: None))
    store.recorded(parent)
    store.end(parent, "FINISHED")


def client(uri: str, runs: list[RecordedRun]) -> None:
    """MLflow's client, one run after the other."""
    made = MlflowClient(uri)
    experiment = made.create_experiment("client")
    for record in runs:
        run_id = made.create_run(experiment, run_name=record.name).info.run_id
        now = int(time.time() * 1000)
        metrics = [Metric(key, value, now, 0) for key, value in record.metrics.items()]
        metrics += [Metric("error", float(error), now, int(epoch)) for epoch, error in zip(*record.curve, strict=True)]
        tags = [RunTag(key, value) for key, value in record.tags.items()]
        made.log_batch(run_id, metrics, [Param(key, value) for key, value in record.params.items()], tags)
        with tempfile.TemporaryDirectory() as folder:
            np.savez(Path(folder, "weights.npz"), **record.arrays)
            made.log_artifact(run_id, str(Path(folder, "weights.npz")))
        made.set_terminated(run_id)


def fluent(uri: str, runs: list[RecordedRun]) -> None:
    """MLflow's fluent calls, as its tutorials have them."""
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("fluent")
    for record in runs:
        with mlflow.start_run(run_name=record.name), tempfile.TemporaryDirectory() as folder:
            mlflow.log_params(record.params)
            mlflow.set_tags(record.tags)
            mlflow.log_metrics(record.metrics)
            for epoch, error in zip(*record.curve, strict=True):
                mlflow.log_metric("error", float(error), step=int(epoch))
            np.savez(Path(folder, "weights.npz"), **record.arrays)
            mlflow.log_artifact(str(Path(folder, "weights.npz")))


def main() -> None:
    """Prints and stores ms a run of each way."""
    runs, rows = sweep(), []
    database = Postgres("only-for-this")
    try:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            made = Server(Path(folder), database.uri, PGPASSWORD=database.password)
            server = stack.enter_context(running(made))
            for way, number in ((ours, RUNS), (client, SOME), (fluent, FEW)):
                begun = time.perf_counter()
                with contextlib.redirect_stdout(io.StringIO()):
                    way(server.uri, list(islice(runs, number)))
                rows.append({"way": way.__name__, "runs": number, "ms a run": 1e3 * (time.perf_counter() - begun) / number})
    finally:
        database.close()
    show("server", rows)


if __name__ == "__main__":
    main()
