"""The true best is among the settings that are not ruled out, and the best of the sample is said to be at an edge if it is."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.stats.costs.best_settings import best_settings
from pipeline.stats.sample import Sample
from pipeline.stats.summary import Summary
from tests.machine import at_most
from tests.stats.worlds import World

BY = ["threshold", "learning_rate"]
WORLDS = {
    "equal": {"cost": [400] * 12, "fails": [0.1] * 12, "shared": False},
    "equal, the same starts fail": {"cost": [400] * 12, "fails": [0.1] * 12},
    "rare failures decide": {"cost": [400] + [200] * 11, "fails": [0.0] + [0.05] * 11, "shared": False},
    "rare failures of the same starts decide": {"cost": [400, 300, 280, 250], "fails": [0.001, 0.03, 0.04, 0.05]},
    "unequal": {"cost": [10_000, 3000, 1000, 500, 400, 200], "fails": [0.2, 0.05, 0.03, 0.02, 0.1, 0.3]},
    "most starts fail": {"cost": [400, 600, 900], "fails": [0.7, 0.6, 0.5], "shared": False},
}


@pytest.mark.slow
@pytest.mark.parametrize("starts", [10, 20, 50])
@pytest.mark.parametrize("name", WORLDS)
def test_the_true_best_is_not_ruled_out(name, starts):
    world = World(**WORLDS[name], seed=starts)
    remains = best_settings(Sample(world.results(150, starts)), BY)["remains"].to_numpy().reshape(150, -1)
    truly = slice(None) if name.startswith("equal") else world.truth.argmin()
    assert remains[:, truly].mean() >= 0.95
    if name == "unequal" and starts == 50:
        assert remains.sum(axis=1).mean() < 4


@pytest.mark.slow
@pytest.mark.parametrize("starts", [10, 20, 50])
def test_the_interval_of_the_setting_that_was_chosen_covers(starts):
    covered = []
    for world in (World(**WORLDS[name], seed=starts) for name in ("equal", "rare failures decide", "unequal")):
        table = best_settings(Sample(world.results(150, starts)), BY).assign(truth=np.tile(world.truth, 150))
        best = table[table["best"]]
        covered.append(((best["ert_low"] <= best["truth"]) & (best["truth"] <= best["ert_high"])).mean())
    assert np.mean(covered) >= 0.95
    assert min(covered) >= 0.8  # the luckiest of 12 equal ones


def results(cost, starts=20, horizon=1000, seed=0, **axes):
    """Results of all combinations of the axes and seeds, of `cost(**values)` epochs times what the seed makes."""
    hard = np.random.default_rng(seed).lognormal(0, 0.3, starts)
    table = pd.MultiIndex.from_product([*axes.values(), range(starts)], names=[*axes, "seed"]).to_frame(index=False)
    epochs = np.array([cost(**{axis: row[axis] for axis in axes}) * hard[row["seed"]] for row in table.to_dict("records")])
    status = np.where(epochs <= horizon, "converged", "exhausted")
    return table.assign(status=status, epochs=np.minimum(np.ceil(epochs), horizon).astype(int), horizon=horizon)


def test_settings_that_are_worse_beyond_doubt_are_ruled_out_at_each_threshold_by_itself():
    factor = {(0.1, 1): 1, (0.1, 2): 1.05, (0.1, 4): 60, (0.01, 1): 60, (0.01, 2): 1.3, (0.01, 4): 1.25}
    axes = {"threshold": [0.1, 0.01], "learning_rate": [1, 2, 4]}
    table = results(lambda threshold, learning_rate: 10 * factor[threshold, learning_rate], 100, **axes)
    found = Summary(table).best_settings.set_index(["threshold", "learning_rate"])
    assert found["remains"].to_dict() == {key: value < 60 for key, value in factor.items()}
    assert found.index[found["best"]].tolist() == [(0.01, 4), (0.1, 1)]
    assert (found.loc[found["best"], "p_better"] == 1).all()
    assert found["edge"].to_dict() == {key: "" if key[1] == 2 else "learning_rate" for key in factor}
    best = Summary(table).best
    assert best[["threshold", "learning_rate"]].to_numpy().tolist() == [[0.1, 1], [0.01, 4]]


def test_a_chosen_setting_may_have_more_failures_that_were_not_seen():
    summary = Summary(results(lambda learning_rate: 100 * learning_rate, learning_rate=[1, 2]))
    chosen, by = summary.best.loc[0], summary.by("learning_rate").loc[0]
    assert (chosen["ert_low"], chosen["ert_high_seen"]) == (by["ert_low"], by["ert_high_seen"])
    assert chosen["ert_high"] > by["ert_high"]


def test_the_chance_of_a_rival_is_that_of_failures_not_seen():
    """Where every start costs the same, nothing else can make up for a difference."""
    table = pd.DataFrame({"a": [1] * 8 + [2] * 8, "seed": [*range(8)] * 2, "epochs": [100] * 8 + [300] * 8, "horizon": 1000})
    found = Summary(table.assign(status="converged")).best_settings
    rng = np.random.default_rng(0)
    of_best, own = (f / (1 - f) for f in (rng.beta(1, 8, 200_000), rng.beta(0.5, 8, 200_000)))
    chance = (300 + own * 1000 <= 100 + of_best * 1000).mean()
    assert found.loc[1, "p_better"] == pytest.approx(chance, rel=0.03)


def test_settings_that_differ_in_nothing_are_never_told_apart():
    found = Summary(results(lambda a: 100, 60, a=list("abcdef"))).best_settings
    assert found["best"].tolist() == [True] + [False] * 5
    assert (found["p_better"] > 0.5).all()
    assert found["remains"].all()


def test_a_setting_without_success_is_ruled_out_only_by_enough_starts():
    for starts, remains in ((2, True), (50, False)):
        found = Summary(results(lambda a: 100 if a == 1 else 1e9, starts, a=[1, 2])).best_settings
        assert found["remains"].tolist() == [True, remains]
        assert found.loc[1, "ert"] == math.inf
        assert found.loc[1, "edge"] == ""


def test_where_nothing_converged_nothing_is_best_and_nothing_ruled_out():
    summary = Summary(results(lambda a: 1e9, a=[1, 2, 3]))
    assert summary.best_settings["remains"].all()
    assert not summary.best_settings["best"].any()
    assert summary.best_settings["p_better"].isna().all()
    assert summary.best.empty


def test_without_replication_the_best_is_named_and_nothing_ruled_out():
    table = results(lambda a: 100 * a, 1, a=[1, 2, 3])
    for runs in (table, table.drop(columns="seed")):
        found = Summary(runs).best_settings
        assert found["best"].tolist() == [True, False, False]
        assert found["remains"].all()
        assert found[["p_better", "ert_low", "ert_high", "ert_high_seen"]].isna().all(axis=None)


def test_one_setting_is_the_best_and_no_setting_has_none():
    found = Summary(results(lambda a: 100, a=[1])).best_settings
    assert found[["best", "remains"]].all(axis=None)
    nothing = Summary(results(lambda: 100))
    assert (len(nothing.best_settings), len(nothing.best)) == (0, 0)


def test_edges_are_those_of_axes_of_at_least_three_numbers():
    axes = {"few": [1, 2], "words": ["a", "b", "c"], "mixed": [1.0, None, 3.0], "step": [1, 2, 3], "range": [0.5, 1, 2]}
    found = Summary(results(lambda **axes: 100, 2, **axes)).best_settings
    for rate, scale, edge in ((1, 2, "step,range"), (2, 0.5, "range"), (2, 1, "")):
        assert set(found.loc[(found["step"] == rate) & (found["range"] == scale), "edge"]) == {edge}


def test_the_best_has_the_columns_of_its_table_and_more():
    summary = Summary(results(lambda a: 100 * a, a=[1, 2]))
    assert summary.best_settings.columns.is_unique
    assert {"rate", "median", "starts", "ert_high_seen", "p_better", "remains", "edge"} < set(summary.best)


@pytest.mark.slow
def test_twenty_thousand_settings_are_compared_in_seconds():
    settings, seeds = (axis.ravel() for axis in np.indices((20_000, 50)))
    rng = np.random.default_rng(0)
    epochs = np.minimum(rng.exponential(300, 10**6) * (1 + settings / 2000), 5000).astype(int)
    table = pd.DataFrame({"learning_rate": settings, "seed": seeds, "epochs": epochs, "horizon": 5000})
    sample = Sample(table.assign(status=np.where(epochs < 5000, "converged", "exhausted")))
    with at_most(20):
        found = best_settings(sample, sample.settings)
    assert found["remains"].iloc[:10].all()
    assert 10 < found["remains"].sum() < 15_000
