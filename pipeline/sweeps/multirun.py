"""A multirun from the command line: read and checked once, started or resumed, trained, recorded, and summed up."""

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline.app.composition import Multirun
from pipeline.app.interrupts import Interrupts
from pipeline.app.progress import progress_bar
from pipeline.errors import ConfigError
from pipeline.results.rows import Indices
from pipeline.results.runs import Runs
from pipeline.results.sweep_results import SweepResults
from pipeline.sweeps.artifacts import results_tables
from pipeline.sweeps.axes import expand
from pipeline.sweeps.chunks import cut, make_chunk
from pipeline.sweeps.description import SweepDescription
from pipeline.sweeps.estimate import Estimate, check, check_number, estimate
from pipeline.sweeps.executors import executor
from pipeline.sweeps.executors.local import Local
from pipeline.sweeps.plan import Plan
from pipeline.sweeps.recorder import NO_RUN, runs_recorded
from pipeline.sweeps.resume import resumed, started
from pipeline.sweeps.session import SweepSession, UnfinishedError
from pipeline.trials.settings import RECORDED_BY_DEFAULT, RUN_KEYS, Settings, read_settings

if TYPE_CHECKING:
    from pipeline.stats.summary import Summary


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """A multirun that was read and checked: its trials, how they are run, the chunks that they are cut into, what it takes."""

    plan: Plan
    settings: Settings
    pieces: Sequence[Indices]
    estimate: Estimate

    def __str__(self) -> str:
        """What the sweep takes, and what is recorded of it, in a line each."""
        trials, runs = len(self.plan), self.settings.tracking.runs
        recorded = runs_recorded(runs, trials)
        default = "" if runs is not None else f", as always {'up to' if recorded else 'above'} {RECORDED_BY_DEFAULT:,} trials"
        if recorded == trials:
            what = f"all: a run in MLflow for each trial{default}"
        elif recorded:
            what = f"{recorded}: a run in MLflow for so many trials, at random; results.parquet has all"
        else:
            what = f"none: one run in MLflow for the sweep{default}; results.parquet has all trials"
        return f"{self.estimate}\ntracking.runs={what}"


def read_sweep(multirun: Multirun) -> SweepRequest:
    """The sweep that is requested. Raises ConfigError for a job that cannot be trained and for more than the limits allow."""
    jobs = expand(multirun.loader, multirun.config, multirun.arguments)
    if not len(jobs):
        raise ConfigError("sweep", " ".join(multirun.arguments), "has no jobs: an axis has no values")
    common: dict[str, Any] = {key: jobs.bases[0][key] for key in RUN_KEYS if key in jobs.bases[0]}
    settings = read_settings(jobs.bases[0])
    check_number(len(jobs), settings)
    plan = Plan.of_jobs(jobs, common)
    pieces = cut(plan, settings.curve_points, settings.executor.chunk)
    found = estimate(plan, pieces, settings)
    check(found, settings, multirun.folder)
    return SweepRequest(plan, settings, pieces, found)


def sweep(multirun: Multirun) -> None:
    """Trains and records every job of a multirun and prints the summary."""
    from pipeline.report.tables import report

    request = read_sweep(multirun)
    print(request)
    try:
        summary, parent, uri = run(request, multirun)
    except UnfinishedError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    print()
    print(report(summary))
    print(f"\nrecorded as run {parent} in {uri}; look at it with: make ui")


def run(request: SweepRequest, multirun: Multirun) -> "tuple[Summary, str, str]":
    """Trains and records the sweep, started or resumed; gives its summary, its parent run and the store's address.

    Raises ConfigError before anything is trained, and UnfinishedError where something is left to be done.
    """
    from pipeline.store.failures import needed
    from pipeline.store.write import Store

    settings = request.settings
    with Interrupts() as interrupts, closing(executor(settings.executor, interrupts)) as trainer:
        store = Store(settings.tracking.uri, settings.tracking.experiment)
        description = describe(request, multirun, store.uri)
        with needed(store.uri):
            spool, parent = resumed(store, description, settings.resume, multirun) or started(store, description, multirun)
            description = description.with_parent(parent)
            spool.describe(description.to_json())
        with closing(spool):
            session = SweepSession(request.plan, description, spool, store, parent, interrupts)
            try:
                summary = session.run(trainer, session.work(request.pieces, settings))
            except KeyboardInterrupt:
                print(f"\n{session.kept}", file=sys.stderr)
                raise
            except OSError as error:  # of the sweep's folder
                raise UnfinishedError(f"{error}; {session.kept}") from None
    assert summary is not None  # all is trained
    return summary, parent, store.uri


def train_here(request: SweepRequest, multirun: Multirun) -> tuple[SweepResults, Runs]:
    """Trains the sweep in this process and records nothing; gives its results, and its runs with their curves."""
    from pipeline.store.environment import environment_tags

    plan = request.plan
    with Interrupts() as interrupts, progress_bar() as bar:
        chunks = (make_chunk(plan, request.settings, indices) for indices in request.pieces)
        rows = sorted(Local(interrupts).train(chunks, bar("runs", len(plan))), key=lambda some: int(some.indices[0]))
    table = pa.concat_tables(results_tables(plan, rows, np.full(len(plan), NO_RUN)))
    results = SweepResults.from_arrow(
        table, name=multirun.study, configuration=multirun.configuration, environment=environment_tags()
    )
    return results, Runs(rows, len(plan))


def describe(request: SweepRequest, multirun: Multirun, uri: str) -> SweepDescription:
    """What sweep it is and how it was requested, to be recorded in the store at `uri`."""
    from pipeline.report.html import command_of

    return SweepDescription(
        key=request.plan.key(request.settings.curve_points),
        trials=len(request.plan),
        jobs=request.plan.as_data(),
        tracking=replace(request.settings.tracking, uri=uri),
        study=multirun.study,
        command=command_of(multirun.arguments),
        configuration=multirun.configuration,
        files=multirun.files,
    )
