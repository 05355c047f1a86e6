"""From configurations to recorded runs: one run, or a whole sweep trained in batches."""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pipeline import engine
from pipeline.application import plain, without_hydra
from pipeline.axes import Job, expand
from pipeline.batches import make_batch, make_batches
from pipeline.config import TRIAL_KEYS, ConfigError, Trial, read_trial, refuse_unknown, section, text, written
from pipeline.records import records, row_of
from pipeline.trainer import STATUSES, Outcome

if TYPE_CHECKING:
    import pandas as pd

TRACKING_KEYS = ("uri", "experiment")


def read_run(config: Mapping[str, Any]) -> tuple[Trial, dict[str, Any]]:
    """The trial and the tracking that a configuration asks for; raises ConfigError."""
    refuse_unknown(config, (*TRIAL_KEYS, "tracking"))
    tracking = section(config, "tracking", TRACKING_KEYS)
    if tracking["uri"] is not None:
        text("tracking.uri", tracking["uri"], "an MLflow store, such as sqlite:///mlruns/mlflow.db")
    text("tracking.experiment", tracking["experiment"], "the name of an MLflow experiment")
    return read_trial({key: value for key, value in config.items() if key != "tracking"}), tracking


def check_run(config: Mapping[str, Any]) -> None:
    """Refuses, by ConfigError, what could not be trained or recorded."""
    trial, tracking = read_run(config)
    make_batch([trial])
    from pipeline.tracking import Store  # MLflow takes a second to import: a wrong value is told before that

    Store(**tracking)


def single(config: Mapping[str, Any]) -> int:
    """Trains and records one run, and says how it ended."""
    from pipeline.tracking import Store

    trial, tracking = read_run(config)
    batch = make_batch([trial])
    store = Store(**tracking)
    with progress_bar() as bar:
        outcome = engine.named(trial.shape.engine)(batch, bar("training", 1))
    name = f"{trial.shape.task.name} {setting(trial)}"
    [record] = records([trial], outcome, [name], multirun_tag())
    run_id = store.record(record)
    epochs, errors = outcome.curve(0)
    print(f"task {trial.shape.task.name}, network {'-'.join(map(str, batch.network.units))}, {setting(trial)}")
    goal = f"{trial.shape.criterion} threshold {written(trial.threshold)}"
    print(f"{STATUSES[outcome.status[0]]} after {outcome.epochs[0]:,} epochs, {goal}")
    print("error by epoch")
    for place in sorted({0, 1, *np.linspace(0, len(epochs) - 1, 8).astype(int)} & set(range(len(epochs)))):
        print(f"{epochs[place]:>12,}  {errors[place]:.12g}")
    print(f"recorded as run {run_id} in {store.uri}; look at it with: make ui")
    return 0


def multirun_tag() -> dict[str, str]:
    """What the jobs of one multirun of Hydra's own sweeper have in common."""
    if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        return {"multirun": str(Path(HydraConfig.get().sweep.dir).absolute())}
    return {}


def setting(trial: Trial) -> str:
    """A trial's most telling values, as the name of its run."""
    return f"learning_rate={written(trial.learning_rate if len(trial.learning_rate) > 1 else trial.learning_rate[0])}"


def sweep(loader: ConfigLoader, config: DictConfig, arguments: Sequence[str]) -> None:
    """Trains and records every job of a multirun and prints the summary."""
    import pandas as pd

    from pipeline.report import command_of
    from pipeline.tracking import Store

    jobs = list(expand(loader, config, arguments))
    if not jobs:
        raise ConfigError("sweep", " ".join(arguments), "has no jobs: an axis has no values")
    runs = [read_run(job.config) for job in jobs]
    trials = [trial for trial, _ in runs]
    tracking = runs[0][1]
    if any(other != tracking for _, other in runs):
        raise ConfigError("tracking", "…", "cannot be swept: a sweep is recorded in one place")
    batches = make_batches(trials)
    store = Store(**tracking)
    write_hydra_files(config, arguments)

    trainings = sum(batch.initial_parameters.shape[1] for _, _, batch in batches)
    print(f"{len(jobs):,} trials in {trainings:,} trainings; trials that differ in the threshold alone share one")
    params = {key: written(axis_values(jobs, key)) for key in jobs[0].axes} or {"axes": "none"}
    rows: list[dict[str, Any]] = [{} for _ in jobs]
    command = command_of(arguments)
    with (
        store.parent(study_name(config), params, {"sweep.trials": str(len(jobs)), "command": command}) as parent,
        progress_bar() as bar,
    ):
        trained = bar("training", len(jobs))
        outcomes = [(places, engine.named(shape.engine)(batch, trained)) for shape, places, batch in batches]
        recorded = bar("recording", len(jobs))
        for places, outcome in outcomes:
            names = [run_name(jobs[place]) for place in places]
            made = records([trials[place] for place in places], outcome, names)
            for place, (record, run_id) in zip(places, store.record_all(made, parent), strict=True):
                rows[place] = {**row_of(record, run_id), "horizon": trials[place].shape.max_epochs}
                recorded(1, 0)
        axes = {key: axis_column([job.axes[key] for job in jobs]) for key in jobs[0].axes}
        results = pd.concat([pd.DataFrame(axes, index=range(len(jobs))), pd.DataFrame(rows)], axis="columns")
        results = finish(store, parent, results, config, outcomes, command)
    from pipeline.summary import report

    print()
    print(report(results))
    print(f"\nrecorded as run {parent} in {store.uri}; look at it with: make ui")


