"""How often a long test does what it does: a third of its full number, and all of it under `make test-all FULL=1`."""

import os

FULL = bool(os.environ.get("FULL"))


def amount(full: int) -> int:
    """The number of repetitions in place of the full number."""
    return full if FULL else max(1, full // 3)
