"""What it costs to reach an error: at a threshold the same as its ERT, between kept points known up to the gap."""

import numpy as np
import pandas as pd
import pytest

import pipeline as bp
from pipeline.stats.sample import Sample
from pipeline.stats.views.fixed_target import crossings, fixed_target
from tests.designs import Listed


def test_a_crossing_is_at_the_later_kept_point_and_one_epoch_after_the_earlier_at_the_earliest():
    epochs, best = np.array([0, 1, 10, 100]), np.array([1.0, 0.5, 0.5, 0.01])
    late, early, reached = crossings(epochs, best, np.array([2.0, 1.0, 0.5, 0.1, 0.01, 0.001]))
    assert late.tolist() == [0, 0, 1, 100, 100, 100]
    assert early.tolist() == [0, 0, 1, 11, 11, 100]
    assert reached.tolist() == [1, 1, 1, 1, 1, 0]


def test_two_runs_by_hand():
    results = pd.DataFrame(
        {"seed": [0, 1], "status": ["converged", "exhausted"], "epochs": [20, 100], "final_error": [0.01, 0.3]}
    )
    curves = [(np.array([0, 5, 20]), np.array([0.4, 0.2, 0.01])), (np.array([0, 5, 100]), np.array([0.4, np.nan, 0.3]))]
    table = fixed_target(Sample(results), Listed(curves))
    assert table["target"].iloc[[0, -1]].tolist() == [0.4, 0.01]
    half = table[table["target"].between(0.2, 0.29)].iloc[0]
    assert (half["reached"], half["ert"], half["ert_from"]) == (1, 105, 101)
    assert (table["ert"].iloc[-1], table["ert_from"].iloc[-1]) == (120, 106)


def test_at_each_threshold_it_is_the_expected_running_time_up_to_the_gap_between_kept_points():
    sweep = bp.sweep("task=xor", "network=trained", "initial=uniform", "curve_points=1000",
                     learning_rate=[2, 8], seed=range(12), threshold=[0.1, 0.05], max_epochs=900)  # fmt: skip
    table = fixed_target(sweep.summary, sweep._curves, "learning_rate")
    for row in sweep.by("learning_rate", "threshold").to_dict("records"):
        here = table[(table["learning_rate"] == row["learning_rate"]) & (table["target"] == row["threshold"])].iloc[0]
        assert here["reached"] == row["converged"]
        assert here["ert_from"] <= row["ert"] * (1 + 1e-12)
        assert row["ert"] * (1 - 1e-12) <= here["ert"] == pytest.approx(row["ert"], rel=0.02)
    lowest = table[table["target"] == 0.05].set_index("learning_rate")["ert"]
    assert lowest.to_dict() == pytest.approx(sweep.by("learning_rate", "threshold").query("threshold == 0.05").set_index(
        "learning_rate")["ert"].to_dict())  # fmt: skip
