"""What is kept of a run: its trial as params, its curve, its weights, its key and digest."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.network import Network
from pipeline.errors import written
from pipeline.results.rows import SCALARS, RunRows
from pipeline.trials.trial import Trial

PLACE_TAG = "trial.place"  # the trial's row in results.parquet, from 0


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One run as it is recorded. `curve` are epochs and errors, `arrays` go to weights.npz."""

    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    curve: tuple[NDArray[np.int64], Array]
    arrays: Mapping[str, Array]


def records(
    trials: Sequence[Trial], table: pa.Table, names: Sequence[str], tags: Mapping[str, str] = MappingProxyType({})
) -> Iterator[RecordedRun]:
    """The records of a chunk's runs: of its result, with the trial and the name of each row."""
    results = RunRows(table)
    network, initial, parameters = results.network, results.column("initial"), results.column("parameters")
    for row, (trial, run) in enumerate(zip(trials, table.select(SCALARS).to_pylist(), strict=True)):
        yield RecordedRun(
            name=names[row],
            params=params_of(trial),
            metrics={name: float(run[name]) for name in ("epochs", "final_error", "gradient_norm")},
            tags={
                "status": run["status"],
                "trial.key": run["key"],
                "result.digest": run["digest"],
                PLACE_TAG: str(run["place"]),
                **tags,
            },
            curve=results.curve(row),
            arrays=weight_arrays(network, initial[row], parameters[row]),
        )


def params_of(trial: Trial) -> dict[str, str]:
    """A trial as MLflow params, by the keys of the configuration."""
    shape, initial = trial.batch_key, trial.initial
    values: dict[str, Any] = {
        "task": shape.task.name,
        **{f"task.{key}": value for key, value in shape.task.options},
        "network.hidden": shape.hidden,
        "network.activation": shape.activation,
        "network.output_activation": shape.output_activation,
        "network.bias": shape.bias,
        "network.train_bias": shape.train_bias,
        "initial": initial.kind,
        "learning_rate": trial.learning_rate if len(trial.learning_rate) > 1 else trial.learning_rate[0],
        "momentum": trial.momentum,
        "update": shape.update,
        "criterion": shape.criterion,
        "threshold": trial.threshold,
        "max_epochs": shape.max_epochs,
        "gradient_tolerance": shape.gradient_tolerance,
        "seed": trial.seed,
        "engine": shape.engine,
    }
    if initial.range:
        low, high = initial.range
        values["initial.range"] = high if low == -high else initial.range
    if initial.path:
        values["initial.path"] = initial.path
    return {
        # names in a list in quotes, so that the list can be read again
        key: json.dumps(value) if isinstance(value, tuple) and isinstance(value[0], str) else written(value)
        for key, value in values.items()
    }


def weight_arrays(network: Network, initial: Array, final: Array) -> dict[str, Array]:
    """A run's final and initial weights by name, from its parameters (N,): weights_1, bias_1, …, initial_weights_1, …"""
    arrays: dict[str, Array] = {}
    for prefix, parameters in (("", final), ("initial_", initial)):
        weights, biases = network.split(parameters)
        for name, array in zip(network.names, [*weights, *biases], strict=True):
            if array.size:
                arrays[prefix + name] = array
    return arrays
