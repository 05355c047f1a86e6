"""Trains recorded results again, compares them to the last bit, and records the check."""

import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.app.progress import progress_bar
from pipeline.errors import ConfigError
from pipeline.reproducibility import baselines, drift
from pipeline.reproducibility.drift import Check, ExpectedRun, compare, train_again
from pipeline.reproducibility.recorded import recorded_baselines, recorded_sweep
from pipeline.trials.checks import choice, integer, refuse_unknown, text
from pipeline.trials.settings import ENGINES, read_tracking

KEYS = ("baseline", "folder", "sweep", "sample", "seed", "engines", "tracking")
DRIFTS_TOLD = 10
TABLE = "reproduced.csv"

NOTE = (
    "Do recorded results still come out, to the last bit? Each run is one check (`python -m pipeline.reproduce`): the metric "
    f"`share_reproduced` is its result, `{TABLE}` its table; it is FAILED if anything drifted."
)


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


def check(settings: Mapping[str, Any]) -> int:
    """Trains again, compares, tells and records it; gives the exit code."""
    from pipeline.store.environment import environment_tags, source_tags
    from pipeline.store.write import Store

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
        checks = train_and_compare(chosen, engines, source.curve_points)
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


def train_and_compare(results: Sequence[ExpectedRun], engines: Sequence[str], curve_points: int) -> list[Check]:
    """Every result checked by every engine."""
    checks = []
    with progress_bar() as bar:
        for engine in engines:
            trained = train_again([one.trial for one in results], engine, curve_points, bar(engine, len(results)))
            checks += [compare(one, engine, result) for one, result in zip(results, trained, strict=True)]
    return checks


def sample(results: Sequence[ExpectedRun], size: int | None, seed: int) -> Sequence[ExpectedRun]:
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
