"""What no weights can beat: what is asked of the outputs cannot be given."""

from collections.abc import Iterator

import numpy as np

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.arithmetic import Array
from pipeline.backprop.network import Network


def lowest_error(network: Network, inputs: Array, targets: Array) -> float:
    """A bound from below of E = Σ ½ (target − output)², of any weights and biases.

    Patterns with equal inputs have equal outputs, at best the mean of their targets, clipped to the outputs' range. Where
    there are no biases and all inputs are 0, each layer's net inputs are 0 as long as the layer below gives 0.
    """
    low, high = ACTIVATIONS[network.output_activation].range
    bound = 0.0
    for own, fixed in targets_by_output(network, inputs, targets):
        total = 0.0
        for target in own:
            total += target
        best = min(max(total / len(own), low), high) if fixed is None else fixed
        for target in own:
            bound += 0.5 * ((target - best) * (target - best))
    return bound


def lowest_worst_output(network: Network, inputs: Array, targets: Array) -> float:
    """A bound from below of the largest |target − output|, of any weights and biases; the best output is in the middle."""
    low, high = ACTIVATIONS[network.output_activation].range
    bound = 0.0
    for own, fixed in targets_by_output(network, inputs, targets):
        best = min(max(0.5 * min(own) + 0.5 * max(own), low), high) if fixed is None else fixed
        bound = max(bound, max(own) - best, best - min(own))
    return bound


def targets_by_output(network: Network, inputs: Array, targets: Array) -> Iterator[tuple[list[float], float | None]]:
    """The targets that one and the same output has to meet, and what it is where no weights change it, else None."""
    groups: dict[bytes, list[int]] = {}
    for pattern, row in enumerate(inputs + 0.0):  # no −0
        groups.setdefault(row.tobytes(), []).append(pattern)
    for patterns in groups.values():
        fixed = fixed_output(network) if not inputs[patterns[0]].any() else None
        for column in targets.T:
            yield [float(column[pattern]) for pattern in patterns], fixed


def fixed_output(network: Network) -> float | None:
    """The output for inputs that are all 0, where it is the same with any weights; None where it is not."""
    if network.bias != "none":
        return None
    output = 0.0
    for activation in network.activations:
        if output != 0.0:
            return None
        output = float(ACTIVATIONS[activation].function(np.zeros(1))[0])
    return output
