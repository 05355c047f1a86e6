"""`python -m pipeline.reproduce` trains what was recorded again and compares it to the last bit.

The baselines, or with `sweep=latest` (or a parent run's id) a recorded sweep. The check is recorded in MLflow, too: its run
ends FINISHED if all was reproduced, FAILED if not. Exit code 0: all equal; 1: something drifted; 2: it could not be checked.
"""

import json
import os
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from omegaconf import DictConfig

from pipeline import baselines, drift
from pipeline.application import plain, run
from pipeline.config import ENGINES, ConfigError, choice, integer, read_trial, refuse_unknown, text
from pipeline.control import progress_bar
from pipeline.drift import Check, Recorded, compare, train_again
from pipeline.plan import Plan
from pipeline.settings import read_tracking

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

KEYS = ("baseline", "folder", "sweep", "sample", "seed", "engines", "tracking")
DRIFTS_TOLD = 10
TABLE = "reproduced.csv"
JOBS = "jobs.json"  # of a sweep: all its trials
NOTE = (
    "Do recorded results still come out, to the last bit? Each run is one check (`python -m pipeline.reproduce`): the metric "
    f"`share_reproduced` is its result, `{TABLE}` its table; it is FAILED if anything drifted."
)


@dataclass(frozen=True, slots=True)
class Source:
    """What is checked: its name, its results, and what is known of the environment that they come from (its tags)."""

    name: str
    results: Sequence[Recorded]
    environment: Mapping[str, str] | None = None
    params: Mapping[str, str] = field(default_factory=dict)


