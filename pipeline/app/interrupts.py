"""Ctrl-C and SIGTERM, deferred until a piece of work is done."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SECONDS_UNTIL_REPEATED = 0.01  # when the finalizer is done, as a rule


class Interrupts:
    """While entered, SIGINT and SIGTERM raise KeyboardInterrupt: at once or, within `deferred`, by `raise_if_requested`."""

    def __init__(self) -> None:
        self.requested = False
        self.deferrals = 0
        self.handlers_before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            self.handlers_before = {number: signal.signal(number, self._request) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.handlers_before.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: object) -> None:
        self.requested = True
        if not self.deferrals:
            raise KeyboardInterrupt

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Work that must not be interrupted."""
        self.deferrals += 1
        try:
            yield
        finally:
            self.deferrals -= 1

    @contextmanager
    def made_errors_of(self) -> Iterator[None]:
        """What an interrupt became within is raised as one: a library's code that is not Python may make any error of it."""
        try:
            yield
        except Exception:
            self.raise_if_requested()
            raise

    def raise_if_requested(self) -> None:
        """Raises KeyboardInterrupt if an interrupt was requested."""
        if self.requested:
            raise KeyboardInterrupt


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Lets SIGTERM raise KeyboardInterrupt, as Ctrl-C does, where nothing else is made of it."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def repeated_in_finalizers() -> Iterator[None]:
    """Lets an interrupt come once more if it fell into a finalizer or a weak reference's callback, where Python ignores it."""
    before = sys.unraisablehook

    def repeat(ignored: "sys.UnraisableHookArgs") -> None:
        if ignored.exc_type is not KeyboardInterrupt:
            before(ignored)
            return
        threading.Thread(target=interrupt_once_out_of, args=(repeat,), daemon=True).start()

    sys.unraisablehook = repeat
    try:
        yield
    finally:
        sys.unraisablehook = before


def interrupt_once_out_of(hook: Any) -> None:
    """Interrupts the main thread as soon as it is out of this hook, in which Python would ignore it, too."""
    main = threading.main_thread().ident or 0
    while True:
        time.sleep(SECONDS_UNTIL_REPEATED)
        frame = sys._current_frames().get(main)
        while frame and frame.f_code is not hook.__code__:
            frame = frame.f_back
        if not frame:
            break
    signal.pthread_kill(main, signal.SIGINT)
