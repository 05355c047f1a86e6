"""A multirun from the command line: started or resumed, trained, recorded, and summed up."""

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.app.composition import Multirun
from pipeline.app.interrupts import Interrupts
from pipeline.app.job_callbacks import JobCallbacks
from pipeline.app.progress import phase
from pipeline.app.terminal import show, width
from pipeline.backprop.status import STATUSES, Status
from pipeline.errors import ConfigError, printable
from pipeline.report.announcement import announce
from pipeline.report.command import command_of
from pipeline.results.rows import RunRows
from pipeline.results.spool import Spool, SpoolInUseError
from pipeline.store.failures import store_errors_as_config_errors
from pipeline.store.write import SWEEP_FOLDER_TAG, SWEEP_KEY_TAG, SWEEP_ORDER_TAG, Store
from pipeline.sweeps.description import SweepDescription
from pipeline.sweeps.executors import executor
from pipeline.sweeps.executors.overlap import short_turns
from pipeline.sweeps.request import SweepRequest, pieces_of
from pipeline.sweeps.session import SweepSession, UnfinishedError, start_parent, verify
from pipeline.sweeps.single import objective

if TYPE_CHECKING:
    from pipeline.stats.summary import Summary


def sweep(request: SweepRequest, callbacks: JobCallbacks | None = None) -> None:
    """Trains and records every job of a multirun, tells the callbacks of each, and prints the summary."""
    announce((trial.batch_key for trial in request.plan.groups), request.unreached, request.plan.equal_units)
    print(request)
    try:
        summary, parent, store = run(request, callbacks)
    except UnfinishedError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    from pipeline.report.tables import report_parts  # with SciPy: not before runs are trained

    print()
    show(report_parts(summary, width(), **describe(request, store.uri).origin))
    print(f"\nrecorded as run {parent} in {store.uri}")
    print(store.how_to_look(parent))
    print("its report.html, figures/ and summary/ are there; of some runs, in any format:")
    print("python -m pipeline.summary --help")


def run(request: SweepRequest, callbacks: JobCallbacks | None = None) -> "tuple[Summary, str, Store]":
    """Trains and records the sweep, started or resumed; gives its summary, its parent run and the store.

    Raises ConfigError before anything is trained, and UnfinishedError where something is left to be done.
    """
    settings, tracking = request.settings, request.settings.tracking
    with Interrupts() as interrupts, closing(executor(settings.executor, interrupts)) as trainer, short_turns():
        with phase("opening"):
            store = Store(tracking.uri, tracking.experiment, tracking.artifacts)
        description = describe(request, store.uri)
        with store_errors_as_config_errors(store.uri):
            found = resumed(store, description, request)
            fixed = [axis.texts[0] for axis in request.plan.product.axes if not axis.varies]
            spool, description, request = found or (*started(store, description, request.multirun), request)
            parent = description.parents[0]
        with closing(spool):
            spool.describe(description.to_json())
            kept = teller(callbacks, fixed, request) if callbacks else None
            session = SweepSession(request.plan, description, spool, store, parent, interrupts, settings.causes, kept)
            try:
                summary = session.run(trainer, session.work(request.pieces, settings))
            except KeyboardInterrupt:
                print(f"\n{session.progress}", file=sys.stderr)
                raise
            except OSError as error:  # of the sweep's folder
                raise UnfinishedError(f"{error}; {session.progress}") from None
    assert summary is not None  # all is trained
    return summary, parent, store


def teller(callbacks: JobCallbacks, fixed: Sequence[str], request: SweepRequest) -> Callable[[RunRows], None]:
    """What tells the callbacks of the jobs of a chunk; `fixed` are the overrides that all jobs have."""
    plan, name = request.plan, request.settings.objective

    def tell(rows: RunRows) -> None:
        columns = [rows.column(column).tolist() for column in ("status", "epochs", "final_error")]
        horizons = plan.horizons(rows.indices).to_pylist()
        for index, status, epochs, error, horizon in zip(rows.indices.tolist(), *columns, horizons, strict=True):
            own = plan.product[index].overrides
            overrides = [*(text for text in fixed if text not in own), *own]
            callbacks.call(index, overrides, objective(name, Status(STATUSES.index(status)), epochs, error, horizon))

    return tell


def describe(request: SweepRequest, uri: str) -> SweepDescription:
    """What sweep it is and how it was requested, to be recorded in the store at `uri`."""
    multirun = request.multirun
    return SweepDescription(
        key=request.plan.key(request.settings.curve_points),
        trials=len(request.plan),
        jobs=request.plan.jobs,
        tracking=replace(request.settings.tracking, uri=uri),
        study=request.name,
        command=command_of(multirun.words),
        configuration=multirun.configuration,
        files=multirun.files,
    )


