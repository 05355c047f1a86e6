"""The pipeline from Python, with the words of the command line: `import pipeline as bp`.

>>> run = bp.train(learning_rate=2, threshold=1e-4)
>>> run.status, run.epochs
('converged', 1288)
>>> sweep = bp.sweep("task=xor", "network=trained", "initial=uniform", learning_rate=[0.5, 2, 8], seed=range(20))
>>> sweep.by("learning_rate")
>>> bp.load("latest").heat_map("learning_rate", "initial.range")

Keys are those of the command line. One with a dot is given as text, `"network.hidden=[4]"`, or by `**{"network.hidden": [4]}`.
Wrong ones raise `ConfigError`, in one line that names the key, the value and what is allowed.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.app.messages import COMPOSITION_ERRORS, one_line
from pipeline.errors import ConfigError, written
from pipeline.results.run_result import Curve, RunResult
from pipeline.results.sweep_results import SweepResults
from pipeline.stats.summary import Summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pipeline.app.multirun import Multirun

PLAIN_WORD = re.compile(r"[A-Za-z_][\w./-]*")


def train(*overrides: str, **values: Any) -> "Run":
    """Trains one network; nothing is recorded. Raises ConfigError.

    `overrides` as on the command line, `"task=xor"`; `values` by key, `learning_rate=2`. A list is one value: a rate per layer.
    """
    from pipeline.app.composition import compose
    from pipeline.sweeps.chunks import Chunk
    from pipeline.trials.batching import make_batch
    from pipeline.trials.configuration import fixed_keys
    from pipeline.trials.settings import read_run

    requested = [*overrides, *(f"{key}={as_override(value)}" for key, value in values.items())]
    try:
        trial, settings = read_run(compose(requested))
    except COMPOSITION_ERRORS as error:
        raise in_one_line(error) from None
    chunk = Chunk(np.zeros(1, np.int64), make_batch([trial], settings.curve_points), settings.engine)
    [result] = RunResult.of_batch(chunk.train())
    return Run(result, fixed_keys(trial))


def sweep(*overrides: str, record: bool = False, **axes: Any) -> "Sweep":
    """Trains every combination of the axes in this process; with `record` also in MLflow, as `python -m pipeline.train -m`.

    `overrides` as on the command line, `"task=xor"` or `"learning_rate=0.5,2"`; `axes` by key: a list, tuple, array or range
    are the values of an axis, anything else is one value. Raises ConfigError, and UnfinishedError where a recorded sweep
    leaves something to be done.
    """
    from pipeline.app.composition import compose_multirun
    from pipeline.app.multirun import Multirun
    from pipeline.sweeps.request import read_sweep, train_here

    try:
        multirun = Multirun(*compose_multirun([*overrides, *(f"{key}={as_axis(value)}" for key, value in axes.items())]))
        request = read_sweep(multirun)
        if record:
            from pipeline.sweeps.multirun import run

            return load(run(request)[1], *tracking_of(multirun))
    except COMPOSITION_ERRORS as error:
        raise in_one_line(error) from None
    results, runs = train_here(request)
    return Sweep(results, runs.__getitem__)


def load(which: str | Sequence[str] = "latest", uri: str | None = None, experiment: str = "backpropagation") -> "Sweep":
    """A recorded sweep: the latest, that of a parent run's id, or several side by side, told apart by the axis `sweep`.

    `uri`: the MLflow store; None as for the commands. Raises ConfigError where there is none.
    """
    from pipeline.report.side_by_side import together
    from pipeline.store.sweeps import curve_reader, read_sweep
    from pipeline.trials.settings import Tracking

    tracking = Tracking(uri, experiment)
    sweeps = [read_sweep(tracking, one) for one in ([which] if isinstance(which, str) else which)]
    results = sweeps[0]
    if len(sweeps) > 1:
        table = together(sweeps)
        axes = tuple(Summary(table).axes)
        results = SweepResults(table, axes, " and ".join(one.name for one in sweeps))
    return Sweep(results, curve_reader(tracking, results))


def tracking_of(multirun: "Multirun") -> tuple[str | None, str]:
    """Where a multirun is recorded."""
    tracking = multirun.configuration["tracking"]
    return tracking["uri"], tracking["experiment"]


def in_one_line(error: Exception) -> ConfigError:
    """The error as the ConfigError whose text a command would print."""
    if isinstance(error, ConfigError):
        return error
    refusal = ConfigError("", None, "")
    refusal.args = (one_line(error),)
    return refusal


def as_override(value: Any) -> str:
    """A value as Hydra's command line has it."""
    if isinstance(value, str):
        return value if PLAIN_WORD.fullmatch(value) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, np.ndarray | np.generic):
        return as_override(value.tolist())
    if isinstance(value, list | tuple):
        return f"[{','.join(map(as_override, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{as_override(entry)}" for key, entry in value.items()) + "}"
    return written(value)


