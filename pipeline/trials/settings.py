"""How trials are run and what is recorded of them: all keys of a configuration that decide no result."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.backprop.engines import ENGINES, canonical
from pipeline.errors import HIDDEN, ConfigError, masked
from pipeline.trials.checks import choice, integer, number, refuse_unknown, section, text, truth, variant
from pipeline.trials.configuration import TRIAL_KEYS, read_trial
from pipeline.trials.trial import Trial

RUN_KEYS = ("engine", "curve_points", "tracking", "executor", "resume", "limits", "objective", "causes", "on_unreachable")
DEFAULTS = {
    "objective": "epochs",
    "causes": "all",
    "on_unreachable": "refuse",
}  # of keys that configurations of before do not have
TRACKING_KEYS = ("uri", "experiment", "artifacts", "name", "runs", "curves", "weights")
OBJECTIVES = ("epochs", "final_error")  # that a run gives to a sweeper which optimizes
ON_UNREACHABLE = ("refuse", "warn")  # what is done where no weights can reach the threshold
EXECUTOR_KEYS = {"local": ("chunk",), "dask": ("chunk", "address", "workers")}
RECORDED_BY_DEFAULT = 20_000  # trials, up to which each has a run of its own


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where runs are recorded. `runs`: all, none, how many, or None to decide by their number. `name`: of the sweep or run.

    `artifacts`: where those of a new experiment go; None: beside a SQLite store, or where the server has them.
    """

    uri: str | None
    experiment: str
    artifacts: str | None = None
    runs: str | int | None = None
    curves: bool = False  # does the parent run keep those of all trials, in files?
    weights: bool = False
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutorChoice:
    """Who trains the chunks, and how many trials a chunk has (None: by estimate)."""

    name: str = "local"
    chunk: int | None = None
    address: str | None = None
    workers: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """How trials are run. `resume` is auto, never, or a parent run's id; memory and disk are in GiB, None for what is free."""

    tracking: Tracking
    engine: str
    curve_points: int
    executor: ExecutorChoice = ExecutorChoice()
    resume: str = "auto"
    memory: float | None = None
    disk: float | None = None
    objective: str = "epochs"
    causes: bool = True
    on_unreachable: str = "refuse"


def read_run(config: Mapping[str, Any]) -> tuple[Trial, Settings]:
    """The trial that a resolved configuration describes, and how it is run; raises ConfigError."""
    config = {**DEFAULTS, **config}
    refuse_unknown(config, (*TRIAL_KEYS, *RUN_KEYS))
    return read_trial({key: value for key, value in config.items() if key not in RUN_KEYS}), read_settings(config)


def read_settings(config: Mapping[str, Any]) -> Settings:
    """How the trials of a resolved configuration are run; raises ConfigError."""
    config = {**DEFAULTS, **config}
    limits = section(config, "limits", ("memory", "disk"))
    for key, size in limits.items():
        if size is not None:
            limits[key] = number(f"limits.{key}", size, "GiB, greater than 0, or null", lambda size: size > 0.0)
    return Settings(
        tracking=read_tracking(config),
        engine=read_engine("engine", config["engine"]),
        curve_points=integer("curve_points", config["curve_points"], 2, 1000),
        executor=read_executor(config),
        objective=choice("objective", config["objective"], OBJECTIVES),
        causes=choice("causes", config["causes"], ("all", "none")) == "all",
        on_unreachable=choice("on_unreachable", config["on_unreachable"], ON_UNREACHABLE),
        resume=text("resume", config["resume"], "auto, never, or the run id of an interrupted sweep"),
        **limits,
    )


def read_engine(key: str, value: object) -> str:
    """The name of an engine, by any of its names; raises ConfigError."""
    return choice(key, canonical(value) if isinstance(value, str) else value, ENGINES)


def read_tracking(config: Mapping[str, Any]) -> Tracking:
    """Where runs are recorded, and how much of them; raises ConfigError."""
    given = config.get("tracking")
    if isinstance(given, Mapping):
        given = {"name": None, **given}  # sweeps that were described before this key do not have it
    tracking = section({"tracking": given}, "tracking", TRACKING_KEYS)
    if tracking["uri"] is not None:
        uri = text("tracking.uri", tracking["uri"], "an MLflow store, such as sqlite:///mlruns/mlflow.db")
        if "://" in uri and HIDDEN not in uri and masked(uri) != uri:
            raise ConfigError(
                "tracking.uri", uri, "must hold no password, which would be kept in files: use MLFLOW_TRACKING_URI"
            )
    if tracking["artifacts"] is not None:
        text("tracking.artifacts", tracking["artifacts"], "a folder, an address such as s3://bucket/folder, or null")
    if tracking["name"] is not None:
        text("tracking.name", tracking["name"], "a name for the sweep or the run, or null")
    text("tracking.experiment", tracking["experiment"], "the name of an MLflow experiment")
    runs = tracking["runs"]
    if runs is not None and runs not in ("all", "none"):
        try:
            tracking["runs"] = integer("tracking.runs", runs, 1)
        except ConfigError:
            raise ConfigError("tracking.runs", runs, "must be all, none, how many of the trials get a run, or null") from None
    return Tracking(**{**tracking, **{key: truth(f"tracking.{key}", tracking[key]) for key in ("curves", "weights")}})


def read_executor(config: Mapping[str, Any]) -> ExecutorChoice:
    """Who trains; raises ConfigError."""
    name, options = variant(config, "executor", "name", EXECUTOR_KEYS)
    if options["chunk"] is not None:
        options["chunk"] = integer("executor.chunk", options["chunk"], 1)
    if name == "dask":
        if options["address"] is not None:
            text("executor.address", options["address"], "a Dask scheduler's, such as tcp://10.0.0.1:8786, or null")
        options["workers"] = integer("executor.workers", options["workers"], 1)
    return ExecutorChoice(name, **options)
