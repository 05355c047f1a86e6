"""`RunResult`: what one run gave. `BatchRows`: the runs of a batch as they are recorded, where no table of them is needed."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import BatchResult
from pipeline.backprop.causes.of_batch import Causes, causes
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.network import Network
from pipeline.backprop.status import STATUSES
from pipeline.results.columns import CAUSES, SCALARS
from pipeline.trials.fingerprint import cause_digests, digests, keys

Curve = tuple[NDArray[np.int64], Array]  # (epochs, errors), each (K,)


class Curves(Sequence[Curve]):
    """The error curves of runs, by their number."""

    def of(self, runs: NDArray[np.intp]) -> Sequence[Curve]:
        """Those of these runs."""
        return [self[run] for run in runs.tolist()]


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
    def of_batch(cls, result: BatchResult, with_causes: bool = False, engine: str = "compiled") -> "list[RunResult]":
        """The results of all runs of a batch."""
        statuses = [STATUSES[status] for status in result.status]
        epochs, errors, norms = (array.tolist() for array in (result.epochs, result.final_error, result.gradient_norm))
        columns = keys(result.batch), digests(result), statuses, epochs, errors, norms
        of_causes = cause_digests(causes(result, engine)) if with_causes else repeat(None)
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


@dataclass(frozen=True)
class BatchRows:
    """The runs of a batch that have all ended, read as `rows.RunRows` reads them from a table.

    Arrow takes a third of a second to import, with what its arrays of NumPy's import: one run does without.
    """

    indices: NDArray[np.int64]
    result: BatchResult
    engine: str
    causes: Causes | None = None

    @property
    def network(self) -> Network:
        """The network of all its runs."""
        return self.result.batch.network

    def column(self, name: str) -> Array:
        """The parameters of the runs, (R, N): `initial`, or `parameters`, the final ones."""
        batch = self.result.batch
        parameters = {"initial": batch.initial_parameters[:, batch.training], "parameters": self.result.parameters}
        return np.ascontiguousarray(parameters[name].T)

    def scalar_rows(self) -> list[dict[str, Any]]:
        """The values of each run: SCALARS, and CAUSES where they were found."""
        runs = RunResult.of_batch(self.result)
        rows = [
            {"place": place, **{name: getattr(run, name) for name in SCALARS[1:]}}
            for place, run in zip(self.indices.tolist(), runs, strict=True)
        ]
        if self.causes:
            for row, values in zip(rows, cause_values(self.causes), strict=True):
                row.update(values)
        return rows

    def curve(self, row: int) -> Curve:
        """(epochs, errors) of a run."""
        return self.result.curve(row)


def cause_values(found: Causes) -> Iterator[dict[str, Any]]:
    """The CAUSES of each trial; None where a number is not known, and of runs that converged."""
    words = [Cause(code).word if code else None for code in found.code.tolist()]
    numbers = [found.number, found.goal, found.rho, found.lambda_min, found.k_star]
    known = [[None if math.isnan(number) else number for number in column.tolist()] for column in numbers]
    for values in zip(words, *known, cause_digests(found), strict=True):
        yield dict(zip(CAUSES, values, strict=True))


def weight_arrays(network: Network, initial: Array, final: Array) -> dict[str, Array]:
    """Final and initial weights by name, from parameters (N, …): weights_1, bias_1, …, initial_weights_1, …"""
    arrays: dict[str, Array] = {}
    for prefix, parameters in (("", final), ("initial_", initial)):
        weights, biases = network.split(parameters)
        for name, array in zip(network.names, [*weights, *biases], strict=True):
            if array.size:
                arrays[prefix + name] = array
    return arrays
