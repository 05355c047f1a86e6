"""The pipeline from Python, with the words of the command line: `import pipeline as bp`.

>>> run = bp.train(learning_rate=2, threshold=1e-4)
>>> run.status, run.epochs
('converged', 1372)
>>> sweep = bp.sweep("task=xor", "network=trained", "initial=uniform", learning_rate=[0.5, 2, 8], seed=range(20))
>>> sweep.by("learning_rate")
>>> bp.load("latest").heat_map("learning_rate", "initial.range")

Keys are those of the command line. One with a dot is given as text, `"network.hidden=[4]"`, or by `**{"network.hidden": [4]}`.
A wrong key or value raises `ConfigError`, in one line that names the key, the value and what is allowed.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.app.composition import COMPOSITION_ERRORS, compose, compose_multirun
from pipeline.app.refusals import one_line
from pipeline.backprop.batch import BatchResult
from pipeline.backprop.causes.of_batch import Causes, causes
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.engines import engine
from pipeline.errors import ConfigError, as_override, dotted, printable
from pipeline.report.answer import answer
from pipeline.report.causes import why
from pipeline.report.documents import rows_where, runs_where, together
from pipeline.report.tables import report
from pipeline.report.text_tables import readable
from pipeline.results.held_out_scores import scores
from pipeline.results.run_result import Curves, RunResult
from pipeline.results.runs import Runs
from pipeline.results.sweep_results import SweepResults
from pipeline.stats.summary import Summary
from pipeline.trials.batching import make_batch
from pipeline.trials.configuration import fixed_keys
from pipeline.trials.files import read_anew
from pipeline.trials.settings import Tracking, read_run
from pipeline.trials.tasks import load as load_task
from pipeline.trials.unreachable import warnings_of_unreachable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def train(*overrides: str, **values: Any) -> "Run":
    """Trains one network; nothing is recorded. Raises ConfigError.

    `overrides` as on the command line, `"task=xor"`; `values` by key, `learning_rate=2`. A list is one value: a rate per layer.
    """
    read_anew()
    with errors_in_one_line():
        assignments = [f"{key}={as_override(value, quoted=True)}" for key, value in values.items()]
        trial, settings = read_run(compose([*overrides, *assignments]))
        batch = make_batch([trial], settings.curve_points)
        warn(warnings_of_unreachable([(trial.batch_key, trial.threshold)], settings.on_unreachable))
    [result] = RunResult.of_batch(engine(settings.engine)(batch))
    task = load_task(trial.batch_key.task)
    by_name = scores(result.batch_result.batch.network, result.batch_result.parameters, task)
    return Run(
        trial=fixed_keys(trial),
        status=result.status,
        epochs=result.epochs,
        final_error=result.final_error,
        gradient_norm=result.gradient_norm,
        held_out={name: float(score[0]) for name, score in by_name.items()},
        curve=pd.DataFrame(dict(zip(("epoch", "error"), result.curve, strict=True))),
        weights=result.weights,
        key=result.key,
        digest=result.digest,
        _result=result.batch_result,
    )


def sweep(*overrides: str, record: bool = False, **axes: Any) -> "Sweep":
    """Trains every combination of the axes in this process; with `record` also in MLflow, as `python -m pipeline.train -m`.

    `overrides` as on the command line, `"task=xor"` or `"learning_rate=0.5,2"`; `axes` by key: a list, tuple, array or range
    are the values of an axis, anything else is one value. Raises ConfigError, and UnfinishedError where a recorded sweep
    could not be finished.
    """
    from pipeline.sweeps.request import read_sweep, train_here

    read_anew()
    with errors_in_one_line():
        multirun = compose_multirun([*overrides, *(f"{key}={as_axis(value)}" for key, value in axes.items())])
        request = read_sweep(multirun)
        warn(request.unreached)
        if record:
            from pipeline.sweeps.multirun import run

            tracking = request.settings.tracking
            _, run_id, _ = run(request)
            return load(run_id, tracking.uri, tracking.experiment)
    results, runs = train_here(request)
    return Sweep(results, runs)


def load(which: str | Sequence[str] = "latest", uri: str | None = None, experiment: str = "backpropagation") -> "Sweep":
    """A recorded sweep: the latest, that of a parent run's id, or several side by side, with the axis `sweep`.

    `"runs"`: the single runs. `uri`: the MLflow store, None for that of the commands. ConfigError: there is no such sweep.
    """
    from pipeline.store.sweeps import RecordedCurves, read_sweep

    tracking = Tracking(uri, experiment)
    sweeps = [read_sweep(tracking, one) for one in ([which] if isinstance(which, str) else which)]
    results = sweeps[0]
    if len(sweeps) > 1:
        table = together(sweeps)
        results = SweepResults(table, tuple(Summary(table).axes), " and ".join(one.name for one in sweeps))
    return Sweep(results, RecordedCurves(tracking, results))


def warn(lines: Iterable[str]) -> None:
    """Prints what is no error, as commands do."""
    for line in lines:
        print(line, file=sys.stderr)


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """What Hydra raises within is raised as the ConfigError whose text a command would print."""
    try:
        yield
    except ConfigError:
        raise
    except COMPOSITION_ERRORS as error:
        refusal = ConfigError("", None, "")
        refusal.args = (one_line(error),)
        raise refusal from None


def as_axis(value: Any) -> str:
    """The values of an axis as Hydra's command line has them."""
    if isinstance(value, range):
        return f"range({value.start},{value.stop},{value.step})"
    if isinstance(value, list | tuple | np.ndarray):
        return ",".join(as_override(entry, quoted=True) for entry in value)
    return as_override(value, quoted=True)


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """One trained network.

    `trial`: the values of its trial by key; `curve`: columns epoch and error; `weights`: final and initial ones by name,
    weights_1 (units, inputs), bias_1 (units,), …, initial_weights_1, …; `key` and `digest`: SHA-256 over the trial and over
    the result, the same on any machine.
    """

    trial: Mapping[str, Any]
    status: str  # converged, stationary, exhausted or diverged
    epochs: int
    final_error: float
    gradient_norm: float
    held_out: Mapping[str, float]  # test_error, train_accuracy, test_accuracy; empty if no patterns are held out
    curve: pd.DataFrame
    weights: Mapping[str, Any]
    key: str
    digest: str
    _result: BatchResult

    @property
    def cause(self) -> str:
        """Why it did not converge: one of `backprop.causes.rules.Cause`; none if it did, or is stationary."""
        return Cause(int(self._causes.code[0])).word

    @property
    def cause_number(self) -> float:
        """What that cause's number is, such as the epochs that are left; NaN without one."""
        return float(self._causes.number[0])

    @property
    def why(self) -> str:
        """The cause in a line, with its number and what helps; empty without one."""
        cause, found = Cause(int(self._causes.code[0])), self._causes
        numbers = found.number[0], self.final_error, found.goal[0], found.k_star[0], found.rho[0]
        return why(cause, *map(float, numbers)) if cause else ""

    @cached_property
    def _causes(self) -> Causes:
        """Computed when it is asked for: of a large network that takes a second."""
        return causes(self._result)

    def __repr__(self) -> str:
        return f"{self.status} after {self.epochs:,} epochs, error {self.final_error:.6g}"

    def _repr_html_(self) -> str:
        trial = pd.Series({key: as_override(value) for key, value in self.trial.items()}, name="value").to_frame()
        return f"<p><b>{escape(repr(self))}</b></p>{trial.to_html(border=0)}"


