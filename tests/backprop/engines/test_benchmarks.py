"""The peers of the benchmarks train the same thing: their errors agree with ours to rounding."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.cases import cases
from benchmarks.floor import operations
from benchmarks.training import compared
from pipeline.backprop import trainer
from pipeline.backprop.network import Network

MAKERS = {"numpy": peers.plain_numpy, "jax": peers.jax_training, "torch": peers.torch_batched}


@pytest.mark.slow
@pytest.mark.parametrize("peer", MAKERS)
@pytest.mark.parametrize("momentum", [False, True])
@pytest.mark.parametrize("case", [case.name for case in cases() if case.name != "digits"])
def test_a_peer_reaches_the_same_error(peer: str, case: str, momentum: bool) -> None:
    if not importlib.util.find_spec(peer):
        pytest.skip(f"{peer} is not installed")
    batch = next(each for each in cases() if each.name == case).batch(momentum, runs=5, epochs=20)
    ours = trainer.train(replace(batch, max_epochs=19)).final_error
    np.testing.assert_allclose(np.asarray(MAKERS[peer](batch)()), ours, rtol=1e-9)


def test_the_operations_of_the_limit_are_those_counted_by_hand() -> None:
    # 1-1-1, one pattern: net inputs 2, gradient 2, a delta below 1, slopes 2 · (2, 1), difference and error (2, 2), steps 2
    assert operations(Network((1, 1, 1)), 1, momentum=False) == (13, 11)
    assert operations(Network((1, 1, 1), bias="per_unit", train_bias=True), 1, momentum=True) == (19, 19)


def test_a_table_has_the_limit_and_marks_the_fastest_peer() -> None:
    nanoseconds = {
        "floor": 2.0,
        "arithmetic": 3.0,
        "engine compiled": 6.0,
        "engine numpy": 7.0,
        "plain numpy": 30.0,
        "jax": 20.0,
    }
    rows = compared([{"who": name, "lowest ns": ns, "median ns": ns} for name, ns in nanoseconds.items()])
    assert {row["who"] for row in rows if row["fastest peer"]} == {"jax"}
    assert next(row["lowest ns"] for row in rows if row["who"] == "limit") == 5.0
    assert next(row["ours ÷ limit"] for row in rows if row["who"] == "engine compiled") == 6.0 / 5.0
