"""A thread that does the newest job only: a newer one interrupts it."""

import threading
from collections.abc import Callable

Check = Callable[[], None]  # raises Superseded where a newer job waits
Job = Callable[[Check], None]


class SupersededError(Exception):
    """A newer job waits, or the thread is to end."""


class Newest:
    """Does one job at a time, the newest that was asked for; `failed` is told of what a job raises.

    A job is given a check, which it calls now and then, and which raises SupersededError when there is a newer job.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed, self._waiting, self._closed = failed, None, False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    _waiting: Job | None

    def ask(self, job: Job) -> None:
        """Does this job instead of what is being done."""
        with self._changed:
            self._waiting = job
            self._changed.notify()

    def close(self) -> None:
        """Ends the thread: what is being done is interrupted."""
        with self._changed:
            self._closed, self._waiting = True, None
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Waits until the thread has ended, for so long at most."""
        self._thread.join(seconds)

    def _check(self) -> None:
        if self._closed or self._waiting is not None:
            raise SupersededError

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting is not None)
                if self._closed:
                    return
                job, self._waiting = self._waiting, None
            try:
                assert job is not None
                job(self._check)
            except SupersededError:
                pass
            except Exception as error:
                self._failed(error)
