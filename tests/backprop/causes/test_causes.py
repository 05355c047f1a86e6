"""Why runs did not converge: the right word where the cause is known, bounds by another method, the same bits anywhere."""

import numpy as np
import pytest
from scipy.optimize import minimize

from pipeline.app.composition import compose
from pipeline.backprop.causes.bound import RANGES, lowest_error
from pipeline.backprop.causes.of_batch import causes
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.engines import engine
from pipeline.backprop.network import Network
from pipeline.report.causes import why
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run

XOR = ("task=xor", "network=trained")
ZERO = "initial.values={weights_1: [[0,0],[0,0]], weights_2: [[0,0]], bias_1: [0,0], bias_2: [0]}"
ONE = "initial.values={weights_1: [[1,1],[1,1]], weights_2: [[1,1]], bias_1: [1,1], bias_2: [1]}"
DEAD = "initial.values={weights_1: [[-1,-1],[-2,-1]], weights_2: [[1,1]], bias_1: [-1,-1], bias_2: [0]}"
KNOWN = {
    "all weights zero": ((*XOR, "initial=explicit", ZERO), {Cause.SYMMETRIC}),
    "all weights one": ((*XOR, "initial=explicit", ONE), {Cause.SYMMETRIC}),
    "dead relu units": ((*XOR, "network.activation=relu", "initial=explicit", DEAD), {Cause.FROZEN}),
    "range 50": ((*XOR, "initial=uniform", "initial.range=50"), {Cause.SATURATED, Cause.FROZEN}),
    "learning rate 1000": ((*XOR, "initial=uniform", "learning_rate=1000"), {Cause.FROZEN, Cause.SATURATED}),
    "XOR without bias": ((*XOR, "network.bias=none", "initial=uniform", "seed=1"), {Cause.MINIMUM}),
    "a local minimum of XOR": (
        (*XOR, "initial=uniform", "initial.range=2", "learning_rate=3", "max_epochs=20000", "seed=0"), {Cause.MINIMUM},
    ),
    "a few epochs": (("learning_rate=0.5", "threshold=1e-3", "max_epochs=1000"), {Cause.DESCENDING}),
    "targets beyond the output": ((*XOR, "network.output_activation=tanh", "threshold=1e-9", "learning_rate=0.1"), None),
}  # fmt: skip


def batch(*overrides):
    trial, _ = read_run(compose(list(overrides)))
    return make_batch([trial])


@pytest.mark.parametrize("name", [name for name, (_, words) in KNOWN.items() if words])
def test_a_known_case_has_its_word(name):
    overrides, words = KNOWN[name]
    result = engine("compiled")(batch(*overrides))
    found = causes(result)
    cause = Cause(int(found.code[0]))
    assert cause in words
    line = why(cause, float(found.number[0]), float(result.final_error[0]), float(found.goal[0]), float(found.k_star[0]))
    assert line.startswith(f"{cause.word}: ")
    assert "what helps: " in line


def test_what_descends_is_told_how_long_it_takes():
    found = causes(engine("compiled")(batch("threshold=1e-3", "max_epochs=1000")))
    longer = engine("compiled")(batch("threshold=1e-3", "max_epochs=100000"))
    assert 1000 + found.number[0] == pytest.approx(longer.epochs[0], rel=0.05)


def test_what_converged_has_no_cause_and_what_diverged_has_its_own():
    converged = causes(engine("compiled")(batch("learning_rate=10")))
    assert (Cause(int(converged.code[0])), np.isnan(converged.number[0])) == (Cause.NONE, True)
    away = batch("network.activation=identity", "network.output_activation=identity", "learning_rate=1e3")
    assert Cause(int(causes(engine("compiled")(away)).code[0])) is Cause.DIVERGED


@pytest.mark.parametrize("output", RANGES)
@pytest.mark.parametrize("seed", range(3))
def test_the_bound_is_that_of_a_bounded_optimisation_of_the_outputs_alone(output, seed):
    random = np.random.default_rng(seed)
    inputs = random.integers(0, 2, (7, 2)).astype(float)  # some are equal
    targets = random.normal(scale=2.0, size=(7, 2))
    network = Network((2, 3, 2), output_activation=output, bias="per_unit")
    distinct, which = np.unique(inputs, axis=0, return_inverse=True)

    def error(outputs):
        return 0.5 * ((targets - outputs.reshape(len(distinct), 2)[which]) ** 2).sum()

    low, high = RANGES[output]
    bounds = [(max(low, -50.0), min(high, 50.0))] * (2 * len(distinct))
    best = minimize(error, np.full(2 * len(distinct), 0.5), bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-15})
    assert lowest_error(network, inputs, targets) == pytest.approx(best.fun, rel=1e-7, abs=1e-9)


def test_without_biases_inputs_of_zero_fix_the_output():
    inputs, targets = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[1.0], [0.0]])
    assert lowest_error(Network((2, 1), bias="none"), inputs, targets) == 0.125
    assert lowest_error(Network((2, 2, 1), "tanh", bias="none"), inputs, targets) == 0.125
    assert lowest_error(Network((2, 2, 1), bias="none"), inputs, targets) == 0.0  # hidden units give ½ there
    assert lowest_error(Network((2, 1)), inputs, targets) == 0.0


def test_causes_have_the_same_bits_on_both_engines_alone_and_in_a_batch():
    trials = [
        read_run(compose([*XOR, "initial=uniform", "learning_rate=3", "max_epochs=700", f"seed={seed}"]))[0]
        for seed in range(12)
    ]
    together = causes(engine("compiled")(make_batch(trials)))
    numpy = causes(engine("numpy")(make_batch(trials)))
    for name in ("code", "number", "rho", "lambda_min", "k_star"):
        assert np.array_equal(getattr(together, name), getattr(numpy, name), equal_nan=name != "code")
    assert (together.code > 0).any()
    for index in np.flatnonzero(together.code > 0)[:3]:
        alone = causes(engine("compiled")(make_batch([trials[index]])))
        assert (alone.code[0], alone.rho[0], alone.k_star[0]) == (
            together.code[index], together.rho[index], together.k_star[index],
        )  # fmt: skip
        assert np.array_equal(alone.number[0], together.number[index], equal_nan=True)


@pytest.mark.parametrize("more", [("max_epochs=0",), ("max_epochs=1",), ("max_epochs=3", "curve_points=2")])
def test_short_runs_have_a_cause_too(more):
    found = causes(engine("compiled")(batch("threshold=1e-9", *more)))
    assert Cause(int(found.code[0])) is not Cause.NONE


def test_networks_without_hidden_units_have_causes():
    found = causes(engine("compiled")(batch("network.hidden=[]", "initial=uniform", "threshold=1e-9", "max_epochs=5")))
    assert Cause(int(found.code[0])) is not Cause.NONE


def test_large_networks_and_many_patterns_have_causes_without_a_hessian():
    found = causes(engine("numpy")(batch("task=digits", "network.hidden=[32]", "initial=uniform", "max_epochs=2")))
    assert np.isnan(found.lambda_min[0])
    assert np.isfinite(found.rho[0])
