"""Work on one item while the next is made or those before are used, in the order of the items."""

import ctypes
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar

from pipeline.app.interrupts import Interrupts

Item = TypeVar("Item")
Result = TypeVar("Result")
SECONDS_OF_A_TURN = 0.0005
MOST_BEHIND = 2
SECONDS_TO_END = 2.0


@contextmanager
def short_turns() -> Iterator[None]:
    """Threads of the interpreter take shorter turns: one that computes outside of it waits less for others when it returns."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SECONDS_OF_A_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each made while the one before is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def behind(
    items: Iterator[Item], work: Callable[[Item], Result], is_small: Callable[[Item], bool], interrupts: Interrupts
) -> Generator[Result, None, None]:
    """What the work gives for each item, done by a thread while the next ones are made; for small items at once.

    It may be MOST_BEHIND items behind: where it takes as long as to make an item, now and then longer, the next is made all the
    same. Where making an item is interrupted, those made before come first. Closing it waits for what is being done.
    """
    waiting: deque[Future[Result]] = deque()

    def done(most: int) -> Iterator[Result]:
        """What is done, and what else there is until at most so many wait."""
        while len(waiting) > most or (waiting and waiting[0].done()):
            with interrupts.deferred():
                first = waiting.popleft().result()
            yield first

    with ThreadPoolExecutor(1) as pool:
        try:
            for item in items:
                if is_small(item):
                    yield from done(0)
                    with interrupts.deferred():
                        result = work(item)
                    yield result
                else:
                    waiting.append(pool.submit(work, item))
                    yield from done(MOST_BEHIND)
        except KeyboardInterrupt:
            yield from done(0)
            raise
        yield from done(0)


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[None]:
    """Work that a thread does meanwhile; what it raises is raised at the end.

    An interrupt, or an error, ends it between two of its steps: the libraries that it calls do not outlive the interpreter.
    """
    errors: list[BaseException] = []

    def done() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = Thread(target=done, daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        end(thread)
        raise
    thread.join()
    if errors:
        raise errors[0]


def end(thread: Thread) -> None:
    """Raises SystemExit in a thread, where it next comes to Python's own code, and waits for that."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
    thread.join(SECONDS_TO_END)
