"""What is kept of a run: its trial as params, its curve, its weights, its key and digest."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arithmetic import Array
from pipeline.config import Trial, written
from pipeline.fingerprint import digests, keys
from pipeline.trainer import STATUSES, Batch, Outcome


@dataclass(frozen=True, slots=True)
class Record:
    """One run as it is recorded. `curve` are epochs and errors, `arrays` go to weights.npz."""

    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    curve: tuple[NDArray[np.int64], Array]
    arrays: Mapping[str, Array]


def records(
    trials: Sequence[Trial], outcome: Outcome, names: Sequence[str], tags: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Record]:
    """The records of a batch's runs, in the order of its trials."""
    for place, (trial, key, digest) in enumerate(zip(trials, keys(outcome.batch), digests(outcome), strict=True)):
        yield Record(
            name=names[place],
            params=params_of(trial),
            metrics={
                "epochs": float(outcome.epochs[place]),
                "final_error": float(outcome.final_error[place]),
                "gradient_norm": float(outcome.gradient_norm[place]),
            },
            tags={"status": STATUSES[outcome.status[place]], "trial.key": key, "result.digest": digest, **tags},
            curve=outcome.curve(place),
            arrays=weight_arrays(outcome.batch, outcome, place),
        )


def row_of(record: Record, run_id: str) -> dict[str, Any]:
    """A run's row in results.parquet, without its axes."""
    return {
        "status": record.tags["status"],
        "epochs": int(record.metrics["epochs"]),
        "final_error": record.metrics["final_error"],
        "gradient_norm": record.metrics["gradient_norm"],
        "run_id": run_id,
        "key": record.tags["trial.key"],
        "digest": record.tags["result.digest"],
    }


def params_of(trial: Trial) -> dict[str, str]:
    """A trial as MLflow params, by the keys of the configuration."""
    shape, initial = trial.shape, trial.initial
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


def weight_arrays(batch: Batch, outcome: Outcome, trial: int) -> dict[str, Any]:
    """A run's final and initial weights by name: weights_1, bias_1, …, initial_weights_1, …"""
    arrays: dict[str, Any] = {}
    for prefix, parameters in (
        ("", outcome.parameters[:, trial]),
        ("initial_", batch.initial_parameters[:, batch.training[trial]]),
    ):
        weights, biases = batch.network.split(parameters)
        for name, array in zip(batch.network.names, [*weights, *biases], strict=True):
            if array.size:
                arrays[prefix + name] = array
    return arrays
