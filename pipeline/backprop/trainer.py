"""Training: epoch after epoch of forward pass, error, backward pass and update, until each run has ended.

This is the definition of what a trial's result is. Any other engine must give the same bits.

The trials of a batch that differ in nothing but the threshold share one training: the trajectory to the lowest threshold
passes all the higher ones. So a batch has T trainings (columns of its arrays) and R ≥ T trials. Letters otherwise as in
`network.py`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from itertools import count

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.network import Network, WorkArrays, backward, forward, total_error, worst_output

UPDATES = ("batch", "online")
CRITERIA = ("total_error", "worst_output")

STATUSES = ("converged", "stationary", "exhausted", "diverged")
CONVERGED, STATIONARY, EXHAUSTED, DIVERGED = range(4)
DIVERGED_ABOVE = 1e6  # × error(0)

# How many numbers one array of hidden outputs may hold: a block of runs is trained at a time, small enough for the
# processor's cache. No result depends on it.
BLOCK_NUMBERS = 16384
PROGRESS_SECONDS = 0.1

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Batch:
    """R trials of one task and one network shape, in T trainings.

    inputs (P, I), targets (P, O); initial_parameters (N, T); learning_rate (L, T); momentum (T,);
    training (R,) is the column that a trial belongs to and threshold (R,) where it stops.
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

    def columns(self, chosen: NDArray[np.intp]) -> "Batch":
        """The batch of the chosen trainings alone, with the trials that belong to them, in their order."""
        place = np.full(self.initial_parameters.shape[1], -1)
        place[chosen] = np.arange(len(chosen))
        trials = np.flatnonzero(place[self.training] >= 0)
        return replace(
            self,
            initial_parameters=self.initial_parameters[:, chosen],
            learning_rate=self.learning_rate[:, chosen],
            momentum=self.momentum[chosen],
            training=place[self.training[trials]],
            threshold=self.threshold[trials],
        )


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of the R trials of a batch.

    status (R,) indexes STATUSES; epochs (R,); final_error (R,); gradient_norm (R,) is the largest absolute component of the
    gradient at the end; parameters (N, R) are the final ones. curve_errors (K, T) holds error(k) of each training at the
    epochs curve_epochs (K,), NaN after its end.
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
        """The outcome of a training that has not begun."""
        trials, kept = len(batch.training), curve_epochs(batch.max_epochs, batch.curve_points)
        return cls(
            batch=batch,
            status=np.full(trials, -1, np.int8),
            epochs=np.zeros(trials, np.int64),
            final_error=np.full(trials, np.nan),
            gradient_norm=np.full(trials, np.nan),
            parameters=np.full((batch.network.size, trials), np.nan),
            curve_epochs=kept,
            curve_errors=np.full((len(kept), batch.initial_parameters.shape[1]), np.nan),
        )

    def curve(self, trial: int) -> tuple[NDArray[np.int64], Array]:
        """(epochs, errors) of one trial: the kept points before its end, and its end."""
        before = self.curve_epochs < self.epochs[trial]
        errors = self.curve_errors[before, self.batch.training[trial]]
        return (
            np.append(self.curve_epochs[before], self.epochs[trial]),
            np.append(errors, self.final_error[trial]),
        )


def curve_epochs(max_epochs: int, points: int) -> NDArray[np.int64]:
    """`points` epochs from 0 to max_epochs (all of them if there are no more), log-spaced where they can be.

    From 1 on, each step multiplies by what is left to go, spread over the points that are left; computed in decimal
    arithmetic.
    """
    epochs = [0, 1]
    with localcontext(prec=30):
        while len(epochs) < points and epochs[-1] < max_epochs:
            last, left = epochs[-1], points - len(epochs)
            ratio = ((Decimal(max_epochs) / last).ln() / left).exp()
            epochs.append(max(last + 1, int((last * ratio).to_integral_value())))
    return np.array([*(epoch for epoch in epochs[: points - 1] if epoch < max_epochs), max_epochs])


def train(batch: Batch, progress: Progress | None = None, outcome: BatchResult | None = None) -> BatchResult:
    """Trains every trial of the batch to its end.

    `progress` is called now and then with the number of trials that have ended since the last call, and that of epochs
    trained, over all trainings. If it raises, an empty `outcome` of the caller's has what had ended.
    """
    trainings = batch.initial_parameters.shape[1]
    block = block_size(batch)
    outcome = outcome or BatchResult.empty(batch)
    # by training, and within one from the highest threshold to the lowest: the order in which they are reached
    order = np.lexsort((-batch.threshold, batch.training))
    for start in range(0, trainings, block):
        _train_block(outcome, np.arange(start, min(start + block, trainings)), order, progress)
    return outcome


