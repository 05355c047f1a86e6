"""The earlier results that are checked: baselines, and sweeps in the store."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pipeline.errors import ConfigError
from pipeline.reproducibility import baselines
from pipeline.reproducibility.drift import ExpectedRun
from pipeline.store.addresses import address
from pipeline.store.read import error_curve, find_sweep, weights
from pipeline.store.records import ENGINE_TAG
from pipeline.store.sweeps import read_configuration
from pipeline.sweeps.plan import Plan
from pipeline.trials.batching import CURVE_POINTS
from pipeline.trials.checks import integer
from pipeline.trials.configuration import configuration_from_params, read_trial


@dataclass(frozen=True, slots=True)
class Source:
    """Earlier results: a number of runs, of which `read` gives those at some indices, and the tags of their environment."""

    name: str
    runs: int
    read: Callable[[Sequence[int]], list[ExpectedRun]]
    environment: Mapping[str, str] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    curve_points: int = CURVE_POINTS


def recorded_baselines(folder: Path) -> Source:
    """The baselines of a folder. Raises ConfigError for a file or a row that is broken."""
    lines = [(path, line, row) for path in baselines.files(folder) for line, row in enumerate(baselines.read(path), 2)]
    runs = [baselines.read_row(f"{baselines.shown(path)}:{line}", row) for path, line, row in lines]
    if not runs:
        raise ConfigError("folder", folder, "has no baselines in its CSV files")
    return Source("baselines", len(runs), lambda some: [runs[index] for index in some], curve_points=baselines.CURVE_POINTS)


def recorded_sweep(uri: str | None, which: str) -> Source:
    """A sweep and its finished runs, from MLflow. Raises ConfigError where they cannot be read."""
    from pipeline.store.failures import store_errors_as_config_errors
    from pipeline.store.read import FINISHED, search

    client, parent = find_sweep(uri, which)
    run_id, tags = parent.info.run_id, parent.data.tags
    with store_errors_as_config_errors(address(uri).shown):
        mine = f"tags.`mlflow.parentRunId` = '{run_id}'"
        children = list(search(client, parent.info.experiment_id, FINISHED, mine))
    if len(children) < int(tags.get("sweep.trials", 0)):
        runs, read = rows_reader(client, parent)
    elif children:
        runs, read = len(children), lambda some: [recorded_run(client, children[index]) for index in some]
    else:
        raise ConfigError("sweep", run_id, "has no finished runs")
    try:  # without the number of curve points, curves are compared at fewer epochs
        points = integer("curve_points", read_configuration(client, parent).get("curve_points"), 2, 1000)
    except ConfigError:
        points = CURVE_POINTS
    return Source(f"sweep {parent.info.run_name}", runs, read, tags, {"sweep": run_id}, points)


def rows_reader(client: Any, parent: Any) -> tuple[int, Callable[[Sequence[int]], list[ExpectedRun]]]:
    """The number of runs of a sweep that has no MLflow run for each trial, and what reads them from its artifacts."""
    from pipeline.store.read import artifact

    with artifact(client, parent, "jobs.json") as path:
        jobs = json.loads(path.read_text(encoding="utf-8"))
    with artifact(client, parent, "results.parquet") as path:
        table = pq.read_table(path)
    try:
        plan = Plan.from_data(jobs)
    except ConfigError as error:
        raise ConfigError("sweep", parent.info.run_id, f"cannot be trained again: {error}") from None

    def read(some: Sequence[int]) -> list[ExpectedRun]:
        indices = np.array(some)
        rows = table.select(("key", "status", "epochs", "final_error", "digest")).take(indices).to_pylist()
        names = [f"{name} (row {index} of results.parquet)" for name, index in zip(plan.names(indices), some, strict=True)]
        expected = zip(names, plan.trials(indices), rows, strict=True)
        return [ExpectedRun(name, trial, **row) for name, trial, row in expected]

    return len(plan), read


def recorded_run(client: Any, child: Any) -> ExpectedRun:
    """A sweep's run as it was recorded. Raises ConfigError."""
    run_id, tags = child.info.run_id, child.data.tags
    config = configuration_from_params(child.data.params)
    try:
        if config["initial"]["kind"] in ("explicit", "file"):  # the weights are in its weights.npz
            arrays = weights(client, child)
            if arrays is None:
                raise ConfigError("weights.npz", None, "is missing, and the initial weights with it")
            initial = {name.removeprefix("initial_"): arrays[name].tolist() for name in arrays if name.startswith("initial_")}
            config["initial"] = {"kind": "explicit", "values": initial}
        return ExpectedRun(
            name=f"{child.info.run_name} (run {run_id})",
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
