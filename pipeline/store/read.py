"""What a store has: sweeps, runs, their artifacts and curves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.backprop.arithmetic import Array
from pipeline.errors import ConfigError
from pipeline.results.run_result import Curve
from pipeline.store.addresses import Address, address
from pipeline.store.client.server import ServerClient
from pipeline.store.failures import is_passing, reason, status_of, store_errors_as_config_errors, unusable
from pipeline.store.schema import check_database
from pipeline.store.sqlite import readable_sqlite

PAGE = 1000  # runs of one answer
FINISHED = "attributes.status = 'FINISHED'"


class LocalClient(MlflowClient):
    """MLflow's client for a SQLite store: artifacts are those beside its file, whatever its database says of their place."""

    def __init__(self, place: Address) -> None:
        super().__init__(tracking_uri=readable_sqlite(place))
        self.artifacts = place.artifacts

    def download_artifacts(self, run_id: str, path: str, dst_path: str | None = None) -> str:
        """The artifact's file: the one beside the store, where it is there."""
        file = self.artifacts and self.artifacts / run_id / "artifacts" / path
        return str(file) if file and file.exists() else str(super().download_artifacts(run_id, path, dst_path))


def reader(uri: str | None) -> tuple[MlflowClient, str]:
    """MLflow's client for an existing store, and the store's address, to be printed. Raises ConfigError."""
    place = address(uri)
    with store_errors_as_config_errors(place.shown):
        if place.path:
            return LocalClient(place), place.shown
        if not place.is_server:
            check_database(place)
            return MlflowClient(tracking_uri=place.uri), place.shown
        return cast(MlflowClient, ServerClient(place.uri)), place.shown


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
        latest = ["attributes.start_time DESC"]
        runs = client.search_runs(experiments, f"tags.kind = 'sweep' and {FINISHED}", max_results=1, order_by=latest)
    except MlflowException as error:
        if which != "latest" and error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise ConfigError("sweep", which, f"no such run in {uri}; give a parent run's id, or latest") from None
        raise unusable(uri, error) from None
    if not runs:
        raise ConfigError("sweep", which, f"there is no finished sweep in {uri}")
    return client, runs[0]


def search(client: MlflowClient, experiment_id: str, *conditions: str, newest_first: bool = False) -> Iterator[Run]:
    """The runs of an experiment that meet all conditions, which are in MLflow's search language."""
    order = ["attributes.start_time " + ("DESC" if newest_first else "ASC")]
    token, condition = None, " and ".join(conditions)
    while True:
        page = client.search_runs([experiment_id], condition, max_results=PAGE, order_by=order, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


@contextmanager
def artifact(client: MlflowClient, run: Run, name: str) -> Iterator[Path]:
    """One of the run's artifacts as a temporary file. Raises ConfigError if the run has none of that name."""
    with TemporaryDirectory() as folder:
        try:
            path = Path(client.download_artifacts(run.info.run_id, name, folder))
        except (MlflowException, OSError) as error:
            why = f"has no artifact {name}"
            if isinstance(client, ServerClient) and (is_passing(error) or status_of(error) in (401, 403)):
                why += f" that can be read: {reason(error)}"
            raise ConfigError("sweep", run.info.run_id, why) from None
        yield path


def error_curve(client: MlflowClient, run_id: str) -> Curve:
    """A run's curve: epochs and errors."""
    points = sorted((point.step, point.value) for point in client.get_metric_history(run_id, "error"))
    return np.array([step for step, _ in points], np.int64), np.array([value for _, value in points], float)


def weights(client: MlflowClient, run: Run) -> dict[str, Array] | None:
    """The arrays of a run's weights.npz; None if it has none."""
    try:
        with artifact(client, run, "weights.npz") as path, np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ConfigError, ValueError):
        return None
