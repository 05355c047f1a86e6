"""What a store has: sweeps, runs, their artifacts and curves."""

import math
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar, cast

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.errors import ConfigError
from pipeline.results.run_result import Curve
from pipeline.store.addresses import Address, address
from pipeline.store.client.server import ServerClient
from pipeline.store.failures import reason, store_errors, store_errors_as_config_errors, unusable
from pipeline.store.files import DamagedError, read_arrays
from pipeline.store.schema import check_database
from pipeline.store.sqlite import readable_sqlite

T = TypeVar("T")
PAGE = 1000  # runs of one answer
FINISHED = "attributes.status = 'FINISHED'"
ID_OF = {"sweep": "a parent run's id", "map": "a map's run id"}
RUN_ID = re.compile("[0-9a-f]{4,32}")


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
    return find_recorded(uri, which, "sweep", "the parent run of a sweep")


def find_recorded(uri: str | None, which: str, kind: str, name: str) -> tuple[MlflowClient, Run]:
    """The run of that kind, which has this name, with that id, or the latest finished one. Raises ConfigError."""
    client, uri = reader(uri)
    try:
        if which != "latest":
            run = client.get_run(which)
            if run.data.tags.get("kind") != kind:
                raise ConfigError(kind, which, f"is a run, but not {name}")
            return client, run
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        latest = ["attributes.start_time DESC"]
        runs = client.search_runs(experiments, f"tags.kind = '{kind}' and {FINISHED}", max_results=1, order_by=latest)
    except MlflowException as error:
        if which != "latest" and error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise ConfigError(kind, which, f"no such run in {uri}; give {ID_OF[kind]}, or latest") from None
        raise unusable(uri, error) from None
    if not runs:
        raise ConfigError(kind, which, f"there is no finished {kind} in {uri}")
    return client, runs[0]


def find_run(uri: str | None, key: str, which: str) -> tuple[MlflowClient, Run]:
    """The run of that id, or of the only id that begins so, in any experiment. Raises ConfigError with that key."""
    client, shown = reader(uri)
    if not RUN_ID.fullmatch(which):
        raise ConfigError(key, which, "must be a run's id, or the first characters of one, at least 4 of 0 to 9 and a to f")
    with store_errors_as_config_errors(shown):
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        begun = f"attributes.run_id LIKE '{which}%'"
        runs = list(client.search_runs(experiments, begun, max_results=2)) if experiments else []
    if not runs:
        raise ConfigError(key, which, f"no such run in {shown}")
    if len(runs) > 1:
        raise ConfigError(
            key, which, f"is the beginning of several ids, such as {runs[0].info.run_id} and {runs[1].info.run_id}"
        )
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


class AbsentError(ConfigError):
    """A run has no artifact of that name."""


@contextmanager
def artifact(client: MlflowClient, run: Run, name: str) -> Iterator[Path]:
    """One of the run's artifacts as a file. Raises AbsentError where there is none of that name, else ConfigError."""
    with TemporaryDirectory() as folder:
        try:
            path = Path(client.download_artifacts(run.info.run_id, name, folder))
        except (MlflowException, OSError) as error:
            if is_absent(error):
                raise AbsentError(kind_of(run), run.info.run_id, f"has no artifact {name}") from None
            raise ConfigError(kind_of(run), run.info.run_id, f"{name} cannot be read: {reason(error)}") from None
        yield path


def kind_of(run: Run) -> str:
    """The key that a message about a run has."""
    return "map" if run.data.tags.get("kind") == "map" else "sweep"


def is_absent(error: Exception) -> bool:
    """Whether MLflow's error says that there is no such artifact, and not that the store is away."""
    gone = isinstance(error, FileNotFoundError) or getattr(getattr(error, "response", None), "status_code", None) == 404
    return gone or getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST" or "No such artifact" in str(error)


def contents(client: MlflowClient, run: Run, name: str, read: Callable[[Path], T]) -> T:
    """What one of the run's artifacts holds. Raises ConfigError, which names both, if it is not there or is damaged."""
    with artifact(client, run, name) as path:
        try:
            return read(path)
        except DamagedError as error:
            raise ConfigError(kind_of(run), run.info.run_id, f"{name} {error}") from None


def contents_if_present(client: MlflowClient, run: Run, name: str, read: Callable[[Path], T]) -> T | None:
    """The same; None if it is not there."""
    try:
        return contents(client, run, name, read)
    except AbsentError:
        return None


def error_curve(client: MlflowClient, run_id: str) -> Curve:
    """A run's curve: epochs and errors. Raises ConfigError."""
    try:
        points = {(point.step, restored(point.value)) for point in client.get_metric_history(run_id, "error")}
    except store_errors() as error:
        raise ConfigError("sweep", run_id, f"its error curve cannot be read: {reason(error)}") from None
    epochs = np.array(sorted(step for step, _ in points), np.int64)
    errors = np.array([error for _, error in sorted(points)], float)
    check_curve(run_id, epochs, errors)
    return epochs, errors


def check_curve(run_id: str, epochs: NDArray[np.int64], errors: Array) -> None:
    """Raises ConfigError for what is no error curve: measured before its last epoch an error is a number from 0."""
    if (epochs[:1] < 0).any() or (np.diff(epochs) <= 0).any() or not (errors[:-1] >= 0.0).all() or (errors[-1:] < 0.0).any():
        raise ConfigError("sweep", run_id, "has an error curve whose epochs do not increase, or whose errors are no errors")


def restored(value: float) -> float:
    """A metric as it was before MLflow wrote the largest number for an infinite one."""
    return math.copysign(math.inf, value) if abs(value) >= sys.float_info.max else value


def weights(client: MlflowClient, run: Run) -> dict[str, Array] | None:
    """The arrays of a run's weights.npz; None if it has none. Raises ConfigError for a damaged one."""
    return contents_if_present(client, run, "weights.npz", read_arrays)
