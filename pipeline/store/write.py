"""A store that runs are written to.

A run is a child of its sweep's parent run, or stands alone. It is FINISHED only when all of it is written.
"""

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError
from pipeline.results.run_result import Curve
from pipeline.store.addresses import address
from pipeline.store.bulk import BulkWriter, Experiment, find_experiment, is_known
from pipeline.store.client.threads import in_threads, nothing, within
from pipeline.store.copies.notes import NOTE_TAG
from pipeline.store.environment import environment_tags, source_tags, user
from pipeline.store.failures import A_MOMENT, retry_while_locked, store_errors, store_errors_as_config_errors, unusable
from pipeline.store.local.runs import LocalRuns
from pipeline.store.records import PLACE_TAG, RecordedRun
from pipeline.store.schema import check_database
from pipeline.store.sqlite import BESIDE_TAG, is_same, local_path, prepare_sqlite

if TYPE_CHECKING:
    from mlflow.entities import Run, RunInfo

    from pipeline.store.client.writer import ClientWriter

SWEEP_KEY_TAG, SWEEP_ORDER_TAG, SWEEP_FOLDER_TAG = "sweep.key", "sweep.order", "sweep.folder"
SWEEP_TAG = "sweep"  # of a run: which sweep it belongs to, for lists that are not nested
SOURCE_TAG = "sweep.source"  # of a copied sweep: the run id where it was recorded first
METRICS_AT_ONCE = 1000
SECONDS_TO_TELL = 0.8  # that a server has to take how a run ended, where it ended early