@dataclass(frozen=True, eq=False)
class ChosenCurves(Curves):
    """The curves of some of the runs of a sweep, by their rows there."""

    curves: Curves
    rows: Sequence[int]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: Any) -> Any:
        return self.curves[self.rows[row]]


class Sweep:
    """The runs of a sweep and their statistics.

    `results`: a row per run with the axes, how it ended, and every other key of its trial; `axes`: their names; `name` of the
    sweep; `run_id` of its parent run in MLflow, None if it is not recorded.
    """

    def __init__(self, results: SweepResults, curves: Curves) -> None:
        self.results, self.axes = results.table, results.axes
        self.name, self.run_id = results.name, results.run_id or None
        self._results, self._observations, self._curves = results, results.observations, curves

    @cached_property
    def summary(self) -> Summary:
        """All statistics of the sweep, each table computed once."""
        from pipeline.report.starts.first_steps import first_steps_of, steps_in
        from pipeline.report.starts.properties import properties_of

        runs = self._curves
        if not isinstance(runs, Runs):
            return Summary(self._observations)
        steps = steps_in(self.results)
        return Summary(self._observations, properties_of(runs), first_steps_of(runs, steps) if steps else None)

    def by(self, *axes: str) -> pd.DataFrame:
        """A row for each combination of values of these axes, with rate, ERT and quartiles and their intervals."""
        return self.summary.by(*self._named(axes))

    @property
    def best(self) -> pd.DataFrame:
        """The setting of lowest ERT, one for each threshold where that is an axis."""
        return self.summary.best

    def where(self, condition: str) -> "Sweep":
        """The sweep of the runs for which a condition on their columns holds: "momentum=0.9", "initial.range>=1 and seed<10".

        The columns are those of `results`. Raises ConfigError for what is no condition, and for one that leaves no runs.
        """
        condition = dotted(condition)
        rows = rows_where(self._results, condition)
        return Sweep(runs_where(self._results, condition), ChosenCurves(self._curves, rows.tolist()))

    def curves(self, worst: int | None = None) -> pd.DataFrame:
        """Error curves: a row per kept point, with columns run (the row of `results`), the axes, epoch and error.

        `worst`: of that many runs only, first those that did not converge, by their final error, then the slowest.
        """
        table = self.results.reset_index(drop=True)
        if worst is not None:
            converged = table["status"] == "converged"
            badness = table["final_error"].where(~converged, table["epochs"]).fillna(np.inf)
            table = table.loc[np.lexsort([-badness, converged])[:worst]]
        parts = [pd.DataFrame(columns=["run", *self.axes, "epoch", "error"])] if table.empty else []
        for row in table.index:
            epochs, errors = self._curves[int(row)]
            axes = {axis: [table.at[row, axis]] * len(epochs) for axis in self.axes}
            parts.append(pd.DataFrame({"run": row, **axes, "epoch": epochs, "error": errors}))
        return pd.concat(parts, ignore_index=True)

    def figure(self, name: str, *axes: str) -> "Figure":
        """A figure of the report by its name, over these axes, or over the most telling ones if none is given.

        Names: rate_map, heat_maps, main_causes, start_outcomes, cost, error_curves, fixed_target, fixed_budget, survival,
        run_lengths, restart_cutoffs, profiles, partial_dependence; and, for a sweep that was trained in this process,
        start_effects and weights. Raises ConfigError where this sweep has nothing to show in it.
        """
        from pipeline.report.figures.files import drawings
        from pipeline.report.figures.trajectories import KeptWeights

        axes = self._named(axes)
        runs = self._curves
        error_goals = "criterion" not in self.results or bool((self.results["criterion"] == "total_error").all())
        draw = drawings(runs, KeptWeights(runs) if isinstance(runs, Runs) and runs.networks == 1 else None, error_goals)
        if name not in draw:
            raise ConfigError("figure", name, f"must be one of {', '.join(draw)}")
        picture = draw[name](self.summary, axes=axes or None)
        if picture is None:
            raise ConfigError("figure", name, f"has nothing to show over {', '.join(axes or self.axes) or 'no axis'}")
        return picture.figure

    def heat_map(self, down: str, across: str, what: str = "median") -> "Figure":
        """A figure of two axes: the median number of epochs to convergence, or with what="rate" the share that converged."""
        figures = {"median": "heat_maps", "rate": "rate_map"}
        if what not in figures:
            raise ConfigError("what", what, f"must be one of {', '.join(figures)}")
        return self.figure(figures[what], down, across)

    def _named(self, axes: Sequence[str]) -> tuple[str, ...]:
        """These axes as the columns have them. Raises ConfigError."""
        names = tuple(map(dotted, axes))
        for axis in names:
            if axis not in self.axes:
                raise ConfigError("axis", axis, f"is no axis of this sweep; it has {', '.join(self.axes) or 'none'}")
        return names

    def __len__(self) -> int:
        return len(self.results)

    def __str__(self) -> str:
        return report(self.summary, **self._results.origin)

    def __repr__(self) -> str:
        return printable(f"{self.name}: {len(self):,} runs over {', '.join(self.axes) or 'no axis'}")

    def _repr_html_(self) -> str:
        words = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in answer(self.summary, **self._results.origin))
        best = readable(self.best).to_html(index=False, border=0) if len(self.best) else ""
        return f"<p><b>{escape(repr(self))}</b></p>{words}{best}"
