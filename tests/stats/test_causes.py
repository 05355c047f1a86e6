"""Counts of causes are those of the runs, and what is foreseen of descending runs is no lower bound."""

import numpy as np
import pandas as pd
import pytest

from pipeline.stats.causes import causes, counts, predicted
from pipeline.stats.sample import Sample
from tests.known_sweeps import known_sweep


@pytest.mark.parametrize("number", [1, 2, 3, 5, 6, 7])
def test_counts_are_those_of_a_group_by(number):
    results = known_sweep(number).results
    sample = Sample(results)
    axis = sample.settings[0]
    failed = results[results["status"] != "converged"]
    for by in ([], [axis], sample.settings):
        wide, long = counts(sample, by), causes(sample, by)
        if not failed["cause"].notna().any():
            assert wide.empty
            assert long.empty
            continue
        keys = [failed[name] for name in by]
        wanted = failed["cause"].groupby([*keys, failed["cause"]]).size()
        got = long.set_index([*by, "cause"])["runs"]
        pd.testing.assert_series_equal(got.sort_index(), wanted.sort_index(), check_names=False, check_index_type=False)
        assert wide["runs"].sum() == len(results)
        assert wide[list(wanted.index.unique("cause"))].to_numpy().sum() == wanted.sum()
        share = len(failed) if not by else failed.groupby(by).size().reindex(got.index.droplevel("cause")).to_numpy()
        assert long["of_failed"].to_numpy() == pytest.approx(long["runs"] / share)


def test_what_is_foreseen_is_of_descending_runs_near_their_goal_alone():
    results = pd.DataFrame(
        {
            "learning_rate": 1.0, "seed": range(7), "status": ["exhausted"] * 6 + ["converged"], "epochs": 100,
            "final_error": [1.0, 1.0, 1.0, 1.0, np.nan, 1.0, 1.0], "cause_goal": [0.5, 0.01, 0.5, 0.5, 0.5, 1 / 30, 0.5],
            "cause": ["descending", "descending", "minimum", "descending", "descending", "descending", "descending"],
            "cause_number": [50.0, 50.0, 50.0, np.inf, 50.0, 350.0, 50.0],
        }
    )  # fmt: skip
    sample = Sample(results)
    assert predicted(sample)[[0, 5]].tolist() == [150.0, 450.0]
    assert np.isnan(predicted(sample)[[1, 2, 3, 4, 6]]).all()
    row = causes(sample).set_index("cause").loc["descending"]
    assert (row["runs"], row["foreseen"]) == (5, 2)
    assert (row["total_q1"], row["total_median"], row["total_q3"]) == (220.0, 300.0, 380.0)  # 225, 300, 375 to two digits


def test_sweeps_without_causes_have_no_table_of_them():
    results = known_sweep(0).results
    for older in (results, results.assign(cause=None)):
        assert counts(Sample(older)).empty
        assert causes(Sample(older)).empty
        assert np.isnan(predicted(Sample(older))).all()
