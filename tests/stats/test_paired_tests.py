"""Tests on pairs keep their level, find what was planted, and are those of others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.stats.comparisons.paired_tests import holm, mcnemar, paired_prentice_wilcoxon, prentice_scores, sign_flip

SIMULATIONS = 1000


def generator(seed=0):
    return np.random.default_rng(seed)


def test_scores_of_uncensored_times_are_wilcoxons_ranks():
    time = np.array([3.0, 1, 4, 1, 5, 9, 2, 6])
    scores = prentice_scores(time, np.ones(8, bool))
    assert np.allclose(scores, 2 * stats.rankdata(time) / 9 - 1)


def test_scores_put_what_did_not_converge_last():
    scores = prentice_scores(np.array([5.0, 10, 10, 1, np.inf]), np.array([True, True, False, True, False]))
    assert scores[3] < scores[0] < scores[1] < scores[2] == scores[4]


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=9))
def test_all_flips_are_counted_as_scipy_counts_them(differences):
    sample = np.array(differences, float)
    theirs = stats.permutation_test((sample,), lambda x, axis: x.sum(axis), permutation_type="samples", vectorized=True)
    absolute = stats.permutation_test(
        (sample,), lambda x, axis: np.abs(x.sum(axis)), permutation_type="samples", vectorized=True, alternative="greater"
    )
    assert sign_flip(sample) == pytest.approx(min(1.0, absolute.pvalue), abs=1e-12)
    assert sign_flip(sample) == pytest.approx(min(1.0, theirs.pvalue), abs=1e-12)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 10))
def test_mcnemar_is_the_binomial_test_of_the_pairs_that_differ(only_first, only_second, same):
    first = np.repeat([True, False, True], [only_first, only_second, same])
    second = np.repeat([False, True, True], [only_first, only_second, same])
    expected = stats.binomtest(only_first, only_first + only_second).pvalue if only_first + only_second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9)


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
    p = [paired_prentice_wilcoxon(*censored_pairs(rng, pairs, 1.0)) for _ in range(2 * SIMULATIONS)]
    found = np.mean(np.array(p) < 0.05)
    assert found <= 0.07
    assert found >= 0.03 or pairs < 10  # few pairs have few p-values, and none needs to lie just below 5 %


def test_the_paired_test_finds_a_fifth_more_epochs():
    rng = generator(10)
    p = [paired_prentice_wilcoxon(*censored_pairs(rng, 60, 1.2)) for _ in range(SIMULATIONS)]
    assert np.mean(np.array(p) < 0.05) > 0.9


def test_pairs_of_one_unit_are_not_taken_as_independent():
    rng, unit = generator(11), np.repeat(np.arange(20), 10)
    found = []
    for _ in range(SIMULATIONS):
        ratio = np.repeat(rng.normal(0, 0.5, 20), 10)
        time = np.exp(rng.normal(6, 0.5, 200))
        pair = (time, np.ones(200, bool)), (time * np.exp(ratio), np.ones(200, bool))
        found.append([paired_prentice_wilcoxon(*pair, of) < 0.05 for of in (unit, None)])
    together, apart = np.mean(found, axis=0)
    assert together == pytest.approx(0.05, abs=0.02)
    assert apart > 0.3


def test_pairs_that_never_converge_say_nothing():
    never = (np.full(5, np.inf), np.zeros(5, bool))
    assert paired_prentice_wilcoxon(never, never) == 1
    assert mcnemar(never[1], never[1]) == 1


def test_holms_correction():
    assert np.allclose(holm([0.01, 0.04, np.nan, 0.03, 0.005]), [0.03, 0.06, np.nan, 0.06, 0.02], equal_nan=True)
    assert holm([0.6, 0.7]).tolist() == [1, 1]
    assert holm([]).tolist() == []
