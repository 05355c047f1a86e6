"""Sweeps read from an MLflow store: those with a parent run, and runs without one."""

import math
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow import MlflowClient
from mlflow.entities import Run
from numpy.typing import NDArray

from pipeline.backprop.status import STATUSES
from pipeline.errors import ConfigError
from pipeline.results.columns import HELD_OUT, NO_AXES
from pipeline.results.run_result import Curves
from pipeline.results.sweep_results import FILE, MOST_EPOCHS, SweepResults
from pipeline.store.failures import store_errors_as_config_errors
from pipeline.store.files import read_table, read_yaml
from pipeline.store.read import (
    FINISHED,
    check_curve,
    contents,
    contents_if_present,
    error_curve,
    find_sweep,
    reader,
    restored,
    search,
)
from pipeline.trials.configuration import read_param
from pipeline.trials.settings import Tracking

TRIALS_TAG = "sweep.trials"
CONFIGURATION, CURVES = "config.yaml", "curves.parquet"
LOOSE = "runs"  # the name of runs that have no parent, such as those of Hydra's own sweeper
LOOSE_TAG = "multirun"  # if present, says which of them belong together


def read_sweep(tracking: Tracking, which: str) -> SweepResults:
    """The sweep of that run id, the latest one, or the runs of the experiment that have no parent. Raises ConfigError."""
    if which == LOOSE:
        return read_runs(tracking)
    try:
        client, parent = find_sweep(tracking.uri, which)
    except ConfigError as error:
        if which != "latest" or str(error).startswith("tracking.uri="):  # the store itself cannot be used
            raise
        try:
            return read_runs(tracking)  # a store that has runs, but no sweep
        except ConfigError:
            pass
        raise
    return results_of(client, parent)


def results_of(client: MlflowClient, parent: Run) -> SweepResults:
    """The results of a sweep by its parent run. Raises ConfigError for damaged ones."""
    tags = parent.data.tags
    results = SweepResults.from_arrow(
        contents(client, parent, FILE, read_table),
        name=name_of(parent),
        run_id=parent.info.run_id,
        configuration=read_configuration(client, parent),
        environment={key: tags[key] for key in tags if key.startswith("version.") or key in ("system", "cpu", "cpu.features")},
        command=tags.get("command", ""),
    )
    if TRIALS_TAG in tags and tags[TRIALS_TAG] != str(len(results.table)):
        said = f"has {len(results.table):,} rows, but the tag {TRIALS_TAG} says {tags[TRIALS_TAG][:100]}"
        raise ConfigError("sweep", parent.info.run_id, f"{FILE} {said}")
    return results


class RecordedCurves(Curves):
    """The error curve of each row of a sweep's results, read when it is used. Raises ConfigError if none was kept."""

    def __init__(self, tracking: Tracking, sweep: SweepResults) -> None:
        self.client, self.uri = reader(tracking.uri)
        self.sweep = sweep

    def __len__(self) -> int:
        return len(self.sweep.table)

    def __getitem__(self, row: Any) -> Any:
        """(epochs, errors) of the run in that row."""
        run_id = self.sweep.table["run_id"].iloc[row] if "run_id" in self.sweep.table else None
        if isinstance(run_id, str):
            curve = error_curve(self.client, run_id)
            if not len(curve[0]):
                raise ConfigError("sweep", self.sweep.run_id or self.sweep.name, f"its run {run_id} has no error curve")
            return curve
        if not self.sweep.run_id:
            raise ConfigError("sweep", self.sweep.name, "has no curve of that run")
        first, last = np.searchsorted(self.kept_curves["place"], [row, row + 1])
        if first == last:
            raise ConfigError("sweep", self.sweep.run_id, f"{CURVES} has no curve of row {row}")
        epochs, errors = (self.kept_curves[name][first:last] for name in ("epoch", "error"))
        check_curve(self.sweep.run_id, epochs, errors)
        return epochs, errors

    @cached_property
    def kept_curves(self) -> dict[str, NDArray[Any]]:
        """The columns of the file of all curves, if the sweep has kept one, in the order of their rows."""
        with store_errors_as_config_errors(self.uri):
            parent = self.client.get_run(self.sweep.run_id)
        table = contents(self.client, parent, CURVES, read_table)
        kinds = {"place": pa.types.is_integer, "epoch": pa.types.is_integer, "error": pa.types.is_floating}
        for name, allows in kinds.items():
            if table.column_names.count(name) != 1 or not allows(table.schema.field(name).type):
                raise ConfigError("sweep", self.sweep.run_id, f"{CURVES} has no column {name} of numbers")
            if name != "error" and table.column(name).null_count:
                raise ConfigError("sweep", self.sweep.run_id, f"{CURVES} has rows without {name}")
        columns = {name: table.column(name).to_numpy() for name in kinds}
        order = np.argsort(columns["place"], kind="stable")  # files of chunks follow each other in any order
        return {name: column[order] for name, column in columns.items()}


