"""The key of a trial and the digest of its result, 64 hexadecimal digits each.

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
from pipeline.backprop.batch import Batch, BatchResult
from pipeline.backprop.status import STATUSES


def little_endian(numbers: Array) -> NDArray[np.uint8]:
    """The bytes of float64 numbers, (…, 8 n) for (…, n), with every NaN the same."""
    canonical = np.where(np.isnan(numbers), np.nan, numbers)
    return np.ascontiguousarray(canonical, "<f8").view(np.uint8)


def content(array: Array) -> str:
    """SHA-256 over shape and numbers."""
    return hashlib.sha256(f"{array.shape}".encode() + little_endian(array).tobytes()).hexdigest()


def keys(batch: Batch) -> list[str]:
    """The key of every trial."""
    network = batch.network
    header = {
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
    common = hashlib.sha256(f"backpropagation trial 1\n{json.dumps(header, sort_keys=True)}\n".encode())
    trainings = little_endian(np.vstack([batch.learning_rate, batch.momentum, batch.initial_parameters]).T)
    thresholds = little_endian(batch.threshold[:, None])
    hexadecimal = []
    for column, threshold in zip(batch.training, thresholds, strict=True):
        sha = common.copy()
        sha.update(threshold.tobytes() + trainings[column].tobytes())
        hexadecimal.append(sha.hexdigest())
    return hexadecimal


def digests(result: BatchResult) -> list[str]:
    """The digest of every trial's result."""
    numbers = little_endian(np.vstack([result.final_error, result.parameters]).T)
    hexadecimal = []
    for status, epochs, row in zip(result.status, result.epochs, numbers, strict=True):
        head = f"backpropagation result 1\n{STATUSES[status]}\n{epochs}\n".encode()
        hexadecimal.append(hashlib.sha256(head + row.tobytes()).hexdigest())
    return hexadecimal
