"""Tests by start keep their level for many differences together, find what was planted, and are those of others."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.stats.comparisons import paired_tests
from pipeline.stats.comparisons.paired_tests import (
    divisions,
    ert_differences,
    flips,
    max_t,
    prentice_differences,
    prentice_scores,
    rate_differences,
)
from pipeline.stats.comparisons.paired_values import paired
from pipeline.stats.comparisons.shape import shape
from pipeline.stats.sample import Sample

SIMULATIONS = 400
ADJUSTED = ["p_epochs_adjusted", "p_rate_adjusted", "p_ert_adjusted"]


def blocks(time, event):
    """The block of each run: see `prentice_scores`."""
    rank = np.unique(time, return_inverse=True)[1]
    return 2 * rank + ~np.asarray(event)


def scores(time, event):
    of = blocks(np.asarray(time, float), np.asarray(event, bool))
    return prentice_scores(np.bincount(of, minlength=of.max() // 2 * 2 + 2))[of]


def test_scores_of_uncensored_times_are_wilcoxons_ranks():
    time = np.array([3.0, 1, 4, 1, 5, 9, 2, 6])
    assert np.allclose(scores(time, np.ones(8, bool)), 2 * stats.rankdata(time) / 9 - 1)


def test_scores_put_what_did_not_converge_last():
    found = scores([5.0, 10, 10, 1, np.inf], [True, True, False, True, False])
    assert found[3] < found[0] < found[1] < found[2] == found[4]


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=12))
def test_tied_events_share_the_mean_of_their_scores_one_after_the_other(runs):
    runs = sorted(runs, key=lambda run: (run[0], not run[1]))
    survival, expected = 1.0, {}
    for place, (time, event) in enumerate(runs):
        at_risk = len(runs) - place
        survival *= at_risk / (at_risk + 1) if event else 1
        expected.setdefault((time, event), []).append(1 - 2 * survival if event else 1 - survival)
    assert np.allclose(scores(*zip(*runs, strict=True)), [np.mean(expected[run]) for run in runs])


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=9))
def test_all_flips_are_counted_as_scipy_counts_them(differences):
    sample = np.array(differences, float)
    theirs = stats.permutation_test(
        (sample,), lambda x, axis: np.abs(x.sum(axis)), permutation_type="samples", vectorized=True, alternative="greater"
    )
    raw, adjusted = max_t(sample[None], flips(len(sample)))
    assert raw[0] == adjusted[0] == pytest.approx(theirs.pvalue, abs=1e-12)


@given(st.integers(0, 7), st.integers(0, 4), st.integers(0, 3))
def test_mcnemar_is_the_binomial_test_of_the_pairs_that_differ(only_first, only_second, same):
    first = np.repeat([True, False, True], [only_first, only_second, same])
    second = np.repeat([False, True, True], [only_first, only_second, same])
    expected = stats.binomtest(only_first, only_first + only_second).pvalue if only_first + only_second else 1.0
    units = max(len(first), 1)
    raw, _ = max_t(rate_differences(first, second, np.arange(len(first)), units)[None], flips(units))
    assert raw[0] == pytest.approx(expected, rel=1e-9) or units > paired_tests.EXACT_STARTS


def test_random_flips_are_close_to_all_of_them():
    sample = np.random.default_rng(0).normal(0.4, 1, (3, 16))
    raw, _ = max_t(sample, flips(16))
    all_signs = 1 - 2 * (np.arange(2**16)[:, None] >> np.arange(16) & 1)
    for own, row in zip(raw, sample, strict=True):
        assert own == pytest.approx(np.mean(np.abs(all_signs @ row) >= abs(row.sum()) - 1e-9), abs=0.03)
    assert paired_tests.smallest_p(16) == 1 / 1000


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_adjusted_values_are_those_of_the_definition_step_by_step(seed):
    rng = np.random.default_rng(seed)
    differences = rng.integers(-3, 4, (4, 6)).astype(float)
    differences[0] += 3
    size = np.sqrt(np.square(differences).sum(1))
    t = {signs: np.abs(differences @ signs) / np.where(size, size, 1) for signs in product([1, -1], repeat=6)}
    observed = t[(1,) * 6]
    left, before, expected = sorted(range(4), key=lambda row: -observed[row]), 0.0, {}
    while left:  # the largest against the largest of all that are left
        before = max(before, np.mean([max(one[row] for row in left) >= observed[left[0]] - 1e-9 for one in t.values()]))
        expected[left.pop(0)] = before
    raw, adjusted = max_t(differences, flips(6))
    assert np.allclose(adjusted, [expected[row] for row in range(4)])
    assert (adjusted >= raw).all()


def test_six_starts_are_the_fewest_that_can_show_anything_whatever_the_number_of_pairs():
    assert paired_tests.starts_needed() == 6
    assert paired_tests.smallest_p(5) > 0.05
    always = np.ones((15, 6)) + np.arange(15)[:, None]
    for p in max_t(always, flips(6)):
        assert (p == 2 / 64).all()
    assert paired_tests.smallest_p(6) == 2 / 64


def test_the_difference_of_two_running_times_is_theirs_and_none_where_they_are_equal():
    spent, successes = np.array([[10.0, 20, 30], [5, 5, 50]]), np.array([[1.0, 2, 3], [1, 0, 1]])
    equal = ert_differences((spent[0], successes[0]), (2 * spent[0], 2 * successes[0]))
    assert equal.sum() == pytest.approx(0, abs=1e-9)
    assert ert_differences((spent[0], successes[0]), (spent[1], successes[1])).sum() < 0  # 10 against 30
    assert (ert_differences((spent[0], 0 * spent[0]), (spent[1], 0 * spent[1])) == 0).all()


def test_divisions_are_counted_as_scipy_counts_them():
    rng = np.random.default_rng(1)
    first, second = rng.normal(0, 1, 5), rng.normal(1.5, 1, 4)
    sample = np.concatenate([first, second])
    raw, _ = max_t((sample - sample.mean())[None], divisions(5, 4))
    theirs = stats.permutation_test(
        (first, second), lambda x, y, axis: np.abs(x.mean(axis) - y.mean(axis)), vectorized=True, alternative="greater"
    )
    assert raw[0] == pytest.approx(theirs.pvalue, abs=1e-9)
    assert len(divisions(40, 30)) == 1000
    assert paired_tests.smallest_p_apart(5, 5) == 2 / 252


def test_pairs_that_never_converge_say_nothing():
    never = np.full(6, 1)
    assert (prentice_differences(never, never, np.arange(6), 6) == 0).all()
    assert max_t(np.zeros((2, 6)), flips(6))[0].tolist() == [1, 1]


def trained(rng, starts, costs, failing=0.1, horizon=20_000):
    """Runs of one threshold, at values of an axis that cost so much, from starts of which some are harder than others."""
    shape_of = starts, len(costs)
    time = 300 * np.exp(rng.normal(0, 0.8, (starts, 1)) + rng.normal(0, 0.7, shape_of)) * costs
    converged = (rng.random(shape_of) >= failing) & (time <= horizon)
    seed, value = (index.ravel() for index in np.indices(shape_of))
    status = np.where(converged, "converged", "exhausted").ravel()
    epochs = np.where(converged, np.ceil(time), horizon).astype(int).ravel()
    return pd.DataFrame({"axis": value, "seed": seed, "status": status, "epochs": epochs, "horizon": horizon})


def holm(p):
    order = np.argsort(p)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(np.sort(p) * np.arange(len(p), 0, -1)), 1)
    return corrected


@pytest.mark.slow
@pytest.mark.parametrize(("starts", "values", "failing"), [(6, 7, 0.2), (10, 6, 0.0), (20, 4, 0.2)])
def test_where_nothing_differs_something_is_found_in_six_sweeps_of_a_hundred_at_most(starts, values, failing):
    rng = np.random.default_rng(starts)
    tables = [paired(Sample(trained(rng, starts, np.ones(values), failing)), "axis") for _ in range(SIMULATIONS)]
    found = np.mean([(table[ADJUSTED] < 0.05).any() for table in tables], axis=0)
    assert (found <= 0.06 + 2 * np.sqrt(0.06 * 0.94 / SIMULATIONS)).all()  # and what the simulation may be off
    assert found.max() >= 0.02  # it is not that nothing can be found


@pytest.mark.slow
@pytest.mark.parametrize(("costs", "failing"), [([1, 1, 1.5, 2, 4, 8], 0.0), ([9, 3, 1, 1, 3, 60], 0.15)])
def test_ten_starts_find_more_differences_in_epochs_than_holms_correction_would(costs, failing):
    rng, costs = np.random.default_rng(3), np.array(costs)
    tables = [paired(Sample(trained(rng, 10, costs, failing)), "axis") for _ in range(120)]
    differ = costs[tables[0]["first"]] != costs[tables[0]["second"]]
    ours = np.mean([(table["p_epochs_adjusted"] < 0.05)[differ] for table in tables])
    theirs = np.mean([(holm(table["p_epochs"].to_numpy()) < 0.05)[differ] for table in tables])
    assert ours > theirs + 0.03
    assert ours > 0.3


# Whether a shape is true of costs; "rising" is wrong too where a cost between is a third below the first, or the like.
TRUE = {
    "rising": lambda costs: costs[-1] > costs[0] and min(costs) > costs[0] / 1.5 and max(costs) < costs[-1] * 1.5,
    "falling": lambda costs: TRUE["rising"](costs[::-1]),
    "valley inside": lambda costs: any(max(costs[:k]) > costs[k] < max(costs[k + 1 :]) for k in range(1, len(costs) - 1)),
    "peak inside": lambda costs: TRUE["valley inside"]([-cost for cost in costs]),
    "none shown": lambda _: True,
}
COSTS = {
    "flat": [1, 1, 1, 1, 1, 1],
    "rising": [1, 1.5, 2, 3, 4, 6],
    "step": [1, 1, 1, 1, 5, 5],
    "falling": [6, 4, 3, 2, 1.5, 1],
    "valley": [50, 20, 3, 1, 3, 200],
    "peak": [1, 9, 20, 6, 1],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(COSTS))
def test_the_shape_that_is_shown_is_true_in_94_sweeps_of_a_hundred_of_ten_starts(kind):
    rng, costs = np.random.default_rng(4), np.array(COSTS[kind])
    shown = [shape(paired(Sample(trained(rng, 10, costs, failing)), "axis")) for failing in [0.0, 0.15] * 50]
    assert np.mean([not TRUE[one](COSTS[kind]) for one in shown]) <= 0.06
    assert kind != "valley" or np.mean([one == "valley inside" for one in shown]) > 0.5
