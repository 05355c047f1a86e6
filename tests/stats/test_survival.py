"""Survival curves, means and medians under censoring are those of others, and their bands hold what they promise."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from pipeline.stats.effective_runs import Clusters
from pipeline.stats.product_limit import product_limit, restricted_mean
from pipeline.stats.quartiles import quantile, quantile_interval
from pipeline.stats.sample import Sample
from pipeline.stats.summary import summarize
from pipeline.stats.survival import survival
from pipeline.stats.survival_bands import effective_runs_at
from tests.designs import start_population, sweep_of_starts

SIMULATIONS = 1000


def generator(seed=0):
    return np.random.default_rng(seed)


def exponential(rng, shape):
    return rng.exponential(300, shape), 300 * math.log(2)


def log_normal(rng, shape):
    return np.exp(rng.normal(6, 1, shape)), math.exp(6)


def medians(time, event, runs):
    """The median of each simulation and its interval, each run from a start of its own."""
    group = np.repeat(np.arange(SIMULATIONS), runs)
    curves = product_limit(time, event, group)
    clusters = Clusters.of(np.tile(np.arange(runs), SIMULATIONS), group, SIMULATIONS)
    ends = quantile_interval(curves, 0.5, effective_runs_at(curves, event, clusters), clusters)
    return quantile(curves, 0.5, SIMULATIONS), *ends


@pytest.mark.parametrize("law", [exponential, log_normal])
@pytest.mark.parametrize("horizon", [500, math.inf])
def test_the_interval_of_the_median_covers_and_censoring_does_not_bias_it(law, horizon):
    time, truth = law(generator(2), (SIMULATIONS, 60))
    median, low, high = medians(np.minimum(time, horizon).ravel(), (time <= horizon).ravel(), 60)
    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(0.96, abs=0.02)  # of order statistics 0.963
    assert np.median(median) == pytest.approx(truth, rel=0.04)
    if horizon < math.inf:  # as the median of those that converged is
        naive = np.median([np.median(row[row <= horizon]) for row in time])
        assert naive < 0.85 * truth


def test_random_censoring_does_not_bias_the_median():
    rng = generator(3)
    time, truth = log_normal(rng, SIMULATIONS * 80)
    stop = rng.exponential(900, len(time))
    median, low, high = medians(np.minimum(time, stop), time <= stop, 80)
    assert np.median(median) == pytest.approx(truth, rel=0.03)
    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(0.95, abs=0.02)


def stepped(steps, values, at, first=1.0):
    """A step function at some places: `first` before the first step."""
    return np.append(first, values)[np.searchsorted(steps, at, side="right")]


DATA = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 30), st.booleans()), min_size=1, max_size=60)


@settings(max_examples=25)
@given(DATA)
def test_statsmodels_has_the_same_curves_quartiles_and_means(rows):
    group, time, event = (np.array(column) for column in zip(*rows, strict=True))
    group = np.unique(group, return_inverse=True)[1]
    groups = group.max() + 1
    curves = product_limit(time.astype(float), event, group)
    means = restricted_mean(curves, 31.0, groups)
    for g in range(groups):
        theirs = SurvfuncRight(time[group == g], event[group == g])
        mine = curves.group == g
        expected = stepped(theirs.surv_times, theirs.surv_prob, curves.time[mine])
        assert np.allclose(curves.survival[mine], expected, rtol=0, atol=1e-9)
        each = stepped(theirs.surv_times, theirs.surv_prob, np.arange(31))  # times are whole: the area is a sum
        assert means[g] == pytest.approx(each.sum(), abs=1e-9)
        for share in (0.25, 0.5, 0.75):
            # their curve may miss a share by its rounding, and they take the upper of two in the middle
            first, past = (theirs.quantile(share + side) for side in (-1e-9, 1e-9))
            first, past = (math.inf if math.isnan(end) else end for end in (first, past))
            between = math.sqrt(first * past) if past < math.inf else first
            assert quantile(curves, share, groups)[g] == pytest.approx(between, abs=1e-9)


def test_a_group_does_not_depend_on_the_others():
    rng = generator(8)
    time, event, group = rng.integers(0, 50, 500).astype(float), rng.random(500) < 0.7, rng.integers(0, 10, 500)
    together = product_limit(time, event, group)
    for g in range(10):
        alone = product_limit(time[group == g], event[group == g])
        mine = together.group == g
        for name in ("time", "at_risk", "events", "censored"):
            assert np.array_equal(getattr(together, name)[mine], getattr(alone, name))
        for name in ("survival", "greenwood"):
            assert np.allclose(getattr(together, name)[mine], getattr(alone, name), atol=1e-12)


def ended(rng, runs, horizon):
    """Results of runs of which a third diverge or get stuck; each has a horizon, and all times differ."""
    epochs = rng.permutation(np.arange(1, 3 * runs))[:runs].astype(float)
    status = np.where(epochs > horizon, "exhausted", rng.choice(["converged", "converged", "diverged", "stationary"], runs))
    return pd.DataFrame({"seed": range(runs), "status": status, "epochs": np.minimum(epochs, horizon), "horizon": horizon})


def test_at_one_horizon_the_share_that_converged_is_aalens_and_johansens():
    results = ended(generator(4), 60, 100.0)
    cause = results["status"].map({"converged": 1, "diverged": 2, "stationary": 2, "exhausted": 0})
    time = results["epochs"] + 0.5 * (results["status"] == "exhausted")
    theirs = CumIncidenceRight(time, cause)
    curve = survival(Sample(results))
    expected = stepped(theirs.times, theirs.cinc[0], curve["epochs"], first=0.0)
    assert np.allclose(1 - curve["survival"], expected, rtol=0, atol=1e-9)


def test_with_several_horizons_a_run_that_diverged_is_at_risk_up_to_its_own():
    horizon = generator(5).choice([30.0, 60.0, 150.0], 60)
    results = ended(generator(6), 60, horizon)
    time = np.where(results["status"] == "converged", results["epochs"], horizon)
    theirs = SurvfuncRight(time, results["status"] == "converged")
    curve = survival(Sample(results))
    expected = stepped(theirs.surv_times, theirs.surv_prob, curve["epochs"])
    assert np.allclose(curve["survival"], expected, rtol=0, atol=1e-9)


def test_the_median_of_runs_with_several_horizons_is_that_of_the_population():
    """Were those that diverged at risk for ever, it would be too high: the exhausted leave at 30 and 100, and they do not."""
    rng = generator(7)
    horizon = np.tile([30, 100, 3000], 4000)
    epochs = np.ceil(rng.exponential(200, len(horizon)))
    never = rng.random(len(horizon)) < 0.3
    population = np.sort(np.where(never, math.inf, epochs))[len(epochs) // 2]
    status = np.where(never, "diverged", np.where(epochs <= horizon, "converged", "exhausted"))
    spent = np.where(never, np.minimum(horizon, 20), np.minimum(epochs, horizon))
    results = pd.DataFrame({"seed": range(len(epochs)), "status": status, "epochs": spent, "horizon": horizon})
    assert summarize(Sample(results), []).loc[0, "median"] == pytest.approx(population, rel=0.05)


def test_the_variance_of_a_curve_is_the_jackknife_of_statsmodels_curve():
    """Each start's weight a little larger: what it does to the curve is its influence."""
    rng = generator(9)
    start, time = rng.integers(0, 8, 60), rng.integers(1, 40, 60).astype(float)
    event = rng.random(60) < 0.6
    curves = product_limit(time, event)
    clusters = Clusters.of(start, np.zeros(60, np.intp), 1)
    effective = effective_runs_at(curves, event, clusters)
    at = curves.time

    def share(weights):
        theirs = SurvfuncRight(time, event, freq_weights=weights)
        return 1 - stepped(theirs.surv_times, theirs.surv_prob, at)

    influence = np.array([(share(1 + 1e-5 * (start == s)) - share(1 - 1e-5 * (start == s))) / 2e-5 for s in range(8)])
    variance = 8 / 7 * np.square(influence).sum(axis=0)
    middle = share(np.ones(60))
    inside = (middle > 0) & (middle < 1)
    expected = np.clip(middle * (1 - middle) / np.where(inside, variance, 1), 4, 60)
    assert np.allclose(effective[inside], expected[inside], rtol=1e-6)
    assert ((expected > 4) & (expected < 60)).mean() > 0.5


