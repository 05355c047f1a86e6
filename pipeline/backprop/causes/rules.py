"""Why a run did not converge: one of ten causes, the first whose rule holds, with its number.

The rules were found by training on, ten to a thousand times as long (`benchmarks/causes.py`), and are judged by it.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.curve_shape import CurveShape
from pipeline.backprop.causes.ending import FLAT, Ending
from pipeline.backprop.causes.logarithm import log, power

FALLS = 2.2  # ρ up to which the error falls to any threshold in foreseeable time
LITTLE = 0.3  # of the fall that the gradient promises: the run bounces
SOON, LATE = 1.0, 4.0  # × the epochs so far
STILL = 0.9  # × the error in the middle: the run bounces, but does not get lower
FAR = 30.0  # × the goal: up to there the fall is foreseen; beyond, the number says «more than»
NEAREST = 1e-10  # of the error: as near the lowest point of a bowl, a run is there but for rounding
LARGE, HUGE = 5.0, 100.0  # ρ of a minimum, with and without a curve to confirm it


class Cause(IntEnum):
    """Why a run did not converge; its value is the code that stands in arrays."""

    meaning: str
    number: str

    def __new__(cls, code: int, meaning: str = "", number: str = "") -> "Cause":
        """A member with its code, its meaning, and what its number is."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning, member.number = meaning, number
        return member

    NONE = 0, "it converged", ""
    DIVERGED = 1, "the error was not finite, or above 10⁶ times the first", ""
    UNREACHABLE = 2, "no weights at all have an error as low as the threshold", "the lowest error that there can be"
    SYMMETRIC = 3, "hidden units that are equal at the start stay equal for ever", "groups of equal units"
    FROZEN = 4, "no weight changes any more in any bit", ""
    SATURATED = 5, "outputs that are wrong and flat hold the error above the threshold", "epochs until the first moves"
    OSCILLATING = 6, "steps are too long: the error bounces instead of falling", "part of the promised fall that was real"
    DESCENDING = 7, "the error still falls towards the threshold", "more epochs to the threshold"
    PLATEAU = 8, "on a flat stretch from which there is a way down", "epochs until it is left"
    MINIMUM = 9, "in a local minimum, or so near that ten times the epochs will not do", "the error there"
    UNDECIDED = 10, "neither a minimum nor a way down can be told", "epochs until a way down would be seen"

    @property
    def word(self) -> str:
        """What is written and recorded."""
        return self.name.lower()


@np.errstate(all="ignore")
def cause(
    end: Ending, curve: CurveShape, goal: Array, epochs: float, bound: Array, twins: Array, relu: bool
) -> tuple[NDArray[np.int8], Array]:
    """The codes of `Cause` and their numbers, each (R,), of runs that were exhausted; what is given as `rules` has it."""
    held = rules(end, curve, goal, epochs, bound, twins, relu)
    code = np.full(len(goal), int(Cause.UNDECIDED), np.int8)
    for one, holds in reversed(held):
        code[holds] = one
    numbers = {
        Cause.UNREACHABLE: bound,
        Cause.SYMMETRIC: twins,
        Cause.SATURATED: end.awakening,
        Cause.OSCILLATING: curve.last_rate / end.rate,
        Cause.DESCENDING: remaining(*fall(end, curve, epochs, relu), np.minimum(end.error / goal, FAR)),
        Cause.PLATEAU: end.escape,
        Cause.MINIMUM: np.where(is_lowest(end, goal), end.error, end.error * (1.0 - 2.0 / end.rho)),
        Cause.UNDECIDED: end.escape,
    }
    number = np.full(len(goal), np.nan)
    for one, values in numbers.items():
        np.copyto(number, values, where=code == one)
    return code, number