class Store:
    """An MLflow store with one of its experiments. Raises ConfigError if it cannot be opened.

    `artifacts`: where those of a new experiment go, if not beside a SQLite store and not where a server has them.
    """

    def __init__(self, uri: str | None, experiment: str, artifacts: str | None = None) -> None:
        self.address = address(uri)
        self.uri = self.address.shown
        try:
            if self.address.path:
                prepare_sqlite(self.address)
            elif not self.address.is_server:
                check_database(self.address)
            self.experiment = self._experiment(experiment, artifacts)
        except ConfigError:
            raise
        except Exception as error:  # a store's own errors are of any kind: MLflow's, SQLAlchemy's, a plug-in's
            raise unusable(self.uri, error) from error
        self.experiment_id = self.experiment.experiment_id
        # of a SQLite store: where the artifacts of the experiment are, whatever the database says
        beside = self.address.artifacts
        self.artifacts = beside if beside and is_same(self.experiment.artifact_location, beside) else None
        self._sweep_names: dict[str, str] = {}

    @cached_property
    def client(self) -> Any:
        """MLflow's client, where it is needed: importing it takes a second."""
        from pipeline.store.client.connections import client_of

        return client_of(self.address)

    @cached_property
    def local(self) -> LocalRuns | None:
        """What does the same as MLflow's client in a local store with a known schema, without it."""
        path = self.address.path
        return LocalRuns(path, self.experiment) if path and self.artifacts and is_known() else None

    def _experiment(self, name: str, artifacts: str | None) -> Experiment:
        experiment = find_experiment(self.address, name) or self._experiment_by_client(name, artifacts)
        if experiment.lifecycle_stage != "active":
            raise ConfigError("tracking.experiment", name, "is deleted in this store; restore it or use another name")
        folder = local_path(experiment.artifact_location)
        if folder and not self.address.path and not self.address.is_server and not folder.is_dir():
            raise ConfigError("tracking.experiment", name, f"has its artifacts in {folder}, which is not on this machine")
        return experiment

    def _experiment_by_client(self, name: str, artifacts: str | None) -> Experiment:
        """The experiment as MLflow's client finds it, or makes it."""
        from pipeline.store.client.experiments import make_experiment

        found = self.client.get_experiment_by_name(name) or make_experiment(self.client, name, *self._location(name, artifacts))
        return Experiment(str(found.experiment_id), found.artifact_location, found.lifecycle_stage)

    def _location(self, name: str, artifacts: str | None) -> tuple[str | None, dict[str, str]]:
        """Where the artifacts of a new experiment go, and the tag that says so."""
        if artifacts:
            folder = local_path(artifacts)
            if folder:
                folder.mkdir(parents=True, exist_ok=True)
            return (folder.absolute().as_uri() if folder else artifacts), {}
        if self.address.artifacts:
            return self.address.artifacts.as_uri(), {BESIDE_TAG: "beside the store"}
        if self.address.is_server:
            return None, {}
        allowed = f"must be s3://… or a shared folder: a database holds no artifacts of the new experiment {name}"
        raise ConfigError("tracking.artifacts", None, allowed)

    def how_to_look(self, run_id: str) -> str:
        """What a person does to see a run in the UI, from the current folder."""
        return self.address.how_to_look(self.experiment_id, run_id)

    def begin(self, kind: str, name: str, params: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """A run that is not a trial's, such as a sweep's parent run, RUNNING until `end`; gives its id."""
        tags = {**source_tags(), **environment_tags(), **tags, "kind": kind}
        if self.local and (begun := retry_while_locked(self.local.begin, name, params, tags)):
            return str(begun)
        run_id = str(self.client.create_run(self.experiment_id, run_name=name, tags=tags).info.run_id)
        try:
            self.log_params(run_id, params)
        except BaseException:
            with suppress(*store_errors()):
                self.end(run_id, "FAILED", A_MOMENT)
            raise
        return run_id

    def status(self, run_id: str) -> str | None:
        """The status of a run of this experiment; None if it has no such run."""
        from mlflow.exceptions import MlflowException

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
        """Ends a run; waits for a locked store or a server, for `seconds` (see `retry_while_locked`)."""
        if self.local and retry_while_locked(self.local.end, run_id, status, seconds=seconds):
            return
        from pipeline.store.client.server import end_run, retry

        if not self.address.is_server:
            retry_while_locked(end_run, self.client.client, run_id, status, seconds=seconds)
        elif seconds is None:
            self.client.remove_doubles(run_id)
            retry(end_run, self.client.client, run_id, status)
        else:  # it may not answer, and someone waits for the command's end
            within(max(seconds, SECONDS_TO_TELL), partial(retry, end_run, self.client.client, run_id, status))

    def unfinished(self, key: str) -> "Iterator[Run]":
        """The parent runs of sweeps with this key that have not finished, latest first."""
        if self.local and not retry_while_locked(self.local.has_unfinished, SWEEP_KEY_TAG, key):
            return iter(())
        from pipeline.store.read import search

        conditions = f"tags.`{SWEEP_KEY_TAG}` = '{key}'", "attributes.status != 'FINISHED'"
        return search(self.client, self.experiment_id, *conditions, newest_first=True)

    def recorded(self, parent: str, preferred: Collection[str] = ()) -> dict[int, str]:
        """The finished runs of a sweep: the id of one for each trial that has any, by the trial's index.

        The others that this program wrote are deleted: those that were cut short, and second ones of a trial, of which a
        preferred one stays.
        """
        if self.local and not retry_while_locked(self.local.has_children, parent):
            return {}
        from pipeline.store.client.writer import THREADS
        from pipeline.store.read import search

        runs = list(search(self.client, self.experiment_id, f"tags.`mlflow.parentRunId` = '{parent}'"))
        ours = [run for run in runs if is_ours(run)]
        finished = [run for run in ours if run.info.status == "FINISHED" and place_of(run) is not None]
        # the later one in this order is the one that stays
        finished.sort(key=lambda run: (run.info.run_id in preferred, -run.info.start_time, run.info.run_id))
        ids = {place: str(run.info.run_id) for run in finished if (place := place_of(run)) is not None}
        staying = set(ids.values())
        ends = [run.info for run in ours if run.info.run_id not in staying]
        in_threads(self._discard, ends, THREADS if self.address.is_server else 1)
        return ids

    def _discard(self, run: "RunInfo") -> None:
        """Deletes a run, which is first ended where it is not."""
        if run.status not in ("FINISHED", "FAILED", "KILLED"):
            self.end(run.run_id, "KILLED")
        self.client.delete_run(run.run_id)

    @property
    def is_certain(self) -> bool:
        """Whether a run that was recorded without an error is in the store once, and stays there."""
        return not self.address.is_server

    @cached_property
    def writer(self) -> "BulkWriter | ClientWriter":
        """What writes runs into this store."""
        if bulk := self.artifacts and BulkWriter.open(self.address, self.experiment, user()):
            return bulk
        from pipeline.store.client.writer import ClientWriter

        return ClientWriter(self.client, self.experiment_id, self.artifacts)

    def record(self, record: RecordedRun) -> str:
        """Writes one run that stands alone; gives its id. Raises ConfigError if the store fails."""
        with store_errors_as_config_errors(self.uri):
            [run_id] = self._write([record], {**source_tags(), **environment_tags()}, nothing)
            if self.address.is_server:
                self.client.remove_doubles(run_id)
        return run_id

    def record_all(
        self,
        records: Iterable[RecordedRun],
        parent: str,
        check: Callable[[], None],
        made: Mapping[str, str] | None = None,
    ) -> Iterator[str]:
        """Writes the runs of a sweep; gives each one's id.

        `check` is called before each write; it may raise an exception. `made`: the tags of who ran them, if not this process.
        """
        waiting = iter(records)
        made = source_tags() if made is None else made
        tags = {**made, "mlflow.parentRunId": parent, SWEEP_TAG: self._sweep_name(parent)}
        while some := list(islice(waiting, self.writer.at_once)):
            yield from self._write(some, tags, check)

    def _write(self, some: list[RecordedRun], tags: Mapping[str, str], check: Callable[[], None]) -> list[str]:
        if not isinstance(self.writer, BulkWriter):
            return self.writer.write(some, tags, check)
        bulk = self.writer

        def write() -> list[str]:
            check()
            return bulk.write(some, tags)

        return retry_while_locked(write)  # type: ignore[no-any-return]

    def _sweep_name(self, parent: str) -> str:
        """The beginning of a sweep's run id, and its name: columns of the UI are narrow, and names are not unique."""
        if parent not in self._sweep_names:
            name = self.local and retry_while_locked(self.local.name_of, parent)
            self._sweep_names[parent] = f"{parent[:8]} {name or self.client.get_run(parent).info.run_name}"
        return self._sweep_names[parent]

    def log_files(self, run_id: str, folder: Path, is_final: bool = False) -> None:
        """Stores all files of a folder as artifacts of the run; those that are final are linked where that is possible."""
        if self.artifacts:
            copy = linked if is_final else shutil.copy2
            shutil.copytree(folder, self.artifacts / run_id / "artifacts", dirs_exist_ok=True, copy_function=copy)
        elif self.address.is_server:
            from pipeline.store.client.server import retry
            from pipeline.store.client.writer import THREADS, put

            run = self.client.get_run(run_id)

            def store(file: Path) -> None:
                inner = file.parent.relative_to(folder).as_posix()
                retry(put, run, self.client, file, None if inner == "." else inner)

            in_threads(store, sorted(path for path in folder.rglob("*") if path.is_file()), THREADS)
        else:
            self.client.log_artifacts(run_id, str(folder))

    def log_metrics(
        self, run_id: str, metrics: Mapping[str, float], curves: Mapping[str, Curve] = MappingProxyType({})
    ) -> None:
        """Adds numbers to a run, and curves of them by epoch, with the time of its start: the same ones twice are one entry."""
        points = [(key, float(value), 0) for key, value in metrics.items()]
        for key, (epochs, values) in curves.items():
            points += [(key, float(value), int(epoch)) for epoch, value in zip(epochs, values, strict=True)]
        if self.local and retry_while_locked(self.local.add_metrics, run_id, points):
            return
        from mlflow.entities import Metric

        begun = self.client.get_run(run_id).info.start_time
        entries = [Metric(key, value, begun, step) for key, value, step in points]
        for start in range(0, len(entries), METRICS_AT_ONCE):
            self.client.log_batch(run_id, entries[start : start + METRICS_AT_ONCE])

    def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        """Adds params to a run."""
        from mlflow.entities import Param

        self.client.log_batch(run_id, params=[Param(key, value) for key, value in params.items()])

    def set_note(self, run_id: str, text: str) -> None:
        """Sets the description on the run's page of the UI, in Markdown."""
        if not (self.local and retry_while_locked(self.local.set_tag, run_id, NOTE_TAG, text)):
            self.client.set_tag(run_id, NOTE_TAG, text)

    def set_experiment_note(self, text: str) -> None:
        """Sets the description on the experiment's page of the UI, in Markdown."""
        self.client.set_experiment_tag(self.experiment_id, NOTE_TAG, text)

    def sweep_key(self, run_id: str) -> str | None:
        """The key of the sweep that this is the parent run of; None if this experiment has no such parent run."""
        if not (run_id.isascii() and run_id.isalnum() and self.status(run_id)):
            return None
        tags = self.client.get_run(run_id).data.tags
        return str(tags[SWEEP_KEY_TAG]) if SWEEP_KEY_TAG in tags else None


def linked(source: str, target: str) -> None:
    """A file under another name, too; a copy of it where there can be no link."""
    with suppress(FileNotFoundError):
        os.unlink(target)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def is_ours(run: "Run") -> bool:
    """Whether a run under a sweep was written by this program, and not put there by hand."""
    return PLACE_TAG in run.data.tags or run.data.tags.get("mlflow.source.name") == source_tags()["mlflow.source.name"]


def place_of(run: "Run") -> int | None:
    """The index of a run's trial in its sweep; None where its tags say none."""
    place = run.data.tags.get(PLACE_TAG, "")
    return int(place) if place.isascii() and place.isdecimal() and len(place) < 16 else None
