"""What a sweep will take, said before it starts, and refused where that is more than there is."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.report.numbers import count
from pipeline.results.rows import Indices
from pipeline.sweeps.chunks import row_bytes
from pipeline.sweeps.plan import Plan
from pipeline.sweeps.recorder import runs_recorded
from pipeline.trials.settings import Settings

GIB = 2**30

# Bytes, measured: tests/test_estimate.py holds them to what sweeps really take.
PROGRAM = 500 * 2**20  # Python with all that is imported
TRIAL_IN_MEMORY = 750  # arrays of the plan, a row of the table that tables and figures are made from
COPIES = 4  # of a chunk: in training, as a table, and the next one
ROW_OF_RESULTS = 150
RUN_IN_STORE, POINT_IN_STORE, FILES_OF_RUN = 9_000, 200, 12_288
REPORT = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Estimate:
    """How much of everything."""

    trials: int
    trainings: int
    chunks: int
    memory: int
    disk: int

    def __str__(self) -> str:
        shared = "; trials that differ in the threshold alone share one" if self.trainings < self.trials else ""
        return (
            f"{count(self.trials, 'trial')} in {count(self.trainings, 'training')}{shared}; {count(self.chunks, 'chunk')}; "
            f"up to {size(self.memory)} of memory and {size(self.disk)} of disk"
        )


def estimate(plan: Plan, pieces: Sequence[Indices], settings: Settings) -> Estimate:
    """What the sweep takes."""
    trials, choice = len(plan), settings.executor
    kept = max(row_bytes(trial.batch_key, settings.curve_points) for trial in plan.groups)
    points = max(min(settings.curve_points, trial.batch_key.max_epochs + 1) for trial in plan.groups)
    run = RUN_IN_STORE + POINT_IN_STORE * points + FILES_OF_RUN
    workers = choice.workers if choice.name == "dask" and not choice.address else 1
    return Estimate(
        trials=trials,
        trainings=sum(int(plan.trainings(places).max()) + 1 for _, places in plan.batches()),
        chunks=len(pieces),
        memory=PROGRAM * workers + trials * TRIAL_IN_MEMORY + COPIES * max(map(len, pieces)) * kept * workers,
        disk=trials * (kept + ROW_OF_RESULTS) + runs_recorded(settings.tracking.runs, trials) * run + REPORT,
    )


def check_number(trials: int, settings: Settings) -> None:
    """Raises ConfigError where so many trials alone, before they are looked at, take more memory than they may."""
    refuse_above(
        "limits.memory", trials, PROGRAM + trials * TRIAL_IN_MEMORY, settings.memory, free_memory(), "of memory are free"
    )


def check(found: Estimate, settings: Settings, folder: Path) -> None:
    """Raises ConfigError where the sweep takes more than it may, or than there is."""
    refuse_above("limits.memory", found.trials, found.memory, settings.memory, free_memory(), "of memory are free")
    where = f"are free in {folder.absolute()}"
    refuse_above("limits.disk", found.trials, found.disk, settings.disk, free_disk(folder), where)


def refuse_above(key: str, trials: int, needed: int, limit: float | None, free: int, where: str) -> None:
    """Raises ConfigError where more bytes are needed than the limit (GiB) or, without one, than are free."""
    if needed > (free if limit is None else limit * GIB):
        why = f"{size(free)} {where}" if limit is None else f"the limit is {size(int(limit * GIB))}"
        raise ConfigError(key, limit, f"{count(trials, 'trial')} may take {size(needed)}, and {why}")


def free_memory() -> int:
    """Bytes of memory that this process may still take."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def free_disk(folder: Path) -> int:
    """Bytes that are free where this folder is or will be."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free or sys.maxsize  # /proc and its like say 0: what they say later is clearer


def size(count: int) -> str:
    """Bytes in words."""
    for unit, name in ((GIB, "GiB"), (2**20, "MiB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{max(1, count // 1024)} KiB"