def block_size(batch: Batch) -> int:
    """How many trainings are trained together."""
    return max(16, BLOCK_NUMBERS // (max(batch.network.units) * len(batch.inputs)))


class Block:
    """The trainings of one block that still run: their state, a column each, and the trials that each has yet to end."""

    def __init__(self, outcome: BatchResult, columns: NDArray[np.intp], order: NDArray[np.intp]) -> None:
        batch = outcome.batch
        self.outcome = outcome
        self.columns = columns
        self.parameters = batch.initial_parameters[:, columns] + 0.0  # + 0.0: no weight is ever −0
        self.rates = batch.network.rates(batch.learning_rate[:, columns])
        self.momentum = batch.momentum[columns]
        self.velocity = np.zeros_like(self.rates)
        self.order = order
        self.next = np.searchsorted(batch.training[order], columns, "left")
        self.last = np.searchsorted(batch.training[order], columns, "right")
        self.threshold = batch.threshold[order[self.next]]
        self.limit = np.zeros(len(columns))

    def step(self, gradient: Array) -> None:
        """One update: v ← αv − η ∂E/∂w, w ← w + v. Where α is 0, nothing of the last step is left in v, be it infinite."""
        trained = self.parameters[: len(gradient)]
        gradient *= self.rates
        if not self.momentum.any():
            trained -= gradient
            return
        self.velocity *= self.momentum
        self.velocity[:, self.momentum == 0.0] = 0.0
        self.velocity -= gradient
        trained += self.velocity

    def end(
        self, epoch: int, ended: NDArray[np.bool_], error: Array, measure: Array, norm: Array
    ) -> tuple[int, NDArray[np.bool_]]:
        """Records the trials that end at this epoch and drops the trainings with none left.

        Gives the number of those trials, and which trainings are left.
        """
        batch, outcome = self.outcome.batch, self.outcome
        columns = np.flatnonzero(ended)
        # the trials that these trainings have yet to end, and the column of each
        waiting = self.last[columns] - self.next[columns]
        column = np.repeat(columns, waiting)
        trial = self.order[np.arange(len(column)) + np.repeat(self.next[columns] - np.cumsum(waiting) + waiting, waiting)]

        reasons = [
            (DIVERGED, ~(error <= self.limit)[column]),
            (CONVERGED, measure[column] <= batch.threshold[trial]),
            (STATIONARY, (norm <= batch.gradient_tolerance)[column] & (batch.gradient_tolerance > 0.0)),
            (EXHAUSTED, np.full(len(column), epoch == batch.max_epochs)),
        ]
        status = np.select([holds for _, holds in reasons], [code for code, _ in reasons], default=-1)
        over = status >= 0
        trial, column = trial[over], column[over]
        outcome.status[trial] = status[over]
        outcome.epochs[trial] = epoch
        outcome.final_error[trial] = error[column]
        outcome.gradient_norm[trial] = norm[column]
        outcome.parameters[:, trial] = self.parameters[:, column]

        self.next += np.bincount(column, minlength=len(self.next))
        running = self.next < self.last
        self._keep(running)
        self.threshold = batch.threshold[self.order[self.next]]
        return len(trial), running

    def _keep(self, running: NDArray[np.bool_]) -> None:
        for name in ("parameters", "rates", "velocity"):
            setattr(self, name, getattr(self, name)[:, running])
        for name in ("columns", "momentum", "next", "last", "threshold", "limit"):
            setattr(self, name, getattr(self, name)[running])


@np.errstate(all="ignore")  # a run that diverges is a result, not an accident
def _train_block(outcome: BatchResult, columns: NDArray[np.intp], order: NDArray[np.intp], progress: Progress | None) -> None:
    batch, network = outcome.batch, outcome.batch.network
    block, room = Block(outcome, columns, order), WorkArrays()
    kept = {int(epoch): point for point, epoch in enumerate(outcome.curve_epochs)}
    told, trials, epochs = time.monotonic(), 0, 0
    for epoch in count():
        outputs = forward(network, block.parameters, batch.inputs, room)
        error = total_error(outputs[-1], batch.targets, room)
        measure = error if batch.criterion == "total_error" else worst_output(outputs[-1], batch.targets)
        if epoch == 0:
            block.limit = np.minimum(DIVERGED_ABOVE * error, np.finfo(float).max)
        if epoch in kept:
            outcome.curve_errors[kept[epoch], block.columns] = error

        ended = ~((error <= block.limit) & (measure > block.threshold))
        if epoch == batch.max_epochs:
            ended[:] = True
        if batch.update == "batch" or batch.gradient_tolerance > 0.0 or ended.any():
            gradient = backward(network, block.parameters, outputs, batch.targets, room)
        if batch.gradient_tolerance > 0.0:
            ended |= largest(gradient) <= batch.gradient_tolerance
        if ended.any():
            over, running = block.end(epoch, ended, error, measure, largest(gradient))
            trials += over
            gradient = gradient[:, running]
            if not len(block.columns):
                break

        if batch.update == "batch":
            block.step(gradient)
        else:
            for p in range(len(batch.inputs)):
                pattern = forward(network, block.parameters, batch.inputs[p : p + 1], room)
                block.step(backward(network, block.parameters, pattern, batch.targets[p : p + 1], room))

        epochs += len(block.columns)
        if progress and time.monotonic() - told > PROGRESS_SECONDS:
            progress(trials, epochs)
            told, trials, epochs = time.monotonic(), 0, 0
    if progress:
        progress(trials, epochs)


def largest(gradient: Array) -> Array:
    """The largest absolute component of each run's gradient, (R,); 0 where there is none."""
    norm: Array = np.abs(gradient).max(axis=0, initial=0.0)
    return norm
