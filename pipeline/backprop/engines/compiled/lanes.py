"""One thread's share of the training: lanes that take waiting runs, and what happens when one ends.

Compiled once for all kernels: the epochs themselves are a kernel's machine code, called by its address. When a kernel
comes back, each lane is looked at; the trials that ended are written into the result, a step is taken, and the lanes
that have become free take the next waiting trainings, from a counter that all threads share.

`work(table)` trains waiting trainings until there are none, or until halt[0] is set. The table has a row for each of
ENTRIES, in their order: a number, or an array's address and the length and step (in bytes) of each of its dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from pipeline.backprop.engines.compiled.kernel import ERROR, LIMIT, MOMENTUM, THRESHOLD, TOLERANCE, WORST
from pipeline.backprop.engines.compiled.scalars import BYTE, Array, Condition, Integer, Routine, Variable
from pipeline.backprop.engines.compiled.vectors import DOUBLE, INTEGER, POINTER
from pipeline.backprop.status import Status
from pipeline.backprop.stopping import DIVERGED_ABOVE

CONVERGED, STATIONARY, EXHAUSTED, DIVERGED = map(int, Status)
LARGEST = float(np.finfo(float).max)
FREE, IDLE = -2, -1  # instead of a lane's training: it is to take one, there is none for it
TRIALS, EPOCHS = range(2)  # entries of a thread's tally: trials that have ended, epochs trained

# The type and the number of dimensions of all that `work` is given.
ENTRIES: dict[str, tuple[ir.Type, int]] = {
    # the kernel's functions, and how a run ends: by the largest difference (by_worst), or by error ÷ terms
    **dict.fromkeys(("epochs_function", "advance_function", "patterns", "max_epochs", "by_worst"), (INTEGER, 0)),
    **dict.fromkeys(("tolerance", "terms"), (DOUBLE, 0)),
    # the kernel's table, and what threads share (the next training; halt) or tell
    **dict.fromkeys(("memory", "counter", "halt", "tally"), (INTEGER, 1)),
    # rows of one number for each lane; `here` and `moving` are parameters and velocity before a step
    **dict.fromkeys(("parameters", "velocity", "gradient", "rates", "lanes", "history", "here", "moving"), (DOUBLE, 2)),
    # one whole number for each lane; `point` is its place in the curve, `upcoming` the place of its next trial in `order`
    **dict.fromkeys(("training", "epoch", "point", "upcoming", "calm"), (INTEGER, 1)),
    # the batch: order (R,) are the trials by training and falling threshold, those of training t from first[t] on
    **dict.fromkeys(("initial_parameters", "learning_rate"), (DOUBLE, 2)),
    **dict.fromkeys(("momentum", "threshold"), (DOUBLE, 1)),
    **dict.fromkeys(("order", "first"), (INTEGER, 1)),
    # the result; after the last of curve_epochs stands one that is never reached
    "status": (BYTE, 1),
    **dict.fromkeys(("epochs", "curve_epochs"), (INTEGER, 1)),
    **dict.fromkeys(("final_error", "gradient_norm"), (DOUBLE, 1)),
    **dict.fromkeys(("final_parameters", "curve_errors"), (DOUBLE, 2)),
}
WORDS = 5  # of a row of the table
TYPES = {DOUBLE: np.float64, INTEGER: np.int64, BYTE: np.int8}


def table(entries: dict[str, Any]) -> NDArray[np.int64]:
    """The table of `work`: (ENTRIES, WORDS). Raises TypeError for an array that is not what the code takes it for."""
    rows = np.zeros((len(ENTRIES), WORDS), np.int64)
    for row, (name, (kind, dimensions)) in zip(rows, ENTRIES.items(), strict=True):
        entry = entries[name]
        if dimensions:
            if entry.dtype != TYPES[kind] or entry.ndim != dimensions or not entry.flags.aligned:
                raise TypeError(f"{name}: {entry.dtype} in {entry.ndim} dimensions; {kind} in {dimensions} are allowed")
            row[0] = entry.ctypes.data
            row[1 : 1 + 2 * dimensions] = np.stack([entry.shape, entry.strides], axis=1).ravel()
        elif kind == DOUBLE:
            row.view(np.float64)[0] = entry
        else:
            row[0] = entry
    return rows


class Work:
    """What `work` is given, by name, within one emitted function."""

    def __init__(self, code: Routine) -> None:
        self.code = code

    def __getattr__(self, name: str) -> Any:
        kind, dimensions = ENTRIES[name]
        start = list(ENTRIES).index(name) * WORDS
        if dimensions == 0:
            return self.code.word(start, kind)
        words = [self.code.word(start + 1 + word, INTEGER) for word in range(2 * dimensions)]
        return Array(self.code, kind, self.code.word(start, POINTER), lengths=words[::2], steps=words[1::2])


def function(module: ir.Module, name: str, integers: int = 0, gives: ir.Type | None = None) -> tuple[Routine, Any, Any]:
    """A new inner function: (code, work, arguments)."""
    code = Routine(module, name, integers, gives)
    code.function.linkage = "internal"
    return code, Work(code), code.arguments


def emit(module: ir.Module) -> None:
    """Writes `work` into the module."""
    begin = emit_begin(module, emit_waiting(module))
    look = emit_look(module, emit_flat(module), emit_norm(module), emit_ending(module))
    remember, rest = emit_remember(module), emit_rest(module)
    code = Routine(module, "work")
    work = Work(code)
    active, stop = Variable(code, 0, INTEGER), Variable(code, 0, INTEGER)
    lanes = work.training.lengths[0]
    with code.repeat():
        active.value = 0
        stop.value = work.history.lengths[0] - 1
        with code.turns(lanes) as lane:
            with code.when(work.training[lane].equals(FREE)):
                code.call(begin, lane)
            with code.when(work.training[lane] >= 0):
                active.value += 1
                left = work.max_epochs - work.epoch[lane]
                stop.value = (left < stop.value).where(left, stop.value)
        code.give_if(active.value.equals(0))
        last = code.call_at(work.epochs_function, work.memory, work.patterns, stop.value, gives=INTEGER)
        code.give_if(~work.halt[0].equals(0))
        work.tally[EPOCHS] += last * active.value
        with code.turns(lanes) as lane, code.when(work.training[lane] >= 0):
            code.call(look, lane, last)
        with code.turns(lanes) as lane, code.when(work.training[lane] >= 0):
            code.call(remember, lane, last)
        code.call_at(work.advance_function, work.memory, work.patterns, gives=ir.VoidType())
        with code.turns(lanes) as lane, code.when(work.training[lane] >= 0):
            code.call(rest, lane)


def emit_waiting(module: ir.Module) -> Routine:
    """The next waiting training that has trials, or IDLE."""
    code, work, _ = function(module, "waiting", gives=INTEGER)
    with code.repeat():
        column = work.counter.take(0)
        code.give_if(column >= work.first.lengths[0] - 1, code.integer(IDLE))
        code.give_if(work.first[column] < work.first[column + 1], column)
    return code


def emit_begin(module: ir.Module, waiting: Routine) -> Routine:
    """A free lane takes a waiting training, or idles."""
    code, work, (lane,) = function(module, "begin", 1)
    column = code.call(waiting)
    work.training[lane] = column
    fill(code, work.velocity, lane)
    with code.when(column < 0):
        # An idle lane computes with zeros, and never needs attention.
        fill(code, work.parameters, lane)
        fill(code, work.rates, lane)
        hold(work, lane, momentum=0.0, limit=np.inf, threshold=-np.inf, tolerance=-1.0)
        code.give()
    work.epoch[lane] = 0
    work.point[lane] = 0
    first = work.first[column]
    work.upcoming[lane] = first
    with code.turns(work.parameters.lengths[0]) as row:
        work.parameters[row, lane] = work.initial_parameters[row, column] + 0.0  # no weight is ever −0
    with code.turns(work.rates.lengths[0]) as row:
        work.rates[row, lane] = work.learning_rate[row, column]
    limit = -1.0  # the first error needs attention: it sets the limit
    threshold = work.threshold[work.order[first]]
    hold(work, lane, momentum=work.momentum[column], limit=limit, threshold=threshold, tolerance=work.tolerance)
    code.give()
    return code


def fill(code: Routine, array: Array, lane: Integer) -> None:
    """Zeros in all rows of a lane."""
    with code.turns(array.lengths[0]) as row:
        array[row, lane] = 0.0


def hold(work: Work, lane: Integer, momentum: Any, limit: Any, threshold: Any, tolerance: Any) -> None:
    """What the kernel holds a lane to."""
    for row, number in ((MOMENTUM, momentum), (LIMIT, limit), (THRESHOLD, threshold), (TOLERANCE, tolerance)):
        work.lanes[row, lane] = number


def emit_look(module: ir.Module, flat: Routine, norm: Routine, ending: Routine) -> Routine:
    """Looks at a lane that has come to the evaluation `last`: its curve, and the trials that ended there."""
    code, work, (lane, last) = function(module, "look", 2)
    column, now = work.training[lane], work.epoch[lane] + last
    work.epoch[lane] = now
    with code.repeat(lambda: work.curve_epochs[work.point[lane]] <= now):
        point = work.point[lane]
        before = now - work.curve_epochs[point]
        work.curve_errors[point, column] = work.history[last - before, lane]
        work.point[lane] = point + 1

    error = work.lanes[ERROR, lane]
    measure = (work.by_worst > 0).where(work.lanes[WORST, lane], error / work.terms)
    with code.when(now.equals(0)):
        limit = error * DIVERGED_ABOVE
        work.lanes[LIMIT, lane] = (limit > LARGEST).where(code.number(LARGEST), limit)
    fine = error <= work.lanes[LIMIT, lane]
    is_flat = code.call(flat, lane)
    code.give_if(fine & (measure > work.lanes[THRESHOLD, lane]) & is_flat.equals(0) & (now < work.max_epochs))

    largest = code.call(norm, lane)
    # From the highest threshold on: those reached have converged; the rest ends too, or goes on.
    with code.repeat():
        with code.when(work.upcoming[lane].equals(work.first[column + 1])):
            work.training[lane] = FREE
            code.give()
        trial = work.order[work.upcoming[lane]]
        threshold = work.threshold[trial]
        status = ended(code, fine, threshold >= measure, is_flat > 0, now.equals(work.max_epochs))
        with code.when(status < 0):
            work.lanes[THRESHOLD, lane] = threshold
            code.give()
        work.status[trial] = status
        work.epochs[trial] = now
        work.final_error[trial] = error
        work.gradient_norm[trial] = largest
        code.call(ending, lane, trial)
        work.upcoming[lane] += 1
        work.tally[TRIALS] += 1
    return code


def ended(code: Routine, fine: Condition, reached: Condition, flat: Condition, last: Condition) -> Integer:
    """How a trial ends, or −1."""
    status = last.where(code.integer(EXHAUSTED), code.integer(-1))
    status = flat.where(code.integer(STATIONARY), status)
    status = reached.where(code.integer(CONVERGED), status)
    return fine.where(status, code.integer(DIVERGED))


def emit_ending(module: ir.Module) -> Routine:
    """Writes a lane's parameters into the result, as a trial's."""
    code, work, (lane, trial) = function(module, "ending", 2)
    with code.turns(work.parameters.lengths[0]) as row:
        work.final_parameters[row, trial] = work.parameters[row, lane]
    code.give()
    return code


def emit_flat(module: ir.Module) -> Routine:
    """1 if no component of a lane's gradient is larger than the tolerance or NaN, and there is a tolerance; else 0."""
    code, work, (lane,) = function(module, "flat", 1, gives=INTEGER)
    code.give_if(~(work.tolerance > 0.0), code.integer(0))
    with code.turns(work.gradient.lengths[0]) as row:
        code.give_if(~(abs(work.gradient[row, lane]) <= work.tolerance), code.integer(0))
    code.give(code.integer(1))
    return code


