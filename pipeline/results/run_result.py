"""What one run gave: its place in the result of a batch."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.network import Network
from pipeline.backprop.trainer import STATUSES, BatchResult
from pipeline.trials.fingerprint import digests, keys

Curve = tuple[NDArray[np.int64], Array]  # (epochs, errors), each (K,)


@dataclass(frozen=True)
class RunResult:
    """The result of one run: the column `index` of a batch's result."""

    key: str
    digest: str
    batch_result: BatchResult
    index: int

    @classmethod
    def of_batch(cls, result: BatchResult) -> "list[RunResult]":
        """The results of all runs of a batch."""
        fingerprints = zip(keys(result.batch), digests(result), strict=True)
        return [cls(key, digest, result, index) for index, (key, digest) in enumerate(fingerprints)]

    @property
    def status(self) -> str:
        """How it ended, in a word."""
        return STATUSES[self.batch_result.status[self.index]]

    @property
    def epochs(self) -> int:
        """The epoch at which it ended."""
        return int(self.batch_result.epochs[self.index])

    @property
    def final_error(self) -> float:
        """The error at its end."""
        return float(self.batch_result.final_error[self.index])

    @property
    def gradient_norm(self) -> float:
        """The largest absolute component of the gradient at its end."""
        return float(self.batch_result.gradient_norm[self.index])

    @property
    def curve(self) -> Curve:
        """The kept epochs and their errors."""
        return self.batch_result.curve(self.index)

    @cached_property
    def weights(self) -> dict[str, Array]:
        """Final and initial weights, by name."""
        batch = self.batch_result.batch
        initial = batch.initial_parameters[:, batch.training[self.index]]
        return weight_arrays(batch.network, initial, self.batch_result.parameters[:, self.index])


def weight_arrays(network: Network, initial: Array, final: Array) -> dict[str, Array]:
    """A run's final and initial weights by name, from its parameters (N,): weights_1, bias_1, …, initial_weights_1, …"""
    arrays: dict[str, Array] = {}
    for prefix, parameters in (("", final), ("initial_", initial)):
        weights, biases = network.split(parameters)
        for name, array in zip(network.names, [*weights, *biases], strict=True):
            if array.size:
                arrays[prefix + name] = array
    return arrays
