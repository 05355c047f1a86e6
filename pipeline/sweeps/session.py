"""A sweep at work: trains what is missing, writes each result to the spool, records it, and in the end sums up.

Each step depends only on what the spool and the store have, so that a sweep may be interrupted at any time and resumed.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np

from pipeline.app.interrupts import Interrupts
from pipeline.app.progress import phase, progress_bar
from pipeline.backprop.batch import Batch
from pipeline.errors import ConfigError, printable
from pipeline.results.rows import Indices, RunRows
from pipeline.results.spool import DESCRIPTION, Spool
from pipeline.results.sweep_results import FILE
from pipeline.results.verification import MOST_POINTS, DamagedError, number_of_points, verify_trials
from pipeline.store.failures import A_MOMENT, reason, store_errors, store_errors_as_config_errors
from pipeline.store.records import table_tags
from pipeline.store.write import SWEEP_FOLDER_TAG, SWEEP_KEY_TAG, SWEEP_ORDER_TAG, Store
from pipeline.sweeps.artifacts.files import prepare, write_artifacts
from pipeline.sweeps.artifacts.results import Collected, write_results
from pipeline.sweeps.chunks import FEW_TRIALS, Work
from pipeline.sweeps.description import SweepDescription
from pipeline.sweeps.estimate import keeps_curves
from pipeline.sweeps.executors import Executor
from pipeline.sweeps.executors.overlap import ahead, behind
from pipeline.sweeps.plan import Plan
from pipeline.sweeps.recorder import Recorder
from pipeline.trials.batching import CURVE_POINTS, batch_of
from pipeline.trials.settings import Settings

if TYPE_CHECKING:
    from pipeline.stats.summary import Summary

FEW_VALUES = 1000  # of axes, with which a sweep's key takes well under a millisecond


class UnfinishedError(Exception):
    """Something of a sweep is left to be done; the message says what, and how."""


class NotRecordedError(UnfinishedError):
    """The store did not take all of it; it is kept in the folder `path`."""

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(
            printable(
                f"the store has not taken everything ({reason(error)}); what is trained is kept in {path}; "
                f"record it later with: python -m pipeline.push {shlex.quote(f'folder={path}')}"
            )
        )


def start_parent(store: Store, description: SweepDescription, spool: Spool) -> str:
    """A new parent run for a sweep; gives its id."""
    tags = {
        "sweep.trials": str(description.trials),
        "command": description.command,
        SWEEP_KEY_TAG: description.key,
        SWEEP_ORDER_TAG: description.order,
        SWEEP_FOLDER_TAG: str(spool.path),
    }
    if any(base["task"]["name"] == "csv" for base in description.jobs.bases):
        tags |= table_tags(*description.plan.groups)
    return store.begin("sweep", description.study, description.params, tags)


def verify(spool: Spool, plan: Plan, key: str | None = None) -> None:
    """Sets aside what an earlier process has left in the spool and is no result of these trials, to the last bit.

    Raises ConfigError, and leaves all as it is, where there is such and the trials are not those of the sweep with that key.
    """
    free = np.ones(len(plan), bool)

    def batch(indices: Indices, curve_points: int) -> Batch:
        _, batch_keys = plan.field("batch_key", indices)
        if (batch_keys != batch_keys[0]).any():
            raise DamagedError("has trials of different batches")
        return batch_of(plan.fields(indices), curve_points)

    def check(rows: RunRows) -> None:
        verify_trials(rows, batch, free)
        free[rows.indices] = False

    faults = spool.faults(check)
    if faults and key is not None and not has_key(plan, key, spool.rows):
        why = f"has results of other trials; a file that they are made from has changed, or {DESCRIPTION}"
        raise ConfigError("folder", str(spool.path), why)
    spool.set_aside(faults)


def has_key(plan: Plan, key: str, rows: Iterable[RunRows]) -> bool:
    """Whether this is the plan's key with some number of curve points: the default, the rows', or if that is quick, any."""
    points = {CURVE_POINTS}
    for some in rows:
        with suppress(DamagedError):
            points.add(number_of_points(some))
    if sum(len(axis.values) for axis in plan.product.axes) <= FEW_VALUES:
        points.update(range(2, MOST_POINTS + 1))
    return any(
        key in (plan.key(number), plan.key_in_order(number))
        for number in sorted(points, key=lambda number: number != CURVE_POINTS)
    )


@dataclass(frozen=True, slots=True)
class SweepSession:
    """One sweep: its plan, the spool of its results, and the parent run under which all is recorded.

    `with_causes`: it is looked for why runs do not converge; `kept` is called with the rows of each chunk as soon as they are
    in the spool.
    """

    plan: Plan
    description: SweepDescription
    spool: Spool
    store: Store
    parent: str
    interrupts: Interrupts
    with_causes: bool = False
    kept: Callable[[RunRows], None] | None = None

    def run(self, executor: Executor | None = None, work: Iterable[Work] = ()) -> "Summary | None":
        """Trains the work (with an executor), records and sums up; gives the summary, or None if not all is trained.

        Raises NotRecordedError if the store does not take all of it, and ConfigError if it does not answer at the start.
        """
        status, summary, folder = "FAILED", None, None
        with store_errors_as_config_errors(self.store.uri):
            recorder = Recorder(self.plan, self.description.tracking.runs, self.store, self.parent)
        try:
            folder = self.spool.artifacts()
            with closing(self._collected(None if recorder.records else folder / FILE)) as collected:
                for rows in self.spool.rows:
                    recorder.give(rows)
                with phase("results"):
                    for rows in self.spool.rows:
                        collected.add(rows)
                if executor:
                    Thread(target=prepare, daemon=True).start()
                    self._train(executor, work, recorder, collected)
                if recorder.failure:
                    self._finish(recorder)
                if self.spool.done == len(self.plan):
                    with self.interrupts.made_errors_of():
                        summary = write_artifacts(folder, self.plan, self.description, self.spool.rows, collected)
            self._finish(recorder)
            if summary is None:
                status = "KILLED"
            else:
                self._store_artifacts(folder, summary, recorder)
                status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            recorder.stop()
            if folder and summary is None:
                with suppress(OSError):  # where something is there
                    folder.rmdir()
            try:
                self.store.end(self.parent, status, None if status == "FINISHED" else A_MOMENT)
            except store_errors() as error:
                if status == "FINISHED":
                    raise NotRecordedError(self.spool.path, error) from None
        if summary is not None:
            self.spool.remove()
        return summary

    @property
    def progress(self) -> str:
        """How much of an interrupted sweep is trained, and where that is."""
        done, path = self.spool.done, self.spool.path
        return f"{done:,} of {len(self.plan):,} runs are kept in {path}; the same command resumes from there"

    def work(self, pieces: Sequence[Indices], settings: Settings) -> Iterator[Work]:
        """The chunks of the trials that are not trained yet, each made while the one before is trained."""
        missing = self.spool.missing(len(self.plan))
        remaining = (piece[missing[piece]] for piece in pieces)
        with_curves = keeps_curves(settings.tracking, len(self.plan))
        return ahead(self.plan.chunk(indices, settings, with_curves) for indices in remaining if len(indices))

    def _collected(self, path: Path | None) -> Collected:
        """What is made of the results while others are trained, and where to."""
        return Collected(self.plan, self.with_causes or any(rows.has_causes for rows in self.spool.rows), path)

    def _train(self, executor: Executor, work: Iterable[Work], recorder: Recorder, collected: Collected) -> None:
        """Trains chunk by chunk; writes each result to the spool at once, and has it recorded."""

        def add(trained: RunRows) -> RunRows:
            rows = self.spool.add(trained.table)
            collected.add(rows)
            return rows

        with progress_bar() as bar:
            progress = bar("runs", len(self.plan), self.spool.done)
            trained = executor.train(work, progress)
            added = behind(trained, add, lambda some: some.table.num_rows < FEW_TRIALS, self.interrupts)
            with closing(added):
                for rows in added:
                    recorder.give(rows)
                    if self.kept:
                        self.kept(rows)
            self.interrupts.raise_if_requested()

    def _finish(self, recorder: Recorder) -> None:
        """Waits until all is recorded. Raises NotRecordedError if the store does not take all of it."""
        if failure := recorder.finish(self.spool.rows, self.interrupts.raise_if_requested):
            raise NotRecordedError(self.spool.path, failure)

    def _store_artifacts(self, folder: Path, summary: "Summary", recorder: Recorder) -> None:
        """Stores what `write_artifacts` wrote there with the parent run, with metrics and a description."""
        from pipeline.report.metrics import numbers, share_converged
        from pipeline.report.note import note

        with phase("storing"):
            if recorder.records:  # the ids of the runs are known only now
                write_results(folder / FILE, self.plan, self.spool.rows, recorder.run_ids)
            try:
                self.store.log_files(self.parent, folder, True)  # final: nobody writes to them again
                self.store.log_metrics(self.parent, numbers(summary), {"share_converged": share_converged(summary)})
                page, figures = (self.store.experiment_id, self.parent), [path.stem for path in folder.glob("figures/*.png")]
                self.store.set_note(self.parent, note(summary, page, figures, **self.description.origin))
            except store_errors() as error:
                raise NotRecordedError(self.spool.path, error) from None
