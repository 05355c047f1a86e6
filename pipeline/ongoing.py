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
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.chunks import Chunk, Results, chunks, make_chunk, whole
from pipeline.control import Interrupts, progress_bar
from pipeline.executors import Executor
from pipeline.kept import Kept, Runs
from pipeline.plan import Places, Plan
from pipeline.records import records
from pipeline.settings import RECORDED_BY_DEFAULT, Tracking

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.tracking import Store

ARTIFACTS, RESULTS = "artifacts", "results.parquet"
MOST_WEIGHT_BYTES = 2**29  # of the figure of weights
NO_RUN = b""
SECONDS_BETWEEN_LOOKS, SECONDS_TO_STOP = 0.05, 0.7


class NotRecordedError(Exception):
    """The store did not take all of it; `where` it is kept."""

    def __init__(self, where: Path, error: Exception) -> None:
        from pipeline.tracking import reason

        super().__init__(
            f"the store has not taken everything ({reason(error)}); what is trained is kept in {where}; "
            f"record it later with: python -m pipeline.push {shlex.quote(f'folder={where}')}"
        )


@dataclass(frozen=True)
class Ongoing:
    """A sweep with its folder and its parent run. `description` says how it was asked for (`sweep.described`)."""

    plan: Plan
    tracking: Tracking
    kept: Kept
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
        kept: Kept,
        store: "Store",
        parent: str,
        description: Mapping[str, Any],
        interrupts: Interrupts,
    ) -> "Ongoing":
        """Goes on with what is kept and recorded."""
        run_ids = np.full(len(plan), NO_RUN, "S32")
        for place, run_id in store.recorded(parent).items():
            run_ids[place] = run_id
        return cls(plan, tracking, kept, store, parent, description, interrupts, run_ids)

    def run(self, executor: Executor | None, chunk_size: int | None = None) -> "pd.DataFrame | None":
        """Trains (with an executor), records and sums up; gives the results, or None where not all is trained.

        Raises NotRecordedError where the store does not take it.
        """
        from pipeline.tracking import A_MOMENT, STORE_ERRORS

        ended, results = "FAILED", None
        recorder = Recorder(self.record)
        try:
            for kept in self.kept.results:
                recorder.give(kept)
            if executor:
                self.train(executor, chunk_size, recorder)
            if self.failures:
                self.finish(recorder)
            if self.kept.done == len(self.plan):
                results = self.write_artifacts()
            self.finish(recorder)
            if results is None:
                ended = "KILLED"
            else:
                self.store_artifacts(results)
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
        if results is not None:
            self.kept.remove()
        return results

    def train(self, executor: Executor, chunk_size: int | None, recorder: "Recorder") -> None:
        """Trains what is missing, chunk by chunk; keeps each as soon as it is there, and has it recorded."""
        missing = self.kept.missing(len(self.plan))
        waiting = ahead(make_chunk(self.plan, shape, places) for shape, places in chunks(self.plan, missing, chunk_size))
        with progress_bar() as bar:
            move = bar("runs", len(missing), self.kept.done)
            for table in executor.train(waiting, move):
                with self.interrupts.held():
                    results = self.kept.add(table)
                self.interrupts.look()
                recorder.give(results)

    def record(self, results: Results, look: Callable[[], None]) -> None:
        """Records the runs of a chunk that are to be and are not yet; what goes wrong is a failure, after which none is tried.

        `look` is called between runs or some hundreds of them, and ends it by an exception.
        """
        from pipeline.tracking import STORE_ERRORS

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
        recorder.finish(self.interrupts.look)
        if self.failures:
            self.failures.clear()
            again = Recorder(self.record)
            try:
                for results in self.kept.results:
                    again.give(results)
                again.finish(self.interrupts.look)
            finally:
                again.stop()
        if self.failures:
            raise NotRecordedError(self.kept.path, self.failures[0])

    def store_artifacts(self, results: "pd.DataFrame") -> None:
        """Stores what `write_artifacts` wrote with the parent run, with metrics and a description."""
        from pipeline.summary import note
        from pipeline.tracking import STORE_ERRORS

        folder = self.kept.path / ARTIFACTS
        if (self.run_ids != NO_RUN).any():
            self.write_results(folder / RESULTS)  # now with the ids of runs
        converged = int((results["status"] == "converged").sum())
        metrics = {"runs": len(results), "converged": converged, "rate": converged / len(results)}
        try:
            self.store.log_files(self.parent, folder)
            self.store.log_metrics(self.parent, metrics)
            self.store.set_note(self.parent, note(results))
        except STORE_ERRORS as error:
            raise NotRecordedError(self.kept.path, error) from None

    def write_artifacts(self) -> "pd.DataFrame":
        """The sweep's tables, figures, report and configuration as files; gives what they need of the results."""
        import pandas as pd

        from pipeline.environment import environment_tags
        from pipeline.figures import write_figures
        from pipeline.report import write_report
        from pipeline.summary import write_tables
        from pipeline.trajectories import weights_of

        folder = self.kept.path / ARTIFACTS
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.write_results(folder / RESULTS)
        unread = ("run_id", "key", "digest")
        names = [name for name in pq.read_schema(folder / RESULTS).names if name not in unread]
        results = pd.read_parquet(folder / RESULTS, columns=names)
        write_tables(results, folder)
        runs = Runs(self.kept, len(self.plan))
        small = runs.networks == 1 and len(runs) * runs.results[0].network.size * 16 <= MOST_WEIGHT_BYTES
        captions = write_figures(results, folder / "figures", runs, weights_of(runs) if small else None)
        write_report(
            folder / "report.html",
            results,
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
        return results

    def write_results(self, path: Path) -> None:
        """results.parquet, a row per trial in their order, written in pieces."""
        writer = None
        horizons = np.array([trial.shape.max_epochs for trial in self.plan.groups])
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


class Recorder:
    """A thread that records results, as they are given, while others are trained and figures are drawn."""

    def __init__(self, record: Callable[[Results, Callable[[], None]], None]) -> None:
        self.record = record
        self.given: SimpleQueue[Results | None] = SimpleQueue()
        self.stopped = False
        self.error: BaseException | None = None
        self.thread = Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        try:
            while results := self.given.get():
                self.record(results, self._look)
        except BaseException as error:
            self.error = error

    def _look(self) -> None:
        if self.stopped:
            raise KeyboardInterrupt

    def give(self, results: Results) -> None:
        """Has a chunk recorded, after those that were given before."""
        self.given.put(results)

    def finish(self, look: Callable[[], None]) -> None:
        """Waits until all that was given is recorded, and calls `look` meanwhile. Raises what went wrong."""
        self.given.put(None)
        while self.thread.is_alive():
            self.thread.join(SECONDS_BETWEEN_LOOKS)
            look()
        if self.error:
            raise self.error

    def stop(self) -> None:
        """Has it stop after what it is writing, and waits for that a moment: a server may not answer."""
        self.stopped = True
        self.given.put(None)
        self.thread.join(SECONDS_TO_STOP)


def ahead(items: Iterator[Chunk]) -> Iterator[Chunk]:
    """The items, each made while the one before is worked on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def chosen(runs: str | int | None, trials: int, places: Places) -> NDArray[np.bool_]:
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


def write_curves(kept: Kept, trials: int, path: Path) -> None:
    """curves.parquet: `place` (the row in results.parquet), `epoch` and `error` of every kept point and of a run's end."""
    schema = pa.schema({"place": pa.int64(), "epoch": pa.int64(), "error": pa.float64()})
    with pq.ParquetWriter(path, schema) as writer:
        for results in kept.results:
            curve = whole(results.table.column("curve"))
            lengths = np.diff(curve.offsets.to_numpy())
            points = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            ends = np.cumsum(lengths)
            columns = [
                np.repeat(results.places, lengths + 1),
                np.insert(results.curve_epochs[points], ends, results.column("epochs")),
                np.insert(curve.flatten().to_numpy(), ends, results.column("final_error")),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def write_weights(kept: Kept, folder: Path) -> None:
    """Final and initial weights as .npz files: arrays (R, units, inputs) or (R, units), and `place` (R,)."""
    folder.mkdir()
    for results in kept.results:
        arrays: dict[str, Any] = {"place": results.places}
        for prefix, column in (("", "parameters"), ("initial_", "initial")):
            weights, biases = results.network.split(results.column(column).T)
            for name, array in zip(results.network.names, [*weights, *biases], strict=True):
                if array.size:
                    arrays[prefix + name] = np.moveaxis(array, -1, 0)
        np.savez(folder / f"{results.places[0]:010d}.npz", **arrays)