def read_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, checked; raises ConfigError."""
    refuse_unknown(config, KEYS)
    settings = dict(config)
    choice("baseline", config["baseline"], ("check", "update"))
    folder = config["folder"]
    settings["folder"] = baselines.FOLDER if folder is None else Path(text("folder", folder, "a folder of CSV files"))
    if config["sweep"] is not None:
        settings["sweep"] = text("sweep", str(config["sweep"]), "latest, a parent run's id, or null")
    if config["sample"] is not None:
        settings["sample"] = integer("sample", config["sample"], 1)
    settings["seed"] = integer("seed", config["seed"], 0, 2**64 - 1)
    asked = config["engines"]
    asked = list(ENGINES) if asked is None else asked if isinstance(asked, list) else [asked]
    if not asked:
        raise ConfigError("engines", asked, f"must be some of {', '.join(ENGINES)}")
    settings["engines"] = list(dict.fromkeys(choice("engines", engine, ENGINES) for engine in asked))
    settings["tracking"] = read_tracking(config)
    if config["baseline"] == "update":
        for key in ("sweep", "sample"):
            if config[key] is not None:
                raise ConfigError(key, config[key], "must be null with baseline=update, which writes the baselines anew")
    return settings


def main(config: DictConfig) -> int:
    """Checks, or updates the baselines; gives the exit code."""
    settings = read_settings(plain(config))
    if settings["baseline"] == "update":
        return update(settings["folder"])
    return check(settings)


def check(settings: Mapping[str, Any]) -> int:
    """Trains again, compares, tells and records it; gives the exit code."""
    from pipeline.environment import environment_tags, source_tags
    from pipeline.tracking import Store

    tracking = settings["tracking"]
    source = (
        recorded_baselines(settings["folder"]) if settings["sweep"] is None else recorded_sweep(tracking.uri, settings["sweep"])
    )
    chosen = sample(source.results, settings["sample"], settings["seed"])
    engines = settings["engines"]
    store = Store(tracking.uri, tracking.experiment)
    store.set_experiment_note(NOTE)
    params = {"checked": source.name, "engines": " ".join(engines), **source.params}
    if settings["sample"] is not None:
        params |= {"sample": str(settings["sample"]), "seed": str(settings["seed"])}
    run_id = store.begin("check", source.name, params, {"mlflow.source.name": "pipeline.reproduce"})
    ended, started = "FAILED", time.monotonic()
    try:
        checks = train_and_compare(chosen, engines)
        said = report(checks, source.environment, {**environment_tags(), **source_tags()})
        drifted = len({one.recorded.name for one in checks if one.changes})
        summary = in_short(len(chosen), drifted, engines)
        metrics = {
            "checked": len(chosen),
            "reproduced": len(chosen) - drifted,
            "share_reproduced": (len(chosen) - drifted) / len(chosen),
            "seconds": time.monotonic() - started,
        }
        store.log_metrics(run_id, metrics)
        with tempfile.TemporaryDirectory() as place:
            write_table(checks, Path(place, TABLE))
            store.log_files(run_id, Path(place))
        store.set_note(run_id, "\n\n".join([summary, *(f"```\n{part}\n```" for part in said)]))
        if not drifted:
            ended = "FINISHED"
    except KeyboardInterrupt:
        ended = "KILLED"
        raise
    finally:
        store.end(run_id, ended)
    for part in said:
        print(part, end="\n\n")
    print(f"{source.name}: {summary}")
    print(f"recorded as run {run_id} in {store.uri}, experiment {tracking.experiment}")
    return 1 if drifted else 0


def train_and_compare(results: Sequence[Recorded], engines: Sequence[str]) -> list[Check]:
    """Every result checked by every engine."""
    checks = []
    with progress_bar() as bar:
        for engine in engines:
            trained = train_again([one.trial for one in results], engine, bar(engine, len(results)))
            checks += [compare(one, engine, result) for one, result in zip(results, trained, strict=True)]
    return checks


def sample(results: Sequence[Recorded], size: int | None, seed: int) -> Sequence[Recorded]:
    """All results, or so many of them, in their order."""
    if size is None or size >= len(results):
        return results
    return [results[place] for place in sorted(random.Random(seed).sample(range(len(results)), size))]


def in_short(checked: int, drifted: int, engines: Sequence[str]) -> str:
    """The line that says it all."""
    more = f" ({drifted} drifted)" if drifted else ""
    return f"reproduced {checked - drifted:,} of {checked:,}{more}, trained by {' and '.join(engines)}"


def report(checks: Sequence[Check], then: Mapping[str, str] | None, now: Mapping[str, str]) -> list[str]:
    """What is told of the drifts, and of the environments if there are any."""
    drifts = [one for one in checks if one.changes]
    if not drifts:
        return []
    parts = [drift.in_words(one) for one in drifts[:DRIFTS_TOLD]]
    if len(drifts) > DRIFTS_TOLD:
        parts.append(f"… and {len(drifts) - DRIFTS_TOLD:,} more: see {TABLE} of this check's run in MLflow")
    other = {one.recorded.trained_by: one.engine for one in drifts if one.recorded.trained_by not in ("", one.engine)}
    return [*parts, environments(then, now, [f"engine {old} → {new}" for old, new in other.items()])]


def environments(then: Mapping[str, str] | None, now: Mapping[str, str], engines: Sequence[str]) -> str:
    """What differs between where the results come from and here."""
    if then is None:
        known = [f"{name} {value}" for name, value in now.items() if name.startswith(drift.ENVIRONMENT)]
        return "Baselines keep no environment; this one is:\n" + "\n".join(f"  {line}" for line in known)
    changes = [*engines, *drift.environment_changes(then, now)]
    if not changes:
        return "The environments do not differ in versions, commit, processor or engine: look at uncommitted changes."
    return "Between the environments differ:\n" + "\n".join(f"  {line}" for line in changes)


def write_table(checks: Sequence[Check], path: Path) -> None:
    """All checks as a CSV file."""
    import pandas as pd

    table = pd.DataFrame([drift.row(one) for one in checks])
    for column in ("equal_up_to_epoch", "curves_part_at_epoch"):
        table[column] = table[column].astype("Int64")
    table.to_csv(path, index=False)


def recorded_baselines(folder: Path) -> Source:
    """The baselines of a folder. Raises ConfigError where they are not what they should be."""
    results = [one for path in baselines.files(folder) for one in baselines.recorded(path, baselines.read(path))]
    if not results:
        raise ConfigError("folder", folder, "has no baselines in its CSV files")
    return Source("baselines", results)


def recorded_sweep(uri: str | None, which: str) -> Source:
    """A sweep and its finished runs, from MLflow. Raises ConfigError where they cannot be read."""
    from pipeline.tracking import find_sweep, finished_runs, needed, store_uri

    client, parent = find_sweep(uri, which)
    mine = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    with needed(store_uri(uri)):
        children = list(finished_runs(client, parent.info.experiment_id, mine))
    results: Sequence[Recorded]
    if len(children) < int(parent.data.tags.get("sweep.trials", 0)):
        results = recorded_rows(client, parent)
    elif children:
        points = kept_points(client, parent)
        results = [recorded_run(client, child, points) for child in children]
    else:
        raise ConfigError("sweep", parent.info.run_id, "has no finished runs")
    name = f"sweep {parent.info.run_name}"
    return Source(name, results, parent.data.tags, {"sweep": parent.info.run_id})


def recorded_rows(client: Any, parent: Any) -> "Rows":
    """The results of a sweep whose trials have no runs of their own, from its artifacts. Raises ConfigError."""
    from pipeline.tracking import download

    with tempfile.TemporaryDirectory() as folder:
        jobs = json.loads(download(client, parent, JOBS, folder).read_text(encoding="utf-8"))
        table = pq.read_table(download(client, parent, "results.parquet", folder))
    try:
        return Rows(Plan.from_data(jobs), table)
    except ConfigError as error:
        raise ConfigError("sweep", parent.info.run_id, f"cannot be trained again: {error}") from None


class Rows(Sequence[Recorded]):
    """The rows of a sweep's results.parquet as results to be compared, made as they are taken."""

    def __init__(self, plan: Plan, table: pa.Table) -> None:
        self.plan, self.table = plan, table

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, row: Any) -> Any:
        """The result in that row."""
        place = np.array([range(len(self))[row]])
        [found] = self.table.slice(int(place[0]), 1).to_pylist()
        return Recorded(
            name=f"{self.plan.names(place)[0]} (row {place[0]} of results.parquet)",
            trial=self.plan.trials(place)[0],
            curve=lambda: (np.array([], np.int64), np.array([])),
            **{name: found[name] for name in ("key", "status", "epochs", "final_error", "digest")},
        )


