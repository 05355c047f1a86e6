"""A thread that records what is trained."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from pipeline.results.rows import RunRows

if TYPE_CHECKING:
    pass

SECONDS_BETWEEN_LOOKS, SECONDS_TO_STOP = 0.05, 0.7


class Recorder:
    """A thread that records results, as they are given, while others are trained and figures are drawn."""

    def __init__(self, record: Callable[[RunRows, Callable[[], None]], None]) -> None:
        self.record = record
        self.given: SimpleQueue[RunRows | None] = SimpleQueue()
        self.stopped = False
        self.error: BaseException | None = None
        self.thread = Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        try:
            while results := self.given.get():
                self.record(results, self._look)
        except BaseException as error:
            self.error = error

    def _look(self) -> None:
        if self.stopped:
            raise KeyboardInterrupt

    def give(self, results: RunRows) -> None:
        """Has a chunk recorded, after those that were given before."""
        self.given.put(results)

    def finish(self, look: Callable[[], None]) -> None:
        """Waits until all that was given is recorded, and calls `look` meanwhile. Raises what went wrong."""
        self.given.put(None)
        while self.thread.is_alive():
            self.thread.join(SECONDS_BETWEEN_LOOKS)
            look()
        if self.error:
            raise self.error

    def stop(self) -> None:
        """Has it stop after what it is writing, and waits for that a moment: a server may not answer."""
        self.stopped = True
        self.given.put(None)
        self.thread.join(SECONDS_TO_STOP)
