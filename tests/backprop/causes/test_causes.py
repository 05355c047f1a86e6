"""Why runs did not converge: the right word where the cause is known, bounds by another method."""

import numpy as np
import pytest
from scipy.optimize import minimize

from pipeline.app.composition import compose
from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.batch import Batch
from pipeline.backprop.causes.bound import lowest_error
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
ALONE = ("task=xor", "network=trained", "network.hidden=[]", "initial=uniform", "initial.range=0.5")
KNOWN = {
    "all weights zero": ((*XOR, "initial=explicit", ZERO), Cause.SYMMETRIC),
    "all weights one": ((*XOR, "initial=explicit", ONE, "max_epochs=500"), Cause.SYMMETRIC),
    "dead relu units": ((*XOR, "network.activation=relu", "initial=explicit", DEAD), Cause.FROZEN),
    "range 50": ((*XOR, "initial=uniform", "initial.range=50", "max_epochs=500"), Cause.SATURATED),
    "learning rate 1000": ((*XOR, "initial=uniform", "learning_rate=1000"), Cause.FROZEN),
    "XOR without bias": ((*XOR, "network.bias=none", "initial=uniform", "seed=1"), Cause.MINIMUM),
    "XOR without hidden units": ((*ALONE, "max_epochs=300"), Cause.MINIMUM),
    "XOR without hidden units, by rounding": ((*ALONE, "max_epochs=1000"), Cause.MINIMUM),
    "XOR without hidden units, where no weight changes": ((*ALONE, "learning_rate=3"), Cause.MINIMUM),
    "XOR without hidden units, steps too long": ((*ALONE, "learning_rate=10", "max_epochs=500"), Cause.OSCILLATING),
    "XOR without hidden units, saturated by steps too long": ((*ALONE, "learning_rate=10000"), Cause.FROZEN),
    "a local minimum of XOR": (
        (*XOR, "initial=uniform", "initial.range=2", "learning_rate=3", "max_epochs=2000", "seed=0"), Cause.MINIMUM,
    ),
    "a few epochs": (("learning_rate=0.5", "threshold=1e-3", "max_epochs=1000"), Cause.DESCENDING),
}  # fmt: skip
# Tables of numbers that people want to be learned, and that these outputs cannot give: (inputs, targets).
STEPS = np.arange(21) * 0.3142
TABLES = {
    "targets_0_100": ([[0.1, 0.2], [0.4, 0.9], [0.5, 0.1], [0.9, 0.7]], [10, 95, 40, 70]),
    "linear_over_1": ([[x] for x in range(1, 10)], [0.22, 0.34, 0.46, 0.58, 0.70, 0.82, 0.94, 1.06, 1.18]),
    "nonconvergent_outputs_1000": ([[0, 0], [0, 1], [1000, 1], [1, 1]], [0, 1000, 1, 0]),
    "contradiction": ([[0, 0], [0, 0], [1, 1], [1, 1]], [0, 1, 1, 1]),
    "sin": ([[x] for x in STEPS], np.sin(STEPS)),
}


def batch(*overrides):
    trial, _ = read_run(compose(list(overrides)))
    return make_batch([trial])


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_case_has_its_word(name):
    overrides, cause = KNOWN[name]
    result = engine("compiled")(batch(*overrides))
    found = causes(result)
    assert Cause(int(found.code[0])) is cause
    line = why(cause, float(found.number[0]), float(result.final_error[0]), float(found.goal[0]), float(found.k_star[0]))
    assert line.startswith(f"{cause.word}: ")
    assert "what helps: " in line


def test_xor_without_hidden_units_has_its_minimum_where_all_outputs_are_a_half():
    found = causes(engine("compiled")(batch(*ALONE, "learning_rate=3")))
    assert found.number[0] == 0.5
    assert found.lambda_min[0] > 0.0


def error_of_outputs(inputs, targets, output):
    """The lowest total error by bounded optimisation of the outputs alone, one for each distinct input."""
    distinct, which = np.unique(inputs, axis=0, return_inverse=True)
    shape = (len(distinct), targets.shape[1])
    low, high = ACTIVATIONS[output].range
    bounds = [(max(low, -2000.0), min(high, 2000.0))] * (shape[0] * shape[1])

    def error(outputs):
        return 0.5 * ((targets - outputs.reshape(shape)[which]) ** 2).sum()

    return minimize(error, np.full(shape, 0.5).ravel(), bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-15}).fun


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_outputs_cannot_give_is_unreachable_with_its_bound(name):
    inputs, targets = (np.array(numbers, float) for numbers in TABLES[name])
    targets = targets[:, None]
    network = Network((inputs.shape[1], 3, 1), bias="per_unit", train_bias=True)
    weights = np.random.default_rng(0).normal(size=(network.size, 2))
    one, two = np.ones(2), np.arange(2)
    found = causes(
        engine("numpy")(Batch(network, inputs, targets, weights, np.ones((2, 2)), 0 * one, two, 1e-3 * one, max_epochs=9))
    )
    assert [Cause(code) for code in found.code] == [Cause.UNREACHABLE] * 2
    assert found.number == pytest.approx(error_of_outputs(inputs, targets, "sigmoid"), rel=1e-9)


def test_what_descends_is_told_how_long_it_takes():
    found = causes(engine("compiled")(batch("threshold=1e-3", "max_epochs=1000")))
    longer = engine("compiled")(batch("threshold=1e-3", "max_epochs=100000"))
    assert 1000 + found.number[0] == pytest.approx(longer.epochs[0], rel=0.05)


def test_what_converged_has_no_cause_and_what_diverged_has_its_own():
    converged = causes(engine("compiled")(batch("learning_rate=10")))
    assert (Cause(int(converged.code[0])), np.isnan(converged.number[0])) == (Cause.NONE, True)
    away = batch("network.activation=identity", "network.output_activation=identity", "learning_rate=1e3")
    assert Cause(int(causes(engine("compiled")(away)).code[0])) is Cause.DIVERGED


@pytest.mark.parametrize("output", ACTIVATIONS)
@pytest.mark.parametrize("seed", range(3))
def test_the_bound_is_that_of_a_bounded_optimisation_of_the_outputs_alone(output, seed):
    random = np.random.default_rng(seed)
    inputs = random.integers(0, 2, (7, 2)).astype(float)  # some are equal
    targets = random.normal(scale=2.0, size=(7, 2))
    network = Network((2, 3, 2), output_activation=output, bias="per_unit")
    expected = error_of_outputs(inputs, targets, output)
    assert lowest_error(network, inputs, targets) == pytest.approx(expected, rel=1e-7, abs=1e-9)


def test_without_biases_inputs_of_zero_fix_the_output():
    inputs, targets = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[1.0], [0.0]])
    assert lowest_error(Network((2, 1), bias="none"), inputs, targets) == 0.125
    assert lowest_error(Network((2, 2, 1), "tanh", bias="none"), inputs, targets) == 0.125
    assert lowest_error(Network((2, 2, 1), bias="none"), inputs, targets) == 0.0  # hidden units give ½ there
    assert lowest_error(Network((2, 1)), inputs, targets) == 0.0


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
