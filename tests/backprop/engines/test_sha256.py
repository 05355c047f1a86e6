"""Compiled code gives the SHA-256 that hashlib gives."""

import hashlib

import numpy as np
import pytest

from pipeline.backprop.engines.compiled.sha256 import sums
from pipeline.trials import fingerprint


@pytest.mark.parametrize("width", [0, 1, 8, 55, 56, 63, 64, 104, 119, 120, 1000])
@pytest.mark.parametrize("before", [0, 1, 55, 64, 500])
def test_sums_of_many_messages_are_those_of_hashlib(width, before):
    random = np.random.default_rng(width)
    prefix, messages = random.bytes(before), random.integers(0, 256, (37, width), np.uint8)
    expected = [hashlib.sha256(prefix + message.tobytes()).digest() for message in messages]
    assert [one.tobytes() for one in sums(messages, prefix)] == expected


@pytest.mark.parametrize("number", [0, 1, 15, 16, 17])
def test_any_number_of_messages_has_as_many_sums(number):
    assert sums(np.zeros((number, 40), np.uint8)).tobytes() == number * hashlib.sha256(bytes(40)).digest()


def test_many_trials_have_the_digests_of_few(monkeypatch):
    random = np.random.default_rng(0)
    status, epochs = random.integers(-1, 4, 400).astype(np.int8), 10 ** random.integers(0, 13, 400) - random.integers(0, 2, 400)
    errors, parameters = random.normal(size=400), random.normal(size=(9, 400))
    few = fingerprint.result_digests(status, epochs, errors, parameters)
    heads = [f"backpropagation result 1\n{fingerprint.STATUSES[code]}\n" for code in status]
    numbers = np.vstack([errors, parameters]).T.astype("<f8")
    by_hand = zip(heads, epochs.tolist(), numbers, strict=True)
    assert few == [hashlib.sha256(f"{head}{epoch}\n".encode() + row.tobytes()).hexdigest() for head, epoch, row in by_hand]
    monkeypatch.setattr(fingerprint, "MANY", 1)
    assert fingerprint.result_digests(status, epochs, errors, parameters) == few
