"""The best error that so many epochs give: the lowest so far, of runs that have ended the last one they had."""

import numpy as np
import pandas as pd

from pipeline.stats.sample import Sample
from pipeline.stats.views.fixed_budget import fixed_budget
from tests.designs import Listed


def test_the_lowest_error_so_far_never_rises_and_ended_runs_keep_theirs():
    results = pd.DataFrame({
        "learning_rate": [1.0] * 3, "seed": range(3), "status": ["converged", "exhausted", "diverged"], "epochs": [5, 100, 10],
        "final_error": [0.01, 0.5, np.nan],
    })  # fmt: skip
    curves = Listed([
        (np.array([0, 1, 5]), np.array([1.0, 0.5, 0.01])),
        (np.array([0, 1, 5, 10, 100]), np.array([1.0, 0.2, 0.9, 0.8, 0.5])),
        (np.array([0, 1, 5, 10]), np.array([1.0, 0.3, 1e9, np.nan])),
    ])  # fmt: skip
    table = fixed_budget(Sample(results), curves, "learning_rate")
    assert table["epochs"].tolist() == [0, 1, 5, 10, 100]
    assert (table["runs"] == 3).all()
    assert table["q25"].tolist() == [1.0, 0.2, 0.01, 0.01, 0.01]
    assert table["median"].tolist() == [1.0, 0.3, 0.2, 0.2, 0.2]
    assert table["q75"].tolist() == [1.0, 0.5, 0.3, 0.3, 0.3]