def started(store: Store, description: SweepDescription, multirun: Multirun) -> tuple[Spool, SweepDescription]:
    """A spool and a parent run for a new sweep."""
    spool = new_spool(multirun)
    spool.describe(description.to_json())
    try:
        return spool, description.under(start_parent(store, description, spool))
    except BaseException:  # nothing is trained yet
        spool.remove()
        raise


def new_spool(multirun: Multirun) -> Spool:
    """A spool in the sweep's output folder, beside the files that Hydra leaves of a job."""
    multirun.write_files()
    return Spool.new(multirun.folder)


def resumed(
    store: Store, description: SweepDescription, request: SweepRequest
) -> tuple[Spool, SweepDescription, SweepRequest] | None:
    """The spool and the parent run of this sweep, if it was interrupted and is to be resumed. Raises ConfigError.

    The request has the trials in the order in which the sweep was begun. If its folder is not on this machine, another machine
    may be at work on it, so it is resumed only by its run id.
    """
    resume = request.settings.resume
    if resume == "never":
        return None
    plan, points = request.plan, request.settings.curve_points
    keys = dict.fromkeys([plan.key(points), plan.key_in_order(points)])  # the second one is that of sweeps of before
    for run in chain.from_iterable(map(store.unfinished, keys)):
        path, parent = Path(run.data.tags.get(SWEEP_FOLDER_TAG, "")), run.info.run_id
        if resume not in ("auto", parent):
            continue
        this = replace(description, key=run.data.tags[SWEEP_KEY_TAG])
        try:
            if left := left_spool(path, this.key, parent):
                return resumed_here(store, this.under(parent, left[1].parents), *left, request)
        except SpoolInUseError:
            if resume == "auto":
                continue
            raise ConfigError("resume", resume, "cannot go on: it is running, in another process") from None
        if resume == parent:
            order = run.data.tags.get(SWEEP_ORDER_TAG)
            if order != this.order if order else this.key != plan.key_in_order(points):
                begun = "its folder is not here, and it was begun with its trials in another order; by: "
                raise ConfigError("resume", resume, begun + run.data.tags.get("command", ""))
            return *resumed_elsewhere(store, this.under(parent), path, request), request
    if resume != "auto":
        raise ConfigError("resume", resume, "is not an interrupted sweep of this same command in this store")
    return None


def left_spool(path: Path, key: str, parent: str) -> tuple[Spool, SweepDescription] | None:
    """The spool in a folder that a store names, with its description, if it is really that of this sweep.

    It has no parent run yet where the process was killed as it began the run: it is anyone's then, and has no results.
    Raises SpoolInUseError.
    """

    def description() -> SweepDescription | None:
        try:
            left = SweepDescription.of_folder(path)
        except ConfigError:
            return None
        empty = not left.parents and not any(path.glob("*.arrow"))
        return left if left.key == key and (empty or parent in left.parents) else None

    if not path.is_absolute() or description() is None:
        return None
    try:
        spool = Spool(path)
    except OSError:
        return None
    left = description()  # again, as another process may have had it until now
    if left is None:
        spool.close()
        return None
    return spool, left


def resumed_here(
    store: Store, description: SweepDescription, spool: Spool, left: SweepDescription, request: SweepRequest
) -> tuple[Spool, SweepDescription, SweepRequest]:
    """The sweep in its own folder, with those of its results that are believed, its trials in the order of its description."""
    try:
        if left.order != description.order:
            description, request = as_begun(description, left, request)
        verify(spool, request.plan)
        store.begin_again(description.parents[0], spool.path)
    except BaseException:
        spool.close()
        raise
    trained = f"{spool.done:,} of {len(request.plan):,} trials are trained (resume=never starts anew)"
    print(f"resuming run {description.parent}: {trained}")
    return spool, description, request


def as_begun(
    description: SweepDescription, left: SweepDescription, request: SweepRequest
) -> tuple[SweepDescription, SweepRequest]:
    """The sweep and its request with the trials in the order that was left. Raises ConfigError where they are others."""
    plan, settings = left.plan, request.settings
    if plan.key(settings.curve_points) != request.plan.key(settings.curve_points):
        raise ConfigError("sweep", left.command, "has other trials than its description, sweep.json, says: use resume=never")
    begun = replace(left, tracking=description.tracking, parent=description.parent, others=description.others)
    return begun, replace(request, plan=plan, pieces=pieces_of(plan, settings))


def resumed_elsewhere(
    store: Store, description: SweepDescription, path: Path, request: SweepRequest
) -> tuple[Spool, SweepDescription]:
    """The sweep in a new folder, as its own, `path`, is not here."""
    spool = new_spool(request.multirun)
    try:
        spool.describe(description.to_json())
        store.begin_again(description.parents[0], spool.path)
    except BaseException:  # nothing is trained yet
        spool.remove()
        raise
    what = "is not here, so all of it is trained again, but nothing recorded twice"
    print(f"resuming run {description.parent}: its folder {printable(str(path))} {what}")
    return spool, description
