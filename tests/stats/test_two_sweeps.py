"""Two sweeps are compared start by start, or start against start; what so few starts cannot show is said."""

import numpy as np
import pandas as pd
import pytest

from pipeline.stats.comparisons.two_sweeps import TESTS, compare, compare_axes

HORIZON = 1500
SIMULATIONS = 200


def sweep(rng, factor=1.0, seeds=range(12), rates=(1, 2, 4), start="seed"):
    """Runs at each learning rate from each start, of which some are harder than others, and some runs fail."""
    rate, seed = (index.ravel() for index in np.meshgrid(np.array(rates), np.arange(len(seeds)), indexing="ij"))
    hardness = np.random.default_rng(0).normal(0, 0.6, 1000)[np.array(seeds)][seed]
    factors = np.broadcast_to(factor, len(rates)).repeat(len(seeds))
    epochs = np.ceil(900 / rate * factors * np.exp(hardness + rng.normal(0, 0.2, len(rate))))
    converged = epochs <= HORIZON
    return pd.DataFrame(
        {
            "learning_rate": rate,
            start: np.array(seeds)[seed],
            "status": np.where(converged, "converged", "exhausted"),
            "epochs": np.minimum(epochs, HORIZON).astype(int),
            "horizon": HORIZON,
        }
    )


def generator(seed=0):
    return np.random.default_rng(seed)


def test_what_is_called_faster_is_the_sweep_that_is_given_second():
    rng = generator()
    slow, fast = sweep(rng), sweep(rng, 0.3)
    for before, after, change in ((slow, fast, "faster, cheaper"), (fast, slow, "slower, dearer")):
        row = compare(before, after).loc[0]
        assert row["change"] == change
        assert (row["ert_after"] < row["ert_before"]) == (change == "faster, cheaper")
        assert row["ert_before"] == pytest.approx(before["epochs"].sum() / (before["status"] == "converged").sum())


def test_few_starts_can_show_no_change_and_the_table_says_so():
    rng = generator()
    for starts, shown in ((5, False), (6, True)):
        table = compare_axes(sweep(rng, seeds=range(starts)), sweep(rng, 0.1, seeds=range(starts)))
        assert (table["smallest_p"] == 2.0 ** (1 - starts)).all()
        assert (table["change"] != "").all() == (table["change"] != "").any() == shown
        assert (table["starts"] == starts).all()


def test_all_rows_and_measures_are_adjusted_together():
    rng = generator(1)
    table = compare_axes(sweep(rng), sweep(rng, [1, 1, 0.8]))
    for measure in ("epochs", "rate", "ert"):
        assert (table[f"p_{measure}_adjusted"] >= table[f"p_{measure}"]).all()
    one = compare(sweep(generator(2)), sweep(generator(3), 0.9), ["learning_rate"])
    assert (one["p_epochs_adjusted"] > one["p_epochs"]).any()


def test_without_replication_nothing_is_tested():
    rng = generator()
    before, after = (sweep(rng, factor, seeds=[0]).drop(columns="seed") for factor in (1, 0.1))
    for tables in ((before, after), (before, sweep(rng, seeds=range(9))), (sweep(rng, seeds=[1]), sweep(rng, seeds=[2]))):
        table = compare_axes(*tables)
        assert len(table) == 4
        assert table[[*TESTS, "smallest_p"]].isna().all(axis=None)
        assert (table["change"] == "").all()


@pytest.mark.parametrize("start", ["seed", "initial.path"])
def test_sweeps_of_different_starts_are_compared_start_against_start(start):
    rng = generator(4)
    before = sweep(rng, seeds=range(15))
    after = sweep(rng, [1, 1, 0.2], seeds=range(50, 62), start=start)
    table = compare_axes(before, after.sample(frac=1, random_state=0)).set_index(["axis", "value"])
    assert (table["pairs"] == 0).all()
    assert (table["starts"] == 27).all()
    assert (table["smallest_p"] == 1 / 1000).all()
    assert table.loc[("learning_rate", 4), "change"] == "faster"  # one failure in twelve could cost as much as is saved
    assert table.loc[("learning_rate", 1), "change"] == table.loc[("learning_rate", 2), "change"] == ""
    part = before["learning_rate"] == 4
    assert table.loc[("learning_rate", 4), "ert_before"] == pytest.approx(before["epochs"][part].mean())
    assert compare(after, before, ["learning_rate"])["change"].tolist() == ["", "", "slower"]


def test_five_different_starts_each_can_show_a_change():
    rng = generator(5)
    row = compare(sweep(rng, seeds=range(5)), sweep(rng, 0.02, seeds=range(5, 10))).loc[0]
    assert row["p_epochs"] == row["smallest_p"] == pytest.approx(2 / 252)
    assert row["change"] == "faster"


def test_different_starts_are_compared_up_to_the_smaller_horizon():
    rng = generator(6)
    long, short = sweep(rng, seeds=range(10)), sweep(rng, seeds=range(10, 20)).assign(horizon=100)
    late = short["epochs"] > 100
    short.loc[late, ["status", "epochs"]] = ["exhausted", 100]
    row = compare(long, short).loc[0]
    assert row["rate_before"] == (long["epochs"] <= 100).mean()
    assert row["rate_after"] == (~late).mean()


@pytest.mark.slow
@pytest.mark.parametrize("after", [range(12), range(12, 22)], ids=["same starts", "different starts"])
def test_where_nothing_changed_a_change_is_called_in_six_comparisons_of_a_hundred_at_most(after):
    rng = generator(7)
    changed = []
    for _ in range(SIMULATIONS):
        hard = rng.permutation(1000)[:30]  # other starts each time
        tables = [sweep(rng, seeds=hard[list(some)]) for some in (range(12), after)]
        changed.append((compare_axes(*tables)["change"] != "").any())
    assert np.mean(changed) <= 0.06 + 2 * np.sqrt(0.06 * 0.94 / SIMULATIONS)  # and what the simulation may be off
