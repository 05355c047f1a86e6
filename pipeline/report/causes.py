"""Why a run did not converge, in a line: its cause, its number, and what helps.

What helps was tried from the same starts: the share of runs that then converges is highest for the advice that is given.
"""

import math

from pipeline.backprop.causes.rules import FALLS, FAR, Cause
from pipeline.report.numbers import in_short

ADVICE = {
    Cause.DIVERGED: "a smaller learning rate",
    Cause.UNREACHABLE: "targets or a threshold within reach: scale the targets, or let the outputs be linear",
    Cause.SYMMETRIC: "initial weights that differ from unit to unit, such as initial=uniform",
    Cause.FROZEN: "a hundredth of the learning rate, or another start",
    Cause.SATURATED: "a quarter of the initial range",
    Cause.OSCILLATING: "a tenth of the learning rate, and a quarter of the initial range",
    Cause.DESCENDING: "more epochs",
    Cause.PLATEAU: "more epochs",
    Cause.MINIMUM: "another seed, or a quarter of the initial range",
    Cause.UNDECIDED: "ten times the epochs, to see",
}
SMALLER_STEPS = "a tenth of the learning rate, which is too high there, and a quarter of the initial range"  # K* > 1


def why(cause: Cause, number: float, error: float, goal: float, k_star: float, rho: float = math.nan) -> str:
    """A line: `descending: about 13,000 more epochs to the threshold (by its gradient, like 1/k); what helps: more epochs`."""
    said = told(cause, number, error, goal)
    if cause is Cause.DESCENDING and (way := way_down(rho)):
        said = f"{said} (by its gradient, {way})"
    advice = ADVICE[cause]
    if cause is Cause.SATURATED and k_star > 1.0:
        advice = SMALLER_STEPS
    return f"{cause.word}: {said}; what helps: {advice}"


def way_down(rho: float) -> str:
    """How an error falls whose rate is as its power of ρ (k: epochs), in words; nothing where ρ is above 2 or not known."""
    ways = {
        0.0: "ever faster",
        0.9: "faster than an exponential",
        1.1: "like an exponential",
        1.9: "between exponential and 1/k",
    }
    return next((way for most, way in ways.items() if rho < most), "like 1/k" if rho < FALLS else "")


def told(cause: Cause, number: float, error: float, goal: float) -> str:
    """What the cause means, with its number."""
    epochs = "for ever" if not math.isfinite(number) else f"{in_short(float(f'{number:.2g}'))} epochs"
    match cause:
        case Cause.DESCENDING:
            return (
                f"{'more than' if error > FAR * goal else 'about'} {epochs.replace('epochs', 'more epochs')} to the threshold"
            )
        case Cause.PLATEAU:
            return f"{cause.meaning}, about {epochs} away" if math.isfinite(number) else cause.meaning
        case Cause.SATURATED:
            return f"{cause.meaning}; the first moves in about {epochs}" if math.isfinite(number) else cause.meaning
        case Cause.MINIMUM:
            return f"{cause.meaning}; the error there is {in_short(number)}"
        case Cause.UNREACHABLE:
            return f"{cause.meaning}: {in_short(number)} at least"
        case Cause.SYMMETRIC:
            return f"{cause.meaning} ({in_short(number)} groups)"
        case Cause.OSCILLATING:
            return f"{cause.meaning} ({max(number, 0.0):.0%} of what it should)"
        case _:
            return cause.meaning
