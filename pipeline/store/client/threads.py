"""Threads for requests to a server, which may never answer: nobody waits for them at exit, as for those of an executor."""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Queue
from threading import Thread
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def nothing() -> None:
    """No check."""


def in_threads(call: Callable[[Item], Result], items: Sequence[Item], most: int) -> list[Result]:
    """What the call gives for each item, in their order, by so many threads at most. Raises the first error."""
    if min(most, len(items)) <= 1:
        return [call(item) for item in items]
    waiting = deque(enumerate(items))
    results: dict[int, Result] = {}
    ended: Queue[BaseException | None] = Queue()

    def work() -> None:
        try:
            while (taken := take()) is not None:
                index, item = taken
                results[index] = call(item)
        except BaseException as error:
            ended.put(error)
        else:
            ended.put(None)

    def take() -> tuple[int, Item] | None:
        with suppress(IndexError):
            return waiting.popleft()
        return None

    threads = min(most, len(items))
    for _ in range(threads):
        Thread(target=work, daemon=True).start()
    errors = []
    try:
        for _ in range(threads):
            if error := ended.get():
                errors.append(error)
                waiting.clear()
    finally:
        waiting.clear()  # an interrupt: what is not begun is not to be
    if errors:
        raise errors[0]
    return [results[index] for index in range(len(items))]


def within(seconds: float, call: Callable[[], Any]) -> None:
    """Calls, and waits for so long at most. Raises TimeoutError, or what the call raises."""
    ended: Queue[BaseException | None] = Queue()

    def work() -> None:
        try:
            call()
        except BaseException as error:
            ended.put(error)
        else:
            ended.put(None)

    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:g} s")
    if error := ended.get():
        raise error
