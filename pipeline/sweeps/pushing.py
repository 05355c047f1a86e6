"""What sweeps have kept because the store was full, locked or away, recorded later."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.app.interrupts import Interrupts
from pipeline.errors import ConfigError
from pipeline.results.spool import DESCRIPTION, Spool
from pipeline.sweeps.multirun import begin
from pipeline.sweeps.plan import Plan
from pipeline.sweeps.session import NotRecordedError, SweepSession
from pipeline.trials.settings import Tracking

if TYPE_CHECKING:
    from pipeline.store.write import Store

EVERYWHERE = Path("multirun")


def waiting() -> list[Path]:
    """The folders of kept results under multirun/."""
    return sorted(file.parent.absolute() for file in EVERYWHERE.rglob(DESCRIPTION) if (file.parent / "lock").exists())


def push(path: Path, elsewhere: Mapping[str, str]) -> int:
    """Records what is kept in a folder, with a line on it; gives the exit code. Raises ConfigError and SpoolInUseError."""
    from pipeline.store.failures import STORE_ERRORS
    from pipeline.store.write import Store

    description = read_description(path)
    plan = Plan.from_data(description["jobs"])
    tracking = Tracking(**{**description["tracking"], **elsewhere})
    kept = Spool(path)
    try:
        store = Store(tracking.uri, tracking.experiment)
        parent = parent_run(store, description, kept)
        if store.status(parent) == "FINISHED":  # it was only not removed any more
            kept.remove()
        else:
            store.begin_again(parent, path)
            with Interrupts() as interrupts:
                work = SweepSession.start(plan, tracking, kept, store, parent, description, interrupts)
                complete = work.run(None) is not None
            if not complete:
                print(
                    f"{path}: {kept.done:,} of {len(plan):,} trials are trained, and recorded as run {parent} in {store.uri}; "
                    f"go on with: {description['command']}"
                )
                return 0
    except (NotRecordedError, ConfigError, *STORE_ERRORS) as error:
        told = error if isinstance(error, NotRecordedError) else NotRecordedError(path, error)
        print(told, file=sys.stderr)
        return 1
    finally:
        kept.close()
    print(f"{path}: recorded as run {parent} in {store.uri}")
    return 0


def read_description(path: Path) -> dict[str, Any]:
    """What sweep is kept in a folder. Raises ConfigError where it is none."""
    try:
        found = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
        missing = {"key", "trials", "jobs", "tracking", "study", "command", "configuration"} - set(found)
    except (OSError, ValueError, TypeError):
        raise ConfigError("folder", str(path), f"is no folder of a sweep's results: no {DESCRIPTION} can be read") from None
    if missing:
        raise ConfigError("folder", str(path), f"is no folder of a sweep's results: its {DESCRIPTION} lacks {min(missing)}")
    return found  # type: ignore[no-any-return]


def parent_run(store: "Store", description: dict[str, Any], kept: Spool) -> str:
    """The parent run that the sweep has in this store, or a new one."""
    from pipeline.store.write import SWEEP_FOLDER_TAG

    parent = description.get("parent")
    if parent and store.status(parent):
        return str(parent)
    for begun in store.unfinished(description["key"]):
        if begun.data.tags.get(SWEEP_FOLDER_TAG) == str(kept.path):
            return str(begun.info.run_id)
    return begin(store, description, kept)