def emit_norm(module: ir.Module) -> Routine:
    """The largest absolute component of a lane's gradient, or the first that is NaN."""
    code, work, (lane,) = function(module, "norm", 1, gives=DOUBLE)
    norm = Variable(code, 0.0, DOUBLE)
    with code.turns(work.gradient.lengths[0]) as row:
        component = abs(work.gradient[row, lane])
        code.give_if(~component.equals(component), component)
        norm.value = (component > norm.value).where(component, norm.value)
    code.give(norm.value)
    return code


def emit_remember(module: ir.Module) -> Routine:
    """Keeps the numbers of a training whose error is the same again: it may have come to rest."""
    code, work, (lane, last) = function(module, "remember", 2)
    work.calm[lane] = 0
    code.give_if(last.equals(0))
    code.give_if(~work.history[last, lane].equals(work.history[last - 1, lane]))
    work.calm[lane] = 1
    for kept, numbers in ((work.here, work.parameters), (work.moving, work.velocity)):
        with code.turns(kept.lengths[0]) as row:
            kept[row, lane] = numbers[row, lane]
    code.give()
    return code


def emit_rest(module: ir.Module) -> Routine:
    """After a step: if it has changed nothing, no number will ever change, and all epochs that are left are as this one."""
    code, work, (lane,) = function(module, "rest", 1)
    work.epoch[lane] += 1
    work.tally[EPOCHS] += 1
    code.give_if(work.calm[lane].equals(0))
    for kept, numbers in ((work.here, work.parameters), (work.moving, work.velocity)):
        with code.turns(kept.lengths[0]) as row:
            code.give_if(~kept[row, lane].equals(numbers[row, lane]))
    with code.repeat(lambda: work.curve_epochs[work.point[lane]] < work.max_epochs):
        work.curve_errors[work.point[lane], work.training[lane]] = work.lanes[ERROR, lane]
        work.point[lane] += 1
    work.tally[EPOCHS] += work.max_epochs - work.epoch[lane]
    work.epoch[lane] = work.max_epochs
    code.give()
    return code
