"""A multirun from the command line: started or resumed, trained, recorded, and summed up."""

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pipeline.app.composition import Multirun
from pipeline.app.interrupts import Interrupts
from pipeline.errors import ConfigError
from pipeline.report.html import command_of
from pipeline.report.tables import report
from pipeline.results.spool import Spool, SpoolInUseError
from pipeline.stats.summary import Summary
from pipeline.store.failures import store_errors_as_config_errors
from pipeline.store.write import SWEEP_FOLDER_TAG, Store
from pipeline.sweeps.description import SweepDescription
from pipeline.sweeps.executors import executor
from pipeline.sweeps.request import SweepRequest
from pipeline.sweeps.session import SweepSession, UnfinishedError, start_parent


def sweep(request: SweepRequest) -> None:
    """Trains and records every job of a multirun and prints the summary."""
    print(request)
    try:
        summary, parent, uri = run(request)
    except UnfinishedError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    print()
    print(report(summary))
    print(f"\nrecorded as run {parent} in {uri}; look at it with: make ui")


def run(request: SweepRequest) -> tuple[Summary, str, str]:
    """Trains and records the sweep, started or resumed; gives its summary, its parent run and the store's address.

    Raises ConfigError before anything is trained, and UnfinishedError where something is left to be done.
    """
    settings = request.settings
    with Interrupts() as interrupts, closing(executor(settings.executor, interrupts)) as trainer:
        store = Store(settings.tracking.uri, settings.tracking.experiment)
        description = describe(request, store.uri)
        with store_errors_as_config_errors(store.uri):
            spool, parent = resumed(store, description, request) or started(store, description, request.multirun)
            description = replace(description, parent=parent)
            spool.describe(description.to_json())
        with closing(spool):
            session = SweepSession(request.plan, description, spool, store, parent, interrupts)
            try:
                summary = session.run(trainer, session.work(request.pieces, settings))
            except KeyboardInterrupt:
                print(f"\n{session.progress}", file=sys.stderr)
                raise
            except OSError as error:  # of the sweep's folder
                raise UnfinishedError(f"{error}; {session.progress}") from None
    assert summary is not None  # all is trained
    return summary, parent, store.uri


def describe(request: SweepRequest, uri: str) -> SweepDescription:
    """What sweep it is and how it was requested, to be recorded in the store at `uri`."""
    multirun = request.multirun
    return SweepDescription(
        key=request.plan.key(request.settings.curve_points),
        trials=len(request.plan),
        jobs=request.plan.as_data(),
        tracking=replace(request.settings.tracking, uri=uri),
        study=multirun.study,
        command=command_of(multirun.words),
        configuration=multirun.configuration,
        files=multirun.files,
    )


def started(store: Store, description: SweepDescription, multirun: Multirun) -> tuple[Spool, str]:
    """A spool and a parent run for a new sweep."""
    spool = new_spool(multirun)
    spool.describe(description.to_json())
    try:
        return spool, start_parent(store, description, spool)
    except BaseException:  # nothing is trained yet
        spool.remove()
        raise


def new_spool(multirun: Multirun) -> Spool:
    """A spool in the sweep's output folder, beside the files that Hydra leaves of a job."""
    multirun.write_files()
    return Spool.new(multirun.folder)


def resumed(store: Store, description: SweepDescription, request: SweepRequest) -> tuple[Spool, str] | None:
    """The spool and the parent run of this sweep, if it was interrupted and is to be resumed. Raises ConfigError.

    If its folder is not on this machine, another machine may be at work on it, so it is resumed only by its run id.
    """
    resume = request.settings.resume
    for run in store.unfinished(description.key) if resume != "never" else ():
        path, parent = Path(run.data.tags.get(SWEEP_FOLDER_TAG, "")), run.info.run_id
        if resume not in ("auto", parent):
            continue
        here = (path / "lock").exists()
        if not here and resume == "auto":
            continue
        try:
            spool = Spool(path) if here else new_spool(request.multirun)
        except SpoolInUseError:
            if resume == "auto":
                continue
            raise ConfigError("resume", resume, "cannot go on: it is running, in another process") from None
        try:
            store.begin_again(parent, spool.path)
        except BaseException:
            if not here:  # nothing is trained yet
                spool.remove()
            raise
        trained = (
            f"{spool.done:,} of {description.trials:,} trials are trained (resume=never starts anew)"
            if here
            else f"its folder {path} is not here, so all of it is trained again, but nothing recorded twice"
        )
        print(f"resuming run {parent}: {trained}")
        return spool, parent
    if resume not in ("auto", "never"):
        raise ConfigError("resume", resume, "is not an interrupted sweep of this same command in this store")
    return None
