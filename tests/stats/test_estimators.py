"""Intervals hold what they promise, tests keep their level, and others compute the same."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times, qth_survival_times, restricted_mean_survival_time
from scipy import stats

from pipeline.stats import estimators as e

SIMULATIONS = 1000


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("successes", "runs"), [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (499, 1000), (1, 10**6)])
def test_wilson_is_scipys(successes, runs):
    theirs = stats.binomtest(successes, runs).proportion_ci(0.95, method="wilson")
    assert np.allclose(e.wilson(successes, runs), theirs, rtol=1e-12, atol=1e-15)


def test_wilson_of_no_runs_is_unknown():
    assert np.isnan(e.wilson(0, 0)).all()


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.8])
def test_the_interval_of_a_rate_covers(rate):
    low, high = e.wilson(generator(1).binomial(100, rate, SIMULATIONS), np.full(SIMULATIONS, 100))
    assert np.mean((low <= rate) & (rate <= high)) == pytest.approx(0.95, abs=0.02)


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
    curves = e.product_limit(np.minimum(time, horizon).ravel(), event, group)
    median, low, high = e.quantile(curves, 0.5, SIMULATIONS)
    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(0.95, abs=0.02)
    assert np.median(median) == pytest.approx(truth, rel=0.04)
    if horizon < math.inf:  # as the median of those that converged is
        naive = np.median([np.median(row[row <= horizon]) for row in time])
        assert naive < 0.85 * truth


def test_random_censoring_does_not_bias_the_median():
    rng = generator(3)
    time, truth = log_normal(rng, SIMULATIONS * 80)
    stop = rng.exponential(900, len(time))
    curves = e.product_limit(np.minimum(time, stop), time <= stop, np.repeat(np.arange(SIMULATIONS), 80))
    median, low, high = e.quantile(curves, 0.5, SIMULATIONS)
    assert np.median(median) == pytest.approx(truth, rel=0.03)
    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(0.95, abs=0.02)


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
    low, high = e.bootstrap_ert(epochs.ravel(), converged.ravel(), unit, group)
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
        low, high = e.bootstrap_ert(epochs, converged, np.tile(unit, SIMULATIONS), group)
        covered.append(np.mean((low <= 300) & (high >= 300)))
    assert covered[0] >= 0.92
    assert covered[1] < 0.6


def test_the_bootstrap_depends_on_nothing_but_its_table():
    rng = generator(6)
    epochs, converged = rng.integers(1, 100, 60).astype(float), rng.random(60) < 0.6
    unit, group = np.tile(np.arange(20), 3), np.repeat(np.arange(3), 20)
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    one = e.bootstrap_ert(epochs, converged, unit, group)
    order = rng.permutation(60)
    other = e.bootstrap_ert(epochs[order], converged[order], unit[order], group[order])
    assert np.array_equal(one, other)
    assert (before == np.random.get_state()[1]).all()
    alone = e.bootstrap_ert(epochs[:20], converged[:20], unit[:20], group[:20])
    assert np.array_equal(np.array(one)[:, 0], np.array(alone)[:, 0])


def test_many_units_drawn_in_blocks_give_the_interval_of_the_large_sample_formula():
    rng, many = generator(7), 20_000
    epochs, converged = rng.exponential(300, many), rng.random(many) < 0.5
    low, high = e.bootstrap_ert(epochs, converged, np.arange(many), np.zeros(many, int))
    influence = epochs / epochs.sum() - converged / converged.sum()
    error = 1.96 * np.sqrt(np.square(influence).sum())
    ert = epochs.sum() / converged.sum()
    assert np.log(high[0] / ert) == pytest.approx(error, rel=0.15)
    assert np.log(ert / low[0]) == pytest.approx(error, rel=0.15)


def test_where_nothing_converged_the_running_time_has_a_lower_bound_only():
    low, high = e.bootstrap_ert(np.full(10, 100.0), np.zeros(10, bool), np.arange(10), np.zeros(10, int))
    assert low[0] == pytest.approx(1000 / (10 * 0.2775), rel=1e-3)
    assert high[0] == math.inf


def test_one_unit_tells_nothing_about_its_spread():
    assert np.isnan(e.bootstrap_ert(np.full(3, 9.0), np.ones(3, bool), np.zeros(3, int), np.zeros(3, int))).all()


def test_cocos_definition_on_a_worked_table():
    epochs, converged = np.array([100.0, 300, 1000, 1000, 500]), np.array([True, True, False, False, False])
    p = converged.mean()
    assert e.expected_running_time(epochs, converged) == 1450
    assert np.mean(epochs[converged]) + (1 - p) / p * np.mean(epochs[~converged]) == pytest.approx(1450)
    assert e.expected_running_time(epochs, ~(epochs > 0)) == math.inf
    assert e.expected_running_time([[1, 2], [3, 4]], [[1, 0], [0, 0]]).tolist() == [3, math.inf]


DATA = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 30), st.booleans()), min_size=1, max_size=60)


@settings(max_examples=25)
@pytest.mark.filterwarnings("ignore::lifelines.exceptions.ApproximationWarning")
@given(DATA)
def test_lifelines_has_the_same_curves_medians_and_means(rows):
    group, time, event = (np.array(column) for column in zip(*rows, strict=True))
    group = np.unique(group, return_inverse=True)[1]
    groups = group.max() + 1
    curves = e.product_limit(time.astype(float), event, group)
    found = {share: e.quantile(curves, share, groups) for share in (0.25, 0.5, 0.75)}
    means = e.restricted_mean(curves, 31.0, groups)
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
    together = e.product_limit(time, event, group)
    for g in range(10):
        alone = e.product_limit(time[group == g], event[group == g])
        mine = together.group == g
        for name in ("time", "at_risk", "events", "censored"):
            assert np.array_equal(getattr(together, name)[mine], getattr(alone, name))
        for name in ("survival", "low", "high"):
            assert np.allclose(getattr(together, name)[mine], getattr(alone, name), atol=1e-12)


def test_scores_of_uncensored_times_are_wilcoxons_ranks():
    time = np.array([3.0, 1, 4, 1, 5, 9, 2, 6])
    scores = e.prentice_scores(time, np.ones(8, bool))
    assert np.allclose(scores, 2 * stats.rankdata(time) / 9 - 1)


def test_scores_put_what_did_not_converge_last():
    scores = e.prentice_scores(np.array([5.0, 10, 10, 1, np.inf]), np.array([True, True, False, True, False]))
    assert scores[3] < scores[0] < scores[1] < scores[2] == scores[4]


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=9))
def test_all_flips_are_counted_as_scipy_counts_them(differences):
    sample = np.array(differences, float)
    theirs = stats.permutation_test((sample,), lambda x, axis: x.sum(axis), permutation_type="samples", vectorized=True)
    absolute = stats.permutation_test(
        (sample,), lambda x, axis: np.abs(x.sum(axis)), permutation_type="samples", vectorized=True, alternative="greater"
    )
    assert e.sign_flip(sample) == pytest.approx(min(1.0, absolute.pvalue), abs=1e-12)
    assert e.sign_flip(sample) == pytest.approx(min(1.0, theirs.pvalue), abs=1e-12)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 10))
def test_mcnemar_is_the_binomial_test_of_the_pairs_that_differ(only_first, only_second, same):
    first = np.repeat([True, False, True], [only_first, only_second, same])
    second = np.repeat([False, True, True], [only_first, only_second, same])
    expected = stats.binomtest(only_first, only_first + only_second).pvalue if only_first + only_second else 1.0
    assert e.mcnemar(first, second) == pytest.approx(expected, rel=1e-9)


def censored_pairs(rng, pairs, factor, spread=0.25, horizon=900.0):
    hardness = rng.normal(6, 0.8, pairs)
    both = []
    for times in (1.0, factor):
        time = times * np.exp(hardness + rng.normal(0, spread, pairs))
        both.append((np.minimum(time, horizon), time <= horizon))
    return both


@pytest.mark.parametrize("pairs", [6, 20, 60])
def test_the_paired_test_keeps_its_level(pairs):
    rng = generator(9)
    p = [e.paired_prentice_wilcoxon(*censored_pairs(rng, pairs, 1.0)) for _ in range(2 * SIMULATIONS)]
    found = np.mean(np.array(p) < 0.05)
    assert found <= 0.07
    assert found >= 0.03 or pairs < 10  # few pairs have few p-values, and none needs to lie just below 5 %


def test_the_paired_test_finds_a_fifth_more_epochs():
    rng = generator(10)
    p = [e.paired_prentice_wilcoxon(*censored_pairs(rng, 60, 1.2)) for _ in range(SIMULATIONS)]
    assert np.mean(np.array(p) < 0.05) > 0.9


def test_pairs_of_one_unit_are_not_taken_as_independent():
    rng, unit = generator(11), np.repeat(np.arange(20), 10)
    found = []
    for _ in range(SIMULATIONS):
        ratio = np.repeat(rng.normal(0, 0.5, 20), 10)
        time = np.exp(rng.normal(6, 0.5, 200))
        pair = (time, np.ones(200, bool)), (time * np.exp(ratio), np.ones(200, bool))
        found.append([e.paired_prentice_wilcoxon(*pair, of) < 0.05 for of in (unit, None)])
    together, apart = np.mean(found, axis=0)
    assert together == pytest.approx(0.05, abs=0.02)
    assert apart > 0.3


def test_pairs_that_never_converge_say_nothing():
    never = (np.full(5, np.inf), np.zeros(5, bool))
    assert e.paired_prentice_wilcoxon(never, never) == 1
    assert e.mcnemar(never[1], never[1]) == 1


def test_holms_correction():
    assert np.allclose(e.holm([0.01, 0.04, np.nan, 0.03, 0.005]), [0.03, 0.06, np.nan, 0.06, 0.02], equal_nan=True)
    assert e.holm([0.6, 0.7]).tolist() == [1, 1]
    assert e.holm([]).tolist() == []


def test_ratios_to_the_best_solver():
    cost = np.array([[10, 20, np.inf], [np.inf, np.inf, np.inf], [0, 3, 1]])
    assert e.performance_ratios(cost).tolist() == [[1, 2, math.inf], [math.inf] * 3, [1, 3, 1]]
