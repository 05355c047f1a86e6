"""Many seeds at once give what NumPy's generator gives for each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backprop import pcg64

EDGES = [0, 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63 - 1, 2**63, 2**64 - 1]


def by_numpy(seeds: list[int], size: int) -> np.ndarray:
    """Each seed's numbers by a generator of its own."""
    return np.array([np.random.Generator(np.random.PCG64(seed)).random(size) for seed in seeds]).T


@pytest.fixture
def always_together(monkeypatch):
    """Has even few seeds go through all steps together."""
    monkeypatch.setattr(pcg64, "is_faster", lambda *_: True)


@pytest.mark.usefixtures("always_together")
@pytest.mark.parametrize("size", [1, 9, 700])
def test_seeds_at_the_edges(size):
    assert (pcg64.uniform(EDGES, size) == by_numpy(EDGES, size)).all()


@given(seeds=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=60), size=st.integers(1, 40))
def test_any_seeds_and_any_number(seeds, size):
    """Some of them together, some one by one."""
    found = pcg64.uniform(seeds, size)
    assert found.shape == (size, len(seeds))
    assert (found == by_numpy(seeds, size)).all()


def test_many_seeds_in_a_row():
    found = pcg64.uniform(list(range(20_000)), 12)
    assert (found == by_numpy(list(range(20_000)), 12)).all()
    assert (found >= 0).all()
    assert (found < 1).all()


def test_the_numbers_are_those_of_pcg64_as_published():
    """Those of seeds 0 and 1, as NumPy documents its pcg64 to stay, many times over."""
    found = pcg64.uniform([0, 1] * 50, 2)
    assert found[:, 0].tolist() == [0.6369616873214543, 0.2697867137638703]
    assert found[:, 99].tolist() == [0.5118216247002567, 0.9504636963259353]
