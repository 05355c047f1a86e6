"""Training: epoch after epoch of forward pass, error, backward pass and update, until every trial of the batch has ended.

This is the definition of a trial's result; every engine gives the same bits. Letters as in `network.py`, where the R runs of
an array are the trainings of the batch.
"""

from collections.abc import Callable
from itertools import count

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch, BatchResult
from pipeline.backprop.network import backward, forward, mean_error, total_error, worst_output
from pipeline.backprop.stopping import Running

UPDATES = ("batch", "online")
CRITERIA = ("total_error", "mean_error", "worst_output")


@np.errstate(all="ignore")  # a run that diverges is a result, not an accident
def train(batch: Batch, result: BatchResult | None = None, after_epoch: Callable[[int], None] | None = None) -> BatchResult:
    """Trains every trial of the batch to its end.

    `after_epoch` is called with the number of epochs that trainings took, or were spared as nothing changes any more. If it
    raises, an empty `result` of the caller's has what had ended.
    """
    result = result or BatchResult.empty(batch)
    network, inputs, targets = batch.network, batch.inputs, batch.targets
    state, running = State(batch), Running(result)
    fixed, before = np.zeros(batch.trainings, bool), np.full(batch.trainings, np.nan)
    for epoch in count():
        outputs = forward(network, state.parameters, inputs)
        error = total_error(outputs[-1], targets)
        measure = measured(batch, error, outputs[-1])
        gradient = backward(network, state.parameters, outputs, targets)

        going_on = running.end(epoch, error, measure, gradient, state.parameters, fixed)
        if len(running.columns) < len(error):
            state.keep(going_on)
            gradient, error, before = gradient[:, going_on], error[going_on], before[going_on]
        if not len(running.columns):
            break

        calm = error == before  # else something changes
        here = state.copied() if calm.any() else None
        if batch.update == "batch":
            state.step(gradient)
        else:
            for p in range(len(inputs)):
                outputs = forward(network, state.parameters, inputs[p : p + 1])
                state.step(backward(network, state.parameters, outputs, targets[p : p + 1]))
        fixed, before = calm & state.equals(here) if here else calm, error
        if after_epoch:
            after_epoch(len(running.columns) + int(fixed.sum()) * (batch.max_epochs - epoch - 1))
    return result


def measured(batch: Batch, error: Array, outputs: Array) -> Array:
    """What is held against the threshold, (R,). What is recorded, and tells divergence, is the total error in any case."""
    match batch.criterion:
        case "mean_error":
            return mean_error(error, batch.targets)
        case "worst_output":
            return worst_output(outputs, batch.targets)
        case _:
            return error


class State:
    """What an update changes and needs: parameters (N, R), velocity and rates (trained, R), momentum (R,)."""

    def __init__(self, batch: Batch) -> None:
        self.parameters = np.ascontiguousarray(batch.initial_parameters) + 0.0  # + 0.0: no weight is ever −0
        self.rates = batch.network.rates(batch.learning_rate)
        self.momentum = batch.momentum
        self.with_momentum = bool(batch.momentum.any())
        self.velocity = np.zeros_like(self.rates)

    def step(self, gradient: Array) -> None:
        """One update: v ← αv − η ∂E/∂w, w ← w + v. Where α is 0, nothing of the last step is left in v, be it infinite."""
        velocity = -(self.rates * gradient)
        if self.with_momentum:
            velocity += np.where(self.momentum > 0.0, self.momentum * self.velocity, 0.0)
        self.parameters[: len(gradient)] += velocity
        self.velocity = velocity

    def copied(self) -> tuple[Array, Array]:
        """Parameters and velocity as they are now."""
        return self.parameters.copy(), self.velocity

    def equals(self, earlier: tuple[Array, Array]) -> NDArray[np.bool_]:
        """Whether each training is where it was: (R,). Then it stays there for ever, as a step depends on nothing else."""
        parameters, velocity = earlier
        same: NDArray[np.bool_] = (self.parameters == parameters).all(axis=0)
        return same & (self.velocity == velocity).all(axis=0) if self.with_momentum else same

    def keep(self, going_on: NDArray[np.bool_]) -> None:
        """Drops the trainings that have ended."""
        for name in ("parameters", "rates", "momentum", "velocity"):
            setattr(self, name, np.compress(going_on, getattr(self, name), axis=-1))
