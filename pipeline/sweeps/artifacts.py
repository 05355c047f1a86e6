"""The artifacts of a sweep's parent run: results.parquet, tables, figures, a report, the configuration."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.app.progress import phase
from pipeline.results.columns import CAUSE_NUMBERS, CAUSES, HELD_OUT, NO_AXES
from pipeline.results.held_out_scores import held_out_scores
from pipeline.results.rows import RunRows
from pipeline.results.runs import Runs, scalars, write_curves, write_weights
from pipeline.results.sweep_results import AXES, FILE
from pipeline.store.environment import environment_tags
from pipeline.sweeps.description import SweepDescription
from pipeline.sweeps.executors.overlap import ahead, beside
from pipeline.sweeps.plan import Plan

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.stats.summary import Summary

RESULTS, JOBS = FILE, "jobs.json"
NO_RUN = b""
MOST_BESIDE = 2_000_000  # trials of which results, tables and figures are made at once: of more that would take too much memory
MOST_WEIGHT_BYTES = 2**29  # of the figure of weights
KEYS = ("run_id", "key", "digest", "cause_digest")  # not read by the statistics, unless an axis has no effect
UNREAD = ("gradient_norm", "lambda_min")
WORDS = ["status", "cause"]  # columns of few texts
Scores = dict[str, NDArray[np.float64]]  # of HELD_OUT, (trials,)
# Columns whose values are all different: a dictionary, compression or statistics of them would take time and gain nothing.
DIFFERENT = ("final_error", "gradient_norm", "key", "digest", *CAUSE_NUMBERS, "cause_digest")


def write_artifacts(
    folder: Path, plan: Plan, description: SweepDescription, rows: Sequence[RunRows], run_ids: NDArray[np.bytes_]
) -> "Summary":
    """The sweep's results, tables, figures, report and configuration as files in an empty folder; gives the summary of them."""
    from pipeline.report.starts.first_steps import first_steps_of
    from pipeline.report.starts.properties import properties_of
    from pipeline.report.tables import write_tables
    from pipeline.stats.summary import Summary

    with phase("results"):
        scores = all_scores(plan, rows)
    results = partial(write_results, folder / RESULTS, plan, rows, run_ids, scores)
    few = len(plan) <= MOST_BESIDE
    with beside(results) if few else before("results", results):
        with phase("results"):
            runs = Runs(rows, len(plan), plan.inputs, plan.curves)
            steps = first_steps_of(runs, partial(steps_of, plan)) if has_batch_updates(plan) else None
            summary = Summary(observations(plan, rows, run_ids, scores), properties_of(runs), steps)
        tables = partial(write_tables, summary, folder, **description.origin)
        with beside(tables) if few else before("tables", tables), phase("figures"):
            write_pictures(folder, plan, description, runs, summary)
    with phase("files"):
        for name, text in {**description.files, JOBS: description.jobs.json}.items():
            (folder / name).write_text(text, encoding="utf-8")
        if description.tracking.curves:
            write_curves(map(plan.with_curves, rows), folder / "curves.parquet")
        if description.tracking.weights:
            write_weights(rows, folder / "weights")
    return summary


@contextmanager
def before(name: str, work: Callable[[], object]) -> Iterator[None]:
    """Work that is done first, in a phase of its own: in place of `beside`."""
    with phase(name):
        work()
    yield


def prepare() -> None:
    """Has what makes tables, figures and the report imported, and what is alike in all reports made, while runs are trained."""
    from pipeline.report import metrics, note, page, tables  # noqa: F401
    from pipeline.report.figures import files  # noqa: F401
    from pipeline.report.page.explorer import bokeh_script, models

    bokeh_script()
    models()


def observations(plan: Plan, rows: Sequence[RunRows], run_ids: NDArray[np.bytes_], scores: Scores) -> "pd.DataFrame":
    """What the statistics read of the results."""
    unread = UNREAD if plan.idle_axes else (*UNREAD, *KEYS)
    read = [*plan.axes, *(name for name in NO_AXES if name not in unread)]
    table = pa.concat_tables(map(in_memory, results_tables(plan, rows, run_ids, scores, read))).unify_dictionaries()
    frame: pd.DataFrame = table.to_pandas(self_destruct=True, split_blocks=True)  # column by column: few are there twice
    del table
    pa.default_memory_pool().release_unused()
    return frame


