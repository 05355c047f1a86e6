"""Simulated restarts: a geometric number of failures before a success, the ERT on average, the same draws each time."""

import numpy as np
import pandas as pd
import pytest

from pipeline.stats.sample import Sample
from pipeline.stats.views.simulated_restarts import run_lengths, simulated_restarts


def sample(converged, epochs, **axes):
    return Sample(pd.DataFrame({
        **axes, "seed": range(len(converged)), "status": np.where(converged, "converged", "exhausted"), "epochs": epochs,
    }))  # fmt: skip


def test_with_one_length_of_success_and_one_of_failure_it_is_the_geometric_distribution():
    converged = np.arange(10) < 3
    lengths = run_lengths(np.where(converged, 10.0, 100.0), converged, 20_000, np.random.default_rng(0))
    for failures in range(8):
        share = (lengths <= 10 + 100 * failures).mean()
        assert share == pytest.approx(1 - 0.7 ** (failures + 1), abs=4 * 0.5 / np.sqrt(20_000))


@pytest.mark.parametrize("number", [200, 40_000])  # runs drawn one by one, and sums of many
def test_the_mean_is_the_expected_running_time(number):
    random = np.random.default_rng(3)
    epochs, converged = random.integers(1, 500, 40).astype(float), np.arange(40) < 4
    lengths = run_lengths(epochs, converged, number, random)
    assert lengths.mean() == pytest.approx(epochs.sum() / 4, rel=4 * lengths.std() / lengths.mean() / np.sqrt(number))
    assert lengths.min() >= epochs[converged].min()


def test_settings_without_success_count_and_the_draws_are_the_same_each_time():
    results = pd.concat([
        sample([True] * 4, [5] * 4, learning_rate=1.0).results, sample([False] * 4, [9] * 4, learning_rate=2.0).results,
        sample([True, False, False, True], [5, 9, 9, 5], learning_rate=3.0).results,
    ], ignore_index=True)  # fmt: skip
    table = simulated_restarts(Sample(results))
    assert table["share"].iloc[-1] == pytest.approx(2 / 3)
    assert table["epochs"].iloc[0] == 5
    assert ((table["epochs"] - 5) % 9 == 0).all()
    assert table.equals(simulated_restarts(Sample(results)))
    by_rate = simulated_restarts(Sample(results), ["learning_rate"]).groupby("learning_rate")["share"].max()
    assert by_rate.to_dict() == {1.0: 1.0, 3.0: 1.0}


def test_without_replication_there_is_nothing_to_restart_from():
    one = Sample(pd.DataFrame({"learning_rate": [1.0, 2.0], "status": ["converged"] * 2, "epochs": [3, 4]}))
    assert simulated_restarts(one, ["learning_rate"]).empty
