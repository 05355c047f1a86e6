"""A sweep at work: what is missing is trained, what is trained is kept, what is kept is recorded, and in the end summed up.

Each step looks at what is there, so that all of it may be cut short at any time and begun again.
"""

import json
import random
import shlex
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
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

ARTIFACTS = "artifacts"
MOST_WEIGHT_BYTES = 2**29  # of the figure of weights
NO_RUN = b""


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
    """A sweep with its folder and its parent run. `description` says how it was asked for (`sweep.describe`)."""

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
        from pipeline.tracking import STORE_ERRORS

        ended = "FAILED"
        try:
            if executor:
                self.train(executor, chunk_size)
            self.record_all()
            if self.kept.missing(len(self.plan)).any():
                ended = "KILLED"
                return None
            results = self.sum_up()
            ended = "FINISHED"
        except KeyboardInterrupt:
            ended = "KILLED"
            raise
        finally:
            try:
                self.store.end(self.parent, ended)
            except STORE_ERRORS as error:
                if ended == "FINISHED":
                    raise NotRecordedError(self.kept.path, error) from None
        self.kept.remove()
        return results

    def train(self, executor: Executor, chunk_size: int | None) -> None:
        """Trains what is missing, chunk by chunk; keeps and records each as soon as it is there."""
        missing = self.kept.missing(len(self.plan))
        waiting = ahead(make_chunk(self.plan, shape, places) for shape, places in chunks(self.plan, missing, chunk_size))
        with progress_bar() as bar:
            move = bar("runs", len(missing), int(np.count_nonzero(~missing)))
            for table in executor.train(waiting, move):
                with self.interrupts.held():
                    results = self.kept.add(table)
                self.interrupts.look()
                if not self.failures:
                    self.record(results)

    def record(self, results: Results) -> None:
        """Records the runs of a chunk that are to be and are not yet; what goes wrong is among the failures."""
        from pipeline.tracking import STORE_ERRORS

        rows = np.flatnonzero(
            chosen(self.tracking.runs, len(self.plan), results.places) & (self.run_ids[results.places] == NO_RUN)
        )
        if not len(rows):
            return
        places = results.places[rows]
        made = records(self.plan.trials(places), results.table.take(rows), self.plan.names(places))
        try:
            for place, (_, run_id) in zip(places, self.store.record_all(made, self.parent, self.interrupts), strict=True):
                self.run_ids[place] = run_id
        except STORE_ERRORS as error:
            self.failures.append(error)

    def record_all(self) -> None:
        """Records what is kept and not yet recorded. Raises NotRecordedError where the store does not take it."""
        self.failures.clear()
        for results in self.kept.results:
            self.record(results)
            if self.failures:
                raise NotRecordedError(self.kept.path, self.failures[0])

    def sum_up(self) -> "pd.DataFrame":
        """The sweep's tables, figures, report, configuration and description, stored with the parent run."""
        from pipeline.summary import note
        from pipeline.tracking import STORE_ERRORS

        folder = self.kept.path / ARTIFACTS
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        results = self.write_artifacts(folder)
        converged = int((results["status"] == "converged").sum())
        try:
            self.store.log_files(self.parent, folder)
            self.store.log_metrics(
                self.parent, {"runs": len(results), "converged": converged, "rate": converged / len(results)}
            )
            self.store.set_note(self.parent, note(results))
        except STORE_ERRORS as error:
            raise NotRecordedError(self.kept.path, error) from None
        return results

    def write_artifacts(self, folder: Path) -> "pd.DataFrame":
        """All files of the parent run; gives the results with what tables and figures need of them."""
        import pandas as pd

        from pipeline.figures import write_figures
        from pipeline.report import write_report
        from pipeline.summary import write_tables
        from pipeline.tracking import environment_tags
        from pipeline.trajectories import weights_of

        self.write_results(folder / "results.parquet")
        unread = ("run_id", "key", "digest")
        names = [name for name in pq.read_schema(folder / "results.parquet").names if name not in unread]
        results = pd.read_parquet(folder / "results.parquet", columns=names)
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
