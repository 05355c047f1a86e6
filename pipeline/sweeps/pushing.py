"""Sweeps whose spool is left because the store was full, locked or away, recorded later."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from pipeline.app.interrupts import Interrupts
from pipeline.errors import ConfigError
from pipeline.results.spool import DESCRIPTION, Spool
from pipeline.store.failures import STORE_ERRORS
from pipeline.store.write import SWEEP_FOLDER_TAG, Store
from pipeline.sweeps.description import SweepDescription
from pipeline.sweeps.session import NotRecordedError, SweepSession, start_parent
from pipeline.trials.settings import Tracking

EVERYWHERE = Path("multirun")


def waiting() -> list[Path]:
    """The folders of kept results under multirun/."""
    return sorted(file.parent.absolute() for file in EVERYWHERE.rglob(DESCRIPTION) if (file.parent / "lock").exists())


def push(path: Path, elsewhere: Mapping[str, str]) -> int:
    """Records the results in a folder and prints a line on it; gives the exit code. Raises ConfigError and SpoolInUseError.

    `elsewhere` has the settings of tracking that differ from those that the sweep was started with.
    """
    description = read_description(path)
    tracking = Tracking(**{**asdict(description.tracking), **elsewhere})
    description = replace(description, tracking=tracking)
    plan, spool = description.plan, Spool(path)
    try:
        store = Store(tracking.uri, tracking.experiment, tracking.artifacts)
        parent = parent_run(store, description, spool)
        if store.status(parent) == "FINISHED":  # only its removal was missed
            spool.remove()
        else:
            store.begin_again(parent, path)
            with Interrupts() as interrupts:
                complete = SweepSession(plan, description, spool, store, parent, interrupts).run() is not None
            if not complete:
                print(
                    f"{path}: {spool.done:,} of {len(plan):,} trials are trained, and recorded as run {parent} in {store.uri}; "
                    f"resume with: {description.command}"
                )
                return 0
    except (NotRecordedError, ConfigError, *STORE_ERRORS) as error:
        print(error if isinstance(error, NotRecordedError) else NotRecordedError(path, error), file=sys.stderr)
        return 1
    finally:
        spool.close()
    print(f"{path}: recorded as run {parent} in {store.uri}")
    return 0


def read_description(path: Path) -> SweepDescription:
    """The description in a sweep's folder. Raises ConfigError if there is none."""
    file = path / DESCRIPTION
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise ConfigError("folder", str(path), f"is no folder of a sweep's results: no {DESCRIPTION} can be read") from None
    return SweepDescription.from_json(text, file)


def parent_run(store: Store, description: SweepDescription, spool: Spool) -> str:
    """The parent run that the sweep has in this store, or a new one."""
    if description.parent and store.status(description.parent):
        return description.parent
    for run in store.unfinished(description.key):
        if run.data.tags.get(SWEEP_FOLDER_TAG) == str(spool.path):
            return str(run.info.run_id)
    return start_parent(store, description, spool)
