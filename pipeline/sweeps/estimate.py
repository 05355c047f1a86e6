"""What a sweep will take, printed before it starts, and refused if that is more than is free."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.report.numbers import count
from pipeline.results.rows import Indices
from pipeline.sweeps.chunks import points_in_memory, row_bytes
from pipeline.sweeps.plan import Plan
from pipeline.trials.memory import GIB, free_memory
from pipeline.trials.settings import RECORDED_BY_DEFAULT, Settings, Tracking

# Bytes, measured, and a seventh more; tests/sweeps/test_estimate.py compares them with what sweeps really take.
PROGRAM = 660 * 2**20  # Python with all that is imported
TRIAL_IN_MEMORY = 400  # arrays of the plan, a row of the table that tables and figures are made from, and what they take
COPIES = 8  # of a chunk: the next one, in training, and what waits to become rows, or to be written
ROW_OF_RESULTS = 280
RUN_IN_STORE, POINT_IN_STORE, FILES_OF_RUN = 9_000, 200, 12_288
REPORT = 8 * 2**20
# Curves take most of the disk, and the time to write it. Of so many runs, those that figures show, a few thousand, are trained
# again for a hundredth of the time.
MANY = 500_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """The trials, trainings and chunks of a sweep, and the bytes of memory and disk that it may take."""

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
    with_curves = keeps_curves(settings.tracking, trials)
    keys = {trial.batch_key for trial in plan.groups}
    points = max(points_in_memory(key, settings.curve_points) for key in keys)
    row = max(row_bytes(key, points_in_memory(key, settings.curve_points, with_curves)) for key in keys)
    on_disk = max(row_bytes(key, points if with_curves else 0) for key in keys)
    run = RUN_IN_STORE + POINT_IN_STORE * points + FILES_OF_RUN
    workers = choice.workers if choice.name == "dask" and not choice.address else 1
    return Estimate(
        trials=trials,
        trainings=sum(int(trainings.max()) + 1 for _, _, trainings in plan.batches),
        chunks=len(pieces),
        memory=PROGRAM * workers + trials * TRIAL_IN_MEMORY + COPIES * max(map(len, pieces)) * row * workers,
        disk=trials * (on_disk + ROW_OF_RESULTS) + runs_recorded(settings.tracking.runs, trials) * run + REPORT,
    )


def runs_recorded(runs: str | int | None, trials: int) -> int:
    """The number of trials that get a run of their own, where `runs` is tracking.runs."""
    if runs is None:
        return trials if trials <= RECORDED_BY_DEFAULT else 0
    return {"all": trials, "none": 0}[runs] if isinstance(runs, str) else min(runs, trials)


def keeps_curves(tracking: Tracking, trials: int) -> bool:
    """Whether the error curve of each run is kept on disk until all is recorded."""
    return trials < MANY or tracking.curves or runs_recorded(tracking.runs, trials) > 0


def check_number(trials: int, limit: float | None) -> None:
    """Raises ConfigError if that number of trials alone, before any is made, takes more memory than it may."""
    refuse_above("limits.memory", trials, PROGRAM + trials * TRIAL_IN_MEMORY, limit, free_memory(), "of memory are free")


def check(estimated: Estimate, settings: Settings, folder: Path) -> None:
    """Raises ConfigError if the sweep takes more than it may, or than is free."""
    trials, where = estimated.trials, f"are free in {folder.absolute()}"
    refuse_above("limits.memory", trials, estimated.memory, settings.memory, free_memory(), "of memory are free")
    refuse_above("limits.disk", trials, estimated.disk, settings.disk, free_disk(folder), where)


def refuse_above(key: str, trials: int, needed: int, limit: float | None, free: int, where: str) -> None:
    """Raises ConfigError if more bytes are needed than the limit (GiB) allows or, without one, than are free."""
    if needed > (free if limit is None else limit * GIB):
        why = f"{size(free)} {where}" if limit is None else f"the limit is {size(int(limit * GIB))}"
        raise ConfigError(key, limit, f"{count(trials, 'trial')} may take {size(needed)}, and {why}")


def free_disk(folder: Path) -> int:
    """Bytes that are free where this folder is or will be."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free or sys.maxsize  # /proc and its like say 0: what they say later is clearer


def size(number: int) -> str:
    """Bytes in words."""
    for unit, name in ((GIB, "GiB"), (2**20, "MiB")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{max(1, number // 1024)} KiB"
