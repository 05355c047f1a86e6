"""How well trained networks do on patterns that were held out: from their final weights, by the forward pass of training."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.network import Network, forward, total_error
from pipeline.results.columns import HELD_OUT
from pipeline.results.run_result import BatchRows
from pipeline.trials.tasks import Task, load
from pipeline.trials.tasks.held_out import are_right
from pipeline.trials.trial import Trial

if TYPE_CHECKING:
    from pipeline.results.rows import RunRows

NUMBERS = 2**18  # that one array may hold: runs and patterns are taken so many at a time


def held_out_scores(rows: "RunRows | BatchRows", trial: Trial) -> dict[str, Array]:
    """HELD_OUT of each run, (R,), of rows that have the task of this trial; empty where it holds no patterns out.

    test_error is the total error on the held-out patterns; with classes, train_accuracy and test_accuracy are the shares of
    patterns that are right.
    """
    task = load(trial.batch_key.task)
    return scores(rows.network, np.ascontiguousarray(rows.column("parameters").T), task) if task.held_out else {}


def score_names(task: Task) -> tuple[str, ...]:
    """Those of HELD_OUT that runs of this task have."""
    return HELD_OUT[: (3 if task.held_out.classes else 1) if task.held_out else 0]


@np.errstate(all="ignore")  # a run that has diverged is a result
def scores(network: Network, parameters: Array, task: Task) -> dict[str, Array]:
    """The same of networks with these parameters (N, R), some runs at a time."""
    held_out = task.held_out
    if held_out is None:
        return {}
    names = score_names(task)
    columns = np.empty((len(names), parameters.shape[1]))
    for some in pieces(parameters.shape[1], max(len(task.inputs), len(held_out.inputs)) * network.units[-1]):
        outputs = last_outputs(network, parameters[:, some], held_out.inputs)
        columns[0, some] = total_error(outputs, held_out.targets)
        if held_out.classes:
            trained = last_outputs(network, parameters[:, some], task.inputs)
            columns[1, some] = are_right(trained, task.targets, held_out.classes).mean(axis=0)
            columns[2, some] = are_right(outputs, held_out.targets, held_out.classes).mean(axis=0)
    return dict(zip(names, columns, strict=True))


def last_outputs(network: Network, parameters: Array, inputs: Array) -> Array:
    """The outputs of the last layer, (P, O, R), some patterns at a time."""
    size = max(network.units) * parameters.shape[1]
    return np.concatenate([forward(network, parameters, inputs[some])[-1] for some in pieces(len(inputs), size)])


def pieces(count: int, numbers: int) -> Iterator[slice]:
    """0 … count in slices, of things that take so many numbers each."""
    size = max(1, NUMBERS // numbers)
    return (slice(start, start + size) for start in range(0, count, size))
