"""OpenSSL's functions, called by compiled code, give the SHA-256 that hashlib gives, or are not used."""

import hashlib

import numpy as np
import pytest

from pipeline.backprop.engines.compiled import sha256
from pipeline.trials import fingerprint

LENGTHS = (0, 1, 55, 56, 63, 64, 119, 120, 1000)  # a block has 64 bytes, and its last 8 hold the length

needs_openssl = pytest.mark.skipif(sha256.functions() is None, reason="this Python has no OpenSSL with these functions")


@needs_openssl
@pytest.mark.parametrize("width", LENGTHS[1:])
def test_sums_of_many_messages_are_those_of_hashlib(width):
    random = np.random.default_rng(width)
    heads = [random.bytes(length) for length in LENGTHS]
    head, rows = random.integers(0, len(heads), 37), random.integers(0, 256, (37, width), np.uint8)
    expected = [hashlib.sha256(heads[place] + row.tobytes()).digest() for place, row in zip(head, rows, strict=True)]
    assert [one.tobytes() for one in sha256.sums(heads, head, rows)] == expected


@needs_openssl
@pytest.mark.parametrize("count", [0, 1, 2])
def test_any_number_of_messages_has_as_many_sums(count):
    found = sha256.sums([b"head"], np.zeros(count, np.int64), np.zeros((count, 40), np.uint8))
    assert found.tobytes() == count * hashlib.sha256(b"head" + bytes(40)).digest()


@pytest.mark.parametrize(
    "names",
    [
        ("SHA256_Init", "SHA256_Update", "SHA256_Absent"),
        ("SHA224_Init", "SHA256_Update", "SHA256_Final"),  # another sum
        ("SHA512_Init", "SHA512_Update", "SHA512_Final"),  # which needs more room
    ],
)
def test_functions_that_are_not_there_or_do_something_else_are_not_used(monkeypatch, names):
    monkeypatch.setattr(sha256, "FUNCTIONS", names)
    assert sha256.functions.__wrapped__() is None


@pytest.mark.parametrize("openssl", [pytest.param(True, marks=needs_openssl), False])
def test_many_trials_have_the_digests_of_few(monkeypatch, openssl):
    random = np.random.default_rng(0)
    status, epochs = random.integers(-1, 4, 400).astype(np.int8), 10 ** random.integers(0, 13, 400) - random.integers(0, 2, 400)
    errors, parameters = random.normal(size=400), random.normal(size=(9, 400))
    heads = [f"backpropagation result 1\n{fingerprint.STATUSES[code]}\n" for code in status]
    numbers = np.vstack([errors, parameters]).T.astype("<f8")
    by_hand = zip(heads, epochs.tolist(), numbers, strict=True)
    expected = [hashlib.sha256(f"{head}{epoch}\n".encode() + row.tobytes()).hexdigest() for head, epoch, row in by_hand]
    assert fingerprint.result_digests(status, epochs, errors, parameters) == expected
    monkeypatch.setattr(fingerprint, "MANY", 1)
    if not openssl:
        monkeypatch.setattr(sha256, "functions", lambda: None)
    assert fingerprint.result_digests(status, epochs, errors, parameters) == expected
