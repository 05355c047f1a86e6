"""A map made: started or resumed, trained stripe by stripe, recorded as one MLflow run."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

from pipeline.app.interrupts import Interrupts
from pipeline.app.progress import phase, progress_bar
from pipeline.errors import ConfigError, printable
from pipeline.maps.digest import map_digest, map_key
from pipeline.maps.large import empty_result
from pipeline.maps.recording.artifacts import Finding, find, note, write_artifacts
from pipeline.maps.recording.film import make_film
from pipeline.maps.recording.request import MapRequest
from pipeline.maps.recording.spool import MapSpool, description_in
from pipeline.maps.recording.stripes import insert, missing_pixels, stripes, verify_stripe
from pipeline.maps.training import MapResult
from pipeline.results.spool import SpoolInUseError
from pipeline.store.failures import A_MOMENT, reason, store_errors, store_errors_as_config_errors
from pipeline.store.read import search
from pipeline.store.write import Store
from pipeline.sweeps.executors import Executor, executor
from pipeline.sweeps.executors.overlap import ahead
from pipeline.sweeps.session import UnfinishedError
from pipeline.trials.configuration import params_of

KEY_TAG, FOLDER_TAG, DIGEST_TAG = "map.key", "map.folder", "map.digest"
AGAIN = "the same command resumes from there"


@dataclass(frozen=True, slots=True)
class RecordedMap:
    """A map that is recorded as a run of a store."""

    result: MapResult
    found: Finding
    digest: str
    run_id: str
    store: Store
    film: Sequence[str] = ()  # what it is and what rounding decides in it


def make_map(request: MapRequest, folder: Path, command: str) -> RecordedMap:
    """Trains and records a map, started in this folder or resumed.

    Raises ConfigError before anything is trained, and UnfinishedError where something is left to be done.
    """
    settings, tracking = request.settings, request.settings.tracking
    key = map_key(request.grid)
    with Interrupts() as interrupts, closing(executor(settings.executor, interrupts)) as trainer:
        with phase("opening"):
            store = Store(tracking.uri, tracking.experiment, tracking.artifacts)
        with store_errors_as_config_errors(store.uri):
            spool, run_id = resumed(store, request, key, folder) or started(store, request, key, folder, command)
        with closing(spool):
            ended = "FAILED"
            try:
                result = train(request, key, spool, trainer, interrupts)
                with interrupts.made_errors_of():
                    with phase("checking"):
                        made = RecordedMap(result, find(request, result), map_digest(key, result), run_id, store)
                    record(request, made, spool, command)
                ended = "FINISHED"
            except KeyboardInterrupt:
                ended = "KILLED"
                print(f"\n{kept(spool, request)}", file=sys.stderr)
                raise
            except store_errors() as error:  # OSError: of the folder
                raise UnfinishedError(printable(f"{reason(error)}; {kept(spool, request)}")) from None
            finally:
                end(store, run_id, ended, spool)
            spool.remove()
        if request.film:
            made = replace(made, film=film_sentences(request, made, trainer, interrupts, folder))
    return made


def film_sentences(
    request: MapRequest, made: RecordedMap, trainer: Executor, interrupts: Interrupts, folder: Path
) -> list[str]:
    """Makes the film of a recorded map; gives sentences on it. Raises UnfinishedError where it cannot be stored."""
    where = f"the map is recorded as run {made.run_id}, without its film"
    try:
        with interrupts.made_errors_of():
            return make_film(request, made.result, made.store, made.run_id, trainer, interrupts, folder)
    except KeyboardInterrupt:
        print(f"\n{where}", file=sys.stderr)
        raise
    except store_errors() as error:  # OSError: of the folder
        raise UnfinishedError(printable(f"{reason(error)}; {where}")) from None


def kept(spool: MapSpool, request: MapRequest) -> str:
    """How much of a map is trained, and where that is."""
    return f"{spool.done:,} of {request.pixels:,} pixels are kept in {spool.path}; {AGAIN}"


def end(store: Store, run_id: str, status: str, spool: MapSpool) -> None:
    """Ends the run."""
    try:
        store.end(run_id, status, None if status == "FINISHED" else A_MOMENT)
    except store_errors() as error:
        if status == "FINISHED":
            raise UnfinishedError(printable(f"{reason(error)}; all is kept in {spool.path}; {AGAIN}")) from None


def train(request: MapRequest, key: str, spool: MapSpool, trainer: Executor, interrupts: Interrupts) -> MapResult:
    """Trains what the spool has not, and writes each stripe to it at once; gives the whole result."""
    result = empty_result(request.grid.shape, spool.path)
    for rows in spool.rows:
        insert(result, rows)
    known = sum(int((result.status[band] >= 0).sum()) for band in result.bands())
    engine, where = request.settings.engine, request.settings.executor
    work = chain.from_iterable(stripes(request.grid, key, some, engine, where) for some in missing_pixels(result))
    with progress_bar() as bar:
        for trained in trainer.train(ahead(work), bar("runs", request.pixels, known)):
            with interrupts.deferred():
                insert(result, spool.add(trained.table))
            interrupts.raise_if_requested()
    return result


def record(request: MapRequest, made: RecordedMap, spool: MapSpool, command: str) -> None:
    """Stores the map's arrays and pictures with its run, with metrics and a description."""
    store, run_id, result = made.store, made.run_id, made.result
    with phase("drawing"):
        artifacts = spool.artifacts()
        write_artifacts(artifacts, request, result, made.found)
    with phase("storing"):
        store.log_files(run_id, artifacts)
        store.log_metrics(run_id, made.found.metrics)
        store.client.set_tag(run_id, DIGEST_TAG, made.digest)
        store.set_note(run_id, note(request, made.found, run_id, command))


