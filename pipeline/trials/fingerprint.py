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
from binascii import hexlify
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import Batch, BatchResult, as_slice
from pipeline.backprop.causes.of_batch import Causes
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.status import STATUSES

KEY_HEADER = "backpropagation trial 1"
DIGEST_HEADER = "backpropagation result 1"
CAUSE_HEADER = "backpropagation cause 1"
SUM = 32  # bytes
MANY = 1000  # messages, from which on compiled code hashes them

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
    training = as_slice(batch.training)
    of_training = batch.learning_rate[:, training], batch.momentum[training], batch.initial_parameters[:, training]
    numbers = np.vstack([batch.threshold, *of_training])
    return sums([header(batch)], np.zeros(len(batch.threshold), np.int64), numbers)


def digests(result: BatchResult) -> list[str]:
    """The digest of every trial's result."""
    return result_digests(result.status, result.epochs, result.final_error, result.parameters)


def result_digests(status: NDArray[Any], epochs: NDArray[np.int64], final_error: Array, parameters: Array) -> list[str]:
    """The digests of results: the codes of status (R,), epochs (R,), final_error (R,), and the final parameters (N, R)."""
    return texts(result_sums(status, epochs, final_error, parameters))


def result_sums(status: NDArray[Any], epochs: NDArray[np.int64], final_error: Array, parameters: Array) -> Sums:
    """The digests as bytes."""
    words = len(STATUSES)
    ends, end = np.unique(epochs * words + status % words, return_inverse=True)
    heads = [f"{DIGEST_HEADER}\n{STATUSES[code]}\n{epoch}\n" for epoch, code in (divmod(one, words) for one in ends.tolist())]
    return sums(heads, end, np.vstack([final_error, parameters]))


def cause_digests(found: Causes) -> list[str | None]:
    """The digest of every trial's cause; None where it converged."""
    known = iter(texts(cause_sums(found)))
    return [next(known) if code else None for code in found.code.tolist()]


def cause_sums(found: Causes) -> Sums:
    """The digests of the causes that there are, as bytes: a row for each trial that has one."""
    heads = [f"{CAUSE_HEADER}\n{one.word}\n" for one in Cause]
    trials = np.flatnonzero(found.code)
    numbers = np.vstack([found.number, found.goal, found.rho, found.lambda_min, found.k_star])[:, trials]
    return sums(heads, found.code[trials], numbers)


def sums(heads: Sequence[str], head: NDArray[Any], numbers: Array) -> Sums:
    """SHA-256 of the numbers (N, R) of each trial as little-endian float64, after the one of the heads that it has."""
    rows, begun = little_endian(numbers.T), [text.encode() for text in heads]
    if len(rows) >= MANY:
        from pipeline.backprop.engines.compiled import sha256

        found = sha256.sums(begun, head, rows)
        if found is not None:
            return found
    copies, results = [hashlib.sha256(text).copy for text in begun], []
    for place, row in zip(head.tolist(), rows.view(f"V{rows.shape[1]}").ravel().tolist(), strict=True):
        sha = copies[place]()
        sha.update(row)
        results.append(sha.digest())
    return np.frombuffer(b"".join(results), np.uint8).reshape(-1, SUM)


def hexadecimal(found: Sums) -> bytes:
    """All sums, one after the other, in hexadecimal digits."""
    return hexlify(found.tobytes())


def texts(found: Sums) -> list[str]:
    """Each of the sums in hexadecimal digits."""
    text = hexadecimal(found).decode()
    return [text[start : start + 2 * SUM] for start in range(0, len(text), 2 * SUM)]