def finish(
    store: Any,
    parent: str,
    results: "pd.DataFrame",
    config: DictConfig,
    outcomes: Sequence[tuple[Sequence[int], Outcome]],
    command: str,
) -> "pd.DataFrame":
    """The sweep's tables, figures, report, configuration and description, stored with the parent run."""
    from pipeline.figures import write_figures
    from pipeline.report import write_report
    from pipeline.summary import note, write_tables
    from pipeline.tracking import environment_tags
    from pipeline.trajectories import OutcomeCurves, weights_of

    asked = without_hydra(config)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tables(results, folder)
        weights = weights_of(outcomes[0][1]) if len(outcomes) == 1 else None
        captions = write_figures(results, folder / "figures", OutcomeCurves(outcomes), weights)
        write_report(
            folder / "report.html",
            results,
            plain(config),
            captions,
            environment_tags(),
            command,
            study_name(config),
        )
        OmegaConf.save(asked, folder / "config.yaml")
        OmegaConf.save(config.hydra.overrides, folder / "overrides.yaml")
        store.log_files(parent, folder)
    converged = int((results["status"] == "converged").sum())
    store.log_metrics(parent, {"runs": len(results), "converged": converged, "rate": converged / len(results)})
    store.set_note(parent, note(results))
    return results


def study_name(config: DictConfig) -> str:
    """What the sweep is called: its study, if it is one."""
    return str(config.hydra.runtime.choices.get("study") or "sweep")


def axis_values(jobs: Sequence[Job], key: str) -> list[Any]:
    """All values of an axis, each once, in their order."""
    values: dict[str, Any] = {}
    for job in jobs:
        values.setdefault(written(job.axes[key]), job.axes[key])
    return list(values.values())


def axis_column(values: Sequence[Any]) -> list[Any]:
    """An axis's values as cells of a table: numbers as they are; as text where there are lists or a mixture."""
    kinds = {type(value) for value in values}
    if (len(kinds) == 1 and not kinds & {list, dict}) or kinds == {int, float}:
        return list(values)
    return [written(value) for value in values]


def run_name(job: Job) -> str:
    """What varies, shortly: `learning_rate=0.5 range=1 seed=3`."""
    last = [key.rpartition(".")[2] for key in job.axes]
    short = [name if last.count(name) == 1 else key for key, name in zip(job.axes, last, strict=True)]
    return " ".join(f"{name}={written(value)}" for name, value in zip(short, job.axes.values(), strict=True)) or "trial"


def write_hydra_files(config: DictConfig, arguments: Sequence[str]) -> None:
    """What Hydra leaves in a job's folder, once for the sweep."""
    folder = Path(str(config.hydra.sweep.dir))
    inner = folder / (config.hydra.output_subdir or ".")
    inner.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "multirun.yaml")
    OmegaConf.save(without_hydra(config), inner / "config.yaml")
    OmegaConf.save(OmegaConf.masked_copy(config, ["hydra"]), inner / "hydra.yaml")
    OmegaConf.save(OmegaConf.create(list(arguments)), inner / "overrides.yaml")


@contextmanager
def progress_bar() -> Iterator[Any]:
    """A bar on the terminal: gives a function that adds a task to it, which gives the function that moves it on."""
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=False) as progress:

        def add(description: str, total: int) -> Any:
            task = progress.add_task(description, total=total, speed="")
            epochs = 0

            def move(runs: int, trained: int) -> None:
                nonlocal epochs
                epochs += trained
                elapsed = progress.tasks[task].elapsed or 0.0
                speed = f"{epochs / elapsed:.3g} epochs/s" if epochs and elapsed else ""
                progress.update(task, advance=runs, speed=speed)

            return move

        yield add
