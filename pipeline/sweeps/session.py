"""A sweep at work: what is missing is trained, what is trained is kept, what is kept is recorded, and in the end summed up.

Each step looks at what is there, so that all of it may be cut short at any time and begun again.
"""

import json
import random
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.app.interrupts import Interrupts
from pipeline.app.progress import progress_bar
from pipeline.results.rows import Indices, RunRows
from pipeline.results.runs import Runs
from pipeline.results.spool import Spool
from pipeline.store.records import records
from pipeline.sweeps.chunks import Chunk, chunks, make_chunk
from pipeline.sweeps.executors import Executor
from pipeline.sweeps.plan import Plan
from pipeline.trials.settings import RECORDED_BY_DEFAULT, Tracking

if TYPE_CHECKING:
    from pipeline.stats.summary import Summary
    from pipeline.store.write import Store

from pipeline.results.files import write_curves, write_weights
from pipeline.sweeps.recorder import Recorder

ARTIFACTS, RESULTS = "artifacts", "results.parquet"

MOST_WEIGHT_BYTES = 2**29  # of the figure of weights

NO_RUN = b""


class NotRecordedError(Exception):
    """The store did not take all of it; `where` it is kept."""

    def __init__(self, where: Path, error: Exception) -> None:
        from pipeline.store.failures import reason

        super().__init__(
            f"the store has not taken everything ({reason(error)}); what is trained is kept in {where}; "
            f"record it later with: python -m pipeline.push {shlex.quote(f'folder={where}')}"
        )


