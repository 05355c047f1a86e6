"""The earlier results that are checked: baselines, and sweeps in the store."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ConfigError, printable
from pipeline.reproducibility import baselines
from pipeline.reproducibility.drift import ExpectedRun
from pipeline.results.sweep_results import FILE
from pipeline.store.addresses import address
from pipeline.store.files import read_json
from pipeline.store.read import contents, error_curve, find_sweep, weights
from pipeline.store.records import CAUSE_TAG, ENGINE_TAG
from pipeline.store.sweeps import end_of, name_of, read_configuration, results_of
from pipeline.sweeps.artifacts.files import JOBS
from pipeline.sweeps.axes import Product
from pipeline.sweeps.plan import Plan
from pipeline.trials.batching import CURVE_POINTS
from pipeline.trials.checks import integer
from pipeline.trials.configuration import configuration_from_params, read_trial
from pipeline.trials.starts.initial_choice import is_drawn_again

ROW = ("key", "status", "epochs", "final_error", "digest")  # what is read of a sweep's results
CAUSE = "cause_digest"  # … if it has it


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
    if len(children) < trials_of(parent):
        runs, read = rows_reader(client, parent)
    elif children:
        runs, read = len(children), lambda some: [recorded_run(client, children[index]) for index in some]
    else:
        raise ConfigError("sweep", run_id, "has no finished runs")
    given = read_configuration(client, parent).get("curve_points")
    try:  # without the number of curve points, curves are compared at fewer epochs
        points = integer("curve_points", given, 2, 1000)
    except ConfigError:
        points = CURVE_POINTS
    return Source(f"sweep {printable(name_of(parent))}", runs, read, tags, {"sweep": run_id}, points)


def trials_of(parent: Any) -> int:
    """How many trials a sweep's parent run says it has; 0 if it does not. Raises ConfigError for what is no such number."""
    number = parent.data.tags.get("sweep.trials", "0")
    if not re.fullmatch("[0-9]{1,12}", number, re.ASCII):
        raise ConfigError("sweep", parent.info.run_id, f"has the tag sweep.trials={number[:100]}, which must be a whole number")
    return int(number)


def rows_reader(client: Any, parent: Any) -> tuple[int, Callable[[Sequence[int]], list[ExpectedRun]]]:
    """The number of runs of a sweep that has no MLflow run for each trial, and what reads them from its artifacts."""
    run_id = parent.info.run_id
    jobs = contents(client, parent, JOBS, read_json)
    table = results_of(client, parent).table
    try:
        plan = plan_of(jobs, len(table))
    except ConfigError as error:
        raise ConfigError("sweep", run_id, f"cannot be trained again: {JOBS}: {error}") from None
    if missing := [name for name in ROW if name not in table]:
        raise ConfigError("sweep", run_id, f"{FILE} has no column {missing[0]}, so that it cannot be checked")

    def read(some: Sequence[int]) -> list[ExpectedRun]:
        indices = np.array(some)
        rows = list(table[list(ROW)].iloc[indices].itertuples(index=False, name=None))
        of_causes = table[CAUSE].iloc[indices].tolist() if CAUSE in table else [None] * len(some)
        for index, (key, *_, digest) in zip(some, rows, strict=True):
            if not (is_hash(key) and is_hash(digest)):
                raise ConfigError("sweep", run_id, f"{FILE} has a row {index} whose key or digest is not 64 hexadecimal digits")
        names = [f"{name} (row {index} of {FILE})" for name, index in zip(plan.names(indices), some, strict=True)]
        expected = zip(map(printable, names), plan.trials(indices), rows, of_causes, strict=True)
        return [
            ExpectedRun(name, trial, **dict(zip(ROW, row, strict=True)), cause_digest=cause if isinstance(cause, str) else None)
            for name, trial, row, cause in expected
        ]

    return len(plan), read


def plan_of(jobs: Any, rows: int) -> Plan:
    """The plan in a store's jobs.json, with as many trials as there are rows. Raises ConfigError."""
    recorded = Product.from_data(jobs)
    trials = len(recorded)
    if trials != rows:  # before the trials are made, which might be any number
        raise ConfigError("jobs", "…", f"are {trials:,} trials, but {FILE} has {rows:,} rows")
    return Plan.of_recorded(recorded)


def is_hash(value: object) -> bool:
    """Whether it is a SHA-256 as it is recorded."""
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def recorded_run(client: Any, child: Any) -> ExpectedRun:
    """A sweep's run as it was recorded. Raises ConfigError."""
    run_id, tags = child.info.run_id, child.data.tags
    config = configuration_from_params(child.data.params)
    try:
        if not is_drawn_again(config["initial"]):  # the weights are in its weights.npz
            arrays = weights(client, child)
            if arrays is None:
                raise ConfigError("weights.npz", None, "is missing, and the initial weights with it")
            initial = {name.removeprefix("initial_"): arrays[name].tolist() for name in arrays if name.startswith("initial_")}
            config["initial"] = {"kind": "explicit", "values": initial}
        trial = read_trial(config)
        for name in ("trial.key", "result.digest"):
            if not is_hash(tags[name]):
                raise ConfigError(name, tags[name][:100], "must be 64 hexadecimal digits")
        child.data.metrics["final_error"]
        return ExpectedRun(
            name=f"{printable(name_of(child))} (run {run_id})",
            trial=trial,
            key=tags["trial.key"],
            **end_of(child)._asdict(),
            digest=tags["result.digest"],
            curve=lambda: error_curve(client, run_id),
            weights=lambda: weights(client, child),
            trained_by=printable(tags.get(ENGINE_TAG, "")),
            cause_digest=tags.get(CAUSE_TAG),
        )
    except KeyError as error:
        raise ConfigError("sweep", run_id, f"has no {error.args[0]}, so that it cannot be checked") from None
    except ConfigError as error:
        raise ConfigError("sweep", run_id, f"cannot be trained again: {error}") from None
