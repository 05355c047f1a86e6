"""Sweeps read back from an MLflow store: those that a parent run stands for, and runs without a parent."""

import tempfile
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import yaml

from pipeline.backprop.status import STATUSES
from pipeline.errors import ConfigError
from pipeline.results.columns import RUN_COLUMNS
from pipeline.results.run_result import Curve
from pipeline.results.sweep_results import SweepResults
from pipeline.trials.configuration import read_param
from pipeline.trials.settings import Tracking

LOOSE = "runs"  # the name of runs that have no parent, such as those of Hydra's own sweeper
LOOSE_TAG = "multirun"  # says which of them belong together, where it is there


def read_sweep(tracking: Tracking, which: str) -> SweepResults:
    """The sweep of that run id, the latest one, or the runs of the experiment that have no parent. Raises ConfigError."""
    from pipeline.store.read import download, find_sweep

    if which == LOOSE:
        return read_runs(tracking)
    try:
        client, parent = find_sweep(tracking.uri, which)
    except ConfigError:
        if which != "latest":
            raise
        try:
            return read_runs(tracking)  # a store that has runs, but no sweep
        except ConfigError:
            pass
        raise
    with tempfile.TemporaryDirectory() as folder:
        table = pq.read_table(download(client, parent, "results.parquet", folder))
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
    """The error curve of each row of a sweep's results, read when it is used. Raises ConfigError where none was kept."""

    def __init__(self, tracking: Tracking, sweep: SweepResults) -> None:
        from pipeline.store.read import reader

        self.client, _ = reader(tracking.uri)
        self.sweep = sweep

    def __len__(self) -> int:
        return len(self.sweep.table)

    def __getitem__(self, row: Any) -> Any:
        """(epochs, errors) of the run in that row."""
        from pipeline.store.read import error_curve

        run_id = self.sweep.table["run_id"].iloc[row]
        if isinstance(run_id, str):
            return error_curve(self.client, run_id)
        if not self.sweep.run_id:
            raise ConfigError("sweep", self.sweep.name, "has no curve of that run")
        curve = self.kept_curves.loc[[row]]
        return curve["epoch"].to_numpy(), curve["error"].to_numpy()

    @cached_property
    def kept_curves(self) -> pd.DataFrame:
        """The file of all curves, where the sweep has kept one."""
        from pipeline.store.read import download

        with tempfile.TemporaryDirectory() as folder:
            parent = self.client.get_run(self.sweep.run_id)
            return pd.read_parquet(download(self.client, parent, "curves.parquet", folder)).set_index("place")


def read_configuration(client: Any, parent: Any) -> dict[str, Any]:
    """The configuration that a sweep's jobs started from, as it is stored; empty where it cannot be read."""
    from pipeline.store.read import download

    with tempfile.TemporaryDirectory() as folder:
        try:
            loaded = yaml.safe_load(download(client, parent, "config.yaml", folder).read_text(encoding="utf-8"))
        except (ConfigError, OSError, ValueError, yaml.YAMLError):
            return {}
    return loaded if isinstance(loaded, dict) else {}


def read_runs(tracking: Tracking) -> SweepResults:
    """The finished runs of the experiment that have no parent, as one sweep: axes are the params that differ.

    Where runs say which multirun they belong to, they are those of the latest one. Raises ConfigError if there are none.
    """
    from pipeline.store.failures import needed
    from pipeline.store.read import finished_runs_of, reader

    client, uri = reader(tracking.uri)
    name = tracking.experiment
    with needed(uri):
        runs = [run for run in finished_runs_of(client, name) if is_loose(run)]
    if not runs:
        raise ConfigError("sweep", LOOSE, f"there is no finished run without a parent in experiment {name} of {uri}")
    latest = runs[0].data.tags.get(LOOSE_TAG)
    runs = [run for run in runs if run.data.tags.get(LOOSE_TAG) == latest][::-1]
    params = pd.DataFrame([{key: scalar(value) for key, value in run.data.params.items()} for run in runs])
    counts = params.astype(str).nunique(dropna=False)
    axes = params[[column for column in map(str, params) if counts[column] > 1 and column not in RUN_COLUMNS]]
    outcomes = pd.DataFrame(
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
        outcomes["horizon"] = pd.to_numeric(params["max_epochs"], errors="coerce")
    fixed = {str(column): params[column].iloc[0] for column in params if column not in axes}
    table = pd.concat([axes, outcomes, params[[column for column in fixed if column not in outcomes]]], axis=1)
    return SweepResults(table, tuple(map(str, axes)), f"runs of {name}", configuration=fixed)


def is_loose(run: Any) -> bool:
    """Whether a run is a trial's without a parent."""
    tags = run.data.tags
    return tags.get("status") in STATUSES and "mlflow.parentRunId" not in tags and "epochs" in run.data.metrics


def scalar(param: str) -> Any:
    """A param as a cell of a table: a number, a truth value, None, or text."""
    value = read_param(param)
    return value if value is None or isinstance(value, int | float) else param
