"""What a map's picture shows: ranks, statuses, epochs or causes, as a code for each pixel and a colour for each code.

In the ranks, the pixels of a group (converged, not converged, diverged) are put in order and share out its colours evenly: so
all of a view's structure is seen, however small the differences. Equal values have equal colours.

Letters: H rows, W columns, C codes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.status import Status
from pipeline.maps.pictures.colours import CAUSE_COLOURS, SCALES, STATUS_COLOURS, UNTRAINED, Bytes, Scale, colour, numbers
from pipeline.maps.training import MapResult
from pipeline.report.numbers import count, in_short

Floats = NDArray[np.float64]
Bits = NDArray[np.bool_]

RANKED = 2**20  # pixels that are put in order; of larger maps so many, evenly taken
STRIPE = 2**20  # pixels coloured at once
EPOCHS = 200  # colours for numbers of epochs


@dataclass(frozen=True)
class Entry:
    """A line of the legend: what it says and the codes from `first` to `last` that it stands for.

    `along` are numbers at places of their colours (0 to 1), and `unit` says what these numbers are.
    """

    text: str
    first: int
    last: int
    along: tuple[tuple[float, str], ...] = ()
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Layer:
    """A map in colours: codes (H, W), colours (C, 3), and what they stand for."""

    name: str
    codes: Bytes
    colours: Bytes
    legend: tuple[Entry, ...]

    @property
    def rgb(self) -> Bytes:
        """The colour of each pixel, (H, W, 3)."""
        return self.colours[self.codes]


@dataclass(frozen=True)
class Group:
    """Pixels that are put in order among each other: their statuses, by which numbers, upwards or downwards."""

    text: str
    unit: str
    statuses: tuple[int, ...]
    by: str  # epochs or final_error
    colours: Bytes
    falling: bool = False  # from the largest number to the smallest

    def members(self, result: MapResult) -> Bits:
        """Which pixels (H, W) belong to it."""
        return np.isin(result.status, self.statuses)


def ranks(result: MapResult, scale: str = "pretty") -> Layer:
    """How well each run went among those that ended alike, in this view."""
    codes = np.zeros(result.status.shape, np.uint8)
    colours, legend, first = [colour(UNTRAINED)], [], 1
    for group in groups(result, SCALES[scale]):
        members = group.members(result)
        values = getattr(result, group.by)
        order = Order.of(values, members, group.falling)
        for rows in stripes(codes):
            chosen = members[rows]
            codes[rows][chosen] = first + order.places(values[rows][chosen], len(group.colours))
        last = first + len(group.colours)
        text = counted(group.text, int(members.sum()), members.size)
        legend.append(Entry(text, first, last - 1, order.along(group.by), group.unit))
        colours.append(group.colours)
        first = last
    return Layer("ranks", codes, np.concatenate(colours), (*legend, *untrained(result)))


def groups(result: MapResult, scale: Scale) -> Iterator[Group]:
    """The groups that there are."""
    possible = possible_groups(bool((result.status == Status.CONVERGED).any()), scale)
    yield from (group for group in possible if group.members(result).any())


def possible_groups(converging: bool, scale: Scale) -> list[Group]:
    """The groups of a map. Where nothing converged, the runs that did not diverge take the colours of those that do."""
    converged = Group("converged", "epochs to the threshold, in order", (Status.CONVERGED,), "epochs", scale.inside)
    stayed = (Status.EXHAUSTED, Status.STATIONARY)
    if converging:
        return [
            converged,
            Group("not converged", "final error, in order", stayed, "final_error", scale.outside),
            Group("diverged", "epochs until then, in order", (Status.DIVERGED,), "epochs", scale.diverged, falling=True),
        ]
    return [
        Group("did not diverge", "final error, in order", stayed, "final_error", scale.inside),
        Group("diverged", "epochs until then, in order", (Status.DIVERGED,), "epochs", scale.outside, falling=True),
    ]


@dataclass(frozen=True)
class Order:
    """The distinct values of a group and the place of each, 0 to 1: the share below it and half of those equal to it."""

    values: Floats
    place: Floats
    middle: int  # the index of the median
    falling: bool

    @classmethod
    def of(cls, values: NDArray[np.generic], members: Bits, falling: bool) -> "Order":
        """That of the members among values (H, W)."""
        step = -(-values.size // RANKED) | 1  # odd: not always the same columns
        step = 1 if values.size <= RANKED else step
        chosen = values.ravel()[::step][members.ravel()[::step]].astype(float)
        if not len(chosen):
            chosen = values[members][:1].astype(float)
        distinct, number = np.unique(chosen, return_counts=True)
        upto = np.cumsum(number)
        return cls(distinct, (upto - number / 2) / upto[-1], int(np.searchsorted(2 * upto, upto[-1])), falling)

    def along_ramp(self, values: NDArray[np.generic]) -> Floats:
        """The place of each value on the ramp, 0 to 1."""
        place: Floats = np.interp(values.astype(float), self.values, self.place)
        return 1.0 - place if self.falling else place

    def places(self, values: NDArray[np.generic], colours: int) -> NDArray[np.intp]:
        """The index of the colour of each value."""
        index: NDArray[np.intp] = np.minimum((self.along_ramp(values) * colours).astype(np.intp), colours - 1)
        return index

    def along(self, by: str) -> tuple[tuple[float, str], ...]:
        """The smallest, the middle and the largest value, with their places on the ramp."""
        text: Callable[[float], str] = (lambda value: f"{value:,.0f}") if by == "epochs" else in_short
        texts = [text(float(self.values[index])) for index in (0, self.middle, -1)]
        texts = texts[::-1] if self.falling else texts
        if texts[0] == texts[-1]:
            return ((0.5, texts[0]),)
        return tuple(zip((0.0, 0.5, 1.0), texts, strict=True))


def statuses(result: MapResult, scale: str = "pretty") -> Layer:
    """How each run ended."""
    return categories(
        "status", result.status, {int(one): (one.word, name) for one, name in STATUS_COLOURS.items()}, untrained(result)
    )


def causes(cause: NDArray[np.int8], scale: str = "pretty") -> Layer:
    """Why each run (H, W) did not converge, as codes of `Cause`; −1 where none is known."""
    words = {int(one): ("converged" if one is Cause.NONE else one.word, name) for one, name in CAUSE_COLOURS.items()}
    unknown = int((cause < 0).sum())
    return categories("cause", cause, words, (Entry(counted("not known", unknown, cause.size), 0, 0),) if unknown else ())


def categories(name: str, values: NDArray[np.int8], words: dict[int, tuple[str, str]], more: tuple[Entry, ...]) -> Layer:
    """Words by code, each with its colour; a value below 0 has the code 0, any other its own and one more."""
    codes = (values + 1).astype(np.uint8)
    number = {value: int((values == value).sum()) for value in words}
    legend = [Entry(counted(word, number[value], values.size), value + 1, value + 1) for value, (word, _) in words.items()]
    colours = [colour(UNTRAINED), *(colour(shade) for _, shade in words.values())]
    return Layer(name, codes, np.concatenate(colours), (*(one for one in legend if number[one.first - 1]), *more))


def epochs(result: MapResult, scale: str = "pretty") -> Layer:
    """After how many epochs each run converged, on a logarithmic scale; the others in greys."""
    codes = np.zeros(result.status.shape, np.uint8)
    members = result.status == Status.CONVERGED
    colours, legend = [colour(UNTRAINED), numbers(SCALES[scale].epochs, EPOCHS)], []
    if members.any():
        ends = [float(end(result.epochs, where=members, initial=other)) for end, other in ((np.min, 2**62), (np.max, 0))]
        low, high = np.log1p(ends)
        for rows in stripes(codes):
            place = (np.log1p(result.epochs[rows][members[rows]]) - low) / max(high - low, 1e-9)
            codes[rows][members[rows]] = 1 + np.minimum((place * EPOCHS).astype(np.intp), EPOCHS - 1)
        middle = np.expm1((low + high) / 2)
        along = tuple(zip((0.0, 0.5, 1.0), (f"{value:,.0f}" for value in (ends[0], middle, ends[1])), strict=True))
        legend.append(
            Entry(counted("converged", int(members.sum()), members.size), 1, EPOCHS, along, "epochs to the threshold")
        )
    for status, grey in ((Status.STATIONARY, "0.7"), (Status.EXHAUSTED, "0.85"), (Status.DIVERGED, "0.25")):
        if (others := result.status == status).any():
            codes[others] = EPOCHS + len(colours) - 1
            legend.append(Entry(counted(status.word, int(others.sum()), others.size), codes[others][0], codes[others][0]))
            colours.append(colour(grey))
    return Layer("epochs", codes, np.concatenate(colours), (*legend, *untrained(result)))


def untrained(result: MapResult) -> tuple[Entry, ...]:
    """A line for pixels that are not trained, if there are any."""
    number = int((result.status < 0).sum())
    return (Entry(counted("not trained", number, result.status.size), 0, 0),) if number else ()


def counted(text: str, number: int, of: int) -> str:
    """What some pixels are, and how many."""
    share = 100 * number / of
    percent = f"{share:.1f} %" if 0.05 <= share <= 99.95 or number in (0, of) else "under 0.1 %" if share < 1 else "over 99.9 %"
    return f"{text}: {count(number, 'run')} ({percent})"


def stripes(codes: Bytes) -> Iterator[slice]:
    """Rows, some at a time."""
    step = max(1, STRIPE // codes.shape[1])
    yield from (slice(start, start + step) for start in range(0, len(codes), step))
