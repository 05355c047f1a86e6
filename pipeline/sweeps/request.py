"""A multirun, read and checked: its trials, their chunks, what they take; and trained in this process, with nothing recorded.

What takes long to import, such as MLflow, is not needed until a request is granted.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline.app.composition import Multirun
from pipeline.app.interrupts import Interrupts
from pipeline.app.progress import progress_bar
from pipeline.errors import ConfigError
from pipeline.report.numbers import count
from pipeline.results.rows import Indices
from pipeline.sweeps.axes import expand
from pipeline.sweeps.estimate import Estimate, check, check_number, estimate, keeps_curves, runs_recorded
from pipeline.sweeps.executors.local import Local
from pipeline.sweeps.plan import Plan
from pipeline.trials.memory import limit_of
from pipeline.trials.settings import RECORDED_BY_DEFAULT, RUN_KEYS, Settings, read_settings
from pipeline.trials.unreachable import warnings_of_unreachable

if TYPE_CHECKING:
    from pipeline.results.runs import Runs
    from pipeline.results.sweep_results import SweepResults

MOST_NAMED = 5  # axes, in the name of a sweep


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """A multirun that was read and checked: its trials, how they are run, the chunks that they are cut into, what it takes.

    unreached: a line on each threshold that no weights can reach.
    """

    multirun: Multirun
    plan: Plan
    settings: Settings
    pieces: Sequence[Indices]
    estimate: Estimate
    unreached: Sequence[str] = ()

    @property
    def name(self) -> str:
        """As it is named in `tracking.name`, or by its study, or what it varies: learning_rate × seed, 4,200 trials."""
        if given := self.settings.tracking.name or self.multirun.study:
            return given
        axes = list(self.plan.axes) or [self.plan.groups[0].batch_key.task.name]
        named = [*axes[:MOST_NAMED], *[f"{len(axes) - MOST_NAMED} more"] * (len(axes) > MOST_NAMED)]
        return f"{' × '.join(named)}, {count(len(self.plan), 'trial')}"

    def __str__(self) -> str:
        """What the sweep takes, and what is recorded of it, in a line each."""
        trials, runs = len(self.plan), self.settings.tracking.runs
        recorded = runs_recorded(runs, trials)
        default = "" if runs is not None else f", as always {'up to' if recorded else 'above'} {RECORDED_BY_DEFAULT:,} trials"
        if recorded == trials:
            what = f"all: a run in MLflow for each trial{default}"
        elif recorded:
            what = f"{recorded}: a run in MLflow for this number of trials, chosen at random; results.parquet has all"
        else:
            what = f"none: one run in MLflow for the sweep{default}; results.parquet has all trials"
        return f"{self.estimate}\ntracking.runs={what}"


def read_sweep(multirun: Multirun) -> SweepRequest:
    """The sweep that is requested. Raises ConfigError for a job that cannot be trained and for more than the limits allow."""
    limit = partial(check_number, limit=limit_of(multirun.limits))
    jobs = expand(multirun.loader, multirun.config, multirun.arguments, limit)
    if not len(jobs):
        raise ConfigError("sweep", " ".join(multirun.arguments), "has no jobs: an axis has no values")
    common = {key: jobs.bases[0][key] for key in RUN_KEYS if key in jobs.bases[0]}
    settings = read_settings(jobs.bases[0])
    plan = Plan.of_jobs(jobs, common)
    pieces = pieces_of(plan, settings)
    estimated = estimate(plan, pieces, settings)
    plan.forget_batches()
    check(estimated, settings, multirun.folder)
    return SweepRequest(multirun, plan, settings, pieces, estimated, thresholds_out_of_reach(multirun, plan, settings))


def pieces_of(plan: Plan, settings: Settings) -> list[Indices]:
    """All trials, cut into chunks."""
    return plan.cut(settings.curve_points, settings.executor.chunk, keeps_curves(settings.tracking, len(plan)))


def thresholds_out_of_reach(multirun: Multirun, plan: Plan, settings: Settings) -> list[str]:
    """A line on each. Raises ConfigError where they are refused, unless the sweep was begun when they were not."""
    try:
        return warnings_of_unreachable(plan.thresholds, settings.on_unreachable)
    except ConfigError:
        if settings.resume == "never" or (settings.resume == "auto" and not is_begun(multirun, plan, settings)):
            raise
        return warnings_of_unreachable(plan.thresholds, "warn")


def is_begun(multirun: Multirun, plan: Plan, settings: Settings) -> bool:
    """Whether results of this sweep are kept on this machine."""
    from pipeline.sweeps.description import SweepDescription
    from pipeline.sweeps.pushing import EVERYWHERE, waiting

    keys = {plan.key(settings.curve_points), plan.key_in_order(settings.curve_points)}
    for path in {*waiting(EVERYWHERE), *waiting(multirun.folder)}:
        with suppress(ConfigError):
            if SweepDescription.of_folder(path).key in keys:
                return True
    return False


def train_here(request: SweepRequest) -> "tuple[SweepResults, Runs]":
    """Trains the sweep in this process and records nothing; gives its results, and its runs with their curves."""
    from pipeline.results.runs import Runs
    from pipeline.results.sweep_results import SweepResults
    from pipeline.store.environment import environment_tags
    from pipeline.sweeps.artifacts.results import results_tables

    plan, multirun = request.plan, request.multirun
    with Interrupts() as interrupts, progress_bar() as bar:
        chunks = (plan.chunk(indices, request.settings) for indices in request.pieces)
        rows = sorted(Local(interrupts).train(chunks, bar("runs", len(plan))), key=lambda some: int(some.indices[0]))
    table = pa.concat_tables(results_tables(plan, rows))
    known = {"name": request.name, "configuration": multirun.configuration, "environment": environment_tags()}
    return SweepResults.from_arrow(table, **known), Runs(rows, len(plan), plan.inputs)
