"""Which value of an axis may be the best, and what a step away from it costs."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.backprop.status import STATUSES
from pipeline.stats.costs.best_values import best_values, sensitivity
from pipeline.stats.sample import Sample
from pipeline.stats.summary import Summary
from tests.machine import at_most


def sweep(cost, horizon=1000, noise=0.2, **axes):
    """Results of all combinations of the axes, of `cost(**values)` epochs times what the seed makes, and some noise."""
    rng = np.random.default_rng(0)
    hard = rng.lognormal(0, 0.8, len(axes.get("seed", [0])))
    table = pd.MultiIndex.from_product(axes.values(), names=axes.keys()).to_frame(index=False)
    epochs = [cost(**row) * hard[row.get("seed", 0)] * rng.lognormal(0, noise) for row in table.to_dict("records")]
    status = np.where(np.array(epochs) <= horizon, "converged", "exhausted")
    return table.assign(status=status, epochs=np.minimum(np.ceil(epochs), horizon).astype(int), horizon=horizon)


def test_the_best_value_is_as_sure_as_the_seeds_allow():
    factor = {0.1: 20.0, 0.5: 1.0, 1.0: 1.02, 5.0: 1e9}
    table = sweep(
        lambda learning_rate, threshold, seed: 30 * factor[learning_rate] / threshold,
        learning_rate=list(factor), threshold=[1.0, 0.5, 1e-9], seed=range(40),
    )  # fmt: skip
    best = best_values(Sample(table)).set_index(["threshold", "learning_rate"])
    assert best.groupby("threshold")["best"].sum().to_dict() == {1e-9: 0, 0.5: 1, 1.0: 1}
    for threshold in (0.5, 1.0):
        share, remains = best.loc[threshold, "share_best"], best.loc[threshold, "remains"]
        assert share.sum() == pytest.approx(1)
        assert share[5.0] == 0
        assert 0 < share[0.5] < 1
        assert remains.to_dict() == {0.1: False, 0.5: True, 1.0: True, 5.0: False}
    assert (best.loc[1e-9, "share_best"] == 0).all()
    assert best.loc[1e-9, "remains"].all()
    assert (best["ert_low"] <= best["ert"]).all()
    assert (best["ert"] <= best["ert_high_seen"]).all()
    assert (best["ert_high_seen"] <= best["ert_high"]).all()
    names = ["runs", "converged", "ert", "ert_low", "ert_high", "ert_high_seen"]
    assert best[names].equals(Summary(table).by("threshold", "learning_rate").set_index(best.index.names)[names])


def test_failures_that_were_not_seen_keep_a_value_in_that_no_resample_finds_best():
    costs = {1: 100, 2: 130}
    table = sweep(lambda learning_rate, seed: costs[learning_rate], 1e5, 0.01, learning_rate=[1, 2], seed=range(15))
    other = best_values(Sample(table)).loc[1]
    assert other["share_best"] == 0
    assert other["remains"]


def test_a_step_costs_what_was_planted():
    factor = {0.1: 9.0, 0.5: 2.0, 1.0: 1.0, 5.0: 3.0}
    table = sweep(
        lambda learning_rate, task, seed: 20 * factor[learning_rate], 1e6, 0.05,
        learning_rate=list(factor), task=["xor", "iris", "parity"], seed=range(30),
    )  # fmt: skip
    steps = sensitivity(Sample(table)).set_index(["axis", "step"])
    for step, value, ratio in (("down", 0.5, 2), ("up", 5.0, 3)):
        row = steps.loc["learning_rate"].loc[step]
        assert (row["best"], row["value"]) == (1.0, value)
        assert row["ratio"] == pytest.approx(ratio, rel=0.1)
        assert row["ratio_low"] < row["ratio_low_seen"] <= row["ratio"] <= row["ratio_high_seen"] < row["ratio_high"]
        assert row["ratio_high_seen"] / row["ratio_low_seen"] < 1.3  # pairs: what differs between seeds cancels
        assert row["ratio_high"] > 10  # at either value a start may fail, and take a million epochs
    assert len(steps.loc[[("task", "other")]]) == 2


def test_without_replication_there_is_no_interval_and_nothing_is_ruled_out():
    table = sweep(lambda **axes: 10 * axes["learning_rate"], learning_rate=[1, 2, 4], seed=[0])
    for runs in (table, table.drop(columns="seed")):
        best = best_values(Sample(runs))
        assert best["best"].tolist() == [True, False, False]
        assert best["remains"].all()
        unknown = ["ert_low", "ert_high", "ert_high_seen", "share_best", "p_better"]
        assert best[unknown].isna().all(axis=None)
        steps = sensitivity(Sample(runs), ["learning_rate"])
        assert steps.filter(like="ratio_").isna().all(axis=None)


@pytest.mark.parametrize(
    "table",
    [
        sweep(lambda **_: 9999, learning_rate=[1, 2], seed=range(3)),
        sweep(lambda **_: 0, learning_rate=[1, 2], seed=range(3)),
        sweep(lambda **_: 5, learning_rate=[1]),
        sweep(lambda **_: 5, seed=range(3)),
        sweep(lambda threshold: 5 / threshold, threshold=[0.1, 0.001]),
        sweep(lambda **_: 5, task=["xor", "iris"], train_bias=[True, False], x=[None, 2.0]),
        sweep(lambda **_: 5, learning_rate=[1, 2], seed=range(3)).iloc[:0],
    ],
    ids=["nothing converges", "at epoch 0", "one run", "seeds only", "threshold only", "words", "no run"],
)
def test_every_kind_of_sweep_has_its_tables_of_costs(table):
    summary = Summary(table)
    for axis in summary.axes:
        assert len(summary.best_values(axis)) >= summary.size(axis)
    assert (summary.sensitivity["ratio"] > 0).all()
    assert len(summary.best_settings) == len(summary.restarts)
    assert summary.by(*summary.axes)["ert_high"].isna().all()


@pytest.mark.slow
def test_a_million_runs_have_their_tables_of_costs_in_seconds():
    rng, shape = np.random.default_rng(0), (10, 5, 5, 1000, 4)
    names = ("learning_rate", "initial.range", "momentum", "seed", "threshold")
    many = math.prod(shape)
    table = pd.DataFrame(dict(zip(names, np.indices(shape).reshape(5, -1), strict=True)))
    table = table.assign(status=rng.choice(STATUSES, many), epochs=rng.integers(0, 10_000, many))
    with at_most(30):
        summary = Summary(table)
        tables = [summary.best_values("learning_rate"), summary.sensitivity, summary.best_settings, summary.restarts]
        assert all(map(len, tables))
