"""Records runs while others are trained and figures are drawn."""

import random
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from queue import Queue
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from pipeline.app.progress import progress_bar
from pipeline.results.rows import Indices, RunRows
from pipeline.store.failures import store_errors
from pipeline.store.records import records
from pipeline.store.write import Store
from pipeline.sweeps.artifacts.results import NO_RUN
from pipeline.sweeps.estimate import runs_recorded
from pipeline.sweeps.plan import Plan

SECONDS_BETWEEN_CHECKS, SECONDS_TO_STOP, SECONDS_OF_SILENCE = 0.05, 0.7, 2.0
ROUNDS = 3  # of recording what the store has not taken, or lost


class Recorder:
    """A thread that records the rows it is given: the trials that are to have a run of their own and have none yet.

    `run_ids` (trials,) are the ids of the runs that are recorded, `recorded` how many these are; `records` says whether there
    were such at the start, or are to be. After the first failure of the store nothing more is tried until `finish`.
    """

    def __init__(self, plan: Plan, runs: str | int | None, store: Store, parent: str) -> None:
        self.plan, self.runs, self.store, self.parent = plan, runs, store, parent
        self.run_ids = np.zeros(len(plan), "S32")  # NO_RUN: zeros that nothing is written to take no memory
        self._look()
        self.records = self.recorded > 0 or runs_recorded(runs, len(plan)) > 0
        self.failure: Exception | None = None
        self._error: BaseException | None = None
        self._stopped = False
        self._queue: Queue[RunRows | None] = Queue()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def give(self, rows: RunRows) -> None:
        """Has rows recorded, after those that were given before."""
        if self.records:
            self._queue.put(rows)

    def wait(self, check: Callable[[], None]) -> None:
        """Waits until all that was given is done, calling `check` meanwhile. Raises any error but the store's failures."""
        with ExitStack() as stack:
            advance, shown, begun = None, self.recorded, time.monotonic()
            while self._queue.unfinished_tasks:
                with self._queue.all_tasks_done:
                    self._queue.all_tasks_done.wait(SECONDS_BETWEEN_CHECKS)
                check()
                if advance is None and time.monotonic() - begun > SECONDS_OF_SILENCE:
                    total = runs_recorded(self.runs, len(self.plan))
                    advance = stack.enter_context(progress_bar())("recording", total, shown)
                if advance:
                    now = self.recorded
                    advance(now - shown, 0)
                    shown = now
        if self._error:
            raise self._error

    def finish(self, all_rows: Iterable[RunRows], check: Callable[[], None]) -> Exception | None:
        """Waits until each of these rows that is to have a run has exactly one in the store; gives the store's failure if not.

        What the store has not taken is tried once more.
        """
        self.wait(check)
        for _ in range(ROUNDS):
            if self.failure is None and self.store.is_certain:
                return None
            try:
                self._look()
            except store_errors() as error:
                return error
            self.failure = None
            missing = [rows for rows in all_rows if self._wanted(rows).any()]
            if not missing:
                return None
            for rows in missing:
                self.give(rows)
            self.wait(check)
        return self.failure or TimeoutError("runs that were recorded are missing there")

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
            except store_errors() as error:
                self.failure = error
            except BaseException as error:
                self._error = error
            finally:
                self._queue.task_done()

    def _look(self) -> None:
        """Has the store keep one run of each trial, and no others; takes their ids."""
        known = np.flatnonzero(self.run_ids)
        found = self.store.recorded(self.parent, set(self.run_ids[known].astype(str)))
        self.run_ids[known] = NO_RUN
        found = {index: run_id for index, run_id in found.items() if index < len(self.plan)}
        for index, run_id in found.items():
            self.run_ids[index] = run_id
        self.recorded = len(found)

    def _wanted(self, rows: RunRows) -> NDArray[np.bool_]:
        """Which of the rows are to have a run of their own and have none yet."""
        missing: NDArray[np.bool_] = self.run_ids[rows.indices] == NO_RUN
        return missing & chosen(self.runs, len(self.plan), rows.indices)

    def _record(self, rows: RunRows) -> None:
        wanted = self._wanted(rows)
        if not wanted.any():
            return
        indices = rows.indices[wanted]
        some = self.plan.with_curves(RunRows(rows.table.filter(wanted)))
        runs = records(self.plan.trials(indices), some, self.plan.names(indices))
        for index, run_id in zip(indices, self.store.record_all(runs, self.parent, self._check), strict=True):
            self.run_ids[index] = run_id
            self.recorded += 1

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