def in_memory(table: pa.Table) -> pa.Table:
    """A table of its own, not one of parts of files, with codes in place of WORDS."""
    import pyarrow.compute as pc  # not before runs are trained

    for name in WORDS:
        if name in table.column_names:
            words = pc.dictionary_encode(table.column(name))
            table = table.set_column(table.column_names.index(name), name, words)
    return table.replace_schema_metadata().combine_chunks()


def has_batch_updates(plan: Plan) -> bool:
    """Whether all trials update once an epoch: the learning rate is then that of a step."""
    return all(trial.batch_key.update == "batch" for trial in plan.groups)


def steps_of(plan: Plan, indices: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The learning rates (1 or L, R) and the momentum (R,) of these trials."""
    (rates, rate), (momenta, momentum) = plan.field("learning_rate", indices), plan.field("momentum", indices)
    layers = max(map(len, rates))
    by_layer = np.array([own if len(own) == layers else own * layers for own in rates], float)
    return by_layer[rate].T, np.array(momenta, float)[momentum]


def write_pictures(folder: Path, plan: Plan, description: SweepDescription, runs: Runs, summary: "Summary") -> None:
    """The figures, and the report that shows them."""
    from pipeline.report.figures.files import write_figures  # with matplotlib, when training is over
    from pipeline.report.figures.trajectories import KeptWeights
    from pipeline.report.page import write_report

    small = runs.networks == 1 and len(runs) * runs.rows[0].network.size * 16 <= MOST_WEIGHT_BYTES
    error_goals = all(trial.batch_key.criterion == "total_error" for trial in plan.groups)
    captions = write_figures(summary, folder / "figures", runs, KeptWeights(runs) if small else None, error_goals)
    made = description.configuration, captions, environment_tags(), description.command, description.study
    write_report(folder / "report.html", summary, *made, curves=runs)


def write_results(path: Path, plan: Plan, rows: Sequence[RunRows], run_ids: NDArray[np.bytes_], scores: Scores) -> None:
    """results.parquet, a row per trial in their order, written in pieces."""
    import pyarrow.parquet as pq  # not before runs are trained

    tables = results_tables(plan, rows, run_ids, scores)
    first = next(tables)
    names = first.column_names
    alike = [name for name in names if name not in DIFFERENT]
    compression = {name: "snappy" if name in alike else "none" for name in names}
    options = {"use_dictionary": alike, "compression": compression, "write_statistics": alike}
    with pq.ParquetWriter(path, first.schema, **options) as writer:
        writer.write_table(first)
        for table in ahead(tables):
            writer.write_table(table)


def results_tables(
    plan: Plan, rows: Sequence[RunRows], run_ids: NDArray[np.bytes_], scores: Scores, read: Collection[str] | None = None
) -> Iterator[pa.Table]:
    """The results in pieces: the axes, what became of each trial, its run, and the trial's other keys; or those to `read`."""
    for some in scalars(rows, len(plan)):
        indices = some.column("place").to_numpy()
        columns = plan.axis_columns(indices)
        columns |= {name: some.column(name) for name in ("status", "epochs", "final_error", "gradient_norm")}
        columns["run_id"] = ids_of(run_ids[indices])
        columns |= {name: some.column(name) for name in ("key", "digest")}
        columns |= {name: some.column(name) for name in CAUSES if name in some.column_names}
        columns["horizon"] = plan.horizons(indices)
        columns |= plan.fixed_columns(indices) if read is None else {}
        columns |= {name: pa.array(column[indices], from_pandas=True) for name, column in scores.items()}
        chosen = columns if read is None else {name: columns[name] for name in read if name in columns}
        yield pa.table(chosen, metadata={AXES: json.dumps(list(plan.axes))})


def ids_of(run_ids: NDArray[np.bytes_]) -> pa.Array:
    """The ids of runs as text, null where there is none."""
    none = run_ids == NO_RUN
    return pa.nulls(len(run_ids), pa.string()) if none.all() else pa.array(run_ids.astype(str), pa.string(), mask=none)


def all_scores(plan: Plan, rows: Sequence[RunRows]) -> Scores:
    """Columns (trials,) of HELD_OUT that some trials have; NaN of trials that hold no patterns out."""
    columns: dict[str, NDArray[np.float64]] = {}
    for some in rows:
        for name, column in held_out_scores(some, plan.trials(some.indices[:1])[0]).items():
            if name not in columns:
                columns[name] = np.full(len(plan), np.nan)
            columns[name][some.indices] = column
    return {name: columns[name] for name in HELD_OUT if name in columns}
