"""Expected running times, their bootstrap intervals, and costs relative to the best."""

import math

import numpy as np
import pytest

from pipeline.stats.costs.running_times import bootstrap_ert, expected_running_time, performance_ratios

SIMULATIONS = 1000


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("units", [20, 50, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_bootstrap_interval_of_the_running_time_covers(units, share):
    rng, horizon = generator(4), 1000.0

    def sample(shape):
        time = rng.exponential(300, shape)
        converged = (time <= horizon) & (rng.random(shape) < share)
        return np.where(converged, time, horizon), converged

    p = share * (1 - math.exp(-horizon / 300))
    spent = share * 300 * (1 - math.exp(-horizon / 300)) + (1 - share) * horizon
    truth = spent / p
    epochs, converged = sample((SIMULATIONS, units))
    unit, group = np.tile(np.arange(units), SIMULATIONS), np.repeat(np.arange(SIMULATIONS), units)
    low, high = bootstrap_ert(epochs.ravel(), converged.ravel(), unit, group)
    assert 0.92 <= np.mean((low <= truth) & (truth <= high)) <= 0.985


@pytest.mark.slow
def test_the_bootstrap_draws_initial_weights_not_runs():
    rng, seeds, repeats = generator(5), 30, 8
    hard = rng.exponential(300, (SIMULATIONS, seeds))
    epochs = np.repeat(hard, repeats, axis=1).ravel()  # every run of a seed takes the same time
    group = np.repeat(np.arange(SIMULATIONS), seeds * repeats)
    converged = np.ones(len(epochs), bool)
    covered = []
    for unit in (np.repeat(np.arange(seeds), repeats), np.arange(seeds * repeats)):
        low, high = bootstrap_ert(epochs, converged, np.tile(unit, SIMULATIONS), group)
        covered.append(np.mean((low <= 300) & (high >= 300)))
    assert covered[0] >= 0.92
    assert covered[1] < 0.6


def test_the_bootstrap_depends_on_nothing_but_its_table():
    rng = generator(6)
    epochs, converged = rng.integers(1, 100, 60).astype(float), rng.random(60) < 0.6
    unit, group = np.tile(np.arange(20), 3), np.repeat(np.arange(3), 20)
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    one = bootstrap_ert(epochs, converged, unit, group)
    order = rng.permutation(60)
    other = bootstrap_ert(epochs[order], converged[order], unit[order], group[order])
    assert np.array_equal(one, other)
    assert (before == np.random.get_state()[1]).all()
    alone = bootstrap_ert(epochs[:20], converged[:20], unit[:20], group[:20])
    assert np.array_equal(np.array(one)[:, 0], np.array(alone)[:, 0])


def test_many_units_drawn_in_blocks_give_the_interval_of_the_large_sample_formula():
    rng, many = generator(7), 20_000
    epochs, converged = rng.exponential(300, many), rng.random(many) < 0.5
    low, high = bootstrap_ert(epochs, converged, np.arange(many), np.zeros(many, int))
    influence = epochs / epochs.sum() - converged / converged.sum()
    error = 1.96 * np.sqrt(np.square(influence).sum())
    ert = epochs.sum() / converged.sum()
    assert np.log(high[0] / ert) == pytest.approx(error, rel=0.15)
    assert np.log(ert / low[0]) == pytest.approx(error, rel=0.15)


def test_where_nothing_converged_the_running_time_has_a_lower_bound_only():
    low, high = bootstrap_ert(np.full(10, 100.0), np.zeros(10, bool), np.arange(10), np.zeros(10, int))
    assert low[0] == pytest.approx(1000 / (10 * 0.2775), rel=1e-3)
    assert high[0] == math.inf


def test_one_unit_tells_nothing_about_its_spread():
    assert np.isnan(bootstrap_ert(np.full(3, 9.0), np.ones(3, bool), np.zeros(3, int), np.zeros(3, int))).all()


def test_cocos_definition_on_a_worked_table():
    epochs, converged = np.array([100.0, 300, 1000, 1000, 500]), np.array([True, True, False, False, False])
    p = converged.mean()
    assert expected_running_time(epochs.sum(), converged.sum()) == 1450
    assert np.mean(epochs[converged]) + (1 - p) / p * np.mean(epochs[~converged]) == pytest.approx(1450)
    assert expected_running_time(epochs.sum(), 0) == math.inf
    assert expected_running_time([3, 7], [1, 0]).tolist() == [3, math.inf]


def test_ratios_to_the_best_solver():
    cost = np.array([[10, 20, np.inf], [np.inf, np.inf, np.inf], [0, 3, 1]])
    assert performance_ratios(cost).tolist() == [[1, 2, math.inf], [math.inf] * 3, [1, 3, 1]]