@dataclass(frozen=True)
class SweepSession:
    """A sweep with its folder and its parent run. `description` says how it was asked for (`sweep.described`)."""

    plan: Plan
    tracking: Tracking
    kept: Spool
    store: "Store"
    parent: str
    description: Mapping[str, Any]
    interrupts: Interrupts
    run_ids: NDArray[np.bytes_]
    failures: list[Exception] = field(default_factory=list)

    @classmethod
    def start(
        cls,
        plan: Plan,
        tracking: Tracking,
        kept: Spool,
        store: "Store",
        parent: str,
        description: Mapping[str, Any],
        interrupts: Interrupts,
    ) -> "SweepSession":
        """Goes on with what is kept and recorded."""
        run_ids = np.full(len(plan), NO_RUN, "S32")
        for place, run_id in store.recorded(parent).items():
            run_ids[place] = run_id
        return cls(plan, tracking, kept, store, parent, description, interrupts, run_ids)

    def run(self, executor: Executor | None, chunk_size: int | None = None) -> "Summary | None":
        """Trains (with an executor), records and sums up; gives the summary, or None where not all is trained.

        Raises NotRecordedError where the store does not take it.
        """
        from pipeline.store.failures import STORE_ERRORS
        from pipeline.store.retries import A_MOMENT

        ended, summary = "FAILED", None
        recorder = Recorder(self.record)
        try:
            for kept in self.kept.results:
                recorder.give(kept)
            if executor:
                self.train(executor, chunk_size, recorder)
            if self.failures:
                self.finish(recorder)
            if self.kept.done == len(self.plan):
                summary = self.write_artifacts()
            self.finish(recorder)
            if summary is None:
                ended = "KILLED"
            else:
                self.store_artifacts(summary)
                ended = "FINISHED"
        except KeyboardInterrupt:
            ended = "KILLED"
            raise
        finally:
            recorder.stop()
            try:
                self.store.end(self.parent, ended, None if ended == "FINISHED" else A_MOMENT)
            except STORE_ERRORS as error:
                if ended == "FINISHED":
                    raise NotRecordedError(self.kept.path, error) from None
        if summary is not None:
            self.kept.remove()
        return summary

    def train(self, executor: Executor, chunk_size: int | None, recorder: "Recorder") -> None:
        """Trains what is missing, chunk by chunk; keeps each as soon as it is there, and has it recorded."""
        missing = self.kept.missing(len(self.plan))
        waiting = ahead(make_chunk(self.plan, shape, places) for shape, places in chunks(self.plan, missing, chunk_size))
        with progress_bar() as bar:
            move = bar("runs", len(missing), self.kept.done)
            for table in executor.train(waiting, move):
                with self.interrupts.deferred():
                    results = self.kept.add(table)
                self.interrupts.raise_if_requested()
                recorder.give(results)

    def record(self, results: RunRows, look: Callable[[], None]) -> None:
        """Records the runs of a chunk that are to be and are not yet; what goes wrong is a failure, after which none is tried.

        `look` is called between runs or some hundreds of them, and ends it by an exception.
        """
        from pipeline.store.failures import STORE_ERRORS

        rows = np.flatnonzero(
            chosen(self.tracking.runs, len(self.plan), results.places) & (self.run_ids[results.places] == NO_RUN)
        )
        if self.failures or not len(rows):
            return
        places = results.places[rows]
        made = records(self.plan.trials(places), results.table.take(rows), self.plan.names(places))
        try:
            for place, (_, run_id) in zip(places, self.store.record_all(made, self.parent, look), strict=True):
                self.run_ids[place] = run_id
        except STORE_ERRORS as error:
            self.failures.append(error)

    def finish(self, recorder: "Recorder") -> None:
        """Waits until all is recorded, and tries what has failed once more. Raises NotRecordedError if it fails again."""
        recorder.finish(self.interrupts.raise_if_requested)
        if self.failures:
            self.failures.clear()
            again = Recorder(self.record)
            try:
                for results in self.kept.results:
                    again.give(results)
                again.finish(self.interrupts.raise_if_requested)
            finally:
                again.stop()
        if self.failures:
            raise NotRecordedError(self.kept.path, self.failures[0])

    def store_artifacts(self, summary: "Summary") -> None:
        """Stores what `write_artifacts` wrote with the parent run, with metrics and a description."""
        from pipeline.report.tables import note
        from pipeline.store.failures import STORE_ERRORS

        folder = self.kept.path / ARTIFACTS
        if (self.run_ids != NO_RUN).any():
            self.write_results(folder / RESULTS)  # now with the ids of runs
        converged = int(summary.sample.event.sum())
        metrics = {"runs": len(summary), "converged": converged, "rate": converged / len(summary)}
        try:
            self.store.log_files(self.parent, folder)
            self.store.log_metrics(self.parent, metrics)
            self.store.set_note(self.parent, note(summary))
        except STORE_ERRORS as error:
            raise NotRecordedError(self.kept.path, error) from None

    def write_artifacts(self) -> "Summary":
        """The sweep's tables, figures, report and configuration as files; gives the summary that they were made from."""
        import pandas as pd

        from pipeline.report.figures.files import write_figures
        from pipeline.report.figures.trajectories import weights_of
        from pipeline.report.html import write_report
        from pipeline.report.tables import write_tables
        from pipeline.stats.summary import Summary
        from pipeline.store.environment import environment_tags

        folder = self.kept.path / ARTIFACTS
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.write_results(folder / RESULTS)
        unread = ("run_id", "key", "digest")
        names = [name for name in pq.read_schema(folder / RESULTS).names if name not in unread]
        summary = Summary(pd.read_parquet(folder / RESULTS, columns=names))
        write_tables(summary, folder)
        runs = Runs(self.kept, len(self.plan))
        small = runs.networks == 1 and len(runs) * runs.results[0].network.size * 16 <= MOST_WEIGHT_BYTES
        captions = write_figures(summary, folder / "figures", runs, weights_of(runs) if small else None)
        write_report(
            folder / "report.html",
            summary,
            self.description["configuration"],
            captions,
            environment_tags(),
            self.description["command"],
            self.description["study"],
        )
        for name in ("config.yaml", "overrides.yaml"):
            (folder / name).write_text(self.description[name], encoding="utf-8")
        (folder / "jobs.json").write_text(json.dumps(self.description["jobs"]), encoding="utf-8")
        if self.tracking.curves:
            write_curves(self.kept, len(self.plan), folder / "curves.parquet")
        if self.tracking.weights:
            write_weights(self.kept, folder / "weights")
        return summary

    def write_results(self, path: Path) -> None:
        """results.parquet, a row per trial in their order, written in pieces."""
        writer = None
        horizons = np.array([trial.batch_key.max_epochs for trial in self.plan.groups])
        for rows in self.kept.rows(len(self.plan)):
            places = rows.column("place").to_numpy()
            columns = {name: pa.array(self.plan.column(name, places), from_pandas=False) for name in self.plan.axes}
            columns |= {name: rows.column(name) for name in ("status", "epochs", "final_error", "gradient_norm")}
            ids = self.run_ids[places].astype(str)
            columns["run_id"] = pa.array(ids, pa.string(), mask=ids == "")
            columns |= {name: rows.column(name) for name in ("key", "digest")}
            columns["horizon"] = pa.array(horizons[self.plan.group(places)])
            table = pa.table(columns)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
        assert writer
        writer.close()


def ahead(items: Iterator[Chunk]) -> Iterator[Chunk]:
    """The items, each made while the one before is worked on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def chosen(runs: str | int | None, trials: int, places: Indices) -> NDArray[np.bool_]:
    """Which of the trials at these places get a run of their own."""
    number = runs_recorded(runs, trials)
    if number == trials or not number:
        return np.full(len(places), bool(number))
    return np.isin(places, random.Random(0).sample(range(trials), number))


def runs_recorded(runs: str | int | None, trials: int) -> int:
    """How many of the trials get a run of their own, with `tracking.runs` being this."""
    if runs is None:
        return trials if trials <= RECORDED_BY_DEFAULT else 0
    return {"all": trials, "none": 0}[runs] if isinstance(runs, str) else min(runs, trials)
