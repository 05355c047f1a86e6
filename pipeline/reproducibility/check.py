"""Trains recorded results again, compares them to the last bit, and records the check."""

import hashlib
import random
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.app.progress import progress_bar
from pipeline.backprop.engines import ENGINES
from pipeline.errors import ConfigError, as_override, printable
from pipeline.reproducibility import baselines, drift, history
from pipeline.reproducibility.drift import Check, ExpectedRun, compare, train_again
from pipeline.reproducibility.notification import Recipient, read_recipient
from pipeline.results.csv_tables import write_csv
from pipeline.trials.checks import choice, integer, refuse_unknown, section, text, truth
from pipeline.trials.settings import Tracking, read_engine, read_tracking

MOST_DRIFTS = 10  # that are printed
TABLE = "reproduced.csv"
NOTE = (
    "Do recorded results still come out, to the last bit? Each run is one check (`python -m pipeline.reproduce`): the metric "
    f"`share_reproduced` is its result, `{TABLE}` its table; it is FAILED if anything drifted."
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is checked (the baselines of a folder, a sweep or a map; `sample` of its runs, None: all) or updated; by whom.

    `status`: nothing is, but what the last check found is told; `notify`: who is told of a change.
    """

    baseline: str  # check, or update
    folder: Path
    sweep: str | None
    map: str | None
    sample: int | None
    seed: int
    engines: Sequence[str]
    status: bool
    notify: Recipient | None
    tracking: Tracking

    @property
    def name(self) -> str:
        """What is checked, as one writes it: checks of one name have one history."""
        parts: dict[str, Any] = {"sweep": self.sweep, "map": self.map, "sample": self.sample}
        if self.folder != baselines.FOLDER:
            parts["folder"] = str(self.folder)
        if self.sample is not None:
            parts["seed"] = self.seed
        if list(self.engines) != list(ENGINES):
            parts["engines"] = list(self.engines)
        words = [f"{key}={as_override(value)}" for key, value in parts.items() if value is not None]
        return " ".join(words if self.sweep or self.map else ["baselines", *words])


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: its exit code, in words, and in MLflow; `failure`: a digest of what drifted, empty for nothing."""

    code: int
    summary: str
    failure: str = ""
    parts: Sequence[str] = ()
    share: float | None = None
    run_id: str | None = None


def read_settings(config: Mapping[str, Any]) -> Settings:
    """The settings, checked; raises ConfigError."""
    refuse_unknown(config, tuple(field.name for field in fields(Settings)))
    folder, sweep, size, engines = (config[key] for key in ("folder", "sweep", "sample", "engines"))
    of_map = section(config, "map", ("run",))["run"]
    engines = list(ENGINES) if engines is None else engines if isinstance(engines, list) else [engines]
    if not engines:
        raise ConfigError("engines", engines, f"must be some of {', '.join(ENGINES)}")
    settings = Settings(
        baseline=choice("baseline", config["baseline"], ("check", "update")),
        folder=baselines.FOLDER if folder is None else Path(text("folder", folder, "a folder of CSV files")),
        sweep=None if sweep is None else text("sweep", str(sweep), "latest, a parent run's id, or null"),
        map=None if of_map is None else text("map", str(of_map), "latest, the id of a map's run, or null"),
        sample=None if size is None else integer("sample", size, 1),
        seed=integer("seed", config["seed"], 0, 2**64 - 1),
        engines=list(dict.fromkeys(read_engine("engines", engine) for engine in engines)),
        status=truth("status", config["status"]),
        notify=read_recipient(config["notify"]),
        tracking=read_tracking(config),
    )
    if sweep is not None and of_map is not None:
        raise ConfigError("map", of_map, "must be null where sweep is given")
    for key, value in (("sweep", sweep), ("map", of_map), ("sample", size), ("notify", config["notify"])):
        if settings.baseline == "update" and value is not None:
            raise ConfigError(key, value, "must be null with baseline=update, which writes the baselines anew")
    return settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found: how many of the runs (or pixels) it trained again drifted; what to say of these, and their table."""

    checked: int
    drifted: int
    parts: Sequence[str]
    table: Any


def check(settings: Settings) -> Finding:
    """Trains recorded results again, compares, and prints and records the result."""
    import pandas as pd

    from pipeline.reproducibility.recorded import recorded_baselines, recorded_sweep
    from pipeline.store.environment import environment_tags, source_tags

    tracking, engines = settings.tracking, settings.engines
    source = recorded_baselines(settings.folder) if settings.sweep is None else recorded_sweep(tracking.uri, settings.sweep)
    expected = source.read(sample(source.runs, settings.sample, settings.seed))

    def work() -> Outcome:
        checks = train_and_compare(expected, engines, source.curve_points)
        parts = report(checks, source.environment, {**environment_tags(), **source_tags()})
        whole = dict.fromkeys(("equal_up_to_epoch", "curves_part_at_epoch"), "Int64")
        table = pd.DataFrame([drift.row(one) for one in checks]).astype(whole)
        return Outcome(len(expected), len({one.recorded.name for one in checks if one.changes}), parts, table)

    return record(settings, source.name, source.params, work)


def record(settings: Settings, name: str, params: Mapping[str, str], work: Callable[[], Outcome], unit: str = "") -> Finding:
    """Does the work of a check, and prints and records the result, beside earlier ones. `unit`: of what is checked."""
    from pipeline.store.write import Store

    tracking, engines = settings.tracking, settings.engines
    store = Store(tracking.uri, tracking.experiment, tracking.artifacts)
    store.set_experiment_note(NOTE)
    earlier = history.earlier(settings.name)
    params = {"checked": name, "engines": " ".join(engines), **params}
    if settings.sample is not None:
        params |= {"sample": str(settings.sample), "seed": str(settings.seed)}
    run_id = store.begin("check", name, params, {"mlflow.source.name": "pipeline.reproduce"})
    ended, started = "FAILED", time.monotonic()
    try:
        outcome = work()
        reproduced = outcome.checked - outcome.drifted
        more = f" ({outcome.drifted:,} drifted)" if outcome.drifted else ""
        summary = f"reproduced {reproduced:,} of {outcome.checked:,}{unit}{more}, trained by {' and '.join(engines)}"
        metrics = {"checked": outcome.checked, "reproduced": reproduced, "seconds": time.monotonic() - started}
        share = reproduced / outcome.checked
        shares = [entry.share for entry in earlier if entry.share is not None] + [share]
        store.log_metrics(run_id, metrics, {"share_reproduced": (np.arange(len(shares)), np.array(shares))})
        with tempfile.TemporaryDirectory() as folder:
            write_csv(outcome.table, Path(folder, TABLE))
            store.log_files(run_id, Path(folder))
        lines = [f"- {printable(history.line_of(entry))}" for entry in reversed(earlier)]
        before = ["Earlier checks, latest first:\n\n" + "\n".join(lines)] if lines else []
        store.set_note(run_id, "\n\n".join([summary, *map(fenced, outcome.parts), *before]))
        if not outcome.drifted:
            ended = "FINISHED"
    except KeyboardInterrupt:
        ended = "KILLED"
        raise
    finally:
        store.end(run_id, ended)
    for part in outcome.parts:
        print(part, end="\n\n")
    print(f"{name}: {summary}")
    print(printable(f"recorded as run {run_id} in {store.uri}, experiment {tracking.experiment}"))
    code, failure = (1, digest_of(outcome.table)) if outcome.drifted else (0, "")
    if name != "baselines":  # but the name of a sweep or a map, such as the latest one
        summary = f"{name}: {summary}"
    return Finding(code, summary, failure, outcome.parts, share, run_id)


def digest_of(table: Any) -> str:
    """SHA-256 over the rows of a check's table that tell of a drift."""
    wrong = table[~table["reproduced"].astype(bool)] if "reproduced" in table else table
    return hashlib.sha256(wrong.to_csv(index=False).encode("utf-8", "backslashreplace")).hexdigest()


def train_and_compare(expected: Sequence[ExpectedRun], engines: Sequence[str], curve_points: int) -> list[Check]:
    """Every result checked by every engine."""
    checks = []
    with_causes = any(one.cause_digest for one in expected)
    with progress_bar() as bar:
        for engine in engines:
            trained = train_again(
                [one.trial for one in expected], engine, curve_points, bar(engine, len(expected)), with_causes
            )
            checks += [compare(one, engine, result) for one, result in zip(expected, trained, strict=True)]
    return checks


def fenced(text: str) -> str:
    """A text that Markdown shows as it is, whatever it holds."""
    fence = max(["``", *re.findall("`+", text)], key=len) + "`"
    return f"{fence}\n{text}\n{fence}"


def sample(runs: int, size: int | None, seed: int) -> Sequence[int]:
    """The indices of all runs, or of `size` of them, in order."""
    return range(runs) if size is None or size >= runs else sorted(random.Random(seed).sample(range(runs), size))


def report(checks: Sequence[Check], then: Mapping[str, str] | None, now: Mapping[str, str]) -> list[str]:
    """The drifts in words, and what differs between the environment of the results and this one; nothing without drifts."""
    drifts = [one for one in checks if one.changes]
    if not drifts:
        return []
    parts = [drift.in_words(one) for one in drifts[:MOST_DRIFTS]]
    if len(drifts) > MOST_DRIFTS:
        parts.append(f"… and {len(drifts) - MOST_DRIFTS:,} more: see {TABLE} of this check's run in MLflow")
    other = {one.recorded.trained_by: one.engine for one in drifts if one.recorded.trained_by not in ("", one.engine)}
    return [*parts, environments(then, now, other)]


def environments(then: Mapping[str, str] | None, now: Mapping[str, str], engines: Mapping[str, str]) -> str:
    """What differs between the environment of results, from its tags, and this one; `engines`: other ones, by those then."""
    if then is None:
        title = "Baselines keep no environment; this one is:"
        lines = [f"{name} {value}" for name, value in now.items() if name.startswith(drift.ENVIRONMENT)]
    else:
        title = "Between the environments differ:"
        changes = *(f"engine {old} → {new}" for old, new in engines.items()), *drift.environment_changes(then, now)
        lines = list(map(printable, changes))
        if not lines:
            title = "The environments do not differ in versions, commit, processor or engine: look at uncommitted changes."
    return "\n  ".join([title, *lines])
