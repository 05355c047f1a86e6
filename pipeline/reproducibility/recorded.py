"""The results that are checked: baselines, and sweeps in the store."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import ConfigError
from pipeline.reproducibility import baselines
from pipeline.reproducibility.drift import ExpectedRun
from pipeline.store.records import ENGINE_TAG
from pipeline.sweeps.plan import Plan
from pipeline.trials.batching import CURVE_POINTS
from pipeline.trials.checks import integer
from pipeline.trials.configuration import configuration_from_params, read_trial

JOBS = "jobs.json"  # of a sweep: all its trials


@dataclass(frozen=True, slots=True)
class Source:
    """What is checked: its name, its results, and what is known of the environment that they come from (its tags)."""

    name: str
    results: Sequence[ExpectedRun]
    environment: Mapping[str, str] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    curve_points: int = CURVE_POINTS


def recorded_baselines(folder: Path) -> Source:
    """The baselines of a folder. Raises ConfigError where they are not what they should be."""
    results = [one for path in baselines.files(folder) for one in baselines.recorded(path, baselines.read(path))]
    if not results:
        raise ConfigError("folder", folder, "has no baselines in its CSV files")
    return Source("baselines", results, curve_points=baselines.CURVE_POINTS)


def recorded_sweep(uri: str | None, which: str) -> Source:
    """A sweep and its finished runs, from MLflow. Raises ConfigError where they cannot be read."""
    from pipeline.store.addresses import store_uri
    from pipeline.store.failures import store_errors_as_config_errors
    from pipeline.store.read import FINISHED, find_sweep, search

    client, parent = find_sweep(uri, which)
    mine = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    with store_errors_as_config_errors(store_uri(uri)):
        children = list(search(client, parent.info.experiment_id, FINISHED, mine))
    results: Sequence[ExpectedRun]
    if len(children) < int(parent.data.tags.get("sweep.trials", 0)):
        results = recorded_rows(client, parent)
    elif children:
        results = [recorded_run(client, child) for child in children]
    else:
        raise ConfigError("sweep", parent.info.run_id, "has no finished runs")
    name = f"sweep {parent.info.run_name}"
    return Source(name, results, parent.data.tags, {"sweep": parent.info.run_id}, kept_points(client, parent))


def recorded_rows(client: Any, parent: Any) -> "Rows":
    """The results of a sweep whose trials have no runs of their own, from its artifacts. Raises ConfigError."""
    from pipeline.store.read import artifact

    with artifact(client, parent, JOBS) as path:
        jobs = json.loads(path.read_text(encoding="utf-8"))
    with artifact(client, parent, "results.parquet") as path:
        table = pq.read_table(path)
    try:
        return Rows(Plan.from_data(jobs), table)
    except ConfigError as error:
        raise ConfigError("sweep", parent.info.run_id, f"cannot be trained again: {error}") from None


class Rows(Sequence[ExpectedRun]):
    """The rows of a sweep's results.parquet as results to be compared, made as they are taken."""

    def __init__(self, plan: Plan, table: pa.Table) -> None:
        self.plan, self.table = plan, table

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, row: Any) -> Any:
        """The result in that row."""
        place = np.array([range(len(self))[row]])
        [found] = self.table.slice(int(place[0]), 1).to_pylist()
        return ExpectedRun(
            name=f"{self.plan.names(place)[0]} (row {place[0]} of results.parquet)",
            trial=self.plan.trials(place)[0],
            curve=lambda: (np.array([], np.int64), np.array([])),
            **{name: found[name] for name in ("key", "status", "epochs", "final_error", "digest")},
        )


def recorded_run(client: Any, child: Any) -> ExpectedRun:
    """A sweep's run as a result to be compared."""
    from pipeline.store.read import error_curve

    name, run_id, tags = child.info.run_name, child.info.run_id, child.data.tags
    try:
        config = configuration(client, child)
        return ExpectedRun(
            name=f"{name} (run {run_id})",
            trial=read_trial(config),
            key=tags["trial.key"],
            status=tags["status"],
            epochs=int(child.data.metrics["epochs"]),
            final_error=float(child.data.metrics["final_error"]),
            digest=tags["result.digest"],
            curve=lambda: error_curve(client, run_id),
            weights=lambda: weights(client, child),
            trained_by=tags.get(ENGINE_TAG, ""),
        )
    except KeyError as error:
        raise ConfigError("sweep", run_id, f"has no {error.args[0]}, so that it cannot be checked") from None
    except ConfigError as error:
        raise ConfigError("sweep", run_id, f"cannot be trained again: {error}") from None


def configuration(client: Any, child: Any) -> dict[str, Any]:
    """The configuration of a run from its params; initial weights that are given one by one from its weights.npz."""
    config = configuration_from_params(child.data.params)
    if config["initial"]["kind"] in ("explicit", "file"):
        arrays = weights(client, child)
        if arrays is None:
            raise ConfigError("weights.npz", None, "is missing, and the initial weights with it")
        values = {name.removeprefix("initial_"): array for name, array in arrays.items() if name.startswith("initial_")}
        config["initial"] = {"kind": "explicit", "values": {name: array.tolist() for name, array in values.items()}}
    return config


def kept_points(client: Any, parent: Any) -> int:
    """How many points of its curves a sweep has kept; without them, curves are compared at fewer epochs."""
    from pipeline.store.sweeps import read_configuration

    try:
        return integer("curve_points", read_configuration(client, parent).get("curve_points"), 2, 1000)
    except ConfigError:
        return CURVE_POINTS


def weights(client: Any, child: Any) -> dict[str, Any] | None:
    """The arrays of a run's weights.npz; None where it has none."""
    from pipeline.store.read import artifact

    try:
        with artifact(client, child, "weights.npz") as path, np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ConfigError, ValueError):
        return None
