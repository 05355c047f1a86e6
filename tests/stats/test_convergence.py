"""The tables count what they say, and treat runs that did not converge as censored."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.backprop.status import STATUSES
from pipeline.report.answer import in_words
from pipeline.report.note import note
from pipeline.report.numbers import in_short
from pipeline.report.tables import report, write_tables
from pipeline.report.text_tables import readable
from pipeline.stats.sample import Sample
from pipeline.stats.summary import INTERVALS, STATISTICS, Summary
from tests.machine import at_most


def results(rows, **columns):
    """A results table from (axis values…, status, epochs) rows."""
    table = pd.DataFrame(rows, columns=[*columns.get("axes", ("learning_rate", "seed")), "status", "epochs"])
    return table.assign(final_error=0.1, gradient_norm=0.1, run_id="r", key=[str(run) for run in range(len(table))], digest="d")


WORKED = results(
    [
        (0.1, 0, "converged", 10),
        (0.1, 1, "converged", 30),
        (0.1, 2, "exhausted", 100),
        (0.1, 3, "diverged", 5),
        (1.0, 0, "exhausted", 100),
        (1.0, 1, "stationary", 40),
        (1.0, 2, "exhausted", 100),
        (1.0, 3, "exhausted", 100),
    ]
)


def test_a_worked_table():
    slow, fast = Summary(WORKED).by("learning_rate", intervals=False).to_dict("records")
    assert slow == {
        "learning_rate": 0.1, "runs": 4, "converged": 2, "stationary": 0, "exhausted": 1, "diverged": 1, "starts": 4,
        "effective_runs": 4, "rate": 0.5, "ert": 145 / 2, "q1": math.sqrt(10 * 30), "median": 30, "q3": math.inf,
    }  # fmt: skip
    assert (fast["converged"], fast["stationary"], fast["ert"], fast["median"]) == (0, 1, math.inf, math.inf)


def test_a_median_that_was_not_reached_is_said_to_be_so():
    text = report(Summary(WORKED))
    assert "not reached" in text
    assert "inf" not in text
    assert "nan" not in text.lower()


def test_the_answer_in_words_names_the_numbers():
    answer = in_words(Summary(WORKED))
    assert "2 of 8 runs converged (25%; 95% interval" in answer
    assert "1 stationary, 4 exhausted, 1 diverged." in answer
    assert "A success costs least with learning_rate=0.1: 72.5 epochs on average, failed runs included" in answer
    assert "(2 of 4 runs converged; 95% interval" in answer


def test_the_best_setting_is_found_for_each_threshold():
    rows = [
        (rate, threshold, seed, "converged" if rate < 5 or threshold > 0.05 else "exhausted", int(100 / rate / threshold))
        for rate in (1, 2, 5) for threshold in (0.1, 0.01) for seed in range(3)
    ]  # fmt: skip
    best = Summary(results(rows, axes=("learning_rate", "threshold", "seed"))).best
    assert best[["threshold", "learning_rate"]].to_numpy().tolist() == [[0.1, 5], [0.01, 2]]


ROWS = st.lists(
    st.tuples(st.sampled_from([0.1, 1.0]), st.integers(0, 3), st.sampled_from(STATUSES), st.integers(0, 1000)), min_size=1
)

HORIZON = 1001


def at_one_horizon(rows):
    """The rows with every exhausted run stopped at the horizon."""
    return [(*row[:2], status, HORIZON if status == "exhausted" else epochs) for *row, status, epochs in rows]


@settings(max_examples=25)
@given(ROWS)
def test_at_one_horizon_the_survival_curve_is_one_minus_the_share_that_converged(rows):
    table = results(at_one_horizon(rows)).assign(horizon=HORIZON)
    time = table["epochs"].astype(float).where(table["status"] == "converged", math.inf).to_numpy()
    ecdf = Summary(table).run_lengths().set_index("epochs")["share"]
    for row in Summary(table).survival().to_dict("records"):
        if row["epochs"] < HORIZON:
            assert row["survival"] == np.mean(time > row["epochs"])
            assert row["at_risk"] == np.sum(time >= row["epochs"])
            assert ecdf[row["epochs"]] == np.mean(time <= row["epochs"])


@settings(max_examples=25)
@given(ROWS)
def test_at_one_horizon_the_restricted_mean_is_the_mean_of_what_is_within_it(rows):
    table = results(at_one_horizon(rows)).assign(horizon=HORIZON)
    within = table["epochs"].astype(float).where(table["status"] == "converged", HORIZON)
    mean = Summary(table).by("learning_rate").set_index("learning_rate")["restricted_mean"]
    assert np.allclose(mean, within.groupby(table["learning_rate"]).mean(), rtol=1e-12, atol=0)


@settings(max_examples=25)
@given(ROWS)
def test_if_no_run_stops_early_the_running_time_is_the_restricted_mean_over_the_rate(rows):
    rows = at_one_horizon((*row, "converged" if status == "converged" else "exhausted", n) for *row, status, n in rows)
    table = Summary(results(rows).assign(horizon=HORIZON)).by("learning_rate")
    for row in table.to_dict("records"):
        expected = row["restricted_mean"] / row["rate"] if row["rate"] else math.inf
        assert row["ert"] == pytest.approx(expected, rel=1e-12)


def test_what_never_converges_is_at_risk_to_its_horizon():
    """Were the diverged run censored where it stopped, the median would be 30 and not 40."""
    rows = [(0.1, 0, "converged", 20), (0.1, 1, "diverged", 5), (0.1, 2, "converged", 40), (0.1, 3, "exhausted", 100)]
    curve = Summary(results(rows)).survival()
    assert curve[["epochs", "at_risk", "converged", "censored", "survival"]].to_numpy().tolist() == [
        [0, 4, 0, 0, 1], [20, 4, 1, 0, 0.75], [40, 3, 1, 0, 0.5], [100, 2, 0, 2, 0.5],
    ]  # fmt: skip
    assert Summary(results(rows)).by(intervals=False).loc[0, "median"] == 40


def test_a_run_that_was_stopped_earlier_than_others_is_censored_then():
    rows = [(0.1, 0, "converged", 20), (0.1, 1, "exhausted", 10), (0.1, 2, "converged", 40), (0.1, 3, "exhausted", 100)]
    table = results(rows).assign(horizon=[100, 10, 100, 100])
    assert Summary(table).survival()["survival"].tolist() == [
        1,
        1,
        pytest.approx(2 / 3),
        pytest.approx(1 / 3),
        pytest.approx(1 / 3),
    ]
    assert Summary(table).by(intervals=False).loc[0, "median"] == 40


def test_the_horizon_is_known_or_else_what_exhausted_runs_reached():
    assert Sample(WORKED).horizon == 100
    assert Sample(WORKED.assign(horizon=500)).horizon == 500
    assert Sample(WORKED.assign(max_epochs=[10, 200] * 4)).horizon == 200
    assert Sample(WORKED[WORKED["status"] != "exhausted"]).horizon == 40
    assert Sample(WORKED.iloc[:0]).horizon == 0
    assert Sample(WORKED.assign(horizon=500)).axes == ["learning_rate", "seed"]


def test_the_share_converged_is_over_all_thresholds_and_ends_at_the_cap():
    rows = [(0.1, 0, "converged", 10), (0.01, 0, "converged", 30), (0.1, 1, "converged", 10), (0.01, 1, "exhausted", 50)]
    ecdf = Summary(results(rows, axes=("threshold", "seed"))).run_lengths()
    assert ecdf.to_numpy().tolist() == [[0, 0], [10, 0.5], [30, 0.75], [50, 0.75]]


def test_intervals_stand_around_their_estimates():
    table = Summary(WORKED).by("learning_rate")
    assert list(table.columns) == ["learning_rate", *STATISTICS, *INTERVALS]
    for name in ("rate", "ert", "q1", "median", "q3"):
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"]).all()
    plain = Summary(WORKED).by("learning_rate", intervals=False)
    assert plain.equals(table[plain.columns])


def test_runs_of_one_seed_are_one_unit_and_without_seeds_runs_of_one_training():
    assert Sample(WORKED).units()[0].tolist() == [0, 1, 2, 3] * 2
    rows = [(rate, threshold, "converged", 1) for rate in (1, 2) for threshold in (0.1, 0.2, 0.3)]
    assert Sample(results(rows, axes=("learning_rate", "threshold"))).units()[0].tolist() == [0] * 3 + [1] * 3


@settings(max_examples=25)
@given(ROWS)
def test_every_run_is_counted_once(rows):
    table = Summary(results(rows)).by("learning_rate", intervals=False)
    assert table["runs"].sum() == len(rows) == table[list(STATUSES)].to_numpy().sum()
    assert ((table["rate"] >= 0) & (table["rate"] <= 1)).all()


@settings(max_examples=25)
@given(ROWS)
def test_quartiles_are_the_epochs_by_which_that_share_converged(rows):
    rows = at_one_horizon(rows)
    for _, row in Summary(results(rows)).by("learning_rate", intervals=False).iterrows():
        mine = [r for r in rows if r[0] == row["learning_rate"]]
        ended = np.array([epochs if status == "converged" else math.inf for _, _, status, epochs in mine])
        for name, share in (("q1", 0.25), ("median", 0.5), ("q3", 0.75)):
            if np.isfinite(row[name]):
                assert np.mean(ended <= row[name]) >= share >= np.mean(ended < row[name])
            else:
                assert np.mean(np.isfinite(ended)) < share


@settings(max_examples=25)
@given(ROWS)
def test_expected_running_time_is_all_epochs_over_successes(rows):
    for _, row in Summary(results(rows)).by("learning_rate", intervals=False).iterrows():
        mine = [r for r in rows if r[0] == row["learning_rate"]]
        successes = sum(status == "converged" for _, _, status, _ in mine)
        spent = sum(epochs for *_, epochs in mine)
        assert row["ert"] == (spent / successes if successes else math.inf)


TWELVE = [f"axis_{place}" for place in range(12)]
SWEEPS = [
    results([("converged", 0)], axes=()),
    results([(0.1, "converged", 0)], axes=("learning_rate",)),
    results([(s, "exhausted", 9) for s in range(3)], axes=("seed",)),
    results([(t, "diverged", 9) for t in (0.1, 0.2)], axes=("threshold",)),
    results([(t, s, "converged", 0) for t in ("xor", "iris") for s in (0, 1)], axes=("task", "seed")),
    results([("[0.1,0.2]", "[2]", "converged", 3)], axes=("learning_rate", "network.hidden")),
    results([(True, None, "converged", 3), (False, 1.0, "exhausted", 3)], axes=("network.train_bias", "x")),
    WORKED,
    results([(s, "converged", 0) for s in range(5)], axes=("seed",)),
    results(
        [(*bits, "converged" if sum(bits) % 3 else "exhausted", 9 + sum(bits)) for bits in product(*[(0, 1)] * 7, *[(0,)] * 5)],
        axes=TWELVE,
    ),
]
NAMES = [
    "no axis",
    "one run",
    "seeds only",
    "threshold only",
    "words",
    "lists",
    "truth and nothing",
    "worked",
    "epoch 0",
    "twelve axes",
]


@pytest.mark.parametrize("table", SWEEPS, ids=NAMES)
def test_every_kind_of_sweep_can_be_reported(table, tmp_path):
    text = report(Summary(table))
    assert f"of {len(table):,} run" in text
    assert f"of {len(table):,} run" in note(Summary(table))
    write_tables(Summary(table), tmp_path)
    kept = (tmp_path / "summary/summary.txt").read_text()
    assert text.partition("\n\n")[0].split() == kept.partition("\n\n")[0].split()
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("table", SWEEPS, ids=NAMES)
def test_every_kind_of_sweep_has_its_statistics(table):
    summary = Summary(table)
    for by in ([], summary.axes[:1], summary.axes[:2], summary.axes):
        rows = summary.by(*by)
        assert rows["runs"].sum() == len(table)
        assert list(rows.columns[: len(by)]) == by
        assert len(rows) == len(table[by].drop_duplicates()) if by else len(rows) == 1
        curves = summary.survival(*by)
        ends = curves.groupby(by, dropna=False, sort=True).tail(1) if by else curves.tail(1)
        assert len(ends) == len(rows)
        assert (ends["epochs"] == summary.horizon).all()
        assert np.allclose(summary.run_lengths(*by)["share"].iloc[-1], rows["rate"].iloc[-1])
        assert "nan" not in readable(rows[list(INTERVALS)]).to_string()


def test_a_summary_is_that_of_the_runs_of_its_row():
    rng = np.random.default_rng(0)
    table = results(
        [
            (a, b, s, rng.choice(STATUSES), int(rng.integers(0, 99)))
            for a in ("x", None, True)
            for b in (0.1, 3)
            for s in range(7)
        ],
        axes=("a", "b", "seed"),
    ).assign(horizon=100)
    for row in Summary(table).by("a", "b", intervals=False).to_dict("records"):
        mine = table[(table["a"].isna() if row["a"] is None else table["a"] == row["a"]) & (table["b"] == row["b"])]
        alone = Summary(mine).by(intervals=False).loc[0]
        assert all(row[name] == alone[name] for name in STATISTICS)


@pytest.mark.slow
def test_a_million_runs_are_summarised_in_seconds():
    rng, shape = np.random.default_rng(0), (10, 5, 5, 1000, 4)
    axes = dict(
        zip(("learning_rate", "initial.range", "momentum", "seed", "threshold"), np.indices(shape).reshape(5, -1), strict=True)
    )
    many = math.prod(shape)
    table = pd.DataFrame(axes).assign(status=rng.choice(STATUSES, many), epochs=rng.integers(0, 10_000, many))
    with at_most(15):
        summary = Summary(table)
        for axis in summary.settings:
            summary.by(axis)
        cells = summary.by(*summary.settings)
        in_words(summary)
    assert len(cells) == 1000


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234, "1,234"), (1234.5678, "1,235"), (0.001, "0.001"), (1e-5, "1e-05"), (math.inf, "not reached"),
     ("xor", "xor"), (True, "True"), (12.345, "12.35")],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert in_short(value) == text
