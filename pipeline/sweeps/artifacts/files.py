"""The files of a sweep's artifacts but its results: tables, figures, a report, the configuration."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.app.progress import phase
from pipeline.results.rows import RunRows
from pipeline.results.runs import Runs, write_curves, write_weights
from pipeline.store.environment import environment_tags
from pipeline.sweeps.artifacts.results import Collected
from pipeline.sweeps.description import SweepDescription
from pipeline.sweeps.executors.overlap import beside
from pipeline.sweeps.plan import Plan

if TYPE_CHECKING:
    from pipeline.stats.summary import Summary

JOBS = "jobs.json"
MOST_BESIDE = 2_000_000  # trials of which tables and figures are made at once: of more that would take too much memory
MOST_WEIGHT_BYTES = 2**29  # of the figure of weights


def write_artifacts(
    folder: Path, plan: Plan, description: SweepDescription, rows: Sequence[RunRows], collected: Collected
) -> "Summary":
    """The sweep's tables, figures, report and configuration as files in a folder; gives the summary of what was collected."""
    from pipeline.report.starts.first_steps import first_steps_of
    from pipeline.report.starts.properties import properties_of
    from pipeline.report.tables import write_tables
    from pipeline.stats.summary import Summary

    with phase("results"):
        runs = Runs(rows, len(plan), plan.inputs, plan.curves)
        steps = first_steps_of(runs, partial(steps_of, plan)) if has_batch_updates(plan) else None
        summary = Summary(collected.observations(), properties_of(runs), steps)
    tables = partial(write_tables, summary, folder, **description.origin)
    with beside(tables) if len(plan) <= MOST_BESIDE else before("tables", tables), phase("figures"):
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
    """Has what makes tables, figures and the report imported, and what is alike in all reports made, while runs are trained.

    What fails here fails again where it is needed; an interrupt that ends an import fails for a thread that waits for it, too.
    """
    with suppress(Exception):
        from pipeline.report import metrics, note, page, tables  # noqa: F401
        from pipeline.report.figures import files  # noqa: F401
        from pipeline.report.page.explorer import bokeh_script, models

        bokeh_script()
        models()


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
