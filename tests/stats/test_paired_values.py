"""Values of an axis are compared start by start, and only what was tested is called a shape."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from pipeline.stats.comparisons import paired_values
from pipeline.stats.comparisons.paired_values import TESTS, paired
from pipeline.stats.comparisons.shape import MEANINGS
from pipeline.stats.comparisons.within_a_sweep import variance_shares
from pipeline.stats.sample import Sample
from pipeline.stats.summary import Summary

HORIZON = 1000


def sweep(cost, **axes):
    """A run for each combination of the axes, of `cost` epochs if that is within the horizon."""
    table = pd.DataFrame(list(product(*axes.values())), columns=list(axes))
    epochs = np.array([cost(**dict(zip(axes, row, strict=True))) for row in table.itertuples(index=False, name=None)])
    status = np.where(epochs <= HORIZON, "converged", "exhausted")
    return table.assign(status=status, epochs=np.minimum(epochs, HORIZON), horizon=HORIZON)


def along(costs, starts=8):
    """The summary of values 1, 2, … of an axis, each a little costlier from each next start."""
    values = range(1, len(costs) + 1)
    return Summary(sweep(lambda value, seed: costs[value - 1] * (10 + seed), value=values, seed=range(starts)))


def test_the_running_times_of_pairs_are_those_of_the_table_and_their_difference_is_found():
    summary = along([3, 9, 70])
    pairs, ert = summary.paired("value"), summary.by("value").set_index("value")["ert"]
    for place, value in (("first", pairs["first"]), ("second", pairs["second"])):
        assert np.allclose(pairs[f"ert_{place}"], ert[value])
    assert (pairs["starts"] == 8).all()
    assert (pairs["smallest_p"] == 2 / 2**8).all()
    assert pairs.loc[0, ["p_epochs", "p_epochs_adjusted", "p_ert"]].tolist() == [2 / 2**8] * 3
    assert pairs.loc[1, "p_ert_adjusted"] == pytest.approx(2 / 2**8)
    assert pairs.loc[0, "p_rate"] == 1  # all of both converged
    assert pairs.loc[1, "p_rate"] == 1 / 4  # 3 of 8 did not at the third value


def test_a_cost_is_lower_only_if_failures_not_seen_would_not_make_up_for_it():
    pairs, spent = along([3, 9, 70]).paired("value"), [3 * np.arange(10, 18), 9 * np.arange(10, 18)]
    drawn = np.random.default_rng(0).beta(0.5, 8, 200_000)
    made_up = spent[0].mean() + drawn / (1 - drawn) * HORIZON > spent[1].mean()
    assert pairs.loc[0, "p_unseen"] == pytest.approx(made_up.mean(), abs=0.005)
    assert pairs.loc[0, "p_ert_adjusted"] == pairs.loc[0, "p_unseen"]
    assert pairs.loc[1, "p_unseen"] < 0.01
    rng, shown = np.random.default_rng(2), 0
    for _ in range(60):  # both cost 1,042: one always, the other 100 but for a failure in 22 starts
        failed = rng.random(10) < 1 / 22.2
        table = pd.DataFrame({"value": np.repeat([1, 2], 10), "seed": [*range(10)] * 2, "horizon": 20_000})
        table["status"] = np.where(np.concatenate([np.zeros(10, bool), failed]), "exhausted", "converged")
        table["epochs"] = np.concatenate([rng.normal(1042, 50, 10), np.where(failed, 20_000, rng.normal(100, 5, 10))]).round()
        shown += paired(Sample(table), "value").loc[0, "p_ert_adjusted"] < 0.05
    assert shown == 0


def test_five_starts_can_show_nothing_and_six_can():
    assert along([3, 9], starts=5).paired("value")["p_epochs_adjusted"].tolist() == [0.0625]
    assert along([3, 9], starts=6).paired("value")["p_epochs_adjusted"].tolist() == [2 / 64]
    assert along([3, 9]).starts_needed() == 6


@pytest.mark.parametrize(
    ("axes", "axis"),
    [
        ({"value": [1, 2]}, "value"),
        ({"value": [1, 2], "momentum": [0, 0.5, 0.9]}, "value"),
        ({"value": [1, 2], "seed": [3]}, "value"),
        ({"value": [1, 2], "seed": range(9)}, "seed"),
        ({"value": [1, 2], "threshold": [0.1, 0.01], "seed": range(9)}, "threshold"),
    ],
    ids=["one run", "settings only", "one seed", "the seeds", "thresholds of one training"],
)
def test_where_starts_do_not_replicate_values_there_is_no_test(axes, axis):
    summary = Summary(sweep(lambda value, **_: 10 * value, **axes))
    pairs = summary.paired(axis)
    assert pairs[[*TESTS, "smallest_p"]].isna().all(axis=None)
    assert (pairs["pairs"] > 0).all()
    assert summary.shape(axis) == "no test"


def test_starts_of_which_a_part_ran_at_a_value_count_there_alone():
    table = along([3, 9, 40], starts=9).results
    table = table[(table["value"] != 3) | (table["seed"] == 0)]
    pairs = paired(Sample(table), "value")
    assert pairs["starts"].tolist() == [9, 1, 1]
    assert pairs["p_ert"].isna().tolist() == [False, True, True]


def test_of_many_values_some_are_compared_from_the_first_to_the_last(monkeypatch):
    assert paired_values.MOST_VALUES == 50
    monkeypatch.setattr(paired_values, "MOST_VALUES", 5)
    pairs = paired(Sample(sweep(lambda value, seed: value, value=range(1, 42), seed=range(2))), "value")
    assert len(pairs) == 5 * 4 / 2
    assert set(pairs["first"]) | set(pairs["second"]) == {1, 11, 21, 31, 41}


def test_more_starts_than_are_flipped_one_by_one_are_flipped_in_blocks():
    rng = np.random.default_rng(0)
    values, seed = (index.ravel() for index in np.indices((3, 2500)))
    epochs = np.ceil(rng.exponential(100, 7500) * np.where(values == 2, 1.3, 1))
    table = pd.DataFrame({"value": values, "seed": seed, "status": "converged", "epochs": epochs})
    pairs = paired(Sample(table), "value")
    assert (pairs["starts"] == 2500).all()
    assert pairs["p_epochs_adjusted"].lt(0.05).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("costs", "shape"),
    [
        ([3, 5, 9, 30], "rising"),
        ([30, 9, 5, 3], "falling"),
        ([30, 9, 3, 9, 30], "valley inside"),
        ([3, 9, 30, 9, 3], "peak inside"),
        ([30, 3, 45, 10], "none shown"),  # a valley and a peak
        ([9, 9, 9], "none shown"),
        ([3, 30], "rising"),
        ([30, 5, 1000], "valley inside"),  # nothing converged at the last value
        ([1000, 1000], "none shown"),
    ],
)
def test_a_shape_is_how_the_cost_goes(costs, shape):
    assert along(costs, starts=10).shape("value") == shape
    assert shape in MEANINGS
    assert along(costs, starts=5).shape("value") == "none shown"


def test_what_has_no_order_has_no_shape():
    for values in (["tanh", "relu"], [True, False], [None, 2.0], ["[2]", "[3]"]):
        table = sweep(lambda value, seed: 10 + seed + 100 * (value == values[0]), value=values, seed=range(8))  # noqa: B023
        assert Summary(table).shape("value") == "no test"


def test_shares_of_variance_are_statsmodels_analysis_of_variance():
    rng = np.random.default_rng(5)
    table = sweep(lambda a, b, seed: rng.integers(1, 2000), a=[1, 2, 3], b=["x", "y"], seed=range(4))
    shares = variance_shares(Sample(table)).set_index(["axis", "with_axis"])["share"]
    theirs = anova_lm(ols("np.log1p(epochs) ~ (C(a) + C(b) + C(seed)) ** 2", table).fit())["sum_sq"]
    assert len(shares) == len(theirs) == 7
    for name, square in theirs.items():
        axis, _, other = name.replace("C(", "").replace(")", "").partition(":")
        key = ("remainder", "") if axis == "Residual" else (axis, other)
        assert shares[key] == pytest.approx(square / theirs.sum(), abs=1e-9)


def test_partial_dependence_is_the_mean_of_the_log_costs_of_the_other_settings():
    table = sweep(lambda a, b, c, seed: a * b * c * (1 + seed % 2), a=[1, 2], b=[3, 5, 11], c=[1, 4], seed=range(4))
    found = Summary(table).partial_dependence("a").set_index("a")
    costs = np.log(table.groupby(["a", "b", "c"])["epochs"].mean()).groupby("a")
    assert np.allclose(np.log(found["mean"]), costs.mean())
    assert np.allclose(np.log(found["low"]), costs.quantile(0.25))
    assert np.allclose(np.log(found["high"]), costs.quantile(0.75))
    assert (found[["settings", "unsolved"]] == [6, 0]).all(axis=None)
    assert found.loc[2, "mean"] / found.loc[1, "mean"] == pytest.approx(2)


def test_settings_in_which_nothing_converged_count_with_at_least_their_cost_and_are_counted():
    table = sweep(lambda a, b, seed: 10 if a * b < 4 else 9999, a=[1, 2], b=[1, 2], seed=range(5))
    found = Summary(table).partial_dependence("a").set_index("a")
    assert found["unsolved"].tolist() == [0, 1]
    assert 10 * HORIZON > found.loc[2, "high"] > found.loc[2, "mean"] > np.sqrt(10 * HORIZON)
    part = table[(table["a"] == 1) | (table["b"] == 1)]  # b = 2 was not run at every value
    assert np.allclose(Summary(part).partial_dependence("a")[["mean", "settings"]], [[10, 1], [10, 1]])
    nowhere = table[table["a"] == table["b"]]
    assert Summary(nowhere).partial_dependence("a")["mean"].isna().all()