def recorded_run(client: Any, child: Any, points: int) -> Recorded:
    """A sweep's run as a result to be compared."""
    from pipeline.tracking import error_curve

    name, run_id, tags = child.info.run_name, child.info.run_id, child.data.tags
    try:
        config = configuration(client, child, points)
        return Recorded(
            name=f"{name} (run {run_id})",
            trial=read_trial(config),
            key=tags["trial.key"],
            status=tags["status"],
            epochs=int(child.data.metrics["epochs"]),
            final_error=float(child.data.metrics["final_error"]),
            digest=tags["result.digest"],
            curve=lambda: error_curve(client, run_id),
            weights=lambda: weights(client, child),
            trained_by=child.data.params.get("engine", ""),
        )
    except KeyError as error:
        raise ConfigError("sweep", run_id, f"has no {error.args[0]}, so that it cannot be checked") from None
    except ConfigError as error:
        raise ConfigError("sweep", run_id, f"cannot be trained again: {error}") from None


def configuration(client: Any, child: Any, points: int) -> dict[str, Any]:
    """The configuration of a run from its params (see `records.params_of`); weights of one's own from its weights.npz."""
    config: dict[str, Any] = {"curve_points": points}
    for key, written in child.data.params.items():
        group, _, name = key.partition(".")
        if group in ("task", "network", "initial"):
            name = name or {"task": "name", "initial": "kind"}[group]
            config.setdefault(group, {})[name] = value_of(key, written)
        else:
            config[key] = value_of(key, written)
    config["engine"] = "numpy"  # of any engine, the trial is the same
    if config["initial"]["kind"] in ("explicit", "file"):
        arrays = weights(client, child)
        if arrays is None:
            raise ConfigError("weights.npz", None, "is missing, and the initial weights with it")
        values = {name.removeprefix("initial_"): array for name, array in arrays.items() if name.startswith("initial_")}
        config["initial"] = {"kind": "explicit", "values": {name: array.tolist() for name, array in values.items()}}
    return config


def value_of(key: str, written: str) -> Any:
    """A param as the value it was: a number, truth value or list, or else text."""
    if key.endswith(".path"):
        return written
    try:
        return json.loads(written)
    except ValueError:
        return written


def kept_points(client: Any, parent: Any) -> int:
    """How many points of its curves a sweep has kept; without them, curves are compared at fewer epochs."""
    from omegaconf import OmegaConf

    from pipeline.tracking import download

    with tempfile.TemporaryDirectory() as folder:
        try:
            config = OmegaConf.load(download(client, parent, "config.yaml", folder))
            return integer("curve_points", OmegaConf.select(config, "curve_points"), 2, 1000)
        except ConfigError:
            return 100


def weights(client: Any, child: Any) -> dict[str, Any] | None:
    """The arrays of a run's weights.npz; None where it has none."""
    from pipeline.tracking import download

    with tempfile.TemporaryDirectory() as folder:
        try:
            with np.load(download(client, child, "weights.npz", folder), allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (ConfigError, ValueError):
            return None


def update(folder: Path) -> int:
    """Writes what comes out now into the baselines, and samples of studies that have none; says what has changed."""
    rows = {path: baselines.read(path) for path in sorted(folder.glob("*.csv"))}
    for study in baselines.studies():
        path = baselines.file_of_study(folder, study)
        if path not in rows and folder == baselines.FOLDER:
            rows[path] = baselines.sample_of_study(study)
    if not rows:
        baselines.files(folder)
    trials = [baselines.trial_of(f"{path.name}:{line}", row) for path in rows for line, row in enumerate(rows[path], 2)]
    with progress_bar() as bar:
        results = iter(train_again(trials, "numpy", bar("numpy", len(trials))))
    for path, before in rows.items():
        after = [baselines.filled_in(row, next(results)) for row in before]
        changed = 0
        for line, (old, new) in enumerate(zip(before, after, strict=True), 2):
            columns = [column for column in baselines.COLUMNS if old[column] != new[column]]
            changed += bool(columns)
            if columns:
                how = ", ".join(change(column, old[column], new[column]) for column in columns) if old["key"] else "new"
                print(f"{baselines.shown(path)}:{line}: {new['overrides']}: {how}")
        if changed:
            baselines.write(path, after)
        print(f"{baselines.shown(path)}: {changed} of {len(after)} changed")
    return 0


def change(column: str, old: str, new: str) -> str:
    """How a cell has changed, shortly."""
    return f"{column} {old} → {new}" if column in ("status", "epochs", "final_error") else column


if __name__ == "__main__":
    run(main, "reproduce")
