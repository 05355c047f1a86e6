"""`RunResult`: what one run gave."""

from dataclasses import dataclass
from functools import cached_property
from itertools import count, repeat

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import BatchResult
from pipeline.backprop.causes.of_batch import causes
from pipeline.backprop.network import Network
from pipeline.backprop.status import STATUSES
from pipeline.trials.fingerprint import cause_digests, digests, keys

Curve = tuple[NDArray[np.int64], Array]  # (epochs, errors), each (K,)


@dataclass(frozen=True)
class RunResult:
    """The result of one run: the column `index` of a batch's result.

    `epochs` and `final_error` belong to its end, as does `gradient_norm`, the largest absolute component of the gradient.
    """

    key: str
    digest: str
    status: str
    epochs: int
    final_error: float
    gradient_norm: float
    batch_result: BatchResult
    index: int
    cause_digest: str | None = None  # of its cause, where it was asked for and there is one

    @classmethod
    def of_batch(cls, result: BatchResult, with_causes: bool = False) -> "list[RunResult]":
        """The results of all runs of a batch."""
        statuses = [STATUSES[status] for status in result.status]
        epochs, errors, norms = (array.tolist() for array in (result.epochs, result.final_error, result.gradient_norm))
        columns = keys(result.batch), digests(result), statuses, epochs, errors, norms
        of_causes = cause_digests(causes(result)) if with_causes else repeat(None)
        return list(map(cls, *columns, repeat(result), count(), of_causes))

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
    """Final and initial weights by name, from parameters (N, …): weights_1, bias_1, …, initial_weights_1, …"""
    arrays: dict[str, Array] = {}
    for prefix, parameters in (("", final), ("initial_", initial)):
        weights, biases = network.split(parameters)
        for name, array in zip(network.names, [*weights, *biases], strict=True):
            if array.size:
                arrays[prefix + name] = array
    return arrays
