"""How often a test does what it does: a long one a third, one of properties half of its full number; all with `FULL=1`."""

import os

FULL = bool(os.environ.get("FULL"))


def amount(full: int) -> int:
    """The number of repetitions in place of the full number."""
    return full if FULL else max(1, full // 3)
