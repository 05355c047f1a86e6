"""The tables count what they say, and treat runs that did not converge as censored."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import convergence
from pipeline.summary import note, report, write_tables
from pipeline.trainer import STATUSES


def results(rows, **columns):
    """A results table from (axis values…, status, epochs) rows."""
    table = pd.DataFrame(rows, columns=[*columns.get("axes", ("learning_rate", "seed")), "status", "epochs"])
    return table.assign(final_error=0.1, gradient_norm=0.1, run_id="r", key="k", digest="d")


WORKED = results(
    [
        (0.1, 0, "converged", 10),
        (0.1, 1, "converged", 30),
        (0.1, 2, "exhausted", 100),
        (0.1, 3, "diverged", 5),
        (1.0, 0, "exhausted", 100),
        (1.0, 1, "stationary", 40),
        (1.0, 2, "exhausted", 100),
        (1.0, 3, "exhausted", 100),
    ]
)


def test_a_worked_table():
    slow, fast = convergence.summarize(WORKED, ["learning_rate"]).to_dict("records")
    assert slow == {
        "learning_rate": 0.1, "runs": 4, "converged": 2, "stationary": 0, "exhausted": 1, "diverged": 1, "rate": 0.5,
        "ert": 145 / 2, "q1": 10, "median": 30, "q3": math.inf,
    }  # fmt: skip
    assert (fast["converged"], fast["stationary"], fast["ert"], fast["median"]) == (0, 1, math.inf, math.inf)


def test_a_median_that_was_not_reached_is_said_to_be_so():
    text = report(WORKED)
    assert "not reached" in text
    assert "inf" not in text
    assert "nan" not in text.lower()


def test_the_answer_in_words_names_the_numbers():
    words = convergence.in_words(WORKED)
    assert "2 of 8 runs converged (25%); 1 stationary, 4 exhausted, 1 diverged." in words
    assert "learning_rate=0.1 costs least: 72.5 epochs per success (2 of 4 runs converged)" in words
    assert "from 0% at learning_rate=1 to 50% at learning_rate=0.1" in words


def test_the_best_setting_is_found_for_each_threshold():
    rows = [
        (rate, threshold, seed, "converged" if rate < 5 or threshold > 0.05 else "exhausted", int(100 / rate / threshold))
        for rate in (1, 2, 5) for threshold in (0.1, 0.01) for seed in range(3)
    ]  # fmt: skip
    best = convergence.best_settings(results(rows, axes=("learning_rate", "threshold", "seed")))
    assert best[["threshold", "learning_rate"]].to_numpy().tolist() == [[0.1, 5], [0.01, 2]]


ROWS = st.lists(
    st.tuples(st.sampled_from([0.1, 1.0]), st.integers(0, 3), st.sampled_from(STATUSES), st.integers(0, 1000)), min_size=1
)


@given(ROWS)
def test_every_run_is_counted_once(rows):
    table = convergence.summarize(results(rows), ["learning_rate"])
    assert table["runs"].sum() == len(rows) == table[list(STATUSES)].to_numpy().sum()
    assert ((table["rate"] >= 0) & (table["rate"] <= 1)).all()


@given(ROWS)
def test_quartiles_are_the_first_epochs_by_which_that_share_converged(rows):
    for _, row in convergence.summarize(results(rows), ["learning_rate"]).iterrows():
        mine = [r for r in rows if r[0] == row["learning_rate"]]
        ended = np.array([epochs if status == "converged" else math.inf for _, _, status, epochs in mine])
        for name, share in (("q1", 0.25), ("median", 0.5), ("q3", 0.75)):
            if np.isfinite(row[name]):
                assert np.mean(ended <= row[name]) >= share > np.mean(ended < row[name])
            else:
                assert np.mean(np.isfinite(ended)) < share


@given(ROWS)
def test_expected_running_time_is_all_epochs_over_successes(rows):
    for _, row in convergence.summarize(results(rows), ["learning_rate"]).iterrows():
        mine = [r for r in rows if r[0] == row["learning_rate"]]
        successes = sum(status == "converged" for _, _, status, _ in mine)
        spent = sum(epochs for *_, epochs in mine)
        assert row["ert"] == (spent / successes if successes else math.inf)


@pytest.mark.parametrize(
    "table",
    [
        results([("converged", 0)], axes=()),
        results([(0.1, "converged", 0)], axes=("learning_rate",)),
        results([(s, "exhausted", 9) for s in range(3)], axes=("seed",)),
        results([(t, "diverged", 9) for t in (0.1, 0.2)], axes=("threshold",)),
        results([(t, s, "converged", 0) for t in ("xor", "iris") for s in (0, 1)], axes=("task", "seed")),
        results([("[0.1,0.2]", "[2]", "converged", 3)], axes=("learning_rate", "network.hidden")),
        results([(True, None, "converged", 3), (False, 1.0, "exhausted", 3)], axes=("network.train_bias", "x")),
        WORKED,
    ],
    ids=["no axis", "one run", "seeds only", "threshold only", "words", "lists", "truth and nothing", "worked"],
)
def test_every_kind_of_sweep_can_be_reported(table, tmp_path):
    text = report(table)
    assert f"of {len(table)} run" in text
    assert f"of {len(table)} run" in note(table)
    write_tables(table, tmp_path)
    assert pd.read_parquet(tmp_path / "results.parquet").equals(table)
    assert (tmp_path / "summary/summary.txt").read_text() == text + "\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234, "1,234"), (1234.5678, "1,235"), (0.001, "0.001"), (1e-5, "1e-05"), (math.inf, "not reached"),
     ("xor", "xor"), (True, "True"), (12.345, "12.35")],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert convergence.in_short(value) == text