def read_configuration(client: MlflowClient, parent: Run) -> dict[str, Any]:
    """The configuration that a sweep's jobs started from, as text: nothing is resolved. Empty if it was not kept.

    Raises ConfigError for a damaged one.
    """
    loaded = contents_if_present(client, parent, CONFIGURATION, read_yaml)
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError("sweep", parent.info.run_id, f"{CONFIGURATION} does not have keys and values")
    return loaded


def name_of(run: Run) -> str:
    """A run's name; without one, its id."""
    return str(run.info.run_name or run.info.run_id)


def read_runs(tracking: Tracking) -> SweepResults:
    """The finished runs of the experiment that have no parent, as one sweep: axes are the params that differ.

    If runs say which multirun they belong to, only those of the latest one. Raises ConfigError if there are none.
    """
    client, uri = reader(tracking.uri)
    name = tracking.experiment
    with store_errors_as_config_errors(uri):
        experiment = client.get_experiment_by_name(name)
        finished = search(client, experiment.experiment_id, FINISHED, newest_first=True) if experiment else ()
        runs = [run for run in finished if is_loose(run)]
    if not runs:
        raise ConfigError("sweep", LOOSE, f"there is no finished run without a parent in experiment {name} of {uri}")
    latest = runs[0].data.tags.get(LOOSE_TAG)
    runs = [run for run in runs if run.data.tags.get(LOOSE_TAG) == latest][::-1]
    params = pd.DataFrame([{key: scalar(value) for key, value in run.data.params.items()} for run in runs])
    counts = params.astype(str).nunique(dropna=False)
    axes = params[[column for column in map(str, params) if counts[column] > 1 and column not in NO_AXES]]
    ends = [end_of(run) for run in runs]
    results = pd.DataFrame(
        {
            "status": [end.status for end in ends],
            "epochs": [end.epochs for end in ends],
            "final_error": [end.final_error for end in ends],
            "run_id": [run.info.run_id for run in runs],
            "key": [run.data.tags.get("trial.key", "") for run in runs],
            "digest": [run.data.tags.get("result.digest", "") for run in runs],
        }
    )
    if "max_epochs" in params:
        results["horizon"] = [horizon_of(run, end) for run, end in zip(runs, ends, strict=True)]
    for metric in HELD_OUT:
        if any(metric in run.data.metrics for run in runs):
            results[metric] = [restored(run.data.metrics.get(metric, math.nan)) for run in runs]
    fixed = {str(column): params[column].iloc[0] for column in params if column not in axes}
    table = pd.concat([axes, results, params[[column for column in fixed if column not in results]]], axis=1)
    return SweepResults(table, tuple(map(str, axes)), f"runs of {name}", configuration=fixed)


class End(NamedTuple):
    """How a run ended."""

    status: str
    epochs: int
    final_error: float


def end_of(run: Run) -> End:
    """How a run ended. Raises ConfigError for what cannot be, KeyError for what is missing (final_error: NaN)."""
    status, epochs = run.data.tags["status"], run.data.metrics["epochs"]
    error = restored(run.data.metrics.get("final_error", math.nan))
    if status not in STATUSES:
        raise ConfigError("sweep", run.info.run_id, f"has status {status[:100]}, which must be one of {', '.join(STATUSES)}")
    if not (epochs.is_integer() and 0 <= epochs <= MOST_EPOCHS):
        raise ConfigError("sweep", run.info.run_id, f"has epochs {epochs!r}, which must be a whole number from 0")
    if "final_error" in run.data.metrics and (error < 0 or not (status == "diverged" or math.isfinite(error))):
        raise ConfigError("sweep", run.info.run_id, f"has final_error {error!r}, which no run that {status} can have")
    return End(status, int(epochs), error)


def horizon_of(run: Run, end: End) -> float:
    """The max_epochs of a run; NaN where its params have none. Raises ConfigError if it is less than the epochs."""
    value = read_param(run.data.params.get("max_epochs", "NaN"))
    if isinstance(value, bool) or not isinstance(value, int | float) or value < end.epochs or value > MOST_EPOCHS:
        raise ConfigError("sweep", run.info.run_id, f"has max_epochs {str(value)[:100]} and epochs {end.epochs}")
    return value


def is_loose(run: Run) -> bool:
    """Whether it is the run of a trial without a parent."""
    tags = run.data.tags
    return tags.get("status") in STATUSES and "mlflow.parentRunId" not in tags and "epochs" in run.data.metrics


def scalar(param: str) -> Any:
    """A param as a cell of a table: a number, a truth value, None, or text."""
    value = read_param(param)
    return value if value is None or isinstance(value, int | float) else param
