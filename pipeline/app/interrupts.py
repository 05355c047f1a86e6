"""Ctrl-C and SIGTERM, answered where nothing is cut in two; and how far the work is."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupts:
    """While it is entered, SIGINT and SIGTERM raise KeyboardInterrupt: at once or, within `deferred`, when asked by
    `raise_if_requested`.
    """

    def __init__(self) -> None:
        self.asked = False
        self.holding = 0
        self.before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True
        if not self.holding:
            raise KeyboardInterrupt

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Work that must not be cut in two."""
        self.holding += 1
        try:
            yield
        finally:
            self.holding -= 1

    def raise_if_requested(self) -> None:
        """Raises KeyboardInterrupt if that was asked for."""
        if self.asked:
            raise KeyboardInterrupt