def params(request: MapRequest) -> dict[str, str]:
    """The axes and the trial that all pixels start from, as params."""
    grid = request.grid
    height, width = grid.shape
    found = {"width": str(width), "height": str(height)}
    for name, axis in (("across", grid.across), ("down", grid.down)):
        found |= {name: axis.name, f"{name}.from": axis.low, f"{name}.to": axis.high, f"{name}.scale": axis.scale}
    axes = {axis.name for axis in grid.axes}
    return found | {key: value for key, value in params_of(grid.base).items() if key not in axes}


def started(store: Store, request: MapRequest, key: str, folder: Path, command: str) -> tuple[MapSpool, str]:
    """A spool and a run for a new map."""
    spool = MapSpool.new(folder)
    try:
        spool.describe(json.dumps({"key": key, "command": command}))
        tags = {KEY_TAG: key, FOLDER_TAG: str(spool.path), "command": command}
        run_id = store.begin("map", request.name, params(request), tags)
        spool.describe(json.dumps({"key": key, "command": command, "run": run_id}))
        return spool, run_id
    except BaseException:  # nothing is trained yet
        spool.remove()
        raise


def resumed(store: Store, request: MapRequest, key: str, folder: Path) -> tuple[MapSpool, str] | None:
    """The spool and the run of this map, if it was interrupted and is to be resumed. Raises ConfigError."""
    resume = request.settings.resume
    conditions = f"tags.`{KEY_TAG}` = '{key}'", "attributes.status != 'FINISHED'"
    for run in search(store.client, store.experiment_id, *conditions, newest_first=True) if resume != "never" else ():
        run_id, path = str(run.info.run_id), Path(run.data.tags.get(FOLDER_TAG, ""))
        if resume not in ("auto", run_id):
            continue
        try:
            spool = left_spool(path, request, key, run_id)
        except SpoolInUseError:
            if resume == "auto":
                continue
            raise ConfigError("resume", resume, "cannot go on: it is running, in another process") from None
        if spool is None and resume == "auto":
            continue  # another machine may be at work on it
        what = "its folder is not here, so all of it is trained again"
        if spool is None:
            spool = MapSpool.new(folder)
            spool.describe(json.dumps({"key": key, "command": run.data.tags.get("command", ""), "run": run_id}))
        else:
            what = f"{spool.done:,} of {request.pixels:,} pixels are trained (resume=never starts anew)"
        store.client.update_run(run_id, "RUNNING")
        store.client.set_tag(run_id, FOLDER_TAG, str(spool.path))
        print(f"resuming run {run_id}: {what}")
        return spool, run_id
    if resume not in ("auto", "never"):
        raise ConfigError("resume", resume, "is not an interrupted map of this same command in this store")
    return None


def left_spool(path: Path, request: MapRequest, key: str, run_id: str) -> MapSpool | None:
    """The spool in a folder that the store names, if it is really that of this map. Raises SpoolInUseError."""
    if not path.is_absolute() or not is_of(description_in(path), key, run_id):
        return None
    verify = partial(verify_stripe, key=key, shape=request.grid.shape, max_epochs=request.grid.batch_key.max_epochs)
    try:
        spool = MapSpool(path, verify)
    except OSError:
        return None
    if is_of(description_in(path), key, run_id):  # again, as another process may have had it until now
        return spool
    spool.close()
    return None


def is_of(description: Mapping[str, str], key: str, run_id: str) -> bool:
    """Whether a folder's description is that of this map's run."""
    return description.get("key") == key and description.get("run") == run_id
