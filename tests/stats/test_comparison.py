"""Planted differences are found, chance is not, and what does not converge is counted as such."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.backprop.status import STATUSES
from pipeline.report.answer import comparison_in_words
from pipeline.stats.comparisons import paired_values, two_sweeps
from pipeline.stats.comparisons import within_a_sweep as comparison
from pipeline.stats.sample import Sample
from tests.machine import at_most

HORIZON = 1000


def sweep(cost, horizon=HORIZON, **axes):
    """A results table over the product of the axes, each run converging after `cost(values)` epochs if within the horizon."""
    rows = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    epochs = np.array([cost(**row) for row in rows])
    table = pd.DataFrame(rows, columns=list(axes))
    return table.assign(
        status=np.where(epochs <= horizon, "converged", "exhausted"),
        epochs=np.minimum(np.ceil(epochs), horizon).astype(int),
        final_error=0.1, gradient_norm=0.1, run_id="r", digest="d",
    )  # fmt: skip


def noise(seeds=30, size=0.2, seed=0):
    """Hardness of each seed, and a spread of its own for each run."""
    rng = np.random.default_rng(seed)
    hardness = rng.normal(0, 0.8, seeds)
    return lambda of: math.exp(hardness[of] + rng.normal(0, size))


def test_a_fifth_more_epochs_is_found_between_two_values_and_nothing_where_nothing_is():
    vary = noise(40, 0.1)
    factor = {0.1: 1.2, 0.5: 1.0, 1.0: 1.0}
    table = sweep(
        lambda learning_rate, seed: 400 * factor[learning_rate] * vary(seed), learning_rate=list(factor), seed=range(40)
    )
    found = paired_values.paired(Sample(table), "learning_rate").set_index(["first", "second"])
    assert found["pairs"].tolist() == [40] * 3
    assert (found[["both", "only_first", "only_second", "neither"]].sum(axis=1) == 40).all()
    assert (found.loc[0.1, "p_epochs_adjusted"] < 0.05).all()
    assert found.loc[(0.5, 1.0), "p_epochs_adjusted"] > 0.05
    assert found.loc[(0.1, 0.5), "ratio"] == pytest.approx(1 / 1.2, rel=0.1)
    assert (found["p_epochs_adjusted"] >= found["p_epochs"]).all()


def test_pairs_are_counted_by_who_converged_and_their_ratios_are_medians():
    rows = [(1, 0, 10), (2, 0, 20), (1, 1, 10), (2, 1, 40), (1, 2, 50), (2, 2, 9999), (1, 3, 9999), (2, 3, 9999)]
    cost = {(rate, seed): epochs for rate, seed, epochs in rows}
    table = sweep(lambda learning_rate, seed: cost[learning_rate, seed], learning_rate=[1, 2], seed=range(4))
    row = paired_values.paired(Sample(table), "learning_rate").loc[0]
    assert row[["pairs", "both", "only_first", "only_second", "neither"]].tolist() == [4, 2, 1, 0, 1]
    assert row["ratio"] == 4  # of 2, 4 and infinity
    assert row["p_rate"] == 1
    assert row["p_epochs"] == 0.25  # three pairs all one way: 2 of 8 flips


def test_runs_of_different_horizons_are_compared_as_far_as_both_were_watched():
    table = sweep(lambda max_epochs, seed: 300, max_epochs=[100, 1000], seed=range(8))
    table["horizon"] = table["max_epochs"]
    short = table["max_epochs"] == 100
    table.loc[short, ["status", "epochs"]] = ["exhausted", 100]
    row = paired_values.paired(Sample(table), "max_epochs").loc[0]
    assert row["neither"] == 8
    assert row["p_rate"] == row["p_epochs"] == 1


def test_thresholds_of_a_training_are_one_pair_and_not_three():
    table = sweep(
        lambda learning_rate, seed, threshold: 100 * learning_rate, learning_rate=[1, 2], seed=range(5), threshold=[1, 2, 3]
    )
    row = paired_values.paired(Sample(table), "learning_rate").loc[0]
    assert row["pairs"] == 15
    assert row["p_epochs"] == 2 / 2**5
    unseeded = paired_values.paired(Sample(table.drop(columns="seed").head(6).assign(threshold=[1, 2, 3] * 2)), "threshold")
    assert len(unseeded) == 3


def test_a_profile_is_the_share_of_problems_within_a_factor_of_the_best():
    cost = {(1, 0): 10, (2, 0): 20, (1, 1): 90, (2, 1): 30, (1, 2): 9999, (2, 2): 50, (1, 3): 9999, (2, 3): 9999}
    table = sweep(lambda learning_rate, seed: cost[learning_rate, seed], learning_rate=[1, 2], seed=range(4))
    profiles = comparison.performance_profiles(Sample(table)).set_index("learning_rate")
    assert profiles.loc[1, ["tau", "share"]].to_numpy().tolist() == [[1, 0.25], [3, 0.5]]
    assert profiles.loc[2, ["tau", "share"]].to_numpy().tolist() == [[1, 0.5], [2, 0.75], [3, 0.75]]
    assert (profiles["problems"] == 4).all()


def test_shares_of_variance_are_those_that_were_planted():
    effect, other, both = {1: -1.0, 2: 1.0}, {"x": -0.5, "y": 0.5}, 0.25
    table = sweep(
        lambda a, b, seed: math.exp(5 + effect[a] + other[b] + both * effect[a] * 2 * other[b]) - 1,
        horizon=1e9, a=[1, 2], b=["x", "y"], seed=range(3),
    )  # fmt: skip
    table["epochs"] = [  # not rounded
        math.exp(5 + effect[a] + other[b] + both * effect[a] * 2 * other[b]) - 1 for a, b in table[["a", "b"]].to_numpy()
    ]
    shares = comparison.variance_shares(Sample(table)).set_index(["axis", "with_axis"])["share"]
    total = 1 + 0.25 + both**2
    assert shares["a", ""] == pytest.approx(1 / total)
    assert shares["b", ""] == pytest.approx(0.25 / total)
    assert shares["a", "b"] == pytest.approx(both**2 / total)
    assert shares["seed", ""] == pytest.approx(0, abs=1e-12)
    assert shares.sum() == pytest.approx(1)
    assert shares.index[0] == ("a", "")
    assert shares.index[-1] == ("remainder", "")


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_shares_of_variance_add_up(seed):
    rng = np.random.default_rng(seed)
    table = sweep(lambda **_: rng.exponential(500), a=[1, 2, 3], b=[True, False], c=[None, 1.0], seed=range(3))
    table["status"] = rng.choice(STATUSES, len(table))
    shares = comparison.variance_shares(Sample(table))["share"]
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()


def test_an_unbalanced_design_says_so():
    table = sweep(lambda a, seed: 10, a=[1, 2], seed=range(3))
    assert comparison.imbalance(Sample(table)) == ""
    with pytest.raises(ValueError, match="not complete: 5 of 6 combinations"):
        comparison.variance_shares(Sample(table.iloc[1:]))
    with pytest.raises(ValueError, match="not balanced: a combination of the axes has from 1 to 2 runs"):
        comparison.variance_shares(Sample(pd.concat([table, table.iloc[:1]])))


def base(vary, **changed):
    return sweep(
        lambda learning_rate, seed, **_: 300 / learning_rate * vary(seed),
        **{"learning_rate": [1, 2, 4], "seed": range(30), **changed},
    )


def test_a_sweep_compared_with_itself_has_not_changed():
    table = base(noise())
    compared = two_sweeps.compare(table, table.sample(frac=1, random_state=0), ["learning_rate"])
    assert (compared["same"] == compared["pairs"]).all()
    assert (compared["ratio"] == 1).all()
    assert (compared[["p_rate", "p_epochs"]] == 1).all(axis=None)
    assert (compared["change"] == "").all()
    assert len(two_sweeps.changes(table, table)) == 0
    answer = comparison_in_words(table, table)
    assert "Of 90 runs that both have, 90 ended the same" in answer
    assert "Nothing changed." in answer


def test_what_changed_between_two_sweeps_is_found_where_it_is():
    before, after = base(noise(seed=1)), base(noise(seed=1)).assign(momentum=0.9)
    slowed = (after["learning_rate"] == 2) & (after["status"] == "converged")
    after.loc[slowed, "epochs"] = (after.loc[slowed, "epochs"] * 0.7).astype(int)
    broken = after["learning_rate"] == 4
    after.loc[broken, ["status", "epochs"]] = ["diverged", 3]
    table = two_sweeps.compare_axes(before, after.astype({"learning_rate": float}))
    change = table.set_index(["axis", "value"])["change"]
    assert change["learning_rate", 1] == ""
    assert change["learning_rate", 2] == "faster"
    assert change["learning_rate", 4].startswith("less often")
    assert table.loc[0, "axis"] == ""
    assert table.loc[0, "pairs"] == 90
    said = comparison_in_words(before, after)
    assert "momentum: no axis only before, 0.9 only after." in said
    assert "faster at learning_rate=2;" in said
    assert "less often, slower at learning_rate=4" in said


def test_only_shared_runs_are_compared():
    before, after = base(noise(), learning_rate=[1, 2]), base(noise(), learning_rate=[2.0, 8.0], seed=range(5, 30))
    assert two_sweeps.compare(before, after).loc[0, "pairs"] == 25
    changes = two_sweeps.changes(before, after).set_index("axis")
    assert changes.loc["learning_rate"].tolist() == ["1", "8", 1]
    assert changes.loc["seed"].tolist() == ["0, 1, 2, 3, 4", "", 25]
    nothing = base(noise(), learning_rate=[16])
    assert len(two_sweeps.compare(before, nothing)) == 0
    assert "no runs in common" in comparison_in_words(before, nothing)


def test_a_longer_sweep_is_compared_up_to_the_horizon_of_the_shorter():
    rate, seeds = [1], range(20)
    short = sweep(lambda learning_rate, seed: 100 + 20 * seed, horizon=200, learning_rate=rate, seed=seeds)
    long = sweep(lambda learning_rate, seed: 100 + 20 * seed, horizon=1000, learning_rate=rate, seed=seeds)
    row = two_sweeps.compare(short, long).loc[0]
    assert (row["rate_before"], row["rate_after"]) == (0.3, 0.3)
    assert row["p_rate"] == row["p_epochs"] == 1


def test_an_axis_of_one_sweep_alone_must_be_settled_first():
    with pytest.raises(ValueError, match="momentum: takes several values in one sweep"):
        two_sweeps.compare(base(noise()), base(noise(), momentum=[0, 0.9]))


TWELVE = {f"axis_{place}": [0, 1] if place < 7 else [0] for place in range(12)}


@pytest.mark.parametrize(
    "table",
    [
        sweep(lambda **_: 9999, learning_rate=[1, 2], seed=range(3)),
        sweep(lambda **_: 0, learning_rate=[1, 2], seed=range(3)),
        sweep(lambda **_: 5, learning_rate=[1]),
        sweep(lambda **_: 5, seed=range(3)),
        sweep(lambda threshold: 5 / threshold, threshold=[0.1, 0.001]),
        sweep(lambda **_: 5, task=["xor", "iris"], train_bias=[True, False], x=[None, 2.0]),
        sweep(lambda **axes: 1 + sum(axes.values()), **TWELVE),
    ],
    ids=["nothing converges", "at epoch 0", "one run", "seeds only", "threshold only", "words", "twelve axes"],
)
def test_every_kind_of_sweep_can_be_compared(table):
    for axis in Sample(table).axes[:4]:
        pairs, tested = paired_values.paired(Sample(table), axis), "seed" in table and axis not in ("seed", "threshold")
        assert pairs["p_epochs"].between(0, 1).all() if tested else pairs["p_epochs"].isna().all()
        profiles = comparison.performance_profiles(Sample(table), axis)
        assert profiles["share"].between(0, 1).all()
        assert profiles[axis].nunique(dropna=False) == table[axis].nunique(dropna=False)
    assert comparison.variance_shares(Sample(table))["share"].between(0, 1 + 1e-9).all()
    assert (two_sweeps.compare(table, table)["same"] == len(table)).all()
    assert (two_sweeps.compare_axes(table, table)["change"] == "").all()
    assert "ended the same" in comparison_in_words(table, table)


@pytest.mark.slow
def test_a_million_runs_are_compared_in_seconds():
    rng, shape = np.random.default_rng(0), (10, 5, 5, 1000, 4)
    names = ("learning_rate", "initial.range", "momentum", "seed", "threshold")
    many = math.prod(shape)
    axes = dict(zip(names, np.indices(shape).reshape(5, -1), strict=True))
    table = pd.DataFrame(axes).assign(status=rng.choice(STATUSES, many), epochs=rng.integers(0, 10_000, many))
    with at_most(30):
        sample = Sample(table)
        paired_values.paired(sample, "learning_rate")
        comparison.performance_profiles(sample)
        comparison.variance_shares(sample)
