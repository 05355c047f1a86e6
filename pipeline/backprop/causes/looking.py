"""Who finds endings and shapes of curves: NumPy, the definition, or compiled code with the same bits, where that is sooner."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch
from pipeline.backprop.causes.curve_shape import CurveShape, Parts, shape_of
from pipeline.backprop.causes.ending import Ending, ending
from pipeline.backprop.causes.limits import MOST_TRAINED, has_curvature, is_small
from pipeline.backprop.engines import canonical
from pipeline.backprop.network import Network

if TYPE_CHECKING:
    from pipeline.backprop.causes.compiled.look import LookCode

# Of runs: parameters (N, R), learning rates (L, R), momentum (R,), and the errors (K, R) of the parts of their curves.
Look = Callable[[Array, Array, Array, Array], tuple[Ending, CurveShape]]

# How many runs are looked at together.
NUMBERS = 500_000  # of one array of second derivatives, by NumPy: with fewer or more it takes longer
MOST_NUMBERS = 2_000_000  # … at most: 16 MB
FEWEST = 128  # by NumPy: with fewer, calls would cost more than arithmetic
COMPILED = 4096
OPERATIONS = 4e8  # … at most, by compiled code: a tenth of a second, in which nothing can interrupt it

OF_PRODUCT = 10  # operations for each parameter and pattern, where one product with the Hessian is all

# Seconds, roughly, by which it is judged what is sooner.
NUMPY_SECONDS = 2e-3  # for the calls
NUMPY_SECONDS_PER_OPERATION = 4.5e-9
SECONDS_TO_LOAD = 0.015
SECONDS_TO_COMPILE = 0.25


def look_of(batch: Batch, parts: Parts, runs: int, engine: str) -> tuple[Look, int]:
    """How so many runs of a batch are looked at, and how many of them together."""
    network, patterns = batch.network, len(batch.inputs)
    if canonical(engine) == "compiled" and len(parts.spans):
        code = waiting.code_for(network, patterns, runs)
        if code is not None:
            from pipeline.backprop.causes.compiled.look import look

            size = min(COMPILED, int(OPERATIONS / operations(network, patterns)))
            return partial(look, code, batch.inputs, batch.targets, parts), max(code.lanes, size - size % code.lanes)
    numbers = numbers_of(batch)
    size = max(1, min(FEWEST, MOST_NUMBERS // numbers), NUMBERS // numbers)
    return partial(look_by_numpy, network, batch.inputs, batch.targets, parts), size


def look_by_numpy(
    network: Network,
    inputs: Array,
    targets: Array,
    parts: Parts,
    parameters: Array,
    rates: Array,
    momentum: Array,
    errors: Array,
) -> tuple[Ending, CurveShape]:
    """The definition."""
    return ending(network, parameters, inputs, targets, rates, momentum), shape_of(parts, errors)


def numbers_of(batch: Batch) -> int:
    """How many numbers one run takes, about."""
    trained = batch.network.trained
    of_curvature = min(trained, MOST_TRAINED) * (trained + 4 * max(batch.network.units))
    return max(of_curvature, len(batch.inputs) * sum(batch.network.units)) + 1


def operations(network: Network, patterns: int) -> int:
    """Arithmetic operations of one run, roughly, in proportion."""
    if not is_small(network, patterns):
        return OF_PRODUCT * network.trained * patterns
    return network.trained**2 * (network.trained + patterns)


class Waiting:
    """For compiled code, which is made when NumPy has taken as long in this process as making it takes."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[Network, int], float] = {}

    def code_for(self, network: Network, patterns: int, runs: int) -> "LookCode | None":
        """The code that so many runs more are to be looked at by; None: by NumPy."""
        if not has_curvature(network, patterns):
            return None
        seconds = self.seconds.get((network, patterns), 0.0) + NUMPY_SECONDS
        seconds += runs * operations(network, patterns) * NUMPY_SECONDS_PER_OPERATION
        if seconds > SECONDS_TO_LOAD:
            from pipeline.backprop.causes.compiled.look import look_code
            from pipeline.backprop.engines.compiled.machine_code import is_ready

            code = look_code(network, patterns)
            if code is not None and (seconds > SECONDS_TO_COMPILE or is_ready(code)):
                return code
        self.seconds[network, patterns] = seconds
        return None


waiting = Waiting()
