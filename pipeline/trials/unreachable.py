"""A threshold that no weights can reach: found before training, and said with the bound, the reason and what helps."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from functools import lru_cache
from itertools import chain
from math import isfinite

import numpy as np

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.bound import fixed_output, lowest_error, lowest_worst_output
from pipeline.backprop.network import Network
from pipeline.errors import ConfigError, as_override
from pipeline.trials.tasks import Task, load
from pipeline.trials.tasks.description import contradiction, scaled_by
from pipeline.trials.trial import BatchKey

ROUNDING = 1e-9  # of a bound: nothing is refused that is nearer than rounding can be
DIGITS = 6  # of a bound that is printed


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A threshold below what the criterion can be with any weights. `key`: the batch key, without what does not matter."""

    key: BatchKey
    threshold: float

    @property
    def error(self) -> ConfigError:
        """The refusal: the bound, why, and what is allowed."""
        return ConfigError("threshold", self.threshold, f"{self.reason}; or on_unreachable=warn")

    @property
    def warning(self) -> str:
        """The same as a warning."""
        return f"threshold={as_override(self.threshold)}: {self.reason}"

    @property
    def reason(self) -> str:
        """The bound, why it is one, and what helps."""
        bound = lowest(self.key)
        reasons, helps = zip(*found(self.key), strict=True)
        least = [f"a threshold of {rounded(bound, ROUND_CEILING)} or more"] if isfinite(bound) else []
        return (
            f"no weights have a {self.key.criterion} below {rounded(bound, ROUND_FLOOR)}: {' and '.join(reasons)}; "
            f"what helps: {', '.join([*chain.from_iterable(helps), *least])}"
        )


def unreachable(wanted: Iterable[tuple[BatchKey, float]]) -> list[Unreachable]:
    """The thresholds that cannot be reached, the lowest for each task, kind of outputs and criterion."""
    thresholds: dict[BatchKey, float] = {}
    for key, threshold in wanted:
        what = what_matters(key)
        thresholds[what] = min(threshold, thresholds.get(what, threshold))
    return [Unreachable(key, one) for key, one in thresholds.items() if lowest(key) * (1.0 - ROUNDING) > one]


def warnings_of_unreachable(wanted: Iterable[tuple[BatchKey, float]], on_unreachable: str) -> list[str]:
    """A line on each threshold that cannot be reached; with on_unreachable=refuse the first one is raised as ConfigError."""
    unreached = unreachable(wanted)
    if unreached and on_unreachable == "refuse":
        raise unreached[0].error
    return [one.warning for one in unreached]


@lru_cache(1000)
def what_matters(key: BatchKey) -> BatchKey:
    """The batch key with all that does not move the bound at one value: networks with biases are alike, sizes are."""
    fixed = key.bias == "none"
    return replace(
        key,
        hidden=(1,) * len(key.hidden) if fixed else (),
        activation=key.activation if fixed else "sigmoid",
        bias="none" if fixed else "per_unit",
        train_bias=not fixed,
        update="batch",
        max_epochs=0,
        gradient_tolerance=0.0,
    )


def lowest(key: BatchKey) -> float:
    """The bound of the criterion from below, of any weights and biases."""
    return lowest_of(load(key.task), network_with_outputs(key), key.criterion)


@lru_cache(100)
def lowest_of(task: Task, network: Network, criterion: str) -> float:
    """The same, computed once for a task as it was loaded."""
    if criterion == "worst_output":
        return lowest_worst_output(network, task.inputs, task.targets)
    bound = lowest_error(network, task.inputs, task.targets)
    return bound / task.targets.size if criterion == "mean_error" else bound


def network_with_outputs(key: BatchKey) -> Network:
    """The network of a key."""
    task = load(key.task)
    units = (task.inputs.shape[1], *key.hidden, task.targets.shape[1])
    return Network(units, key.activation, key.output_activation, key.bias, key.train_bias)


def rounded(bound: float, how: str) -> str:
    """A bound with six digits, rounded down or up, so that what is said of it is true."""
    exact = Context(prec=2 * DIGITS).create_decimal(bound)  # 0.018 and not 0.01799999999999999
    return as_override(float(Context(prec=DIGITS, rounding=how).create_decimal(exact)))


def found(key: BatchKey) -> list[tuple[str, list[str]]]:
    """The reasons why there is a bound above 0, each with what helps."""
    task, reasons = load(key.task), []
    low, high = ACTIVATIONS[key.output_activation].range
    fixed = fixed_output(network_with_outputs(key))
    zeros = np.zeros(len(task.inputs), bool) if fixed is None else ~task.inputs.any(axis=1)
    own, clipped = task.targets[~zeros], np.clip(task.targets, low, high)
    outside = int(((own < low) | (own > high)).sum())
    if outside:
        reasons.append((out_of_range(own, outside, key.output_activation), within_range(task, own)))
    pair = contradiction(task.inputs[~zeros], clipped[~zeros])
    if pair:
        rows = np.flatnonzero(~zeros)[list(pair)]
        reasons.append((f"{named(task, rows)} have equal inputs, but different targets", ["inputs that differ there"]))
    wrong = np.flatnonzero(zeros & (task.targets != fixed).any(axis=1))
    if len(wrong):
        why = f"without biases, the inputs of zeros in {named(task, wrong[:1])} give {as_override(fixed)} with any weights"
        reasons.append((why, ["network.bias=per_unit network.train_bias=true"]))
    return reasons


def out_of_range(targets: Array, outside: int, activation: str) -> str:
    """How many targets no output reaches, and the two ranges."""
    low, high = ACTIVATIONS[activation].range
    some = f"{outside:,} of {targets.size:,} targets" if targets.size > 1 else "the target"
    outputs = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more"
    return f"{some} ({targets.min():.6g} to {targets.max():.6g}) cannot be outputs of {activation} ({outputs})"


def within_range(task: Task, targets: Array) -> list[str]:
    """What brings targets and outputs into one range."""
    fits = targets.min() >= -1.0 and targets.max() <= 1.0
    scaled = scaled_by(task.source) if task.source else ["task.coding=binary"]
    return [*scaled, f"network.output_activation={'tanh' if fits else 'identity'}"]


def named(task: Task, rows: Iterable[int]) -> str:
    """Patterns by the lines of their table, or by number."""
    numbers = [task.source.lines[row] if task.source else row + 1 for row in rows]
    word = "line" if task.source else "pattern"
    return f"{word}{'s' if len(numbers) > 1 else ''} {' and '.join(f'{number:,}' for number in numbers)}"
