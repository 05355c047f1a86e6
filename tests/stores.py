"""What a store tells of its sweeps, to compare what came in by different ways; stores that stop taking anything; servers."""

import hashlib
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.results.spool import Spool

EXPERIMENT = "backpropagation"
SWEEP = (
    "-m", "initial=uniform", "learning_rate=0.5,5", "seed=range(4)", "threshold=1e-2,1e-3", "max_epochs=500",
    "executor.chunk=4", "tracking.curves=true", "tracking.weights=true",
)  # fmt: skip
TRIALS, CHUNKS = 16, 4


def runs_of(store: Path) -> tuple[MlflowClient, list, list]:
    """The client, the runs without a parent and those with one, in the order in which they were begun."""
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = list(client.search_runs([experiment.experiment_id], max_results=5000, order_by=["attributes.start_time ASC"]))
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    return client, parents, [run for run in runs if run not in parents]


def sweeps_in(uri: str, folder: Path) -> list[dict]:
    """What the store tells of each sweep, in the order in which they were begun, without ids, times and folders."""
    client = MlflowClient(tracking_uri=uri)
    return [sweep_told(client, parent, children, folder) for parent, children in sweeps_with_runs(client)]


def sweeps_with_runs(client: MlflowClient) -> list[tuple[Run, list[Run]]]:
    """The parent run of each sweep, in the order in which they were begun, with its children, whole or not; no other runs."""
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    runs = list(client.search_runs([experiment], max_results=5000, order_by=["attributes.start_time ASC"]))
    parents = [run for run in runs if run.data.tags.get("kind") == "sweep"]
    found = [
        (parent, [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]) for parent in parents
    ]
    assert len(runs) == len(parents) + sum(len(children) for _, children in found)
    return found


def sweep_told(client: MlflowClient, parent: Run, children: list[Run], folder: Path) -> dict:
    """What MLflow tells of one sweep."""
    run_id = parent.info.run_id
    place = folder / run_id
    place.mkdir()
    files = {}
    if client.list_artifacts(run_id):
        top = Path(client.download_artifacts(run_id, "", str(place)))
        files = {str(path.relative_to(top)): digest(path) for path in sorted(top.rglob("*")) if path.is_file()}
        files["results.parquet"] = results_told(top / "results.parquet", children)
    for run in children:
        (folder / run.info.run_id).mkdir()
    return {
        "status": parent.info.status,
        "name": parent.info.run_name,
        "params": parent.data.params,
        "tags": {
            key: value.replace(run_id, "id").replace(f"experiments/{parent.info.experiment_id}/", "experiments/its/")
            for key, value in parent.data.tags.items()
            if key != "sweep.folder"
        },
        "metrics": {
            key: [(point.step, point.value) for point in client.get_metric_history(run_id, key)] for key in parent.data.metrics
        },
        "files": files,
        "children": sorted(
            (run_told(client, run, folder) for run in children), key=lambda run: int(run["tags"]["trial.place"])
        ),
    }


def run_told(client: MlflowClient, run, folder: Path) -> dict:
    """All that MLflow tells of a run, without its id and the times."""
    history = {
        key: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)]
        for key in sorted(run.data.metrics)
    }
    weights = np.load(client.download_artifacts(run.info.run_id, "weights.npz", str(folder / run.info.run_id)))
    info, tags = run.info, run.data.tags
    if parent := tags.get("mlflow.parentRunId"):
        assert tags["sweep"] == f"{parent[:8]} {client.get_run(parent).info.run_name}"
    return {
        "info": (info.run_name, info.status, info.lifecycle_stage, info.user_id, info.experiment_id),
        "place": info.artifact_uri.replace(info.run_id, "id"),
        "params": run.data.params,
        "tags": {key: value for key, value in run.data.tags.items() if key not in ("mlflow.parentRunId", "sweep")},
        "metrics": {key: repr(value) for key, value in run.data.metrics.items()},
        "history": repr(history),
        "weights": {name: array.tolist() for name, array in weights.items()},
    }


def results_told(path: Path, children: list) -> str:
    """results.parquet without the ids, which are those of the children with the same place."""
    results = pd.read_parquet(path)
    by_place = {int(run.data.tags["trial.place"]): run.info.run_id for run in children}
    assert results["run_id"].dropna().to_dict() == by_place
    return results.drop(columns="run_id").to_csv()


def digest(path: Path) -> str:
    """A file's content, or what tells it from another one."""
    content = path.read_bytes()
    return hashlib.sha256(content).hexdigest() if b"\0" in content else content.decode()


def after(monkeypatch: pytest.MonkeyPatch, chunks: int, action: Callable[[], object]) -> None:
    """Lets something happen when so many chunks of a sweep are kept, before the last of them is recorded."""
    calls = iter(range(1, 1000))
    real = Spool.add

    def add(self, table):
        results = real(self, table)
        if next(calls) == chunks:
            action()
        return results

    monkeypatch.setattr(Spool, "add", add)


def interrupt_in_a_library(*_: object, **__: object) -> None:
    """Ctrl-C while Matplotlib's C++ code asks for a number: it makes this of it."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise ValueError("Invalid affine transformation matrix") from None


def kept_folder() -> Path:
    """The one folder of kept results under multirun/."""
    [description] = Path("multirun").rglob("sweep.json")
    return description.parent


def wait_for(uri: str, server: Popen) -> None:
    """Waits until MLflow's server answers."""
    deadline = time.monotonic() + 120
    while True:
        try:
            return urllib.request.urlopen(f"{uri}/health", timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline, "MLflow's server does not answer"
            assert server.poll() is None, "MLflow's server has ended"
            time.sleep(0.5)
