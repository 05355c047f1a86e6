"""A multirun from Hydra's door to its end: planned and checked, begun or gone on with, run, and told."""

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf

from pipeline.app.composition import plain, without_hydra
from pipeline.app.interrupts import Interrupts
from pipeline.errors import ConfigError, written
from pipeline.results.spool import Spool, SpoolInUseError
from pipeline.sweeps.axes import expand
from pipeline.sweeps.estimate import check, check_number, estimate
from pipeline.sweeps.executors import Executor, executor
from pipeline.sweeps.plan import Plan, checked_plan
from pipeline.sweeps.session import NotRecordedError, SweepSession, runs_recorded
from pipeline.trials.settings import RECORDED_BY_DEFAULT, Settings, read_run

if TYPE_CHECKING:
    from pipeline.stats.summary import Summary
    from pipeline.store.write import Store

MOST_VALUES = 100  # of an axis, in the parent run's params


def sweep(loader: ConfigLoader, config: DictConfig, arguments: Sequence[str]) -> None:
    """Trains and records every job of a multirun and prints the summary."""
    from pipeline.report.tables import report
    from pipeline.store.failures import needed
    from pipeline.store.write import Store

    jobs = expand(loader, config, arguments)
    if not len(jobs):
        raise ConfigError("sweep", " ".join(arguments), "has no jobs: an axis has no values")
    check_number(len(jobs), read_run(jobs[0].config)[1])
    plan, settings = checked_plan(jobs)
    print("\n".join(prospect(plan, settings, Path(str(config.hydra.sweep.dir)))))
    with Interrupts() as interrupts, closing(executor(settings.executor, interrupts)) as trainer:
        store = Store(settings.tracking.uri, settings.tracking.experiment)
        description = described(plan, settings, store.uri, config, arguments)
        with needed(store.uri):
            kept, parent = interrupted(store, plan, settings.resume, config, arguments) or begun(
                store, description, config, arguments
            )
            kept.describe({**description, "parent": parent})
            work = SweepSession.start(plan, settings.tracking, kept, store, parent, description, interrupts)
        with closing(work.kept):
            summary = run(work, trainer, settings.executor.chunk)
    print()
    print(report(summary))
    print(f"\nrecorded as run {work.parent} in {store.uri}; look at it with: make ui")


def run(work: SweepSession, trainer: Executor, chunk: int | None) -> "Summary":
    """The summary of the sweep; ends the program with a line on what is kept where it does not come to its end."""
    try:
        summary = work.run(trainer, chunk)
    except KeyboardInterrupt:
        print(f"\n{stopped(work)}", file=sys.stderr)
        raise
    except NotRecordedError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except OSError as error:  # of the sweep's folder
        print(f"{error}; {stopped(work)}", file=sys.stderr)
        sys.exit(1)
    assert summary is not None  # all is trained
    return summary


def prospect(plan: Plan, settings: Settings, folder: Path) -> list[str]:
    """What the sweep will take and what is recorded of it, in a line each. Raises ConfigError where it is too much."""
    found = estimate(plan, settings)
    check(found, settings, folder)
    asked, recorded = settings.tracking.runs, runs_recorded(settings.tracking.runs, len(plan))
    if recorded == len(plan):
        why = f", as always up to {RECORDED_BY_DEFAULT:,} trials" if asked is None else ""
        return [str(found), f"tracking.runs=all: a run in MLflow for each trial{why}"]
    if recorded:
        return [str(found), f"tracking.runs={recorded}: a run in MLflow for so many trials, at random; results.parquet has all"]
    why = f", as always above {RECORDED_BY_DEFAULT:,} trials" if asked is None else ""
    return [str(found), f"tracking.runs=none: one run in MLflow for the sweep{why}; results.parquet has all trials"]


def begin(store: "Store", description: dict[str, Any], kept: Spool) -> str:
    """A new parent run for a sweep; gives its id."""
    from pipeline.store.write import SWEEP_FOLDER_TAG, SWEEP_KEY_TAG

    axes = {axis["name"]: values_in_short(axis["values"]) for axis in description["jobs"]["axes"] if len(axis["values"]) > 1}
    tags = {
        "sweep.trials": str(description["trials"]),
        "command": description["command"],
        SWEEP_KEY_TAG: description["key"],
        SWEEP_FOLDER_TAG: str(kept.path),
    }
    return store.begin("sweep", description["study"], axes or {"axes": "none"}, tags)


