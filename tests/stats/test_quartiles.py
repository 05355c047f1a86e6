"""Quartiles are those of the runs, the ones that did not converge included, and their intervals hold what they promise."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.api import OLS

from pipeline.stats.quartiles import QUARTILES, order_shares
from pipeline.stats.sample import Sample
from pipeline.stats.summary import summarize


def sweep(epochs, seed, horizon=10**9, **axes) -> Sample:
    """Runs that converged after these epochs, if these are within the horizon."""
    epochs = np.asarray(epochs, float)
    status = np.where(epochs <= horizon, "converged", "exhausted")
    return Sample(
        pd.DataFrame({"seed": seed, **axes, "status": status, "epochs": np.minimum(epochs, horizon), "horizon": horizon})
    )


@pytest.mark.parametrize("runs", [1, 2, 5, 6, 10, 11, 40, 101])
@pytest.mark.parametrize("horizon", [300, 10**9])
def test_in_a_single_cell_they_are_scipys(runs, horizon):
    epochs = np.random.default_rng(runs).lognormal(5, 1, runs).round() + 1
    row = summarize(sweep(epochs, range(runs), horizon), []).loc[0]
    seen = np.where(epochs <= horizon, epochs, math.inf)
    for name, share in QUARTILES.items():
        lower, upper = (np.quantile(seen, share, method=method) for method in ("inverted_cdf", "higher"))
        between = share * runs == math.floor(share * runs) and np.isfinite(upper)
        upper = np.sort(seen)[min(int(share * runs), runs - 1)] if between else lower
        assert row[name] == pytest.approx(math.sqrt(lower * upper) if np.isfinite(upper) else lower)
        if runs > 1:
            ends = stats.quantile_test(seen, p=share).confidence_interval(0.95)
            assert row[f"{name}_low"] == (0 if np.isnan(ends.low) else ends.low)
            assert row[f"{name}_high"] == (math.inf if np.isnan(ends.high) else ends.high)
        else:
            assert np.isnan(row[[f"{name}_low", f"{name}_high"]].to_numpy(float)).all()


def test_five_starts_have_no_finite_upper_end_of_the_median_and_six_have():
    for starts, end in ((5, math.inf), (6, 60)):
        row = summarize(sweep(np.arange(1, starts + 1) * 10, range(starts)), []).loc[0]
        assert row["median_high"] == end


def test_the_median_of_an_even_number_lies_between_the_two_in_the_middle():
    def median(*epochs):
        return summarize(sweep(epochs, range(len(epochs)), 100), []).loc[0, "median"]

    assert median(10, 40) == 20
    assert median(0, 49, 50, 999) == pytest.approx(math.sqrt(49 * 50))
    assert median(0, 16) == 4  # epoch 0 counts as 1
    assert median(10, 30, 999, 999) == 30  # what comes after is not known: by then half had converged
    assert median(10, 30, 30, 999) == 30
    assert median(10, 999, 999, 999) == math.inf


@pytest.mark.parametrize("number", range(4))
def test_in_a_pooled_row_they_are_woodruffs_of_the_cluster_robust_variance(number):
    rng = np.random.default_rng(number)
    starts, settings = 15, 8
    epochs = np.exp(6 + rng.normal(0, 1, (starts, 1)) + rng.normal(0, 0.7, (starts, settings))).round().ravel()
    seed = np.repeat(np.arange(starts), settings)
    keep = rng.random(len(seed)) < 0.8  # unequal numbers
    epochs, seed = epochs[keep], seed[keep]
    row = summarize(sweep(epochs, seed, 3000, learning_rate=np.arange(len(seed))), []).loc[0]
    seen = np.sort(np.where(epochs <= 3000, epochs, math.inf))
    for name, share in QUARTILES.items():
        within = (epochs <= np.quantile(seen, share, method="inverted_cdf")).astype(float)
        variance = OLS(within, np.ones(len(within))).fit(cov_type="cluster", cov_kwds={"groups": seed}).cov_params()[0, 0]
        effective = within.mean() * (1 - within.mean()) / variance
        z = stats.t.ppf(0.975, len(np.unique(seed)) - 1)
        middle, half = share + z**2 / 2 / effective, z * math.sqrt(share * (1 - share) / effective + (z / 2 / effective) ** 2)
        for end, sign in (("low", -1), ("high", 1)):
            level = (middle + sign * half) / (1 + z**2 / effective)
            assert row[f"{name}_{end}"] == np.quantile(seen, level, method="inverted_cdf")


def test_a_row_does_not_depend_on_the_others():
    rng = np.random.default_rng(1)
    table = sweep(rng.integers(1, 60, 400), rng.integers(0, 9, 400), 50, learning_rate=rng.integers(0, 10, 400)).results
    together = summarize(Sample(table), ["learning_rate"]).set_index("learning_rate")
    for rate, own in table.groupby("learning_rate"):
        alone = summarize(Sample(own), ["learning_rate"]).set_index("learning_rate")
        assert np.allclose(together.loc[rate].to_numpy(float), alone.loc[rate].to_numpy(float), rtol=1e-12, equal_nan=True)


@pytest.mark.parametrize("share", QUARTILES.values())
def test_the_order_statistics_around_a_quantile_are_binomial_quantiles(share):
    runs = np.unique(np.append(np.arange(1, 3000), np.geomspace(3000, 1e7, 500).astype(int)))
    low, high = order_shares(runs, share)
    np.testing.assert_array_equal(np.rint(low * runs), stats.binom.ppf(0.025, runs, share))
    np.testing.assert_array_equal(np.rint(high * runs), stats.binom.isf(0.025, runs, share) + 1)
