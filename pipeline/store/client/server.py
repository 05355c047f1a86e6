"""MLflow's client for a server that may be slow, refuse for a while, or lose its answers.

MLflow itself repeats any request blindly, and a run whose answer was lost is made twice. Here only what does the same twice as
once is repeated; before a run is made again, it is looked for.
"""

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from pipeline.store.client.failures import is_passing
from pipeline.store.client.threads import nothing
from pipeline.store.failures import store_errors

RETRY_SECONDS, FEWEST_TRIES = 5.0, 2  # for which a request is tried, and how often at least
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0


def retry(call: Callable[..., Any], *arguments: Any, check: Callable[[], None] = nothing, **options: Any) -> Any:
    """Repeats a request that does the same twice as once, while its failure may pass; `check` is called before each."""
    deadline, pause = time.monotonic() + RETRY_SECONDS, FIRST_PAUSE
    for tries in count(1):
        check()
        try:
            return call(*arguments, **options)
        except store_errors() as error:
            if not is_passing(error) or (tries >= FEWEST_TRIES and time.monotonic() > deadline):
                raise
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    raise AssertionError


class ServerClient:
    """MLflow's client for a server, with `retry` around each call."""

    def __init__(self, uri: str) -> None:
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"  # it is read at each request
        self.uri, self.client = uri, MlflowClient(tracking_uri=uri)
        self.made_in_doubt: dict[str, Callable[[], list[Run]]] = {}  # how to find all like a run that was asked for twice

    def __getattr__(self, name: str) -> Any:
        return partial(retry, getattr(self.client, name))

    def create_run(
        self, experiment_id: str, run_name: str, tags: Mapping[str, str], check: Callable[[], None] = nothing
    ) -> Run:
        """Makes a run, RUNNING. One whose answer was lost is found by its start and all its tags."""
        start, asked = int(time.time() * 1000), False
        find = partial(self._like, experiment_id, start, tags, run_name)

        def create() -> Run:
            nonlocal asked
            found, asked, in_doubt = find() if asked else [], True, asked
            run = found[0] if found else self.client.create_run(experiment_id, start, dict(tags), run_name)
            if not run.info.run_id:
                raise MlflowException("the server's answer names no run")
            if in_doubt:
                self.made_in_doubt[run.info.run_id] = find
            return run

        return retry(create, check=check)  # type: ignore[no-any-return]

    def _like(self, experiment_id: str, start: int, tags: Mapping[str, str], name: str) -> list[Run]:
        """The runs with that start, those tags and that name."""
        conditions = [f"attributes.start_time = {start}"]
        if parent := tags.get("mlflow.parentRunId"):
            conditions.append(f"tags.`mlflow.parentRunId` = '{parent}'")
        found = self.client.search_runs([experiment_id], " and ".join(conditions), max_results=1000)
        return [run for run in found if run.info.run_name == name and tags.items() <= run.data.tags.items()]

    def remove_doubles(self, run_id: str) -> None:
        """Deletes the runs that a lost answer made beside this one."""
        find = self.made_in_doubt.pop(run_id, None)
        for run in retry(find) if find else ():
            if run.info.run_id != run_id:
                self.delete_run(run.info.run_id)

    def delete_run(self, run_id: str) -> None:
        """Deletes a run, also one that the lost answer of a first try has deleted."""

        def delete() -> None:
            try:
                self.client.delete_run(run_id)
            except MlflowException as error:
                if is_passing(error) or self.client.get_run(run_id).info.lifecycle_stage == "active":
                    raise

        retry(delete)

    def download_artifacts(self, run_id: str, path: str, dst_path: str) -> str:
        """One of a run's artifacts as a file in the folder `dst_path`, without threads that are waited for at exit."""
        if not Path(path).suffix:
            return str(retry(self.client.download_artifacts, run_id, path, dst_path))
        repository = get_artifact_repository(self.get_run(run_id).info.artifact_uri, tracking_uri=self.uri)
        file = Path(dst_path, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        retry(repository._download_file, path, str(file))
        return str(file)


def end_run(client: MlflowClient, run_id: str, status: str) -> None:
    """Ends a run by one request, and without MLflow's lines on stdout."""
    store = client._tracking_client.store
    store.update_run_info(run_id, RunStatus.from_string(status), int(time.time() * 1000), None)
