"""Survival curves, medians and means are those of others, and their intervals hold what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times, qth_survival_times, restricted_mean_survival_time

from pipeline.stats.survival import product_limit, quantile, restricted_mean

SIMULATIONS = 1000


def generator(seed=0):
    return np.random.default_rng(seed)


def exponential(rng, shape):
    return rng.exponential(300, shape), 300 * math.log(2)


def log_normal(rng, shape):
    return np.exp(rng.normal(6, 1, shape)), math.exp(6)


@pytest.mark.parametrize("law", [exponential, log_normal])
@pytest.mark.parametrize("horizon", [500, math.inf])
def test_the_interval_of_the_median_covers_and_censoring_does_not_bias_it(law, horizon):
    time, truth = law(generator(2), (SIMULATIONS, 60))
    event = (time <= horizon).ravel()
    group = np.repeat(np.arange(SIMULATIONS), 60)
    curves = product_limit(np.minimum(time, horizon).ravel(), event, group)
    median, low, high = quantile(curves, 0.5, SIMULATIONS)
    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(0.95, abs=0.02)
    assert np.median(median) == pytest.approx(truth, rel=0.04)
    if horizon < math.inf:  # as the median of those that converged is
        naive = np.median([np.median(row[row <= horizon]) for row in time])
        assert naive < 0.85 * truth


def test_random_censoring_does_not_bias_the_median():
    rng = generator(3)
    time, truth = log_normal(rng, SIMULATIONS * 80)
    stop = rng.exponential(900, len(time))
    curves = product_limit(np.minimum(time, stop), time <= stop, np.repeat(np.arange(SIMULATIONS), 80))
    median, low, high = quantile(curves, 0.5, SIMULATIONS)
    assert np.median(median) == pytest.approx(truth, rel=0.03)
    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(0.95, abs=0.02)


DATA = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 30), st.booleans()), min_size=1, max_size=60)


@settings(max_examples=25)
@pytest.mark.filterwarnings("ignore::lifelines.exceptions.ApproximationWarning")
@given(DATA)
def test_lifelines_has_the_same_curves_medians_and_means(rows):
    group, time, event = (np.array(column) for column in zip(*rows, strict=True))
    group = np.unique(group, return_inverse=True)[1]
    groups = group.max() + 1
    curves = product_limit(time.astype(float), event, group)
    found = {share: quantile(curves, share, groups) for share in (0.25, 0.5, 0.75)}
    means = restricted_mean(curves, 31.0, groups)
    for g in range(groups):
        theirs = KaplanMeierFitter().fit(time[group == g], event[group == g])
        mine = curves.group == g
        assert np.allclose(
            curves.survival[mine], theirs.survival_function_at_times(curves.time[mine]).to_numpy(), rtol=0, atol=1e-9
        )
        bounds = theirs.confidence_interval_.loc[curves.time[mine]].to_numpy()
        assert np.allclose(np.column_stack([curves.low[mine], curves.high[mine]]), bounds, rtol=0, atol=1e-9)
        assert means[g] == pytest.approx(restricted_mean_survival_time(theirs, 31.0), abs=1e-9)
        for share, (value, low, high) in found.items():
            level = 1 - share + 1e-12  # lifelines' curve may miss a share by its rounding
            assert value[g] == theirs.percentile(level)
            if share == 0.5 and not np.isclose(theirs.survival_function_, 0.5, rtol=0, atol=1e-12).any():
                assert value[g] == median_survival_times(theirs)
            interval = theirs.confidence_interval_
            for column, bound in zip(interval.columns, (low, high), strict=True):
                if interval[column].is_monotonic_decreasing:  # lifelines takes it for granted
                    assert bound[g] == pytest.approx(qth_survival_times(level, interval[[column]]), abs=1e-9)


def test_a_group_does_not_depend_on_the_others():
    rng = generator(8)
    time, event, group = rng.integers(0, 50, 500).astype(float), rng.random(500) < 0.7, rng.integers(0, 10, 500)
    together = product_limit(time, event, group)
    for g in range(10):
        alone = product_limit(time[group == g], event[group == g])
        mine = together.group == g
        for name in ("time", "at_risk", "events", "censored"):
            assert np.array_equal(getattr(together, name)[mine], getattr(alone, name))
        for name in ("survival", "low", "high"):
            assert np.allclose(getattr(together, name)[mine], getattr(alone, name), atol=1e-12)
