"""The key of a trial and the digest of its result, 64 hexadecimal digits each.

key: SHA-256 over all that decides the result, by content: a header (JSON with sorted keys: the network, update, criterion,
max_epochs, gradient_tolerance, SHA-256 of inputs and targets) and then, as little-endian float64, the threshold, the learning
rate of each layer, momentum and the initial parameters. How a number was written, where the weights came from, the engine,
the curve and the tracking do not enter it.

digest: SHA-256 over status and epochs (text), final error and final parameters (little-endian float64). Any NaN counts
as one NaN: which one an operation makes differs between processors.

cause digest: SHA-256 over the cause of a run that did not converge (text), its number, the goal, ρ, λmin and K* (little-endian
float64). It is not part of the digest.
"""

import hashlib
import json
import sys
from binascii import hexlify
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch, BatchResult
from pipeline.backprop.causes.of_batch import Causes
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.status import STATUSES

KEY_HEADER = "backpropagation trial 1"
DIGEST_HEADER = "backpropagation result 1"
CAUSE_HEADER = "backpropagation cause 1"
SUM = 32  # bytes
MANY = 1000  # messages, from which on they are hashed by compiled code
MOST_DIGITS = 19  # of a whole number of 64 bits
POWERS = np.array([10**digits for digits in range(MOST_DIGITS)])

Sums = NDArray[np.uint8]  # (R, SUM)


def little_endian(numbers: Array) -> NDArray[np.uint8]:
    """The bytes of float64 numbers, (…, 8 n) for (…, n), with every NaN the same."""
    none = np.isnan(numbers)
    canonical = np.where(none, np.nan, numbers) if none.any() else numbers
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
    return texts(key_sums(batch))


def key_sums(batch: Batch) -> Sums:
    """The keys as bytes."""
    trainings = np.vstack([batch.learning_rate, batch.momentum, batch.initial_parameters])
    numbers = np.vstack([batch.threshold, trainings[:, batch.training]])
    return sums(little_endian(numbers.T), header(batch).encode())


def digests(result: BatchResult) -> list[str]:
    """The digest of every trial's result."""
    return result_digests(result.status, result.epochs, result.final_error, result.parameters)


def result_digests(status: NDArray[Any], epochs: NDArray[np.int64], final_error: Array, parameters: Array) -> list[str]:
    """The digests of results: the codes of status (R,), epochs (R,), final_error (R,), and the final parameters (N, R)."""
    return texts(result_sums(status, epochs, final_error, parameters))


def result_sums(status: NDArray[Any], epochs: NDArray[np.int64], final_error: Array, parameters: Array) -> Sums:
    """The digests as bytes."""
    numbers = little_endian(np.vstack([final_error, parameters]).T)
    longer = np.searchsorted(POWERS[1:], epochs, side="right")  # digits beyond the first
    kinds = status * MOST_DIGITS + longer
    found = np.empty((len(epochs), SUM), np.uint8)
    for kind in np.unique(kinds).tolist():
        own, (code, more) = np.flatnonzero(kinds == kind), divmod(kind, MOST_DIGITS)
        text = (epochs[own, None] // POWERS[more::-1] % 10 + ord("0")).astype(np.uint8)
        end = np.full((len(own), 1), ord("\n"), np.uint8)
        found[own] = sums(np.hstack([text, end, numbers[own]]), f"{DIGEST_HEADER}\n{STATUSES[code]}\n".encode())
    return found


def cause_digests(found: Causes) -> list[str | None]:
    """The digest of every trial's cause; None where it converged."""
    known = iter(texts(cause_sums(found)))
    return [next(known) if code else None for code in found.code.tolist()]


def cause_sums(found: Causes) -> Sums:
    """The digests of the causes that there are, as bytes: a row for each trial that has one."""
    trials = np.flatnonzero(found.code)
    numbers = np.vstack([found.number, found.goal, found.rho, found.lambda_min, found.k_star])[:, trials]
    rows, codes = little_endian(numbers.T), found.code[trials]
    result = np.empty((len(trials), SUM), np.uint8)
    for code in np.unique(codes):
        own = codes == code
        result[own] = sums(rows[own], f"{CAUSE_HEADER}\n{Cause(int(code)).word}\n".encode())
    return result


def sums(messages: NDArray[np.uint8], prefix: bytes) -> Sums:
    """SHA-256 of each of the messages (R, W), each after the prefix."""
    if len(messages) >= MANY and sys.byteorder == "little":
        from pipeline.backprop.engines.compiled import sha256

        return sha256.sums(messages, prefix)
    common, data, width = hashlib.sha256(prefix), messages.tobytes(), messages.shape[1]
    found = []
    for start in range(0, len(data), width):
        sha = common.copy()
        sha.update(data[start : start + width])
        found.append(sha.digest())
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, SUM)


def hexadecimal(found: Sums) -> bytes:
    """All sums, one after the other, in hexadecimal digits."""
    return hexlify(found.tobytes())


def texts(found: Sums) -> list[str]:
    """Each of the sums in hexadecimal digits."""
    text = hexadecimal(found).decode()
    return [text[start : start + 2 * SUM] for start in range(0, len(text), 2 * SUM)]
