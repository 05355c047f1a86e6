"""One thread's share of the training: lanes that take waiting runs, and what happens when one ends.

Compiled by Numba, once for all kernels: the epochs themselves are a kernel's machine code, called by its address. When
a kernel comes back, each lane is looked at; the trials that ended are written into the result, a step is taken, and
the lanes that have become free take the next waiting trainings, from a counter that all threads share.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core import config as numba_config
from numba.extending import intrinsic

from pipeline.backprop.engines.compiled.kernel import ERROR, LIMIT, MOMENTUM, TERMS, THRESHOLD, TOLERANCE, WORST
from pipeline.backprop.status import Status
from pipeline.backprop.stopping import DIVERGED_ABOVE

CONVERGED, STATIONARY, EXHAUSTED, DIVERGED = map(int, Status)
LARGEST = float(np.finfo(float).max)
IDLE = -1  # the training of a lane that has none
TRIALS, EPOCHS = range(2)  # entries of a thread's tally


@intrinsic
def _take(typing: Any, counter: Any) -> Any:
    """The counter's value before it is raised by one, for one thread at a time."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.atomic_rmw("add", array.data, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(counter), generate


@intrinsic
def _call_epochs(typing: Any, address: Any, memory: Any, patterns: Any, stop: Any) -> Any:
    """Calls `epochs(memory, patterns, stop)` at this address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integer, pointer = ir.IntType(64), cgutils.voidptr_t
        function = builder.inttoptr(arguments[0], ir.FunctionType(integer, [pointer, integer, integer]).as_pointer())
        return builder.call(function, [builder.inttoptr(arguments[1], pointer), *arguments[2:]])

    return types.int64(types.int64, types.int64, types.int64, types.int64), generate


@intrinsic
def _call_advance(typing: Any, address: Any, memory: Any, patterns: Any) -> Any:
    """Calls `advance(memory, patterns)` at this address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integer, pointer = ir.IntType(64), cgutils.voidptr_t
        function = builder.inttoptr(arguments[0], ir.FunctionType(ir.VoidType(), [pointer, integer]).as_pointer())
        builder.call(function, [builder.inttoptr(arguments[1], pointer), arguments[2]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


def array(kind: Any, dimensions: int, layout: str = "C", readonly: bool = True) -> Any:
    """The type of an array argument."""
    return types.Array(kind, dimensions, layout, readonly=readonly)  # type: ignore[call-overload]


_WORK = types.void(
    *(types.int64, types.int64, types.int64, types.int64),
    # parameters, velocity, gradient, rates, lanes, history
    *([array(types.float64, 2, readonly=False)] * 6),
    # counter, halt, tally
    *([array(types.int64, 1, readonly=False)] * 3),
    # initial_parameters, learning_rate, momentum
    *(array(types.float64, 2, "A"), array(types.float64, 2, "A"), array(types.float64, 1)),
    # order, first, threshold
    *(array(types.int64, 1), array(types.int64, 1), array(types.float64, 1)),
    # max_epochs, gradient_tolerance, by_worst, terms
    *(types.int64, types.float64, types.boolean, types.float64),
    # status, epochs, final_error, gradient_norm, final_parameters
    *(array(types.int8, 1, readonly=False), array(types.int64, 1, readonly=False)),
    *([array(types.float64, 1, readonly=False)] * 2),
    array(types.float64, 2, readonly=False),
    # curve_epochs, curve_errors
    *(array(types.int64, 1), array(types.float64, 2, readonly=False)),
)


def work(
    epochs_address: int,
    advance_address: int,
    memory: int,
    patterns: int,
    parameters: Any,
    velocity: Any,
    gradient: Any,
    rates: Any,
    lanes: Any,
    history: Any,
    counter: Any,
    halt: Any,
    tally: Any,
    initial_parameters: Any,
    learning_rate: Any,
    momentum: Any,
    order: Any,
    first: Any,
    threshold: Any,
    max_epochs: int,
    gradient_tolerance: float,
    by_worst: bool,
    terms: float,
    status: Any,
    epochs: Any,
    final_error: Any,
    gradient_norm: Any,
    final_parameters: Any,
    curve_epochs: Any,
    curve_errors: Any,
) -> None:
    """Trains waiting trainings until there are none, or until `halt[0]` is set.

    In lanes: parameters (N, W), velocity and gradient (trained, W), rates (L, W), lanes (7, W), history (H, W).
    Of the batch: `order` (R,) are the trials by training and falling threshold, those of training t from first[t] to
    first[t + 1]. `counter[0]` is the next training; tally (2,) counts ended trials and trained epochs.
    What is held against the threshold is the largest difference (`by_worst`), or error ÷ terms.
    """
    width = lanes.shape[1]
    trained = gradient.shape[0]
    trainings = first.shape[0] - 1
    training = np.full(width, IDLE, np.int64)
    epoch = np.zeros(width, np.int64)
    point = np.zeros(width, np.int64)
    upcoming = np.zeros(width, np.int64)
    lanes[TERMS, :] = terms
    free = np.ones(width, np.bool_)
    calm = np.zeros(width, np.bool_)
    here = np.empty((trained, width))
    moving = np.empty((velocity.shape[0], width))
    while True:
        active = 0
        stop = history.shape[0] - 1
        for lane in range(width):
            if free[lane]:
                free[lane] = False
                column = _take(counter)  # type: ignore[call-arg, var-annotated]
                while column < trainings and first[column] == first[column + 1]:
                    column = _take(counter)
                velocity[:, lane] = 0.0
                if column < trainings:
                    training[lane] = column
                    epoch[lane] = point[lane] = 0
                    upcoming[lane] = first[column]
                    for row in range(parameters.shape[0]):
                        parameters[row, lane] = initial_parameters[row, column] + 0.0  # no weight is ever −0
                    for row in range(rates.shape[0]):
                        rates[row, lane] = learning_rate[row, column]
                    lanes[MOMENTUM, lane] = momentum[column]
                    lanes[LIMIT, lane] = -1.0  # the first error needs attention: it sets the limit
                    lanes[THRESHOLD, lane] = threshold[order[first[column]]]
                    lanes[TOLERANCE, lane] = gradient_tolerance
                else:
                    # An idle lane computes with zeros, and never needs attention.
                    training[lane] = IDLE
                    parameters[:, lane] = 0.0
                    rates[:, lane] = 0.0
                    lanes[MOMENTUM, lane] = 0.0
                    lanes[LIMIT, lane] = np.inf
                    lanes[THRESHOLD, lane] = -np.inf
                    lanes[TOLERANCE, lane] = -1.0
            if training[lane] != IDLE:
                active += 1
                stop = min(stop, max_epochs - epoch[lane])
        if active == 0:
            return

        last = _call_epochs(epochs_address, memory, patterns, stop)  # type: ignore[call-arg, var-annotated]
        if halt[0]:
            return
        tally[EPOCHS] += last * active
        for lane in range(width):
            column = training[lane]
            if column == IDLE:
                continue
            now = epoch[lane] + last
            epoch[lane] = now
            while point[lane] < curve_epochs.shape[0] and curve_epochs[point[lane]] <= now:
                curve_errors[point[lane], column] = history[last - (now - curve_epochs[point[lane]]), lane]
                point[lane] += 1

            error = lanes[ERROR, lane]
            measure = lanes[WORST, lane] if by_worst else error / terms
            if now == 0:
                limit = DIVERGED_ABOVE * error
                lanes[LIMIT, lane] = LARGEST if limit > LARGEST else limit
            fine = error <= lanes[LIMIT, lane]
            flat = False
            if gradient_tolerance > 0.0:
                flat = True
                for row in range(trained):
                    if not abs(gradient[row, lane]) <= gradient_tolerance:
                        flat = False
                        break
            if fine and measure > lanes[THRESHOLD, lane] and not flat and now < max_epochs:
                continue

            norm = 0.0
            for row in range(trained):
                component = abs(gradient[row, lane])
                if component > norm or np.isnan(component):
                    norm = component
                if np.isnan(norm):
                    break
            # From the highest threshold on: those reached have converged; the rest ends too, or goes on.
            while upcoming[lane] < first[column + 1]:
                trial = order[upcoming[lane]]
                if not fine:
                    ending = DIVERGED
                elif threshold[trial] >= measure:
                    ending = CONVERGED
                elif flat:
                    ending = STATIONARY
                elif now == max_epochs:
                    ending = EXHAUSTED
                else:
                    break
                status[trial] = ending
                epochs[trial] = now
                final_error[trial] = error
                gradient_norm[trial] = norm
                for row in range(parameters.shape[0]):
                    final_parameters[row, trial] = parameters[row, lane]
                upcoming[lane] += 1
                tally[TRIALS] += 1
            if upcoming[lane] == first[column + 1]:
                free[lane] = True
            else:
                lanes[THRESHOLD, lane] = threshold[order[upcoming[lane]]]

        for lane in range(width):  # a training whose error is the same again may have come to rest
            calm[lane] = training[lane] != IDLE and not free[lane] and last > 0
            calm[lane] &= history[last, lane] == history[last - 1, lane]
            if calm[lane]:
                here[:, lane] = parameters[:trained, lane]
                moving[:, lane] = velocity[:, lane]
        _call_advance(advance_address, memory, patterns)
        for lane in range(width):
            if training[lane] != IDLE and not free[lane]:
                epoch[lane] += 1
                tally[EPOCHS] += 1
            if calm[lane]:
                for row in range(trained):
                    calm[lane] &= parameters[row, lane] == here[row, lane]
                for row in range(velocity.shape[0]):
                    calm[lane] &= velocity[row, lane] == moving[row, lane]
            if calm[lane]:  # no number will ever change: the same as now at all epochs that are left
                while point[lane] < curve_epochs.shape[0] and curve_epochs[point[lane]] < max_epochs:
                    curve_errors[point[lane], training[lane]] = lanes[ERROR, lane]
                    point[lane] += 1
                tally[EPOCHS] += max_epochs - epoch[lane]
                epoch[lane] = max_epochs


def compiled_work(cache_folder: str) -> Any:
    """`work` as machine code, kept in this folder if it can be written."""
    config: Any = numba_config
    before, config.CACHE_DIR = config.CACHE_DIR, cache_folder
    try:
        return njit(_WORK, cache=True, nogil=True, error_model="numpy")(work)
    except Exception:  # whatever is wrong with the folder: it works without
        return njit(_WORK, nogil=True, error_model="numpy")(work)
    finally:
        config.CACHE_DIR = before
