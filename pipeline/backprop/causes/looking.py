"""Who finds endings and shapes of curves: NumPy, the definition, or compiled code with the same bits, where that is sooner."""

from collections.abc import Callable
from functools import partial

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch
from pipeline.backprop.causes.curve_shape import CurveShape, Parts, shape_of
from pipeline.backprop.causes.ending import Ending, ending
from pipeline.backprop.causes.limits import MOST_TRAINED, is_small
from pipeline.backprop.engines import canonical
from pipeline.backprop.network import Network

# Of runs: parameters (N, R), learning rates (L, R), momentum (R,), and the errors (K, R) of the parts of their curves.
Look = Callable[[Array, Array, Array, Array], tuple[Ending, CurveShape]]

# How many runs are looked at together.
NUMBERS = 500_000  # of one array of second derivatives, by NumPy: with fewer or more it takes longer
MOST_NUMBERS = 2_000_000  # … at most: 16 MB
FEWEST = 128  # by NumPy: with fewer, calls would cost more than arithmetic
COMPILED = 4096

# Seconds, roughly, by which it is judged what is sooner.
NUMPY_SECONDS = 2e-3  # for the calls
NUMPY_SECONDS_PER_OPERATION = 4.5e-9
SECONDS_TO_LOAD = 0.01
SECONDS_TO_COMPILE = 0.3


def look_of(batch: Batch, parts: Parts, runs: int, engine: str) -> tuple[Look, int]:
    """How so many runs of a batch are looked at, and how many of them together."""
    network, inputs, targets = batch.network, batch.inputs, batch.targets
    if canonical(engine) == "compiled" and len(parts.spans) and waiting.is_over(network, len(inputs), runs):
        from pipeline.backprop.causes.compiled.look import look

        return partial(look, network, inputs, targets, parts), COMPILED
    numbers = numbers_of(batch)
    return partial(look_by_numpy, network, inputs, targets, parts), max(1, min(FEWEST, MOST_NUMBERS // numbers), NUMBERS // numbers)


def look_by_numpy(
    network: Network, inputs: Array, targets: Array, parts: Parts, parameters: Array, rates: Array, momentum: Array, errors: Array
) -> tuple[Ending, CurveShape]:
    """The definition."""
    return ending(network, parameters, inputs, targets, rates, momentum), shape_of(parts, errors)


def numbers_of(batch: Batch) -> int:
    """How many numbers one run takes, about."""
    trained = batch.network.trained
    of_curvature = min(trained, MOST_TRAINED) * (trained + 4 * max(batch.network.units))
    return max(of_curvature, len(batch.inputs) * sum(batch.network.units)) + 1


class Waiting:
    """For compiled code, which is made when NumPy has taken as long in this process as making it takes."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[Network, int], float] = {}

    def is_over(self, network: Network, patterns: int, runs: int) -> bool:
        """Whether so many runs more are to be looked at by compiled code."""
        if not is_small(network, patterns):
            return False
        trained = network.trained
        operations = runs * trained * trained * (patterns + trained)
        seconds = self.seconds.get((network, patterns), 0.0) + NUMPY_SECONDS + NUMPY_SECONDS_PER_OPERATION * operations
        if seconds > SECONDS_TO_LOAD and self.is_there(network, patterns, seconds > SECONDS_TO_COMPILE):
            return True
        self.seconds[network, patterns] = seconds
        return False

    def is_there(self, network: Network, patterns: int, to_make: bool) -> bool:
        """Whether there is such code, or it can be made."""
        from pipeline.backprop.causes.compiled.look import look_code
        from pipeline.backprop.engines.compiled.machine_code import is_ready

        code = look_code(network, patterns)
        return code is not None and (to_make or is_ready(code))


waiting = Waiting()
