"""Expected running times, and costs relative to the best."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.stats.costs.running_times import expected_running_time, performance_ratios
from pipeline.stats.summary import Summary


def test_cocos_definition_on_a_worked_table():
    epochs, converged = np.array([100.0, 300, 1000, 1000, 500]), np.array([True, True, False, False, False])
    p = converged.mean()
    assert expected_running_time(epochs.sum(), converged.sum()) == 1450
    assert np.mean(epochs[converged]) + (1 - p) / p * np.mean(epochs[~converged]) == pytest.approx(1450)
    assert expected_running_time(epochs.sum(), 0) == math.inf
    assert expected_running_time([3, 7], [1, 0]).tolist() == [3, math.inf]


def test_the_running_time_is_cocos_in_every_row():
    rng = np.random.default_rng(0)
    converged = rng.random(400) < 0.7
    table = pd.DataFrame({"learning_rate": rng.integers(0, 9, 400), "status": np.where(converged, "converged", "exhausted")})
    table["epochs"] = rng.integers(1, 10_000, 400)
    for row in Summary(table).by("learning_rate", intervals=False).to_dict("records"):
        own = table[table["learning_rate"] == row["learning_rate"]]
        successful, unsuccessful = (own.loc[own["status"] == status, "epochs"] for status in ("converged", "exhausted"))
        p = len(successful) / len(own)
        assert row["ert"] == pytest.approx(successful.mean() + (1 - p) / p * unsuccessful.mean(), rel=1e-9)


def test_ratios_to_the_best_solver():
    cost = np.array([[10, 20, np.inf], [np.inf, np.inf, np.inf], [0, 3, 1]])
    assert performance_ratios(cost).tolist() == [[1, 2, math.inf], [math.inf] * 3, [1, 3, 1]]
