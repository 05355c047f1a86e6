"""`python -m pipeline.push` records what sweeps have kept in their folders because the store was full, locked or away."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from pipeline.application import plain, run
from pipeline.config import ConfigError, refuse_unknown, section, text
from pipeline.control import Interrupts
from pipeline.kept import DESCRIPTION, InUseError, Kept
from pipeline.ongoing import NotRecordedError, Ongoing
from pipeline.plan import Plan
from pipeline.settings import Tracking
from pipeline.sweep import begin

if TYPE_CHECKING:
    from pipeline.tracking import Store

KEYS = ("folder", "tracking")
EVERYWHERE = Path("multirun")


def main(config: DictConfig) -> int:
    """Records one folder, or all that wait; gives 1 if a store has not taken all of it."""
    settings = plain(config)
    refuse_unknown(settings, KEYS)
    elsewhere = {
        key: text(f"tracking.{key}", value, "as for pipeline.train, or null")
        for key, value in section(settings, "tracking", ("uri", "experiment")).items()
        if value is not None
    }
    if settings["folder"] is not None:
        path = Path(text("folder", settings["folder"], "a sweep's folder of kept results, or null"))
        try:
            return push(path.absolute(), elsewhere)
        except InUseError:
            raise ConfigError("folder", str(path), "is in use: a process works on this sweep") from None
    codes = [0]
    for path in waiting():
        try:
            codes.append(push(path, elsewhere))
        except InUseError:
            print(f"{path}: in use, a process works on this sweep")
    if len(codes) == 1:
        print(f"nothing waits under {EVERYWHERE}/")
    return max(codes)


def waiting() -> list[Path]:
    """The folders of kept results under multirun/."""
    return sorted(file.parent.absolute() for file in EVERYWHERE.rglob(DESCRIPTION) if (file.parent / "lock").exists())


def push(path: Path, elsewhere: Mapping[str, str]) -> int:
    """Records what is kept in a folder, with a line on it; gives the exit code. Raises ConfigError and InUseError."""
    from pipeline.tracking import STORE_ERRORS, Store

    description = read_description(path)
    plan = Plan.from_data(description["jobs"])
    tracking = Tracking(**{**description["tracking"], **elsewhere})
    kept = Kept(path)
    try:
        store = Store(tracking.uri, tracking.experiment)
        parent = parent_run(store, description, kept)
        if store.status(parent) == "FINISHED":  # it was only not removed any more
            kept.remove()
        else:
            store.begin_again(parent, path)
            with Interrupts() as interrupts:
                work = Ongoing.start(plan, tracking, kept, store, parent, description, interrupts)
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


def parent_run(store: "Store", description: dict[str, Any], kept: Kept) -> str:
    """The parent run that the sweep has in this store, or a new one."""
    from pipeline.tracking import SWEEP_FOLDER_TAG

    parent = description.get("parent")
    if parent and store.status(parent):
        return str(parent)
    for begun in store.unfinished(description["key"]):
        if begun.data.tags.get(SWEEP_FOLDER_TAG) == str(kept.path):
            return str(begun.info.run_id)
    return begin(store, description, kept)


if __name__ == "__main__":
    run(main, "push")
