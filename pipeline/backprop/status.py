"""How a run ends: the four statuses, each with its word and what it means."""

from enum import IntEnum


class Status(IntEnum):
    """How a run ended; its value is the code that stands in arrays. Where several hold at one epoch, see `stopping.py`."""

    meaning: str

    def __new__(cls, code: int, meaning: str = "") -> "Status":
        """A member with its code and its meaning."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    CONVERGED = 0, "the criterion reached the threshold"
    STATIONARY = (
        1,
        "no component of the gradient was above gradient_tolerance (off by default), but the criterion was above the "
        "threshold: a local minimum, a saddle or a plateau",
    )
    EXHAUSTED = 2, "max_epochs came first"
    DIVERGED = 3, "the error was not finite, or above 10⁶ times the first"

    @property
    def word(self) -> str:
        """What is written and recorded."""
        return self.name.lower()


STATUSES: tuple[str, ...] = tuple(status.word for status in Status)  # by code
