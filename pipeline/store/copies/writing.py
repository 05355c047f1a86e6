"""A sweep, as `pipeline.store.copies.sweep` describes it, written into a store: whole, once, and FINISHED only then."""

from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from pipeline.store.addresses import Address
from pipeline.store.copies.notes import NOTE_TAG, addressed
from pipeline.store.copies.sweep import RESULTS, Parent, Sweep, pieces, write_results
from pipeline.store.failures import A_MOMENT, store_errors
from pipeline.store.write import METRICS_AT_ONCE, SOURCE_TAG, Store

AT_ONCE, BYTES_AT_ONCE = 200, 2**24  # runs that are in memory
PAIRS_AT_ONCE = 100  # params or tags of one call


class IncompleteError(Exception):
    """The store has not taken everything."""


def same_store(source: Address, target: Address) -> bool:
    """Whether two addresses are of one store, as far as they show it."""
    if source.path and target.path:
        both_there = source.path.exists() and target.path.exists()
        return source.path == target.path or (both_there and source.path.samefile(target.path))
    return source.uri.rstrip("/") == target.uri.rstrip("/")


def copy_in(store: Store, source: str) -> str | None:
    """The finished run that a store has of the sweep that was recorded first as `source`: itself, or a copy; None if none."""
    try:
        run = store.client.get_run(source)
        if run.info.status == "FINISHED" and run.info.lifecycle_stage == "active" and run.data.tags.get("kind") == "sweep":
            return source
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    experiments = [experiment.experiment_id for experiment in store.client.search_experiments()]
    runs = store.client.search_runs(experiments, f"tags.`{SOURCE_TAG}` = '{source}' and attributes.status = 'FINISHED'")
    return str(runs[0].info.run_id) if runs else None


def write_sweep(sweep: Sweep, store: Store, check: Callable[[], None]) -> str:
    """Writes the sweep, or what is missing of it since the same was interrupted; gives the id of its parent run.

    `check` is called between writes; it may raise an exception. Raises store_errors(), IncompleteError and ConfigError (see
    `Sweep`); the run is then marked as FAILED, and a later call goes on.
    """
    run_id = begun(sweep.parent, store)
    status = "FAILED"
    try:
        places = write_children(sweep, store, run_id, check)
        write_parent(sweep, store, run_id, places)
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        if status != "FINISHED":
            with suppress(*store_errors()):
                store.end(run_id, status, A_MOMENT)
    store.end(run_id, "FINISHED")
    store.client.set_terminated(run_id, "FINISHED", sweep.parent.end)  # it took as long as it took there
    return run_id


def begun(parent: Parent, store: Store) -> str:
    """The parent run, RUNNING: that of an interrupted copy, or a new one.

    It gets its key at the end: until then it is no sweep that training could resume.
    """
    condition = f"tags.`{SOURCE_TAG}` = '{parent.run_id}' and attributes.status != 'FINISHED'"
    for run in store.client.search_runs([store.experiment_id], condition):
        store.client.update_run(run.info.run_id, "RUNNING")
        return str(run.info.run_id)
    tags = {key: value for key, value in parent.tags.items() if key.startswith("mlflow.")}
    tags |= {"kind": "sweep", SOURCE_TAG: parent.run_id}
    run = store.client.create_run(store.experiment_id, start_time=parent.start, run_name=parent.name, tags=tags)
    return str(run.info.run_id)


def write_children(sweep: Sweep, store: Store, parent: str, check: Callable[[], None]) -> set[int]:
    """Writes the runs that the store has not; gives the places of all."""
    recorded, places = store.recorded(parent), set()
    for piece in pieces(sweep.children(), AT_ONCE, BYTES_AT_ONCE):
        check()
        places |= {child.place for child in piece}
        missing = [child.run for child in piece if child.place not in recorded]
        if missing:
            user = {key: value for key, value in missing[0].tags.items() if key == "mlflow.user"}
            for _ in store.record_all(missing, parent, check, user):
                pass
    return places


def write_parent(sweep: Sweep, store: Store, run_id: str, places: set[int]) -> None:
    """Writes what the parent run has, once all of its children are there."""
    recorded = store.recorded(run_id)
    if set(recorded) != places:
        raise IncompleteError(f"it has {len(recorded):,} of the sweep's {len(places):,} runs")
    store.log_files(run_id, sweep.folder)
    if recorded:
        with TemporaryDirectory() as temporary:
            write_results(sweep.folder / RESULTS, Path(temporary) / RESULTS, recorded)
            store.log_files(run_id, Path(temporary))
    parent = sweep.parent
    metrics = [Metric(key, value, time, step) for key, value, time, step in parent.metrics]
    for start in range(0, len(metrics), METRICS_AT_ONCE):
        store.client.log_batch(run_id, metrics[start : start + METRICS_AT_ONCE])
    params = iter([Param(key, value) for key, value in parent.params.items()])
    while some := list(islice(params, PAIRS_AT_ONCE)):
        store.client.log_batch(run_id, params=some)
    note = {NOTE_TAG: addressed(parent.tags[NOTE_TAG], store.experiment_id, run_id)} if NOTE_TAG in parent.tags else {}
    tags = iter([RunTag(key, value) for key, value in {**parent.tags, **note}.items()])
    while labels := list(islice(tags, PAIRS_AT_ONCE)):
        store.client.log_batch(run_id, tags=labels)
