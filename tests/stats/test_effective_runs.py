"""Intervals of rates in rows that pool settings are those of as many independent runs as they are worth."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.api import OLS
from statsmodels.stats.proportion import proportion_confint

from pipeline.report.tables import readable
from pipeline.stats.sample import Sample
from pipeline.stats.summary import INTERVALS, summarize
from tests.designs import start_population, sweep_of_starts


def runs_of(starts, converged, **axes) -> Sample:
    """Runs from these starts, each converged or not."""
    status = np.where(converged, "converged", "exhausted")
    return Sample(pd.DataFrame({"seed": starts, **axes, "status": status, "epochs": 10, "horizon": 10}))


def uneven(number, rate=0.6) -> tuple[np.ndarray, np.ndarray]:
    """The start of each run, unequal numbers of each, and whether it converged: starts differ."""
    rng = np.random.default_rng(number)
    start = rng.integers(0, 12, 90)
    return start, rng.random(90) < np.clip(rate + rng.normal(0, 0.3, 12), 0, 1)[start]


@pytest.mark.parametrize("successes", [0, 1, 7, 19, 20])
def test_the_interval_of_a_single_cell_is_wilsons(successes):
    row = summarize(runs_of(range(20), np.arange(20) < successes), []).loc[0]
    expected = proportion_confint(successes, 20, method="wilson")
    assert row[["rate_low", "rate_high"]].tolist() == pytest.approx(expected, abs=1e-9)
    assert row["effective_runs"] == row["starts"] == 20


@pytest.mark.parametrize("number", range(4))
def test_the_effective_runs_are_those_of_the_cluster_robust_variance_of_statsmodels(number):
    start, converged = uneven(number)
    row = summarize(runs_of(start, converged, learning_rate=np.arange(90)), []).loc[0]
    fit = OLS(converged.astype(float), np.ones(90)).fit(cov_type="cluster", cov_kwds={"groups": start})
    rate = converged.mean()
    effective = rate * (1 - rate) / fit.cov_params()[0, 0]
    starts = len(np.unique(start))
    assert starts / 2 < effective < 90
    assert row["effective_runs"] == pytest.approx(effective, rel=1e-9)
    t = stats.t.ppf(0.975, starts - 1)
    for end in ("rate_low", "rate_high"):  # Wilson's ends solve (p − x)² = t² x (1 − x) ÷ n
        assert (rate - row[end]) ** 2 == pytest.approx(t**2 * row[end] * (1 - row[end]) / effective, rel=1e-9)
    assert row["rate_low"] < rate < row["rate_high"]


def test_runs_of_one_start_that_all_end_alike_say_no_more_than_one():
    start = np.repeat(np.arange(10), 24)
    row = summarize(runs_of(start, start < 7, learning_rate=np.tile(np.arange(24), 10)), []).loc[0]
    assert (row["runs"], row["starts"]) == (240, 10)
    assert row["effective_runs"] == pytest.approx(9)  # 10, less one for the rate that is not known
    assert row["rate_high"] - row["rate_low"] > 0.5


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_where_all_or_none_converged_starts_are_counted_and_not_runs(share):
    start = np.repeat(np.arange(10), 24)
    row = summarize(runs_of(start, np.full(240, share == 1), learning_rate=np.tile(np.arange(24), 10)), []).loc[0]
    assert row["effective_runs"] == 10
    expected = proportion_confint(10 * share, 10, method="wilson")
    assert row[["rate_low", "rate_high"]].tolist() == pytest.approx(expected, abs=1e-9)


def test_effective_runs_are_at_most_the_runs_and_at_least_half_the_starts():
    start = np.repeat(np.arange(10), 2)
    alike = summarize(runs_of(start, np.arange(20) % 2 == 0, learning_rate=np.arange(20) % 2), []).loc[0]
    assert alike["effective_runs"] == 20  # each start converged in one of two runs: no variance
    sizes = [50, 50, *[1] * 8]  # two starts have nearly all runs, and end differently
    converged = np.r_[np.ones(50, bool), np.zeros(50, bool), np.arange(8) % 2 == 0]
    lone = summarize(runs_of(np.repeat(np.arange(10), sizes), converged, learning_rate=np.arange(108)), []).loc[0]
    assert lone["effective_runs"] == 5


def test_without_replication_there_is_no_interval():
    table = pd.DataFrame({"learning_rate": range(8), "status": ["converged"] * 5 + ["exhausted"] * 3, "epochs": range(8)})
    for sample in (Sample(table), Sample(table.assign(seed=3)), Sample(table.assign(**{"initial.range": range(8)}))):
        assert not sample.replicated
        row = summarize(sample, [])
        ends = [name for name in INTERVALS if name.endswith(("_low", "_high")) and name in row]
        assert len(ends) == 8
        assert row[ends].isna().all(axis=None)
        assert row.loc[0, ["starts", "effective_runs"]].tolist() == [1, 1]
        assert "nan" not in readable(row).to_string()
    assert Sample(table.assign(seed=range(8))).replicated


def test_a_seed_that_makes_no_difference_is_no_replication():
    """Published weights: each setting is one trial, run three times."""
    table = pd.DataFrame({"learning_rate": [1] * 3 + [2] * 3, "seed": [0, 1, 2] * 2, "status": "converged", "epochs": 10})
    assert not Sample(table.assign(key=["a"] * 3 + ["b"] * 3)).replicated
    assert Sample(table.assign(key=list("abcdef"))).replicated
    assert summarize(Sample(table.assign(key=["a"] * 3 + ["b"] * 3)), []).loc[0, "starts"] == 1


def test_one_row_of_one_start_has_no_interval_beside_rows_of_more():
    table = summarize(runs_of([0, 1, 2, 0], [True, False, True, True], learning_rate=[1, 1, 1, 2]), ["learning_rate"])
    assert table["starts"].tolist() == [3, 1]
    assert table["rate_low"].isna().tolist() == [False, True]


def test_a_start_is_a_seed_a_file_or_values_and_not_what_stretches_it():
    table = pd.DataFrame({"status": "converged", "epochs": 3}, index=range(6))
    for axis, values in (
        ("seed", [1, 2, 3]),
        ("initial.path", ["a", "b", "c"]),
        ("initial.values", ["{w:1}", "{w:2}", "{w:3}"]),
    ):
        sample = Sample(table.assign(**{axis: values * 2, "initial.range": [0.5] * 3 + [2.0] * 3}))
        assert sample.starts[1] == 3
        assert sample.starts[0].tolist() == [0, 1, 2] * 2


NAMES = {"rate": None, "q1": 0.25, "median": 0.5, "q3": 0.75}


def truth(epochs, horizon) -> dict[str, float]:
    """The rate and the quartiles of a population, by sorting."""
    ordered = np.sort(np.where(epochs <= horizon, epochs, math.inf), axis=None)
    return {
        name: float(np.isfinite(ordered).mean()) if share is None else float(ordered[int(share * len(ordered))])
        for name, share in NAMES.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("starts", [10, 20, 50])
def test_intervals_of_pooled_rows_cover_a_population_of_which_all_is_known(starts):
    """Starts differ in luck, and some fail wherever; each row pools 4, 6 or 24 settings."""
    samples, horizon = 400, 3000
    population = start_population(100_000, 1)
    table = sweep_of_starts(start_population(samples * starts, starts), samples, horizon)
    sample = Sample(table)
    covered = {name: [] for name in NAMES}
    for by in ([], ["learning_rate"], ["initial.range"]):
        rows = summarize(sample, ["sample", *by])
        for values, own in rows.groupby(by) if by else [((), rows)]:
            part = population if not by else np.take(population, int(values[0]), axis=1 + (by == ["initial.range"]))
            expected = truth(part, horizon)
            for name, value in expected.items():
                covered[name].append(np.mean((own[f"{name}_low"] <= value) & (value <= own[f"{name}_high"])))
    for name in ("rate", "median"):
        assert 0.93 <= np.mean(covered[name]) <= 0.98, name
    for name, shares in covered.items():
        assert min(shares) >= 0.80, name
