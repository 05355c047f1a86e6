"""A sweep's folder and its parent run: new ones, or those of the same sweep that was interrupted."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.app.composition import Multirun
from pipeline.errors import ConfigError
from pipeline.results.spool import Spool, SpoolInUseError
from pipeline.sweeps.description import SweepDescription

if TYPE_CHECKING:
    from pipeline.store.write import Store


def start_parent(store: "Store", description: SweepDescription, spool: Spool) -> str:
    """A new parent run for a sweep; gives its id."""
    from pipeline.store.write import SWEEP_FOLDER_TAG, SWEEP_KEY_TAG

    tags = {
        "sweep.trials": str(description.trials),
        "command": description.command,
        SWEEP_KEY_TAG: description.key,
        SWEEP_FOLDER_TAG: str(spool.path),
    }
    return store.begin("sweep", description.study, description.params, tags)


def started(store: "Store", description: SweepDescription, multirun: Multirun) -> tuple[Spool, str]:
    """A spool and a parent run for a new sweep."""
    spool = new_spool(multirun)
    spool.describe(description.to_json())
    try:
        return spool, start_parent(store, description, spool)
    except BaseException:  # nothing is trained yet
        spool.remove()
        raise


def new_spool(multirun: Multirun) -> Spool:
    """A folder for what is trained, beside what Hydra leaves of a sweep."""
    multirun.write_files()
    return Spool.new(multirun.folder)


def resumed(store: "Store", description: SweepDescription, resume: str, multirun: Multirun) -> tuple[Spool, str] | None:
    """The spool and the parent run of this sweep, if it was interrupted and is to be resumed. Raises ConfigError.

    Where its folder is not here, another machine may be at work on it: it must be requested by its run id.
    """
    from pipeline.store.write import SWEEP_FOLDER_TAG

    for run in store.unfinished(description.key) if resume != "never" else ():
        path, parent = Path(run.data.tags.get(SWEEP_FOLDER_TAG, "")), run.info.run_id
        if resume not in ("auto", parent):
            continue
        here = (path / "lock").exists()
        if not here and resume == "auto":
            continue
        try:
            spool = Spool(path) if here else new_spool(multirun)
        except SpoolInUseError:
            if resume == "auto":
                continue
            raise ConfigError("resume", resume, "cannot go on: it is running, in another process") from None
        try:
            store.begin_again(parent, spool.path)
        except BaseException:
            if not here:  # nothing is trained yet
                spool.remove()
            raise
        trained = (
            f"{spool.done:,} of {description.trials:,} trials are trained (resume=never starts anew)"
            if here
            else f"its folder {path} is not here, so all of it is trained again, but nothing recorded twice"
        )
        print(f"going on with run {parent}: {trained}")
        return spool, parent
    if resume not in ("auto", "never"):
        raise ConfigError("resume", resume, "is not an interrupted sweep of this same command in this store")
    return None
