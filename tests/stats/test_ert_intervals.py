"""The interval of what a success costs holds what it promises, and allows for failures that were not seen."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.stats.costs.ert_intervals import ERT_INTERVALS, ert_intervals
from pipeline.stats.sample import Sample
from pipeline.stats.summary import Summary
from tests.machine import at_most
from tests.stats.worlds import World

BY = ["threshold", "learning_rate"]
WORLDS = {
    "rare failures": {"cost": [400, 300, 250], "fails": [0.001, 0.02, 0.05]},
    "the same starts fail": {"cost": [3000, 1000, 400, 200], "fails": [0.05, 0.1, 0.2, 0.3]},
    "each setting has its own failures": {"cost": [3000, 1000, 400, 200], "fails": [0.05, 0.1, 0.2, 0.3], "shared": False},
    "most starts fail": {"cost": [400, 600], "fails": [0.6, 0.5]},
}


def covered(table, truth):
    return ((table["ert_low"] <= truth) & (truth <= table["ert_high"])).mean()


@pytest.mark.slow
@pytest.mark.parametrize("starts", [10, 20, 50])
def test_the_interval_of_the_running_time_covers(starts):
    cells, rows = [], []
    for world in (World(**world, seed=starts) for world in WORLDS.values()):
        sample = Sample(world.results(400, starts))
        own = ert_intervals(sample, BY).assign(truth=np.tile(world.truth, 400), setting=np.tile(range(len(world.truth)), 400))
        cells += [covered(part, part["truth"]) for _, part in own.groupby("setting")]
        rows.append(covered(ert_intervals(sample, ["threshold"]), world.truth_of_all))
    assert np.mean(cells) >= 0.93
    assert min(cells) >= 0.9
    assert np.mean(rows) >= 0.93
    assert min(rows) >= 0.9


def runs(epochs, converged, horizon=1000, **axes):
    """Results of runs from seeds of their own, or with these axes."""
    axes = axes or {"seed": range(len(epochs))}
    return pd.DataFrame({**axes, "status": np.where(converged, "converged", "exhausted"), "epochs": epochs, "horizon": horizon})


@pytest.mark.parametrize("starts", [2, 10, 100])
def test_where_all_starts_cost_the_same_only_failures_not_seen_are_left(starts):
    low, high, seen = ert_intervals(Sample(runs([100] * starts, [True] * starts)), []).loc[0, list(ERT_INTERVALS)]
    f = stats.beta(0.5, starts).ppf(0.975)
    assert (low, seen) == (pytest.approx(100), pytest.approx(100))
    assert high == pytest.approx(100 + f / (1 - f) * 1000, rel=0.05)


def test_runs_from_the_same_starts_tell_no_more_than_their_starts():
    rng = np.random.default_rng(1)
    one = runs(rng.integers(100, 900, 12), rng.random(12) < 0.8)
    three = pd.concat([one.assign(learning_rate=rate) for rate in (1, 2, 3)])
    alone, pooled = (ert_intervals(Sample(table), []).loc[0] for table in (one, three))
    assert np.allclose(alone, pooled, rtol=1e-12)


def test_a_start_is_a_file_as_well_as_a_seed():
    rng = np.random.default_rng(2)
    seeds = runs(rng.integers(100, 900, 12), rng.random(12) < 0.8)
    files = seeds.drop(columns="seed").assign(**{"initial.path": [f"{number:02}.npz" for number in range(12)]})
    assert ert_intervals(Sample(seeds), []).equals(ert_intervals(Sample(files), []))


@pytest.mark.parametrize(
    "axes", [{"learning_rate": [1, 2, 3]}, {"seed": [4, 4, 4], "learning_rate": [1, 2, 3]}, {"seed": [4, 4, 4]}]
)
@pytest.mark.parametrize("converged", [True, False])
def test_without_replication_there_is_no_interval(axes, converged):
    table = ert_intervals(Sample(runs([9, 8, 7], [converged] * 3, **axes)), [])
    assert table[list(ERT_INTERVALS)].isna().all(axis=None)
    assert ert_intervals(Sample(runs([9, 8, 7], [converged] * 3)), ["seed"]).isna().all(axis=None)  # one start in each row


def test_where_nothing_converged_the_running_time_has_a_lower_bound_only_and_starts_count():
    table = pd.concat([runs([100] * 10, [False] * 10, 100).assign(learning_rate=rate) for rate in (1, 2)])
    row = ert_intervals(Sample(table), []).loc[0]
    assert row["ert_low"] == pytest.approx(100 / 0.2775, rel=1e-3)
    assert (row["ert_high"], row["ert_high_seen"]) == (math.inf, math.inf)


def test_the_interval_depends_on_nothing_but_its_row():
    rng = np.random.default_rng(6)
    table = runs(rng.integers(1, 100, 60), rng.random(60) < 0.6, seed=np.tile(np.arange(20), 3), task=np.repeat(range(3), 20))
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    one = Summary(table).by("task")[list(ERT_INTERVALS)]
    assert (before == np.random.get_state()[1]).all()
    shuffled = Summary(table.sample(frac=1, random_state=0)).by("task")[list(ERT_INTERVALS)]
    assert one.equals(shuffled)
    alone = Summary(table[table["task"] == 1]).by("task")[list(ERT_INTERVALS)]
    assert np.allclose(one.loc[[1]], alone, rtol=1e-12)


@pytest.mark.parametrize("nested", [False, True], ids=["one row of many starts", "many rows with starts of their own"])
def test_many_starts_weighted_in_blocks_give_the_interval_of_the_large_sample_formula(nested):
    rng, many = np.random.default_rng(7), 20_000
    axes = {"seed": np.arange(many), "task": np.arange(many) // 500 if nested else np.zeros(many, int)}
    table = runs(np.ceil(rng.exponential(300, many)), rng.random(many) < 0.5, 0, **axes)
    for row in Summary(table).by("task").head(2).to_dict("records"):
        own = table[table["task"] == row["task"]]
        influence = own["epochs"] / own["epochs"].sum() - (own["status"] == "converged") / (own["status"] == "converged").sum()
        error = 1.96 * np.sqrt(np.square(influence).sum())
        assert np.log(row["ert_high_seen"] / row["ert"]) == pytest.approx(error, rel=0.15)
        assert np.log(row["ert"] / row["ert_low"]) == pytest.approx(error, rel=0.15)


@pytest.mark.slow
def test_very_many_rows_have_intervals_in_seconds():
    settings, seeds = (axis.ravel() for axis in np.indices((200_000, 5)))
    rng = np.random.default_rng(0)
    table = runs(rng.integers(1, 1000, 10**6), rng.random(10**6) < 0.8, learning_rate=settings, seed=seeds)
    sample = Sample(table)
    with at_most(20):
        assert (ert_intervals(sample, ["learning_rate"]).notna()).all(axis=None)
