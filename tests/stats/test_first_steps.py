"""Steps that are too long from the start: counted as they are, and named only where the sweep's own runs agree."""

import numpy as np
import pandas as pd
import pytest

from pipeline.stats.sample import Sample
from pipeline.stats.starts.first_steps import MOST_STARTS, TOO_LONG, FirstSteps, first_steps, looked_at

RATES = np.array([0.5, 5.0, 50.0])


def world(number, starts=60, matters=True):
    """A sweep in which runs with long steps never converge (matters), or as often as any; and K* of its runs."""
    random = np.random.default_rng(number)
    seed, rate, width = (part.ravel() for part in np.meshgrid(np.arange(starts), RATES, [1.0, 2.0], indexing="ij"))
    k_star = rate * random.lognormal(-2, 0.7, starts)[seed] * width
    luck = random.normal(size=starts)[seed] + random.normal(size=len(seed)) > -0.5
    converged = luck & (k_star <= TOO_LONG) if matters else luck
    status = np.where(converged, "converged", "exhausted")
    table = {"learning_rate": rate, "initial.range": width, "seed": seed, "status": status, "epochs": 9}
    return Sample(pd.DataFrame(table)), FirstSteps(lambda rows: k_star[rows], 10**6), k_star


def test_the_numbers_are_those_of_the_runs():
    sample, steps, k_star = world(1)
    table = first_steps(sample, steps).set_index("learning_rate")
    long, did = k_star > TOO_LONG, sample.event
    for rate, row in table.iterrows():
        mine = sample.results["learning_rate"].to_numpy() == rate
        assert row["runs"] == mine.sum()
        assert (row["too_long"], row["converged_of_long"]) == ((mine & long).sum(), (did & mine & long).sum())
        assert (row["shorter"], row["converged_of_shorter"]) == ((mine & ~long).sum(), (did & mine & ~long).sum())
        assert (row["others"], row["converged_of_others"]) == ((~long).sum(), (did & ~long).sum())
        assert row["long_starts"] == sample.results["seed"][mine & long].nunique()
    assert table["explains"].tolist() == [False, False, True]


def test_where_steps_have_no_effect_none_is_named():
    assert not any(first_steps(*world(number, matters=False)[:2])["explains"].any() for number in range(20))


@pytest.mark.slow
def test_where_steps_have_no_effect_one_is_named_once_in_fifty_at_most():
    named = [first_steps(*world(number, matters=False)[:2])["explains"].any() for number in range(400)]
    assert np.mean(named) <= 0.02


def test_few_starts_and_rates_that_are_lists_and_unknown_k_star_say_nothing():
    assert not first_steps(*world(1, starts=5)[:2])["explains"].any()
    sample, steps, k_star = world(1)
    lists = Sample(sample.results.assign(learning_rate=sample.results["learning_rate"].map(lambda rate: f"[{rate},1]")))
    assert first_steps(lists, steps).empty
    assert first_steps(
        Sample(sample.results.drop(columns="learning_rate").drop_duplicates(["seed", "initial.range"])), steps
    ).empty
    assert first_steps(sample, FirstSteps(lambda rows: np.full(len(rows), np.nan), 10**6)).empty
    assert first_steps(sample, FirstSteps(lambda rows: k_star[rows], 0)).empty


def test_of_many_starts_some_are_looked_at_evenly():
    sample, _, _ = world(1, starts=5000)
    rows = looked_at(sample, 10**6)
    assert len(rows) == MOST_STARTS * 6
    assert len(looked_at(sample, 100)) == 50 * 6  # each start has two different initial weights
