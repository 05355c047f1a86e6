"""Sweeps whose spool is left because the store was full, locked or away, recorded later."""

import os
import re
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

from pipeline.app.interrupts import Interrupts
from pipeline.errors import ConfigError, printable
from pipeline.results.spool import DESCRIPTION, LOCK, NAME, Spool
from pipeline.store.failures import store_errors
from pipeline.store.write import SWEEP_FOLDER_TAG, Store
from pipeline.sweeps.description import SweepDescription
from pipeline.sweeps.estimate import TRIAL_IN_MEMORY, refuse_above
from pipeline.sweeps.plan import Plan
from pipeline.sweeps.session import NotRecordedError, SweepSession, start_parent, verify
from pipeline.trials.memory import free_memory
from pipeline.trials.settings import Tracking

EVERYWHERE = Path("multirun")


def waiting(below: Path = EVERYWHERE) -> list[Path]:
    """The folders under multirun/, or another one, in which results are kept, or are said to be."""
    found = []
    for folder, folders, files in os.walk(below):
        names = {*folders, *files}
        kept = LOCK in names or re.fullmatch(rf"{NAME}(-[0-9]+)?", Path(folder).name)
        if kept and (DESCRIPTION in names or any(name.endswith(".arrow") for name in names)):
            found.append(Path(folder).absolute())
    return sorted(found)


def push(path: Path, elsewhere: Mapping[str, str]) -> int:
    """Records the results in a folder and prints a line on it; gives the exit code. Raises ConfigError and SpoolInUseError.

    `elsewhere` has the settings of tracking that differ from those that the sweep was started with.
    """
    SweepDescription.of_folder(path)
    try:
        with closing(Spool(path)) as spool:
            description = SweepDescription.of_folder(path)  # nobody changes it any more
            plan = plan_of(description, path)
            verify(spool, plan, description.key)
            return push_spool(spool, description, plan, elsewhere)
    except OSError as error:
        raise ConfigError("folder", str(path), f"cannot be used: {error.strerror or error}") from None


def push_spool(spool: Spool, description: SweepDescription, plan: Plan, elsewhere: Mapping[str, str]) -> int:
    """Records what is in a spool, under the sweep's parent run, and prints a line on it; gives the exit code."""
    path = printable(str(spool.path))
    tracking = Tracking(**{**asdict(description.tracking), **elsewhere})
    try:
        store = Store(tracking.uri, tracking.experiment, tracking.artifacts)
        parent = parent_run(store, description, spool)
        if parent not in description.parents:
            description = replace(description, others=[*description.others, parent])
            spool.describe(description.to_json())
        if store.status(parent) == "FINISHED":  # only its removal was missed
            spool.remove()
        else:
            store.begin_again(parent, spool.path)
            there = replace(description, tracking=tracking)
            with Interrupts() as interrupts:
                complete = SweepSession(plan, there, spool, store, parent, interrupts).run() is not None
            if not complete:
                print(
                    f"{path}: {spool.done:,} of {len(plan):,} trials are trained, and recorded as run {parent} in {store.uri}; "
                    f"resume with: {printable(description.command)}"
                )
                return 0
    except store_errors(NotRecordedError, ConfigError) as error:
        print(error if isinstance(error, NotRecordedError) else NotRecordedError(spool.path, error), file=sys.stderr)
        return 1
    print(f"{path}: recorded as run {parent} in {store.uri}")
    return 0


def plan_of(description: SweepDescription, path: Path) -> Plan:
    """The sweep's trials. Raises ConfigError, which names the folder, where they cannot be read."""
    memory = description.trials * TRIAL_IN_MEMORY
    try:
        refuse_above("limits.memory", description.trials, memory, None, free_memory(), "of memory are free")
        return description.plan
    except ConfigError as error:
        raise ConfigError("folder", str(path), f"has trials that cannot be read: {error}") from None


def parent_run(store: Store, description: SweepDescription, spool: Spool) -> str:
    """The parent run that the sweep has in this store, or a new one."""
    for parent in description.parents:
        if store.sweep_key(parent) == description.key:
            return parent
    for run in store.unfinished(description.key):
        if run.data.tags.get(SWEEP_FOLDER_TAG) == str(spool.path):
            return str(run.info.run_id)
    return start_parent(store, description, spool)