@np.errstate(all="ignore")
def rules(
    end: Ending, curve: CurveShape, goal: Array, epochs: float, bound: Array, twins: Array, relu: bool
) -> list[tuple[Cause, NDArray[np.bool_]]]:
    """The causes in the order in which they are asked for, each with the runs (R,) for which its rule holds.

    goal: the total error at which each would have converged, (R,); epochs: that they were trained; bound: the lowest
    error that there can be, (R,); twins: groups of equal hidden units at the start, (R,); relu: whether units have kinks.
    """
    bounces, falls, falls_by_curve = falling(end, curve, relu)
    still = curve.trend > STILL
    bowl = (end.lambda_min >= -FLAT * np.abs(end.lambda_max)) | relu  # of kinks the Hessian does not know
    down = ~bowl & ((end.rho < 0.0) | (end.negative_share >= 0.01))
    confirmed = (end.rho >= LARGE) & ((curve.rho >= FALLS) | (np.isnan(curve.rho) & (end.rho >= HUGE)))
    return [
        (Cause.DIVERGED, ~np.isfinite(end.error)),
        (Cause.UNREACHABLE, bound > goal),
        (Cause.SYMMETRIC, twins > 0),
        (Cause.MINIMUM, is_lowest(end, goal)),
        (Cause.FROZEN, end.frozen > 0.0),
        (Cause.SATURATED, end.saturated_error >= goal),
        (Cause.OSCILLATING, bounces & still),
        (Cause.DESCENDING, falls | bounces),
        (Cause.PLATEAU, down | (~bowl & (end.escape < SOON * epochs))),
        (Cause.MINIMUM, (bowl | (end.escape >= LATE * epochs)) & confirmed & still),
        (Cause.DESCENDING, falls_by_curve | (~still & (curve.last_rate > 0.0) & (end.rho > 0.0))),
    ]


def is_lowest(end: Ending, goal: Array) -> NDArray[np.bool_]:
    """Which runs are as good as at the lowest point of a bowl, above the goal, not held by wrong and flat outputs; (R,)."""
    near = (end.above_lowest <= NEAREST * end.error) & (end.error - end.above_lowest > goal)
    return near & (end.saturated_error < goal)


def falling(end: Ending, curve: CurveShape, relu: bool) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Which runs bounce, which fall to any threshold by the weights where they ended, and which by their curve; each (R,)."""
    over = curve.last_rate / end.rate
    bounces = (end.rate > 0.0) & (
        ((over <= LITTLE) & ((curve.rises > 0.0) | (end.rho >= 0.0))) | ((curve.rises > 0.0) & (over < 0.5))
    )
    falls = (end.rho >= 0.0) & (end.rho < FALLS)
    return bounces, falls, relu & (curve.rho >= 0.0) & (curve.rho < FALLS) & (curve.last_rate > 0.0)


@np.errstate(all="ignore")
def fall(end: Ending, curve: CurveShape, epochs: float, relu: bool) -> tuple[Array, Array]:
    """(τ, ρ), each (R,), with which a descending run's fall is foreseen: E falls at first by E ÷ τ an epoch, as E^ρ."""
    cases = list(falling(end, curve, relu))
    per_fold = 0.5 * epochs / -log(np.minimum(curve.trend, STILL))
    by_slope = end.error / end.rate
    trend_rho = np.where((curve.rho >= 0.0) & (curve.rho < FALLS), curve.rho, 2.0)
    slope_rho = np.minimum(end.rho, 2.0)
    tau = np.select(cases, [per_fold, by_slope, end.error / curve.last_rate], by_slope)
    return tau, np.select(cases, [trend_rho, slope_rho, curve.rho], slope_rho)


def remaining(tau: Array, rho: Array, ratio: Array) -> Array:
    """τ((E/θ)^(ρ−1) − 1) ÷ (ρ − 1) more epochs; at ρ = 1 that is τ ln(E/θ)."""
    excess = np.where(np.abs(rho - 1.0) < 1e-6, 1e-6, rho - 1.0)
    return tau * (power(ratio, excess) - 1.0) / excess