def as_axis(value: Any) -> str:
    """The values of an axis as Hydra's command line has them."""
    if isinstance(value, range):
        return f"range({value.start},{value.stop},{value.step})"
    if isinstance(value, list | tuple | np.ndarray):
        return ",".join(map(as_override, value))
    return as_override(value)


@dataclass(frozen=True)
class Run:
    """One trained network, with the keys of its trial. Unknown attributes are those of its `RunResult`."""

    result: RunResult
    trial: Mapping[str, Any]

    @property
    def status(self) -> str:
        """How it ended: converged, stationary, exhausted or diverged."""
        return self.result.status

    @property
    def epochs(self) -> int:
        """The epoch at which it ended."""
        return self.result.epochs

    @property
    def final_error(self) -> float:
        """The total error at its end."""
        return self.result.final_error

    @property
    def digest(self) -> str:
        """SHA-256 over the result: the same on any machine."""
        return self.result.digest

    @property
    def weights(self) -> dict[str, Any]:
        """Final and initial weights by name: weights_1 (units, inputs), bias_1 (units,), …, initial_weights_1, …"""
        return self.result.weights

    @property
    def curve(self) -> pd.DataFrame:
        """The error curve: columns epoch, error."""
        epochs, errors = self.result.curve
        return pd.DataFrame({"epoch": epochs, "error": errors})

    def __str__(self) -> str:
        return f"{self.status} after {self.epochs:,} epochs, error {self.final_error:.6g}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{escape(key)}</td><td>{escape(written(value))}</td></tr>" for key, value in self.trial.items())
        return f"<p>{escape(str(self))}</p><table>{rows}</table>"


class Sweep:
    """The runs of a sweep: what they gave, and their statistics."""

    def __init__(self, results: SweepResults, curve_of: Callable[[int], Curve]) -> None:
        self.recorded = results
        self._curve_of = curve_of

    @property
    def results(self) -> pd.DataFrame:
        """A row per run: the axes, what became of it, and every other key of its trial."""
        return self.recorded.table

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes of the sweep."""
        return self.recorded.axes

    @cached_property
    def summary(self) -> Summary:
        """The statistics of the sweep, each table computed once."""
        return Summary(self.recorded.observations)

    def by(self, *axes: str) -> pd.DataFrame:
        """A row for each combination of values of these axes, with rate, ERT and quartiles and their intervals."""
        self._check(axes)
        return self.summary.by(*axes)

    @property
    def best(self) -> pd.DataFrame:
        """The setting of lowest ERT, one for each threshold where that is an axis."""
        return self.summary.best

    def curves(self, worst: int | None = None) -> pd.DataFrame:
        """Error curves: a row per kept point, with columns run (the row of `results`), the axes, epoch and error.

        `worst`: of so many runs only, first those that did not converge, by their final error, then the slowest.
        """
        table = self.results.reset_index(drop=True)
        if worst is not None:
            order = table.assign(converged=table["status"] == "converged")
            order["badness"] = order["final_error"].where(~order["converged"], order["epochs"]).fillna(np.inf)
            table = table.loc[order.sort_values(["converged", "badness"], ascending=[True, False]).index[:worst]]
        parts = []
        for row in table.index:
            epochs, errors = self._curve_of(int(row))
            axes = {axis: [table.at[row, axis]] * len(epochs) for axis in self.axes}
            parts.append(pd.DataFrame({"run": row, **axes, "epoch": epochs, "error": errors}))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["run", *self.axes, "epoch", "error"])

    def heat_map(self, down: str, across: str, what: str = "median") -> "Figure":
        """A figure of two axes: the median number of epochs to convergence, or with what="rate" the share that converged."""
        from pipeline.report.figures.heat_maps import median_map, rate_map

        self._check((down, across))
        maps = {"median": median_map, "rate": rate_map}
        if what not in maps:
            raise ConfigError("what", what, f"must be one of {', '.join(maps)}")
        picture = maps[what](self.summary, [down, across])
        if picture is None:
            raise ConfigError("axes", [down, across], "must be two axes with few enough values to be drawn")
        return picture.figure

    def _check(self, axes: Sequence[str]) -> None:
        for axis in axes:
            if axis not in self.axes:
                raise ConfigError("axis", axis, f"is no axis of this sweep; it has {', '.join(self.axes) or 'none'}")

    def __len__(self) -> int:
        return len(self.results)

    def __str__(self) -> str:
        from pipeline.report.tables import report

        return report(self.summary)

    def __repr__(self) -> str:
        return f"{self.recorded.name}: {len(self):,} runs over {', '.join(self.axes) or 'no axis'}"

    def _repr_html_(self) -> str:
        from pipeline.report.tables import readable
        from pipeline.report.words import in_words

        best = readable(self.best).to_html(index=False, border=0) if len(self.best) else ""
        return f"<p><b>{escape(repr(self))}</b></p><p>{escape(in_words(self.summary))}</p>{best}"
