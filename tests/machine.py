"""What tests allow that bound the processor's time: more on a machine that is slow, or whose neighbours are busy."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

USUAL = 0.02  # seconds of the loop below; on a busy Zen 3 of 3.1 GHz 0.022 to 0.037


def loop() -> float:
    """The processor's time for a loop in Python: the least of five."""
    times = []
    for _ in range(5):
        began, total = time.process_time(), 0
        for number in range(300_000):
            total += number * number % 7
        times.append(time.process_time() - began)
    return min(times)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What is done within takes at most so much of the processor's time; where the loop takes longer, as much more."""
    before, began = loop(), time.process_time()
    yield
    taken = time.process_time() - began
    assert taken < seconds * max(1.0, before / USUAL, loop() / USUAL)
