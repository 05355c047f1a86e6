"""Records runs while others are trained and figures are drawn."""

import random
from collections.abc import Callable, Iterable
from queue import Queue
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from pipeline.results.rows import Indices, RunRows
from pipeline.store.failures import STORE_ERRORS
from pipeline.store.records import records
from pipeline.store.write import Store
from pipeline.sweeps.artifacts import NO_RUN
from pipeline.sweeps.estimate import runs_recorded
from pipeline.sweeps.plan import Plan

SECONDS_BETWEEN_CHECKS, SECONDS_TO_STOP = 0.05, 0.7


class Recorder:
    """A thread that records the rows it is given: the trials that are to have a run of their own and have none yet.

    `run_ids` (trials,) are the ids of the runs that are recorded. After the first failure of the store nothing more is tried
    until `finish`.
    """

    def __init__(self, plan: Plan, runs: str | int | None, store: Store, parent: str) -> None:
        self.plan, self.runs, self.store, self.parent = plan, runs, store, parent
        self.run_ids = np.full(len(plan), NO_RUN, "S32")
        for index, run_id in store.recorded(parent).items():
            self.run_ids[index] = run_id
        self.failure: Exception | None = None
        self._error: BaseException | None = None
        self._stopped = False
        self._queue: Queue[RunRows | None] = Queue()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def give(self, rows: RunRows) -> None:
        """Has rows recorded, after those that were given before."""
        self._queue.put(rows)

    def wait(self, check: Callable[[], None]) -> None:
        """Waits until all that was given is done, calling `check` meanwhile. Raises any error but the store's failures."""
        while self._queue.unfinished_tasks:
            with self._queue.all_tasks_done:
                self._queue.all_tasks_done.wait(SECONDS_BETWEEN_CHECKS)
            check()
        if self._error:
            raise self._error

    def finish(self, all_rows: Iterable[RunRows], check: Callable[[], None]) -> Exception | None:
        """Waits, and tries what the store has not taken once more; gives the failure if it fails again."""
        self.wait(check)
        if self.failure:
            self.failure = None
            for rows in all_rows:
                self.give(rows)
            self.wait(check)
        return self.failure

    def stop(self) -> None:
        """Stops after what is being written, waiting only briefly: a server may not answer."""
        self._stopped = True
        self._queue.put(None)
        self._thread.join(SECONDS_TO_STOP)

    def _work(self) -> None:
        while (rows := self._queue.get()) is not None:
            try:
                if not (self.failure or self._error):
                    self._record(rows)
            except STORE_ERRORS as error:
                self.failure = error
            except BaseException as error:
                self._error = error
            finally:
                self._queue.task_done()

    def _record(self, rows: RunRows) -> None:
        wanted = chosen(self.runs, len(self.plan), rows.indices) & (self.run_ids[rows.indices] == NO_RUN)
        if not wanted.any():
            return
        indices = rows.indices[wanted]
        runs = records(self.plan.trials(indices), RunRows(rows.table.filter(wanted)), self.plan.names(indices))
        for index, run_id in zip(indices, self.store.record_all(runs, self.parent, self._check), strict=True):
            self.run_ids[index] = run_id

    def _check(self) -> None:
        """Called between writes."""
        if self._stopped:
            raise KeyboardInterrupt


def chosen(runs: str | int | None, trials: int, indices: Indices) -> NDArray[np.bool_]:
    """Which of these trials get a run of their own."""
    number = runs_recorded(runs, trials)
    if number == trials or not number:
        return np.full(len(indices), bool(number))
    return np.isin(indices, random.Random(0).sample(range(trials), number))
