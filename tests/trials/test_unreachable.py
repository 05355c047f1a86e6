"""A threshold that no weights can reach is refused before training; the bound is that of an optimisation of the outputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog, lsq_linear

import pipeline as bp
from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.causes.bound import lowest_error, lowest_worst_output
from pipeline.backprop.network import forward, total_error, worst_output
from pipeline.errors import ConfigError
from pipeline.trials import unreachable as room
from pipeline.trials.files import read_anew
from pipeline.trials.settings import read_run
from pipeline.trials.tasks import load
from pipeline.trials.unreachable import unreachable, warnings_of_unreachable
from tests.configurations import composed, trial_of, uniform
from tests.strategies import examples, networks, seeds
from tests.tables import TABLES

# What is said of each table, and what helps.
REFUSED = {
    "targets_0_100.csv": ("4 of 4 targets (10 to 95) cannot be outputs of sigmoid (0 to 1)", "task.scale_targets=minmax, "),
    "linear_over_1.csv": ("2 of 9 targets (0.22 to 1.18) cannot", "network.output_activation=identity, "),
    "nonconvergent_outputs_1000.csv": ("1 of 4 targets (0 to 1000) cannot", "task.classes=y if its numbers are labels, "),
    "contradiction.csv": ("lines 2 and 3 have equal inputs, but different targets", "inputs that differ there, "),
    "sin.csv": ("9 of 21 targets (-1 to 1) cannot", "network.output_activation=tanh, "),
}
BUILT_IN = {
    "bipolar": (
        {"task": {"name": "xor", "coding": "bipolar"}},
        "no weights have a total_error below 1: 2 of 4 targets (-1 to 1) cannot be outputs of sigmoid (0 to 1); what helps: "
        "task.coding=binary, network.output_activation=tanh, a threshold of 1 or more",
    ),
    "no bias": (
        {"task": {"name": "xor", "coding": "binary"}, "network_hidden": [], "network_bias": "none"},
        "no weights have a total_error below 0.125: without biases, the inputs of zeros in pattern 1 give 0.5 with any weights"
        "; what helps: network.bias=per_unit network.train_bias=true, a threshold of 0.125 or more",
    ),
}


def wanted(name, criterion="total_error", **changes):
    task = {"name": "csv", "path": str(TABLES / name), "targets": "y", "scaling": "none"}
    trial = trial_of(task=task, initial=uniform(), criterion=criterion, **changes)
    return trial.batch_key, trial.threshold


def optimum(key) -> float:
    """The lowest value of the criterion over outputs within their range, equal where inputs are, by SciPy."""
    task, (low, high) = load(key.task), ACTIVATIONS[key.output_activation].range
    distinct, of = np.unique(task.inputs, axis=0, return_inverse=True)
    which = np.eye(len(distinct))[of.ravel()]  # (P, distinct)
    targets = task.targets.ravel()
    if key.criterion != "worst_output":
        found = lsq_linear(which, targets, (low, high), tol=1e-14, method="bvls")
        return found.cost / (len(targets) if key.criterion == "mean_error" else 1)
    away = -np.ones((len(targets), 1))
    above, below = np.hstack([which, away]), np.hstack([-which, away])  # output − target ≤ worst, target − output ≤ worst
    bounds = [(low, high)] * len(distinct) + [(0, None)]
    goal = [0] * len(distinct) + [1]
    return float(linprog(goal, np.vstack([above, below]), np.concatenate([targets, -targets]), bounds=bounds).fun)


@pytest.mark.parametrize("criterion", ["total_error", "mean_error", "worst_output"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_table_that_cannot_be_learned_is_refused_with_the_bound_of_the_criterion(name, criterion):
    key, threshold = wanted(name, criterion)
    with pytest.raises(ConfigError) as refusal:
        warnings_of_unreachable([(key, threshold)], "refuse")
    why, helps = REFUSED[name]
    text = str(refusal.value)
    assert text.startswith(f"threshold=0.001: no weights have a {criterion} below ")
    said = float(text.partition(f"{criterion} below ")[2].partition(": ")[0])
    assert said == pytest.approx(optimum(key), rel=2e-5)
    assert said <= optimum(key) * (1 + 1e-9)
    assert why in text
    assert helps in text.partition("what helps: ")[2]
    assert text.endswith("; or on_unreachable=warn")
    assert len(text) <= 310
    assert room.lowest(room.what_matters(key)) == pytest.approx(optimum(key), rel=1e-9)


@pytest.mark.parametrize("name", REFUSED)
def test_the_threshold_that_is_said_to_help_is_accepted_and_a_lower_one_is_not(name):
    key, threshold = wanted(name)
    [line] = warnings_of_unreachable([(key, threshold)], "warn")
    enough = float(line.partition("a threshold of ")[2].partition(" or more")[0])
    assert not unreachable([(key, enough)])
    assert unreachable([(key, enough * (1 - 1e-4))])


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_tasks_are_refused_with_the_reason(name):
    changes, says = BUILT_IN[name]
    trial = trial_of(initial=uniform(), **changes)
    [line] = warnings_of_unreachable([(trial.batch_key, trial.threshold)], "warn")
    assert line == f"threshold=0.001: {says}"


def test_what_can_be_learned_and_what_training_alone_can_tell_is_not_refused():
    """XOR without hidden units has no weights that do it, but the outputs could."""
    for changes in ({}, {"network_hidden": []}, {"network_bias": "none"}):
        trial = trial_of(task={"name": "xor", "coding": "binary"}, initial=uniform(), **changes)
        assert not unreachable([(trial.batch_key, trial.threshold)])
    assert not unreachable([wanted("contradiction.csv", threshold=0.25)])


@examples(150)
@given(network=networks(), seed=seeds, patterns=st.integers(1, 6))
def test_no_weights_are_below_the_bounds(network, seed, patterns):
    numbers = np.random.default_rng(seed)
    inputs = numbers.integers(0, 2, (patterns, network.units[0])).astype(float)
    targets = numbers.choice([-1.0, 0.0, 0.3, 1.0, 2.0], (patterns, network.units[-1]))
    outputs = forward(network, numbers.normal(scale=3.0, size=(network.size, 50)), inputs)[-1]
    assert (total_error(outputs, targets) >= lowest_error(network, inputs, targets) * (1 - 1e-9)).all()
    assert (worst_output(outputs, targets) >= lowest_worst_output(network, inputs, targets) * (1 - 1e-9)).all()


@pytest.mark.parametrize(("threshold", "word"), [(0.6, False), (0.4, True)])
def test_the_cause_of_a_worst_output_is_unreachable_only_where_no_weights_reach_it(threshold, word, folder):
    """Nine targets are 0 and one is 1, for the same inputs: training goes to 0.1, but an output of 0.5 is possible."""
    (folder / "t.csv").write_text("x,y\n" + "1,0\n" * 9 + "1,1\n")
    table = ("task=csv", "task.path=t.csv", "task.targets=y", "criterion=worst_output", f"threshold={threshold}")
    run = bp.train(*table, "initial=uniform", "network=trained", "engine=numpy", "max_epochs=200", "on_unreachable=warn")
    assert run.status == "exhausted"
    assert (run.cause == "unreachable") is word
    if word:
        assert run.cause_number == pytest.approx(0.45)


def test_a_bound_is_computed_once_for_many_trials(monkeypatch):
    computed = []
    monkeypatch.setattr(room, "lowest_error", lambda *given: computed.append(given) or lowest_error(*given))
    room.lowest_of.cache_clear()
    keys = [wanted("sin.csv", network_hidden=[size], max_epochs=epochs)[0] for size in (1, 2, 3) for epochs in range(100)]
    assert len(unreachable((key, 10.0 ** -(number % 7)) for number, key in enumerate(keys))) == 1
    assert len(computed) == 1


def test_a_table_that_has_changed_has_another_bound(tmp_path):
    path = tmp_path / "t.csv"
    for target, bound in ((3, 2), (1, 0)):
        path.write_text(f"x,y\n1,0\n2,{target}\n")
        read_anew()
        assert room.lowest(wanted(path)[0]) == bound


def test_the_key_has_two_values_and_is_refuse_in_configurations_of_before():
    trial, settings = read_run(composed("on_unreachable=warn"))
    older = composed()
    del older["on_unreachable"]
    assert settings.on_unreachable == "warn"
    assert read_run(older)[1].on_unreachable == "refuse"
    assert read_run(older)[0] == trial
    with pytest.raises(ConfigError, match=r"^on_unreachable=ignore: must be one of refuse, warn$"):
        read_run(composed("on_unreachable=ignore"))
