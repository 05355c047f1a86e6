"""Properties of initial weights: what they go with is what statsmodels says, and how well they predict is told honestly."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

import pipeline as bp
from pipeline.report.starts.effects import starts_in_words
from pipeline.stats.sample import Sample
from pipeline.stats.starts.effects import informative_runs, start_effects, too_few
from pipeline.stats.starts.properties import start_properties
from pipeline.stats.starts.stratified_logistic import concordance, fit


def sample_of(starts, slope, number, rates=(1.0, 2.0), own=0.0):
    """A sweep of known truth: logit P = setting + slope · x of the start (+ `own` of the start); and its properties."""
    random = np.random.default_rng(number)
    x, noise, hidden = random.normal(size=(3, starts))
    seed, rate = np.repeat(np.arange(starts), len(rates)), np.tile(rates, starts)
    chance = 1 / (1 + np.exp(-(rate - 1.5 + slope * x[seed] + own * hidden[seed])))
    converged = random.random(len(seed)) < chance
    status = np.where(converged, "converged", "exhausted")
    results = pd.DataFrame({"learning_rate": rate, "seed": seed, "status": status, "epochs": np.where(converged, 5, 9)})
    return Sample(results), lambda rows: pd.DataFrame({"norm": x[seed[rows]], "distance": noise[seed[rows]]})


def test_properties_of_weights_that_one_can_check_by_hand():
    weights = np.array([[[1.0, 1.0], [2.0, -2.0]], [[-3.0, 4.0], [-1.0, 0.0]]])  # two units of two inputs, two starts
    biases = np.array([[0.0, 1.0], [0.0, 1.0]])
    activations = np.array([[[0.05, 0.5], [0.95, 0.5]], [[0.5, 0.5], [0.5, 0.91]]])
    table = start_properties(np.vstack([weights.reshape(4, 2), biases]), weights, biases, activations)
    assert table["norm"].tolist() == [15**0.5, (1 + 4 + 16 + 0 + 1 + 1) ** 0.5]
    assert table["largest_hidden"].tolist() == [3.0, 4.0]
    assert table["one_sign_units"].tolist() == [2.0, 0.0]
    assert table["one_sign_units=2"].tolist() == [1.0, 0.0]
    assert table["saturated"].tolist() == [0.5, 0.25]
    assert table["distance"].tolist() == [5.0, (9 + 4) ** 0.5]
    assert "one_sign_units=1" not in table  # the same for both


def test_slopes_and_clustered_errors_are_those_of_statsmodels_with_a_dummy_for_each_setting():
    from statsmodels.discrete.discrete_model import Logit

    random = np.random.default_rng(1)
    start, stratum = (codes.ravel() for codes in np.meshgrid(np.arange(30), np.arange(5), indexing="ij"))
    properties = random.normal(size=(30, 2))[start]
    chance = 1 / (1 + np.exp(-(properties @ [1.0, -0.5] + random.normal(size=30)[start] + stratum - 2)))
    converged = (random.random(150) < chance).astype(float)
    ours = fit(properties, converged, stratum, start)
    design = np.column_stack([properties, stratum[:, None] == np.arange(5)])
    theirs = Logit(converged, design.astype(float)).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": start, "use_correction": False}, method="newton", tol=1e-12
    )
    assert ours.slopes == pytest.approx(theirs.params[:2], rel=1e-5)
    assert ours.errors == pytest.approx(theirs.bse[:2] * np.sqrt(30 / 29), rel=1e-5)


def test_perfect_separation_has_a_finite_slope():
    x = np.linspace(-1, 1, 20)[:, None]
    assert 5 < fit(x, (x[:, 0] > 0).astype(float), np.zeros(20, int), np.arange(20)).slopes[0] < np.inf


def test_concordance_is_the_auc_of_scikit_learn_in_each_setting_weighted_by_its_pairs():
    random = np.random.default_rng(2)
    start, stratum = (codes.ravel() for codes in np.meshgrid(np.arange(40), np.arange(3), indexing="ij"))
    scores, converged = np.rint(random.normal(size=120) * 2), (random.random(120) < 0.4).astype(float)
    agreeing, pairs = concordance(scores, converged, stratum, start, np.ones((40, 1), np.float32))
    expected = weights = 0.0
    for one in range(3):
        own = stratum == one
        weight = converged[own].sum() * (1 - converged[own]).sum()
        expected += weight * roc_auc_score(converged[own], scores[own])
        weights += weight
    assert agreeing / pairs == pytest.approx(expected / weights, abs=1e-12)
    assert pairs == weights


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(1, 3))
@settings(max_examples=20)
def test_pairs_of_a_sample_of_starts_are_those_counted_one_by_one(seed, starts, strata):
    random = np.random.default_rng(seed)
    start, stratum = (codes.ravel() for codes in np.meshgrid(np.arange(starts), np.arange(strata), indexing="ij"))
    scores, converged = np.rint(random.normal(size=len(start))), (random.random(len(start)) < 0.5).astype(float)
    drawn = random.integers(0, 4, (starts, 3)).astype(np.float32)
    agreeing, pairs = np.zeros((2, 3))
    for one, other in product(range(len(start)), repeat=2):
        if stratum[one] == stratum[other] and converged[one] > converged[other]:
            times = drawn[start[one]] * drawn[start[other]]
            agreeing += times * (scores[one] > scores[other]) + times * (scores[one] == scores[other]) / 2
            pairs += times
    found = concordance(scores, converged, stratum, start, drawn)
    assert np.array_equal(found, [agreeing, pairs])


def test_too_few_starts_or_outcomes_have_no_table_and_one_line_that_says_why():
    few, properties = sample_of(19, 1.0, 0)
    assert start_effects(few, properties).empty
    assert "there are 19 of them; take 20" in too_few(few)
    alone = Sample(few.results.drop(columns="seed").head(2))
    assert start_effects(alone, properties).empty
    assert "only one" in too_few(alone)
    sure = Sample(sample_of(50, 1.0, 0)[0].results.assign(status="converged"))
    assert "only 0 of 50 converged" in too_few(sure) or "only 0 of 50 failed" in too_few(sure)
    assert starts_in_words(start_effects(sure, properties)) == ""


def test_settings_that_all_or_none_converged_at_say_nothing_of_starts():
    sample, _ = sample_of(30, 1.0, 3, rates=(1.0, 2.0, 60.0, -60.0))
    rows, stratum, start = informative_runs(sample)
    assert set(sample.results["learning_rate"].iloc[rows]) == {1.0, 2.0}
    assert len(rows) == 60
    assert set(stratum) == {0, 1}
    assert len(set(start)) == 30


def test_what_is_said_of_starts_is_what_is_in_the_table():
    sample, properties = sample_of(150, 1.2, 4)
    effects = start_effects(sample, properties).set_index("property")
    text = starts_in_words(effects.reset_index())
    norm = effects.loc["norm"]
    assert norm["odds_low"] < np.exp(1.2) < norm["odds_high"]
    assert norm["p_adjusted"] < 0.001 < 0.05 < effects.loc["distance", "p_adjusted"]
    assert f"a larger norm of all initial weights converge more often (odds × {norm['odds']:.2g} per standard deviation" in text
    assert "farther apart" not in text
    assert f"right in {effects.loc['all together', 'auc']:.0%} of pairs" in text
    assert "moderately" in text
    assert 0.7 < norm["auc"] < 0.8
    idle, properties = sample_of(100, 0.0, 5)
    text = starts_in_words(start_effects(idle, properties))
    assert text.startswith("No property of the initial weights that was looked at is shown")
    assert "not shown to tell better than a coin which of two new starts converges" in text


def test_a_sweep_that_was_trained_here_knows_its_starts():
    sweep = bp.sweep("task=xor", "network=trained", "initial=uniform", learning_rate=[5, 8], seed=range(40), max_epochs=1500)
    effects = sweep.summary.start_effects
    assert {"norm", "largest_hidden", "saturated", "distance", "all together"} <= set(effects["property"])
    assert set(effects["starts"]) == {40}
    assert "which of two new starts converges" in str(sweep)
    fewer = bp.sweep("task=xor", "initial=uniform", learning_rate=[2, 5], seed=range(3), max_epochs=6)
    assert fewer.summary.start_effects.empty


@pytest.mark.slow
def test_intervals_of_odds_and_of_auc_hold_the_truth_also_where_starts_differ_in_what_is_not_known():
    large, properties = sample_of(40_000, 0.7, 0, own=1.5)
    stratum = large.factorized("learning_rate")[0].astype(int)
    x = properties(np.arange(len(large)))[["norm"]].to_numpy()
    truth = fit(x / 1.0, large.event.astype(float), stratum).slopes[0]
    auc = np.mean([roc_auc_score(large.event[stratum == one], x[stratum == one]) for one in (0, 1)])
    held, above, low = [], [], []
    for number in range(1, 121):
        sample, properties = sample_of(50, 0.7, number, own=1.5)
        row = start_effects(sample, properties).iloc[0]
        held.append(np.log(row["odds_low"]) <= truth * row["step"] <= np.log(row["odds_high"]))
        low.append(row["auc_low"] <= auc <= row["auc_high"])
        above.append(row["auc"])
    assert np.mean(held) >= 0.9
    assert np.mean(low) >= 0.92
    assert np.mean(above) == pytest.approx(auc, abs=0.03)
    chance = [start_effects(*sample_of(50, 0.0, number, own=1.5)).iloc[0] for number in range(300, 420)]
    assert np.mean([row["p"] <= 0.05 for row in chance]) <= 0.1
    assert np.mean([row["auc_low"] > 0.5 for row in chance]) <= 0.05
    assert np.mean([row["auc"] for row in chance]) == pytest.approx(0.5, abs=0.02)
