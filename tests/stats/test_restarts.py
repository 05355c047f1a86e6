"""What restarts save is what a cutoff saves on starts that did not choose it."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stats.costs.restarts import ert_by_cutoff, restarts
from pipeline.stats.sample import Sample
from pipeline.stats.summary import Summary
from tests.machine import at_most

CAP = 10_000
ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["converged", "exhausted", "diverged"]), st.integers(0, 30)), min_size=1
)


def table_of(epochs, converged, **axes):
    return pd.DataFrame({**axes, "status": np.where(converged, "converged", "exhausted"), "epochs": epochs, "horizon": CAP})


def by_hand(runs, cutoff, less=0):
    """ERT(c), run by run."""
    spent = sum(min(max(epochs, 1), cutoff) for _, epochs in runs)
    successes = sum(status == "converged" and max(epochs, 1) <= cutoff for status, epochs in runs) - less
    return spent / successes if successes > 0 else math.inf


@settings(max_examples=30)
@given(ROWS)
def test_the_cost_at_each_cutoff_is_that_of_all_runs_one_by_one(rows):
    table = pd.DataFrame(rows, columns=["task", "status", "epochs"]).assign(seed=range(len(rows)))
    cutoffs = [1, 2.5, 7, 30, 1000, math.inf]
    for row in ert_by_cutoff(Sample(table), ["task"], cutoffs).to_dict("records"):
        runs = [(status, epochs) for task, status, epochs in rows if task == row["task"]]
        assert row["ert"] == pytest.approx(by_hand(runs, row["cutoff"]), rel=1e-12)


@settings(max_examples=30)
@given(ROWS)
def test_the_cutoff_is_the_best_of_all(rows):
    table = pd.DataFrame(rows, columns=["task", "status", "epochs"]).assign(seed=range(len(rows)))
    for row in restarts(Sample(table), ["task"]).to_dict("records"):
        runs = [(status, epochs) for task, status, epochs in rows if task == row["task"]]
        costs = {cutoff: by_hand(runs, cutoff, less=1) for cutoff in range(1, 31)}
        if math.isinf(min(costs.values())):
            assert math.isnan(row["cutoff"])
        else:
            assert costs[row["cutoff"]] == pytest.approx(min(costs.values()))


def test_restarts_save_what_failed_runs_cost():
    table = table_of([100] * 80 + [CAP] * 20, [True] * 80 + [False] * 20, seed=range(100), learning_rate=1)
    row = Summary(table).restarts.loc[0]
    ert = (80 * 100 + 20 * CAP) / 80
    assert row["given_up"] == pytest.approx(20 * CAP / (80 * ert))
    assert row["cutoff"] == 100
    assert row["ert_restarted"] == pytest.approx(125, rel=0.02)
    assert row["saves"] == pytest.approx(1 - row["ert_restarted"] / ert)


@pytest.mark.parametrize("spread", [0.5, 1.5])
@pytest.mark.parametrize("starts", [10, 50])
def test_what_restarts_cost_is_kept_by_other_starts(starts, spread):
    """The true ERT at the cutoff is what is said, and not more, as it is of the least cost of the sample itself."""
    rng = np.random.default_rng(starts)

    def drawn(*shape):
        epochs = np.minimum(np.ceil(300 * np.exp(spread * rng.normal(size=shape))), CAP)
        return np.where(rng.random(shape) < 0.1, CAP, epochs)

    epochs, population = drawn(500, starts), np.sort(drawn(20_000))
    task, seed = np.indices(epochs.shape).reshape(2, -1)
    sample = Sample(table_of(epochs.ravel(), epochs.ravel() < CAP, task=task, seed=seed))
    found = restarts(sample, ["task"])
    reached = np.searchsorted(population, found["cutoff"], "right")
    truth = (np.append(0, np.cumsum(population))[reached] + (len(population) - reached) * found["cutoff"]) / reached
    some = sample.results[sample.results["task"] < 50].groupby("task")
    least = [ert_by_cutoff(Sample(part), [], part["epochs"].unique())["ert"].min() for _, part in some]
    assert 0.93 <= np.exp(np.log(found["ert_restarted"] / truth).mean()) <= 1.25
    assert np.exp(np.log(least / truth[:50]).mean()) < 0.96


def test_runs_of_one_start_are_in_one_half():
    epochs = np.array([10, 500] * 10)
    once = table_of(epochs, epochs > 0, seed=range(20))
    twice = pd.concat([once.assign(task=1), once.assign(task=2)])
    assert restarts(Sample(once), []).loc[0].equals(restarts(Sample(twice), []).loc[0])


def test_where_nothing_converged_or_nothing_is_replicated_there_is_no_cutoff():
    nothing = restarts(Sample(table_of([CAP] * 5, [False] * 5, seed=range(5))), []).loc[0]
    assert nothing["given_up"] == 1
    alone = restarts(Sample(table_of([5, 7], [True, True], learning_rate=[1, 2])), ["learning_rate"])
    for row in (nothing, *alone.to_dict("records")):
        assert all(math.isnan(row[name]) for name in ("cutoff", "ert_restarted", "saves"))
    assert Summary(table_of([5, 7], [True, True], seed=[1, 2])).restarts.empty


@pytest.mark.slow
def test_a_million_runs_have_cutoffs_in_seconds():
    settings, seeds = (axis.ravel() for axis in np.indices((20_000, 50)))
    rng = np.random.default_rng(0)
    sample = Sample(table_of(rng.integers(1, CAP, 10**6), rng.random(10**6) < 0.8, learning_rate=settings, seed=seeds))
    with at_most(15):
        restarts(sample, ["learning_rate"])
        ert_by_cutoff(sample, ["learning_rate"], np.arange(1, 21) * 500)