def values_in_short(values: Sequence[Any]) -> str:
    """The different values of an axis, as a list; the first and the last where they are too many for MLflow."""
    texts = list(dict.fromkeys(map(written, values)))
    if len(texts) > MOST_VALUES:
        texts = [*texts[: MOST_VALUES // 2], f"… {len(texts) - MOST_VALUES // 2 - 1:,} more …", texts[-1]]
    return f"[{','.join(texts)}]"


def begun(store: "Store", description: dict[str, Any], config: DictConfig, arguments: Sequence[str]) -> tuple[Spool, str]:
    """A folder and a parent run for a new sweep."""
    kept = new_folder(config, arguments)
    kept.describe(description)
    try:
        return kept, begin(store, description, kept)
    except BaseException:  # nothing is trained yet
        kept.remove()
        raise


def new_folder(config: DictConfig, arguments: Sequence[str]) -> Spool:
    """A folder for what is trained, beside what Hydra leaves of a sweep."""
    write_hydra_files(config, arguments)
    return Spool.new(Path(str(config.hydra.sweep.dir)))


def interrupted(
    store: "Store", plan: Plan, resume: str, config: DictConfig, arguments: Sequence[str]
) -> tuple[Spool, str] | None:
    """The folder and the parent run of this sweep, if it was interrupted and is to be gone on with. Raises ConfigError.

    Where its folder is not here, another machine may be at work on it: it must be asked for by its run id.
    """
    from pipeline.store.write import SWEEP_FOLDER_TAG

    for run in store.unfinished(plan.key) if resume != "never" else ():
        path, parent = Path(run.data.tags.get(SWEEP_FOLDER_TAG, "")), run.info.run_id
        if resume not in ("auto", parent):
            continue
        here = (path / "lock").exists()
        if not here and resume == "auto":
            continue
        try:
            kept = Spool(path) if here else new_folder(config, arguments)
        except SpoolInUseError:
            if resume == "auto":
                continue
            raise ConfigError("resume", resume, "cannot go on: it is running, in another process") from None
        try:
            store.begin_again(parent, kept.path)
        except BaseException:
            if not here:  # nothing is trained yet
                kept.remove()
            raise
        trained = (
            f"{kept.done:,} of {len(plan):,} trials are trained (resume=never starts anew)"
            if here
            else f"its folder {path} is not here, so all of it is trained again, but nothing recorded twice"
        )
        print(f"going on with run {parent}: {trained}")
        return kept, parent
    if resume not in ("auto", "never"):
        raise ConfigError("resume", resume, "is not an interrupted sweep of this same command in this store")
    return None


def described(plan: Plan, settings: Settings, uri: str, config: DictConfig, arguments: Sequence[str]) -> dict[str, Any]:
    """What sweep it is and how it was asked for: all that is needed to record it."""
    from pipeline.report.html import command_of

    return {
        "key": plan.key,
        "trials": len(plan),
        "jobs": plan.as_data(),
        "tracking": {**asdict(settings.tracking), "uri": uri},
        "study": study_name(config),
        "command": command_of(arguments),
        "configuration": plain(config),
        "config.yaml": OmegaConf.to_yaml(without_hydra(config)),
        "overrides.yaml": OmegaConf.to_yaml(config.hydra.overrides),
    }


def stopped(work: SweepSession) -> str:
    """What is there of a sweep that has just been interrupted."""
    return f"{work.kept.done:,} of {len(work.plan):,} runs are kept in {work.kept.path}; the same command goes on from there"


def study_name(config: DictConfig) -> str:
    """What the sweep is called: its study, if it is one."""
    return str(config.hydra.runtime.choices.get("study") or "sweep")


def write_hydra_files(config: DictConfig, arguments: Sequence[str]) -> None:
    """What Hydra leaves in a job's folder, once for the sweep."""
    folder = Path(str(config.hydra.sweep.dir))
    inner = folder / (config.hydra.output_subdir or ".")
    inner.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "multirun.yaml")
    OmegaConf.save(without_hydra(config), inner / "config.yaml")
    OmegaConf.save(OmegaConf.masked_copy(config, ["hydra"]), inner / "hydra.yaml")
    OmegaConf.save(OmegaConf.create(list(arguments)), inner / "overrides.yaml")
