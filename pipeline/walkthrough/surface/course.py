"""The way of a training: its parameters at chosen epochs, in steps that change what is seen by about as much each."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch, curve_epochs
from pipeline.backprop.network import forward, total_error
from pipeline.backprop.trainer import State
from pipeline.walkthrough.numbers import update
from pipeline.walkthrough.surface.plane import Plane

CANDIDATES = 300  # epochs that are looked at, log-spaced and as many evenly spaced
COARSE = 20  # points along each side, by which a surface is compared with the next


@dataclass(frozen=True, eq=False)
class Course:
    """A training at some epochs (K,), from 0 to its end: parameters (N, K) and total errors (K,)."""

    batch: Batch
    epochs: NDArray[np.int64]
    parameters: Array
    errors: Array

    def some(self, chosen: NDArray[np.intp]) -> "Course":
        """The same at some of its epochs."""
        return Course(self.batch, self.epochs[chosen], self.parameters[:, chosen], self.errors[chosen])


def candidates(end: int, most: int = CANDIDATES) -> list[int]:
    """Epochs from 0 to the end, log-spaced and evenly spaced ones."""
    if end <= most:
        return list(range(end + 1))
    even = (step * end // most for step in range(most + 1))
    return sorted({*even, *curve_epochs(end, most).tolist()})


@np.errstate(all="ignore")
def course(batch: Batch, end: int) -> Course:
    """The way of the batch's one run to its end, made again as the trainer makes it."""
    wanted = candidates(end)
    epoch_of = [slice(None)] if batch.update == "batch" else [slice(p, p + 1) for p in range(len(batch.inputs))]
    state, kept, errors, before = State(batch), [], [], 0
    for epoch in wanted:
        for _ in range(epoch - before):
            update(batch, state, epoch_of)
        before = epoch
        kept.append(state.parameters[:, 0].copy())
        errors.append(float(total_error(forward(batch.network, state.parameters, batch.inputs)[-1], batch.targets)[0]))
    return Course(batch, np.array(wanted, np.int64), np.array(kept).T, np.array(errors))


def evenly_changing(way: Course, plane: Plane, count: int) -> Course:
    """At most `count` (2 or more) of the epochs: the first, the last, and between them those that part the way most evenly.

    The way from one surface to the next is the mean distance of their outputs, each cut to the range of the targets.
    """
    surfaces = [np.clip(plane.surface(way.batch.network, one, COARSE), plane.low, plane.high) for one in way.parameters.T]
    steps = [float(np.abs(after - before).mean()) for before, after in pairwise(surfaces)]
    length = np.concatenate([[0.0], np.cumsum(steps)])
    if not length[-1] > 0.0:
        length = np.arange(len(surfaces), dtype=float)
    chosen = np.searchsorted(length, np.linspace(0.0, length[-1], count), side="left")
    return way.some(np.unique([0, *chosen[1:-1], len(surfaces) - 1]))
