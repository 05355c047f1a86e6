"""The peers of the benchmarks train the same thing: their errors agree with ours to rounding."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.cases import cases
from pipeline.backprop import trainer

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
