"""What a store has: sweeps, runs, their artifacts and curves."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.store.addresses import sqlite_path, store_uri
from pipeline.store.failures import needed, unopened

PAGE = 1000  # runs of one answer


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


def weights(client: MlflowClient, run: Run) -> dict[str, NDArray[np.float64]] | None:
    """The arrays of a run's weights.npz; None where it has none."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with np.load(download(client, run, "weights.npz", folder), allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (ConfigError, ValueError):
            return None
