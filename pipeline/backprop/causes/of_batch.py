"""The causes of the runs of a batch that did not converge."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch, BatchResult, as_slice
from pipeline.backprop.causes.bound import lowest_error, lowest_worst_output
from pipeline.backprop.causes.curve_shape import parts
from pipeline.backprop.causes.ending import Ending
from pipeline.backprop.causes.looking import Look, look_of
from pipeline.backprop.causes.rules import Cause, cause
from pipeline.backprop.causes.twins import twins
from pipeline.backprop.network import forward, worst_output
from pipeline.backprop.status import Status


@dataclass(frozen=True, slots=True)
class Causes:
    """Of the trials of a batch: `code` (R,) of `Cause`, and numbers (R,), NaN of those not exhausted."""

    code: NDArray[np.int8]
    number: Array
    goal: Array  # the total error at which it would have converged
    rho: Array
    lambda_min: Array
    k_star: Array


@np.errstate(all="ignore")
def causes(result: BatchResult, engine: str = "compiled") -> Causes:
    """Why each trial did not converge; `Cause.NONE` of those that did, and of stationary ones. The same bits by any engine."""
    trials = len(result.status)
    found = Causes(np.zeros(trials, np.int8), *(np.full(trials, np.nan) for _ in fields(Causes)[1:]))
    found.code[result.status == Status.DIVERGED] = Cause.DIVERGED
    exhausted = np.flatnonzero(result.status == Status.EXHAUSTED)
    trainings, of = np.unique(result.batch.training[exhausted], return_inverse=True)
    if not len(trainings):
        return found
    looked_at = parts(result.batch.curve_epochs.astype(float))
    look, size = look_of(result.batch, looked_at, len(trainings), engine)
    errors = result.curve_errors[looked_at.first - result.batch.first_point :]
    for some in np.split(np.arange(len(trainings)), range(size, len(trainings), size)):
        own = np.flatnonzero((of >= some[0]) & (of <= some[-1]))
        explain(result, exhausted[own], of[own] - some[0], look, errors, found)
    return found


def first_point_of_causes(curve_epochs: NDArray[np.int64]) -> int:
    """The first point of curves at these epochs that causes are found by."""
    return parts(curve_epochs.astype(float)).first


def explain(
    result: BatchResult, trials: NDArray[np.intp], of: NDArray[np.intp], look: Look, errors: Array, found: Causes
) -> None:
    """Fills in the causes of exhausted trials; `of` numbers their trainings: the same weights have the same ending."""
    batch = result.batch
    of, first = as_slice(of), as_slice(np.unique(of, return_index=True)[1])
    training, parameters = as_slice(batch.training[trials[first]]), taken(result.parameters, as_slice(trials[first]))
    end, curve = look(parameters, taken(batch.learning_rate, training), batch.momentum[training], taken(errors, training))
    goal = goals(batch, taken(parameters, of), batch.threshold[trials], end.error[of])
    equal = twins(batch.network, taken(batch.initial_parameters, training))[of]
    lowest = lowest_error(batch.network, batch.inputs, batch.targets)
    bound = np.full(len(trials), lowest)
    if batch.criterion == "worst_output":  # of which a threshold can be within reach where the error's is not
        bound[:] = lowest_worst_output(batch.network, batch.inputs, batch.targets)
        bound = goals(batch, taken(parameters, of), bound, end.error[of])
    relu = batch.network.activation == "relu" and batch.network.layers > 1
    wide = Ending(*(getattr(end, field.name)[of] for field in fields(Ending)))
    curves = type(curve)(*(getattr(curve, field.name)[of] for field in fields(curve)))
    found.goal[trials] = goal
    found.code[trials], found.number[trials] = cause(wide, curves, goal, batch.max_epochs, bound, equal.astype(float), relu)
    found.number[trials[found.code[trials] == Cause.UNREACHABLE]] = lowest
    for name in ("rho", "lambda_min", "k_star"):
        getattr(found, name)[trials] = getattr(wide, name)


def taken(array: Array, chosen: Any) -> Array:
    """These columns of an array (N, R). An index in brackets would give them with runs outermost, slow to work with."""
    return array[:, chosen] if isinstance(chosen, slice) else array.take(chosen, axis=1)


def goals(batch: Batch, parameters: Array, threshold: Array, error: Array) -> Array:
    """The total error, (R,), at which each trial would have converged; of `worst_output` about, the errors falling alike."""
    match batch.criterion:
        case "mean_error":
            return threshold * float(batch.targets.size)
        case "worst_output":
            worst = worst_output(forward(batch.network, parameters, batch.inputs)[-1], batch.targets)
            return error * ((threshold / worst) * (threshold / worst))
        case _:
            return threshold
