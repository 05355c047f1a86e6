"""What is trained together, and what comes of it: a batch of trials, and its result."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.network import Network

# Called now and then with the numbers of trials that have ended and of epochs trained since the last call; it may raise.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Batch:
    """R trials of one task and one network shape, in T trainings.

    Trials that differ in nothing but the threshold share a training: its way to the lowest threshold passes all the higher
    ones. inputs (P, I), targets (P, O); initial_parameters (N, T); learning_rate (L, T); momentum (T,); training (R,) is the
    column that a trial belongs to, and threshold (R,) where it stops. Of each curve the points from `first_point` on are kept.
    """

    network: Network
    inputs: Array
    targets: Array
    initial_parameters: Array
    learning_rate: Array
    momentum: Array
    training: NDArray[np.intp]
    threshold: Array
    update: str = "batch"
    criterion: str = "total_error"
    max_epochs: int = 10_000
    gradient_tolerance: float = 0.0
    curve_points: int = 100
    first_point: int = 0

    @property
    def curve_epochs(self) -> NDArray[np.int64]:
        """The epochs (K,) of all points of a curve."""
        return curve_epochs(self.max_epochs, self.curve_points)

    @property
    def trainings(self) -> int:
        """T, the number of trainings."""
        return int(self.initial_parameters.shape[1])

    def columns(self, chosen: NDArray[np.intp]) -> "Batch":
        """The batch of the chosen trainings alone, with the trials that belong to them, in their order."""
        index = np.full(self.trainings, -1)
        index[chosen] = np.arange(len(chosen))
        trials = np.flatnonzero(index[self.training] >= 0)
        return replace(
            self,
            initial_parameters=self.initial_parameters[:, chosen],
            learning_rate=self.learning_rate[:, chosen],
            momentum=self.momentum[chosen],
            training=index[self.training[trials]],
            threshold=self.threshold[trials],
        )

    def order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The trials (R,) in the order in which each training reaches them, from the highest threshold to the lowest.

        Those of training t are order[first[t]:first[t + 1]]; gives (order, first), first (T + 1,).
        """
        if len(self.training) == self.trainings and (np.diff(self.training) > 0).all():  # each trial has a training of its own
            return np.arange(self.trainings), np.arange(self.trainings + 1)
        order = np.lexsort((-self.threshold, self.training)).astype(np.int64, copy=False)
        first = np.searchsorted(self.training[order], np.arange(self.trainings + 1)).astype(np.int64, copy=False)
        return order, first


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of the R trials of a batch.

    status (R,) has the codes of `Status`, −1 of a trial that has not ended; epochs (R,); final_error (R,); gradient_norm (R,)
    is the largest absolute component of the gradient at the end; parameters (N, R) are the final ones. curve_errors (K, T)
    has error(k) of each training at the epochs curve_epochs (K,), NaN after its end.
    """

    batch: Batch
    status: NDArray[np.int8]
    epochs: NDArray[np.int64]
    final_error: Array
    gradient_norm: Array
    parameters: Array
    curve_epochs: NDArray[np.int64]
    curve_errors: Array

    @classmethod
    def empty(cls, batch: Batch) -> "BatchResult":
        """The result of a training that has not begun."""
        trials, epochs = len(batch.training), batch.curve_epochs[batch.first_point :]
        return cls(
            batch=batch,
            status=np.full(trials, -1, np.int8),
            epochs=np.zeros(trials, np.int64),
            final_error=np.full(trials, np.nan),
            gradient_norm=np.full(trials, np.nan),
            parameters=np.full((batch.network.size, trials), np.nan),
            curve_epochs=epochs,
            curve_errors=np.full((len(epochs), batch.trainings), np.nan),
        )

    def curve(self, trial: int) -> tuple[NDArray[np.int64], Array]:
        """(epochs, errors) of one trial: the curve's points before its end, and its end."""
        before = self.curve_epochs < self.epochs[trial]
        errors = self.curve_errors[before, self.batch.training[trial]]
        return (np.append(self.curve_epochs[before], self.epochs[trial]), np.append(errors, self.final_error[trial]))

    def insert(self, part: "BatchResult", trainings: NDArray[np.intp]) -> None:
        """Takes over the result of `batch.columns(trainings)`."""
        trials = np.flatnonzero(np.isin(self.batch.training, trainings))
        for name in ("status", "epochs", "final_error", "gradient_norm", "parameters"):
            getattr(self, name)[..., trials] = getattr(part, name)
        self.curve_errors[:, trainings] = part.curve_errors


@lru_cache(100)  # all chunks of a sweep have the same ones
def curve_epochs(max_epochs: int, points: int) -> NDArray[np.int64]:
    """`points` epochs from 0 to max_epochs (all of them if there are no more), log-spaced as far as whole numbers can be.

    From 1 on, each step multiplies by the factor that leads to the last epoch in the points that are left; computed in decimal
    arithmetic. Not to be written to.
    """
    epochs = [0, 1]
    with localcontext(prec=30):
        while len(epochs) < points and epochs[-1] < max_epochs:
            last, left = epochs[-1], points - len(epochs)
            ratio = ((Decimal(max_epochs) / last).ln() / left).exp()
            epochs.append(max(last + 1, int((last * ratio).to_integral_value())))
    kept = np.array([*(epoch for epoch in epochs[: points - 1] if epoch < max_epochs), max_epochs])
    kept.setflags(write=False)
    return kept


def as_slice(indices: NDArray[np.intp]) -> Any:
    """These indices; as a slice, by which nothing is copied, where each is the one before and 1."""
    in_a_row = len(indices) > 0 and (np.diff(indices) == 1).all()
    return slice(int(indices[0]), int(indices[-1]) + 1) if in_a_row else indices
