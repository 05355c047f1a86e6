"""Sweeps read back from an MLflow store: those that a parent run stands for, and runs without a parent."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from pipeline.backprop.status import STATUSES
from pipeline.errors import ConfigError
from pipeline.results.columns import RUN_COLUMNS
from pipeline.trials.settings import Tracking

LOOSE = "runs"  # the name of runs that have no parent, such as those of Hydra's own sweeper

LOOSE_TAG = "multirun"  # says which of them belong together, where it is there


@dataclass(frozen=True, slots=True)
class RecordedSweep:
    """A recorded sweep: its results, and what its report says of how it was made."""

    name: str
    run_id: str
    results: pd.DataFrame
    configuration: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    command: str = ""


def read_sweep(tracking: Tracking, which: str) -> RecordedSweep:
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
        results = pd.read_parquet(download(client, parent, "results.parquet", folder))
        try:
            loaded = OmegaConf.to_container(OmegaConf.load(download(client, parent, "config.yaml", folder)), resolve=True)
        except (ConfigError, OSError):
            loaded = {}
    tags = parent.data.tags
    shown = {
        key: value for key, value in tags.items() if key.startswith("version.") or key in ("system", "cpu", "cpu.features")
    }
    configuration = {str(key): value for key, value in loaded.items()} if isinstance(loaded, dict) else {}
    return RecordedSweep(parent.info.run_name, parent.info.run_id, results, configuration, shown, tags.get("command", ""))


def read_runs(tracking: Tracking) -> RecordedSweep:
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
    params = pd.DataFrame([{key: value_of(value) for key, value in run.data.params.items()} for run in runs])
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
    return RecordedSweep(f"runs of {name}", "", pd.concat([axes, outcomes], axis=1), fixed)


def is_loose(run: Any) -> bool:
    """Whether a run is a trial's without a parent."""
    tags = run.data.tags
    return tags.get("status") in STATUSES and "mlflow.parentRunId" not in tags and "epochs" in run.data.metrics


def value_of(param: str) -> Any:
    """A param as the value that was written: a number, true, false, or text."""
    try:
        value = json.loads(param)
    except ValueError:
        return param
    return value if isinstance(value, int | float) else None if value is None else param
