"""The key of a trial and the digest of its result: what a run was, and what came out, in 64 hexadecimal digits each.

key: SHA-256 over all that decides the result, by content: a header (JSON with sorted keys: the network, update, criterion,
max_epochs, gradient_tolerance, SHA-256 of inputs and targets) and then, as little-endian float64, the threshold, the learning
rate of each layer, momentum and the initial parameters. How a number was written, where the weights came from, the engine,
the curve and the tracking do not enter it.

digest: SHA-256 over status and epochs (text), final error and final parameters (little-endian float64). Any NaN counts
as one NaN: which one an operation makes differs between processors.
"""

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.trainer import STATUSES, Batch, BatchResult

KEY_HEADER = "backpropagation trial 1"
DIGEST_HEADER = "backpropagation result 1"


def little_endian(numbers: Array) -> NDArray[np.uint8]:
    """The bytes of float64 numbers, (…, 8 n) for (…, n), with every NaN the same."""
    canonical = np.where(np.isnan(numbers), np.nan, numbers)
    return np.ascontiguousarray(canonical, "<f8").view(np.uint8)


def content(array: Array) -> str:
    """SHA-256 over shape and numbers."""
    return hashlib.sha256(f"{array.shape}".encode() + little_endian(array).tobytes()).hexdigest()


def header(batch: Batch) -> str:
    """What all trials of the batch have in common."""
    network = batch.network
    common = {
        "units": network.units,
        "activations": network.activations,
        "bias": network.bias,
        "train_bias": network.train_bias,
        "inputs": content(batch.inputs),
        "targets": content(batch.targets),
        "update": batch.update,
        "criterion": batch.criterion,
        "max_epochs": batch.max_epochs,
        "gradient_tolerance": float(batch.gradient_tolerance).hex(),
    }
    return f"{KEY_HEADER}\n{json.dumps(common, sort_keys=True)}\n"


def keys(batch: Batch) -> list[str]:
    """The key of every trial."""
    common = hashlib.sha256(header(batch).encode())
    trainings = little_endian(np.vstack([batch.learning_rate, batch.momentum, batch.initial_parameters]).T)
    thresholds = little_endian(batch.threshold[:, None])
    result = []
    for column, threshold in zip(batch.training, thresholds, strict=True):
        sha = common.copy()
        sha.update(threshold.tobytes())
        sha.update(trainings[column].tobytes())
        result.append(sha.hexdigest())
    return result


def digests(outcome: BatchResult) -> list[str]:
    """The digest of every trial's result."""
    numbers = little_endian(np.vstack([outcome.final_error, outcome.parameters]).T)
    result = []
    for status, epochs, row in zip(outcome.status, outcome.epochs, numbers, strict=True):
        sha = hashlib.sha256(f"{DIGEST_HEADER}\n{STATUSES[status]}\n{epochs}\n".encode())
        sha.update(row.tobytes())
        result.append(sha.hexdigest())
    return result
