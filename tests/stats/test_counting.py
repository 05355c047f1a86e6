"""What is counted instead of sorted, kept instead of made again, or put together is what the direct way gives."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stats.arrays import compact, counted, distinct, ranked
from pipeline.stats.costs import bayesian_bootstrap, restarts
from pipeline.stats.costs.bayesian_bootstrap import Starts, resampled, starts_of
from pipeline.stats.effective_runs import Clusters, of_rate
from pipeline.stats.product_limit import product_limit
from pipeline.stats.sample import Sample
from pipeline.stats.survival import curves_of
from pipeline.stats.survival_bands import effective_runs_at

CODES = st.lists(st.integers(0, 50) | st.integers(0, 10**9), min_size=1, max_size=40)


def sample_of(runs, starts, groups, seed=0):
    """Runs of random starts at random settings, some of which did not converge."""
    random = np.random.default_rng(seed)
    status = np.where(random.random(runs) < 0.6, "converged", "exhausted")
    table = {"rate": random.integers(0, groups, runs), "seed": random.integers(0, starts, runs), "status": status}
    return Sample(pd.DataFrame({**table, "epochs": random.integers(0, 30, runs), "horizon": 30}))


@settings(max_examples=50)
@given(CODES)
def test_codes_that_are_counted_are_those_that_are_sorted(codes):
    codes = np.array(codes)
    values, places, numbers = np.unique(codes, return_inverse=True, return_counts=True)
    assert np.array_equal(distinct(codes), values)
    assert np.array_equal(compact(codes)[1], places)
    assert np.array_equal(counted(codes), [values, numbers])


@settings(max_examples=50)
@given(st.lists(st.integers(0, 60).map(float) | st.floats(-5, 1e9) | st.just(np.inf), min_size=1, max_size=30))
def test_ranks_are_those_of_sorted_values_whole_or_not(values):
    times, rank = ranked(np.array(values))
    assert np.array_equal(times, np.unique(values))
    assert np.array_equal(times[rank], values)


@pytest.mark.parametrize("values", [[3, 1, 3, 2**60], [2, 0, 2, 1], [-1, 5, 0, 5], [1.5, np.nan, 1.5, 0.5], [None, "b", "a"]])
def test_an_axis_has_the_codes_that_pandas_gives_its_groups(values):
    table = pd.DataFrame({"axis": values, "status": "converged", "epochs": 1})
    expected = table.groupby("axis", dropna=False).ngroup()
    assert np.array_equal(Sample(table).factorized("axis")[0], expected)


def test_halves_of_starts_that_are_all_in_all_groups_are_those_of_starts_that_may_not_be():
    group, start = (codes.ravel() for codes in np.meshgrid(np.arange(3), np.arange(11), indexing="ij"))
    both = [list(restarts._halves(group, start, 11, complete)) for complete in (True, False)]
    assert np.array_equal(*both)


@pytest.mark.parametrize("runs", [40, 400])
def test_runs_put_into_blocks_at_once_are_those_of_the_starts_that_were(runs, monkeypatch):
    sample, most = sample_of(runs, 40, 2), 4
    monkeypatch.setattr(bayesian_bootstrap, "MOST_UNITS", most)
    found = starts_of(sample, ["rate"])
    unit = np.random.default_rng(bayesian_bootstrap.SEED).permutation(sample.starts[1])[sample.starts[0]]
    group = sample.codes(["rate"])[0]
    rows = zip(found.group, found.weight, found.runs, found.spent, found.successes, found.number, strict=True)
    for owner, weight, number, spent, successes, starts in rows:
        own = (group == owner) & (unit % most == weight)
        assert (number, spent, successes) == (own.sum(), sample.epochs[own].sum(), sample.event[own].sum())
        assert starts == len(set(unit[own]))


def test_curves_of_a_grouping_are_made_once_and_are_those_of_its_runs():
    sample = sample_of(200, 30, 3)
    group, groups = sample.codes(["rate"])
    curves, clusters = product_limit(sample.time, sample.event, group), Clusters.of(sample.starts[0], group, groups)
    found = curves_of(sample, ["rate"])
    assert found is curves_of(sample, ["rate"])
    assert np.array_equal(found.curves.survival, curves.survival)
    assert np.array_equal(found.effective, effective_runs_at(curves, sample.event, clusters))
    assert np.array_equal(found.of_rate, of_rate(sample.event, clusters))
    assert np.array_equal(found.watched, [30.0] * groups)


def test_resamples_in_parts_are_kept_and_are_the_product_with_all_weights():
    starts = 1000
    ones, spent = np.ones(starts), np.arange(starts) + 5.0
    table = Starts(
        np.zeros(starts, int), np.arange(starts), ones, ones, spent, ones, ones, np.array([0, starts]), np.array([starts])
    )
    found = resampled(table, np.array([0]))
    assert found is resampled(table, np.array([0]))
    weights = bayesian_bootstrap.weights()
    assert found.seen[0] == pytest.approx(spent @ weights / weights.sum(axis=0), rel=1e-12)
