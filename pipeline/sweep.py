"""A multirun from Hydra's door to its end: planned and checked, begun or gone on with, run, and told."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf

from pipeline.application import plain, without_hydra
from pipeline.axes import expand
from pipeline.chunks import chunks
from pipeline.config import ConfigError, written
from pipeline.control import Interrupts
from pipeline.estimate import check, check_number, estimate
from pipeline.executors import executor
from pipeline.kept import InUseError, Kept
from pipeline.ongoing import NotRecordedError, Ongoing, runs_recorded
from pipeline.plan import Plan, checked_plan
from pipeline.settings import RECORDED_BY_DEFAULT, Settings, read_run

if TYPE_CHECKING:
    from pipeline.tracking import Store

MOST_VALUES = 100  # of an axis, in the parent run's params


def sweep(loader: ConfigLoader, config: DictConfig, arguments: Sequence[str]) -> None:
    """Trains and records every job of a multirun and prints the summary."""
    from pipeline.report import command_of
    from pipeline.tracking import Store

    jobs = expand(loader, config, arguments)
    if not len(jobs):
        raise ConfigError("sweep", " ".join(arguments), "has no jobs: an axis has no values")
    check_number(len(jobs), read_run(jobs[0].config)[1])
    folder = Path(str(config.hydra.sweep.dir))
    plan, settings = checked_plan(jobs)
    print("\n".join(prospect(plan, settings, folder)))
    tracking = settings.tracking
    kept = None
    with Interrupts() as interrupts:
        trainer = executor(settings.executor, interrupts)
        try:
            store = Store(tracking.uri, tracking.experiment)
            description = {
                "key": plan.key,
                "trials": len(plan),
                "jobs": jobs.as_data(),
                "tracking": {"uri": store.uri, "experiment": tracking.experiment, "runs": tracking.runs},
                "study": study_name(config),
                "command": command_of(arguments),
                "configuration": plain(config),
                "config.yaml": OmegaConf.to_yaml(without_hydra(config)),
                "overrides.yaml": OmegaConf.to_yaml(config.hydra.overrides),
            }
            found = interrupted(store, plan.key, settings.resume)
            if found:
                kept, parent = found
                store.begin_again(parent)
            else:
                write_hydra_files(config, arguments)
                kept = Kept.new(folder)
                kept.describe(description)
                parent = begin(store, description, kept)
            kept.describe({**description, "parent": parent})
            work = Ongoing.start(plan, tracking, kept, store, parent, description, interrupts)
            if found:
                print(going_on(work))
            try:
                results = work.run(trainer, settings.executor.chunk)
            except KeyboardInterrupt:
                print(f"\n{stopped(work)}", file=sys.stderr)
                raise
            except NotRecordedError as error:
                print(error, file=sys.stderr)
                sys.exit(1)
        finally:
            trainer.close()
            if kept:
                kept.close()
    from pipeline.summary import report

    assert results is not None  # all is trained
    print()
    print(report(results))
    print(f"\nrecorded as run {parent} in {store.uri}; look at it with: make ui")


def prospect(plan: Plan, settings: Settings, folder: Path) -> list[str]:
    """What the sweep will take and what is recorded of it, in a line each. Raises ConfigError where it is too much."""
    import numpy as np

    places = np.arange(len(plan))
    trainings = sum(int(plan.trainings(mine).max()) + 1 for _, mine in plan.shapes())
    pieces = sum(1 for _ in chunks(plan, np.ones(len(plan), bool), settings.executor.chunk))
    recorded = runs_recorded(settings.tracking.runs, len(plan))
    found = estimate(plan, trainings, pieces, recorded, max(1, settings.executor.workers))
    check(found, settings, folder)
    why = "" if settings.tracking.runs is not None else f", as always up to {RECORDED_BY_DEFAULT:,} trials"
    if recorded == len(places):
        what = f"tracking.runs=all: a run in MLflow for each trial{why}"
    elif recorded:
        what = f"tracking.runs={recorded}: a run in MLflow for so many trials, chosen at random; results.parquet has all"
    else:
        why = why.replace("as always up to", "as always above")
        what = f"tracking.runs=none: one run in MLflow for the sweep{why}; results.parquet has all trials"
    return [str(found), what]


def begin(store: "Store", description: dict[str, Any], kept: Kept) -> str:
    """A new parent run for a sweep; gives its id."""
    from pipeline.tracking import SWEEP_FOLDER_TAG, SWEEP_KEY_TAG

    axes = {axis["name"]: values_in_short(axis["values"]) for axis in description["jobs"]["axes"] if len(axis["values"]) > 1}
    tags = {
        "sweep.trials": str(description["trials"]),
        "command": description["command"],
        SWEEP_KEY_TAG: description["key"],
        SWEEP_FOLDER_TAG: str(kept.path),
    }
    return store.begin(description["study"], axes or {"axes": "none"}, tags)


def values_in_short(values: Sequence[Any]) -> str:
    """The different values of an axis, as a list; the first and the last where they are too many for MLflow."""
    texts = list(dict.fromkeys(map(written, values)))
    if len(texts) > MOST_VALUES:
        texts = [*texts[: MOST_VALUES // 2], f"… {len(texts) - MOST_VALUES // 2 - 1:,} more …", texts[-1]]
    return f"[{','.join(texts)}]"


def interrupted(store: "Store", key: str, resume: str) -> tuple[Kept, str] | None:
    """The folder and the parent run of the sweep to go on with, if there is one. Raises ConfigError."""
    from pipeline.tracking import SWEEP_FOLDER_TAG

    if resume == "never":
        return None
    for run in store.unfinished(key):
        if resume not in ("auto", run.info.run_id):
            continue
        path = Path(run.data.tags.get(SWEEP_FOLDER_TAG, ""))
        if not (path / "lock").exists():
            reason = f"its folder {path} is not here"
        else:
            try:
                return Kept(path), run.info.run_id
            except InUseError:
                reason = "it is running, in another process"
        if resume != "auto":
            raise ConfigError("resume", resume, f"cannot go on: {reason}")
    if resume != "auto":
        raise ConfigError("resume", resume, "is not an interrupted sweep of this same command in this store")
    return None


def going_on(work: Ongoing) -> str:
    """What is there of a sweep that was interrupted."""
    done = int((~work.kept.missing(len(work.plan))).sum())
    return f"going on with run {work.parent}: {done:,} of {len(work.plan):,} trials are trained (resume=never starts anew)"


def stopped(work: Ongoing) -> str:
    """What is there of a sweep that has just been interrupted."""
    done = int((~work.kept.missing(len(work.plan))).sum())
    return f"{done:,} of {len(work.plan):,} runs are kept in {work.kept.path}; the same command goes on from there"


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
