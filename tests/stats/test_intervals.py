"""Intervals of a rate hold what they promise."""

import numpy as np
import pytest
from scipy import stats

from pipeline.stats.intervals import wilson

SIMULATIONS = 1000


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("successes", "runs"), [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (499, 1000), (1, 10**6)])
def test_wilson_is_scipys(successes, runs):
    theirs = stats.binomtest(successes, runs).proportion_ci(0.95, method="wilson")
    assert np.allclose(wilson(successes, runs), theirs, rtol=1e-12, atol=1e-15)


def test_wilson_of_no_runs_is_unknown():
    assert np.isnan(wilson(0, 0)).all()


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.8])
def test_the_interval_of_a_rate_covers(rate):
    low, high = wilson(generator(1).binomial(100, rate, SIMULATIONS), np.full(SIMULATIONS, 100))
    assert np.mean((low <= rate) & (rate <= high)) == pytest.approx(0.95, abs=0.02)
