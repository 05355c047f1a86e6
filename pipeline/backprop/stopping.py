"""When a trial ends, and how: at each epoch the tests are, in this order, diverged, converged, stationary, exhausted."""

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import BatchResult
from pipeline.backprop.status import Status

DIVERGED_ABOVE = 1e6  # × error(0)


class Running:
    """The T trainings that still run, and the trials that each of them has yet to end, from the highest threshold on.

    All arrays have one entry for each training that still runs; `columns` are their columns in the batch.
    """

    def __init__(self, result: BatchResult) -> None:
        batch = result.batch
        self.result = result
        self.columns = np.arange(batch.trainings)
        self.order, first = batch.order()
        self.next, self.last = first[:-1], first[1:]  # order[next:last] are the trials that a training has yet to end
        self.threshold = batch.threshold[self.order[self.next]]
        self.limit = np.full(batch.trainings, np.finfo(float).max)
        self.curve_points = {int(epoch): point for point, epoch in enumerate(result.curve_epochs)}

    def end(
        self, epoch: int, error: Array, measure: Array, gradient: Array, parameters: Array, fixed: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Records the trials that end at this epoch and the curves; gives which trainings go on, (T,).

        error and measure, which is held against the threshold, (T,), gradient (trained, T), parameters (N, T). Trainings that
        are `fixed` (T,), in which no number will ever change, end as they would at max_epochs.
        """
        batch, result = self.result.batch, self.result
        if epoch == 0:
            self.limit = np.minimum(DIVERGED_ABOVE * error, self.limit)
        if epoch in self.curve_points:
            result.curve_errors[self.curve_points[epoch], self.columns] = error
        if fixed.any():
            result.curve_errors[np.ix_(result.curve_epochs >= epoch, self.columns[fixed])] = error[fixed]
        ending = ~((error <= self.limit) & (measure > self.threshold)) | fixed
        if epoch == batch.max_epochs:
            ending[:] = True
        if batch.gradient_tolerance > 0.0:
            ending |= largest(gradient) <= batch.gradient_tolerance
        if not ending.any():
            return ~ending

        # the trials that these trainings have yet to end, and the training of each
        trainings = np.flatnonzero(ending)
        waiting = self.last[trainings] - self.next[trainings]
        training = np.repeat(trainings, waiting)
        trial = self.order[np.arange(len(training)) + np.repeat(self.next[trainings] - np.cumsum(waiting) + waiting, waiting)]
        norm = largest(gradient)[training]
        reasons = {
            Status.DIVERGED: ~(error <= self.limit)[training],
            Status.CONVERGED: measure[training] <= batch.threshold[trial],
            Status.STATIONARY: (norm <= batch.gradient_tolerance) & (batch.gradient_tolerance > 0.0),
            Status.EXHAUSTED: fixed[training] | (epoch == batch.max_epochs),
        }
        status = np.select(list(reasons.values()), list(reasons), default=-1)
        over = status >= 0
        trial, training = trial[over], training[over]
        result.status[trial] = status[over]
        result.epochs[trial] = np.where(status[over] == Status.EXHAUSTED, batch.max_epochs, epoch)
        result.final_error[trial] = error[training]
        result.gradient_norm[trial] = norm[over]
        result.parameters[:, trial] = parameters[:, training]

        self.next = self.next + np.bincount(training, minlength=len(self.next))
        going_on: NDArray[np.bool_] = self.next < self.last
        for name in ("columns", "next", "last", "limit"):
            setattr(self, name, getattr(self, name)[going_on])
        self.threshold = batch.threshold[self.order[self.next]]
        return going_on


def largest(gradient: Array) -> Array:
    """The largest absolute component of each run's gradient, (R,); 0 where there is none."""
    norm: Array = np.abs(gradient).max(axis=0, initial=0.0)
    return norm
