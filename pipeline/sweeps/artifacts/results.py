"""The results of a sweep, a row per trial in their order: results.parquet, and what the statistics read of it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.results.columns import CAUSE_NUMBERS, CAUSES, HELD_OUT, NO_AXES
from pipeline.results.held_out_scores import held_out_scores, score_names
from pipeline.results.rows import Indices, RunRows
from pipeline.results.runs import InOrder
from pipeline.results.sweep_results import AXES
from pipeline.sweeps.plan import Plan
from pipeline.trials.tasks import load

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.parquet as pq

RunIds = NDArray[np.bytes_]  # (trials,), NO_RUN of those that have no run of their own
NO_RUN = b""
UNREAD = ("gradient_norm", "run_id", "digest", "lambda_min", "cause_digest")  # by the statistics
WORDS = ("status", "cause")  # columns of few texts
# Columns whose values are all different: a dictionary, compression or statistics of them would take time and gain nothing.
DIFFERENT = ("final_error", "gradient_norm", "key", "digest", *CAUSE_NUMBERS, "cause_digest")


class ResultsTables:
    """The results as tables, in pieces, as chunks come: axes, what became of each trial, its run, the trial's other keys.

    Of trials that hold patterns out, HELD_OUT, too; and CAUSES `with_causes`, null where it was not looked for them.
    """

    def __init__(self, plan: Plan, with_causes: bool, run_ids: RunIds | None = None) -> None:
        self.plan, self.with_causes, self.run_ids = plan, with_causes, run_ids
        tasks = {trial.batch_key.task for trial in plan.groups}
        names = set(chain.from_iterable(score_names(load(task)) for task in tasks))
        self._scores = {name: np.full(len(plan), np.nan) for name in HELD_OUT if name in names}
        self._in_order = InOrder(len(plan))

    def add(self, rows: RunRows) -> Iterator[pa.Table]:
        """Takes the rows of a chunk; gives the pieces that are whole with them."""
        if self._scores:
            for name, column in held_out_scores(rows, self.plan.trials(rows.indices[:1])[0]).items():
                self._scores[name][rows.indices] = column
        return map(self._table, self._in_order.add(rows))

    def _table(self, scalars: pa.Table) -> pa.Table:
        indices = scalars.column("place").to_numpy()
        columns = self.plan.axis_columns(indices)
        columns |= {name: scalars.column(name) for name in ("status", "epochs", "final_error", "gradient_norm")}
        columns["run_id"] = self._ids(indices)
        columns |= {name: scalars.column(name) for name in ("key", "digest")}
        for name in CAUSES if self.with_causes else ():
            known = name in scalars.column_names
            kind = pa.float64() if name in CAUSE_NUMBERS else pa.string()
            columns[name] = scalars.column(name) if known else pa.nulls(len(indices), kind)
        columns["horizon"] = self.plan.horizons(indices)
        columns |= self.plan.fixed_columns(indices)
        columns |= {name: pa.array(column[indices], from_pandas=True) for name, column in self._scores.items()}
        return pa.table(columns, metadata={AXES: json.dumps(list(self.plan.axes))})

    def _ids(self, indices: Indices) -> pa.Array:
        """The ids of the runs of these trials as text, null where there is none."""
        if self.run_ids is None:
            return pa.nulls(len(indices), pa.string())
        ids = self.run_ids[indices]
        return pa.array(ids.astype(str), pa.string(), mask=ids == NO_RUN)


def results_tables(plan: Plan, rows: Sequence[RunRows], run_ids: RunIds | None = None) -> Iterator[pa.Table]:
    """The results of all trials, in pieces."""
    results = ResultsTables(plan, any(some.has_causes for some in rows), run_ids)
    return chain.from_iterable(map(results.add, rows))


def write_results(path: Path, plan: Plan, rows: Sequence[RunRows], run_ids: RunIds) -> None:
    """results.parquet of all trials."""
    file = ResultsFile(path)
    for table in results_tables(plan, rows, run_ids):
        file.write(table)
    file.finish()


class ResultsFile:
    """results.parquet, written in pieces."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Writes a piece."""
        if self._writer is None:
            self._writer = self._begun(table)
        self._writer.write_table(table)

    def finish(self) -> None:
        """Writes the end of the file."""
        if self._writer:
            self._writer.close()
            self._writer = None

    def abandon(self) -> None:
        """Removes a file without an end."""
        if self._writer:
            with suppress(OSError):  # where the disk is full
                self._writer.close()
            self.path.unlink(missing_ok=True)

    def _begun(self, table: pa.Table) -> "pq.ParquetWriter":
        import pyarrow.parquet as pq  # when the first trials are trained

        alike = [name for name in table.column_names if name not in DIFFERENT]
        compression = {name: "snappy" if name in alike else "none" for name in table.column_names}
        return pq.ParquetWriter(self.path, table.schema, use_dictionary=alike, compression=compression, write_statistics=alike)


class Collected:
    """What is made of results while others are trained: what the statistics read and, at a path, results.parquet."""

    def __init__(self, plan: Plan, with_causes: bool, path: Path | None) -> None:
        self._results = ResultsTables(plan, with_causes)
        self._file = ResultsFile(path) if path else None
        keys = () if plan.idle_axes else ("key",)  # which tell whether an axis has an effect
        self._read = [*plan.axes, *(name for name in NO_AXES if name not in (*UNREAD, *keys))]
        self._tables: list[pa.Table] = []

    def add(self, rows: RunRows) -> None:
        """Takes the rows of a chunk."""
        for table in self._results.add(rows):
            if self._file:
                self._file.write(table)
            self._tables.append(in_memory(table.select([name for name in self._read if name in table.column_names])))

    def observations(self) -> "pd.DataFrame":
        """What the statistics read of all trials, when all have come; it is given once. Ends the file."""
        if self._file:
            self._file.finish()
        table = pa.concat_tables(self._tables).unify_dictionaries()
        self._tables.clear()
        frame: pd.DataFrame = table.to_pandas(self_destruct=True, split_blocks=True)  # column by column: few are there twice
        del table
        pa.default_memory_pool().release_unused()
        return frame

    def close(self) -> None:
        """Removes the file where it has no end."""
        if self._file:
            self._file.abandon()


def in_memory(table: pa.Table) -> pa.Table:
    """A table of its own, not one of parts of files, with codes in place of WORDS."""
    import pyarrow.compute as pc  # not before runs are trained

    for name in WORDS:
        if name in table.column_names:
            words = pc.dictionary_encode(table.column(name))
            table = table.set_column(table.column_names.index(name), name, words)
    return table.replace_schema_metadata().combine_chunks()
