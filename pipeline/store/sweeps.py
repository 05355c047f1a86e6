"""Sweeps read from an MLflow store: those with a parent run, and runs without one."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.backprop.status import STATUSES
from pipeline.errors import ConfigError
from pipeline.results.columns import RUN_COLUMNS
from pipeline.results.run_result import Curve
from pipeline.results.sweep_results import SweepResults
from pipeline.store.failures import store_errors_as_config_errors
from pipeline.store.read import FINISHED, artifact, error_curve, find_sweep, reader, search
from pipeline.trials.configuration import read_param
from pipeline.trials.settings import Tracking

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
    with artifact(client, parent, "results.parquet") as path:
        table = pq.read_table(path)
    tags = parent.data.tags
    return SweepResults.from_arrow(
        table,
        name=parent.info.run_name,
        run_id=parent.info.run_id,
        configuration=read_configuration(client, parent),
        environment={key: tags[key] for key in tags if key.startswith("version.") or key in ("system", "cpu", "cpu.features")},
        command=tags.get("command", ""),
    )


class RecordedCurves(Sequence[Curve]):
    """The error curve of each row of a sweep's results, read when it is used. Raises ConfigError if none was kept."""

    def __init__(self, tracking: Tracking, sweep: SweepResults) -> None:
        self.client, _ = reader(tracking.uri)
        self.sweep = sweep

    def __len__(self) -> int:
        return len(self.sweep.table)

    def __getitem__(self, row: Any) -> Any:
        """(epochs, errors) of the run in that row."""
        run_id = self.sweep.table["run_id"].iloc[row]
        if isinstance(run_id, str):
            return error_curve(self.client, run_id)
        if not self.sweep.run_id:
            raise ConfigError("sweep", self.sweep.name, "has no curve of that run")
        curve = self.kept_curves.loc[[row]]
        return curve["epoch"].to_numpy(), curve["error"].to_numpy()

    @cached_property
    def kept_curves(self) -> pd.DataFrame:
        """The file of all curves, if the sweep has kept one."""
        with artifact(self.client, self.client.get_run(self.sweep.run_id), "curves.parquet") as path:
            return pd.read_parquet(path).set_index("place")


def read_configuration(client: MlflowClient, parent: Run) -> dict[str, Any]:
    """The configuration that a sweep's jobs started from; empty if it cannot be read."""
    try:
        with artifact(client, parent, "config.yaml") as path:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ConfigError, OSError, ValueError, yaml.YAMLError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


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
    axes = params[[column for column in map(str, params) if counts[column] > 1 and column not in RUN_COLUMNS]]
    results = pd.DataFrame(
        {
            "status": [run.data.tags["status"] for run in runs],
            "epochs": [int(run.data.metrics["epochs"]) for run in runs],
            "final_error": [run.data.metrics.get("final_error", float("nan")) for run in runs],
            "run_id": [run.info.run_id for run in runs],
            "key": [run.data.tags.get("trial.key", "") for run in runs],
            "digest": [run.data.tags.get("result.digest", "") for run in runs],
        }
    )
    if "max_epochs" in params:
        results["horizon"] = pd.to_numeric(params["max_epochs"], errors="coerce")
    fixed = {str(column): params[column].iloc[0] for column in params if column not in axes}
    table = pd.concat([axes, results, params[[column for column in fixed if column not in results]]], axis=1)
    return SweepResults(table, tuple(map(str, axes)), f"runs of {name}", configuration=fixed)


def is_loose(run: Run) -> bool:
    """Whether it is the run of a trial without a parent."""
    tags = run.data.tags
    return tags.get("status") in STATUSES and "mlflow.parentRunId" not in tags and "epochs" in run.data.metrics


def scalar(param: str) -> Any:
    """A param as a cell of a table: a number, a truth value, None, or text."""
    value = read_param(param)
    return value if value is None or isinstance(value, int | float) else param