def test_bands_never_rise_and_hold_the_curve():
    rng = generator(10)
    results = pd.DataFrame(
        {
            "seed": rng.integers(0, 9, 300),
            "learning_rate": rng.integers(0, 3, 300),
            "x": range(300),
            "epochs": rng.integers(1, 90, 300),
        }
    )
    results = results.assign(status=np.where(results["epochs"] < 70, "converged", "exhausted"))
    for _, curve in survival(Sample(results), ["learning_rate"]).groupby("learning_rate"):
        assert curve["survival"].diff().max() < 1e-12  # but for rounding
        for name in ("low", "high"):
            assert curve[name].is_monotonic_decreasing
        assert (curve["low"] <= curve["survival"]).all()
        assert (curve["survival"] <= curve["high"]).all()
        assert curve["low"].iloc[0] < curve["high"].iloc[0] == 1  # none converged yet: of nine starts that is not nothing
    assert survival(Sample(results.assign(seed=1))).loc[:, ["low", "high"]].isna().all(axis=None)


def test_a_curve_ends_where_its_group_was_last_watched():
    results = pd.DataFrame(
        {"max_epochs": [10, 10, 100, 100], "seed": [0, 1] * 2, "status": ["exhausted", "diverged", "converged", "diverged"],
         "epochs": [10, 3, 50, 4]}
    )  # fmt: skip
    ends = survival(Sample(results), ["max_epochs"]).groupby("max_epochs")["epochs"].max()
    assert ends.to_dict() == {10: 10, 100: 100}
    assert summarize(Sample(results), ["max_epochs"])["restricted_mean"].tolist() == [10, 75]


@pytest.mark.slow
def test_bands_of_pooled_rows_cover():
    samples, starts, horizon = 200, 10, 3000
    curves = survival(
        Sample(sweep_of_starts(start_population(samples * starts, 5), samples, horizon)), ["sample", "initial.range"]
    )
    population = start_population(100_000, 1)
    covered = []
    for epoch in (50, 200, 800, 2000):
        at = curves[curves["epochs"] <= epoch].groupby(["initial.range", "sample"]).tail(1)
        for width, rows in at.groupby("initial.range"):
            share = np.mean(population[:, :, int(width)] > epoch)
            covered.append(np.mean((rows["low"] <= share) & (share <= rows["high"])))
    assert 0.93 <= np.mean(covered) <= 0.98
    assert min(covered) >= 0.85
