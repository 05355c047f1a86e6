"""The error on held-out patterns and the shares that are right: as NumPy has them, recorded, read back, in the tables."""

import sqlite3

import numpy as np
import pandas as pd
import pytest

import pipeline as bp
from pipeline.results import held_out_scores
from pipeline.results.columns import HELD_OUT
from pipeline.trials.tasks import load
from pipeline.trials.trial import TaskChoice

IRIS = TaskChoice("iris", (("scaling", "standard"), ("test", 0.25), ("test_seed", 0)))
TRAINED = ("task=iris", "task.test=0.25", "network=trained", "network.hidden=[3]", "initial=uniform", "max_epochs=30")


def by_numpy(run, inputs, targets):
    """(total error, share right) of a run's network."""
    below = inputs
    for layer in (1, 2):
        below = 1 / (1 + np.exp(-(below @ run.weights[f"weights_{layer}"].T + run.weights[f"bias_{layer}"])))
    return 0.5 * ((below - targets) ** 2).sum(), (below.argmax(axis=1) == targets.argmax(axis=1)).mean()


def test_they_are_those_of_the_final_weights():
    run, task = bp.train(*TRAINED, learning_rate=0.05, seed=4), load(IRIS)
    error, share = by_numpy(run, task.held_out.inputs, task.held_out.targets)
    expected = dict(zip(HELD_OUT, (error, by_numpy(run, task.inputs, task.targets)[1], share), strict=True))
    assert run.held_out == pytest.approx(expected, rel=1e-9)
    assert bp.train(*TRAINED, "task.test=0").held_out == {}
    assert 0.5 < share <= 1


@pytest.mark.parametrize("numbers", [1, 1000, 2**30])
def test_their_bits_do_not_depend_on_what_is_taken_at_once(monkeypatch, numbers):
    sweep = bp.sweep(*TRAINED, learning_rate=[0.05, 1e300], seed=range(5))
    monkeypatch.setattr(held_out_scores, "NUMBERS", numbers)
    again = bp.sweep(*TRAINED, learning_rate=[0.05, 1e300], seed=range(5))
    pd.testing.assert_frame_equal(again.results, sweep.results, check_exact=True)
    alone = bp.train(*TRAINED, learning_rate=0.05, seed=3).held_out
    [row] = sweep.results.query("learning_rate == 0.05 and seed == 3")[list(HELD_OUT)].to_dict("records")
    assert alone == row


def test_they_are_recorded_read_back_and_in_the_tables(store, command):
    ended = command("train", "-m", *TRAINED, "learning_rate=0.05,0.01", "seed=1,2")
    assert ended.code == 0, ended.err
    assert "Held-out patterns" in ended.out
    sweep = bp.load("latest", uri=f"sqlite:///{store}")
    here = bp.sweep(*TRAINED, learning_rate=[0.05, 0.01], seed=[1, 2])
    assert sweep.axes == here.axes == ("learning_rate", "seed")
    pd.testing.assert_frame_equal(sweep.results[[*HELD_OUT, "digest"]], here.results[[*HELD_OUT, "digest"]], check_exact=True)
    assert sweep.summary.held_out("learning_rate")["test_error"].tolist() == (
        here.results.groupby("learning_rate")["test_error"].median().tolist()
    )
    rows = "select run_uuid, key, value from latest_metrics"
    metrics = pd.read_sql(rows, sqlite3.connect(store)).pivot(index="run_uuid", columns="key", values="value")
    recorded = metrics.loc[sweep.results["run_id"], list(HELD_OUT)]
    assert np.array_equal(recorded.to_numpy(), sweep.results[list(HELD_OUT)].to_numpy())


def test_a_single_run_says_them_and_an_infinite_one_is_told(store, command):
    ended = command("train", *TRAINED, "learning_rate=1e300", "network.output_activation=identity", "seed=1")
    assert ended.code == 0, ended.err
    assert "test_accuracy 0" in ended.out
    runs = bp.load("runs", uri=f"sqlite:///{store}")
    assert runs.axes == ()
    assert not np.isfinite(runs.results["test_error"]).any()
    assert dict(sqlite3.connect(store).execute("select key, value from tags"))["test_error"] in ("inf", "nan")


def test_without_held_out_patterns_nothing_is_new(store, command):
    assert command("train", "-m", "task=iris", "network=trained", "initial=uniform", "seed=1,2", "max_epochs=2").code == 0
    sweep = bp.load("latest", uri=f"sqlite:///{store}")
    assert not {*HELD_OUT} & {*sweep.results}
    assert len(sweep.summary.held_out()) == 0
    metrics = {name for (name,) in sqlite3.connect(store).execute("select distinct key from metrics")}
    assert not {*HELD_OUT} & metrics


def test_a_sweep_may_hold_out_with_some_trials_alone():
    sweep = bp.sweep(*(one for one in TRAINED if "test" not in one), **{"task.test": [0, 0.25, 0.5]})
    assert sweep.results["test_error"].isna().tolist() == [True, False, False]
    assert "–" in str(sweep)
