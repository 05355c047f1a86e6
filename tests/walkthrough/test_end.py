"""How a run ended: its numbers against other methods, the right story for each end, and advice that can be pasted."""

import shlex
from functools import cache

import numpy as np
import pytest
from scipy.special import expit

from pipeline.app.composition import compose
from pipeline.backprop.causes.bound import lowest_error
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.causes.twins import twins
from pipeline.backprop.engines import engine
from pipeline.backprop.network import Network, backward, forward
from pipeline.backprop.status import Status
from pipeline.explain import command_for
from pipeline.trials.batching import make_batch
from pipeline.trials.fingerprint import keys
from pipeline.trials.settings import read_run
from pipeline.trials.unreachable import warnings_of_unreachable
from pipeline.walkthrough import advice, story
from pipeline.walkthrough.end import end_of, equal_units

XOR = ("task=xor", "network=trained")
DRAWN = (*XOR, "initial=uniform")
EQUAL = "initial.values={weights_1: [[0,0],[1,2],[0,0]], weights_2: [[0,1,0]], bias_1: [0,3,0], bias_2: [0]}"
DEAD = "initial.values={weights_1: [[-1,-1],[-2,-1]], weights_2: [[1,1]], bias_1: [-1,-1], bias_2: [0]}"
ENDS = {  # overrides, the cause, what the story says, what is tried next
    "descending": ((*DRAWN, "max_epochs=700", "seed=1"), Cause.DESCENDING, "below 1: faster", "max_epochs=7000 seed=1"),
    "near the goal": (("max_epochs=900",), Cause.DESCENDING, "about 190 more epochs", "max_epochs=1400"),
    "descending from afar": (("max_epochs=100", "threshold=1e-9"), Cause.DESCENDING, "more than 1,500", "max_epochs=2100"),
    "plateau": ((*DRAWN, "max_epochs=700"), Cause.PLATEAU, "about 480 epochs", "max_epochs=7000"),
    "minimum": ((*DRAWN, "learning_rate=3", "max_epochs=700", "seed=11"), Cause.MINIMUM, "levels off", "initial.range=0.25"),
    "undecided": ((*DRAWN, "learning_rate=3", "max_epochs=700", "seed=44"), Cause.UNDECIDED, "none of these", "=7000"),
    "oscillating": (
        (*DRAWN, "network.activation=tanh", "learning_rate=10", "max_epochs=500", "seed=2"),
        Cause.OSCILLATING, "0.036 of the fall", "initial.range=0.25",
    ),
    "saturated": ((*DRAWN, "initial.range=50", "max_epochs=90"), Cause.SATURATED, "2 of 4", "initial.range=12.5"),
    "frozen": ((*DRAWN, "learning_rate=1000", "max_epochs=90"), Cause.FROZEN, "0 of 9 change", "learning_rate=10"),
    "dead": (
        (*XOR, "network.activation=relu", "initial=explicit", DEAD, "max_epochs=9"),
        Cause.FROZEN, "all 2: h1, h2", "initial=uniform",
    ),
    "symmetric": (
        (*XOR, "network.hidden=[3]", "initial=explicit", EQUAL, "max_epochs=9"),
        Cause.SYMMETRIC, "h1, h3               w1=w5, w2=w6           w7=w9", "initial=uniform",
    ),
    "unreachable": (
        (*DRAWN, "network.bias=none", "network.hidden=[]", "max_epochs=9", "network.output_activation=tanh", "threshold=1e-9"),
        None, "", "",
    ),
    "zero inputs": ((*DRAWN, "network.bias=none", "network.hidden=[]", "max_epochs=9"), Cause.UNREACHABLE, "0.125 ", ""),
    "diverged": (
        ("network.activation=identity", "network.output_activation=identity", "learning_rate=1e3"),
        Cause.DIVERGED, "Diverged after 1 epoch:", "learning_rate=100",
    ),
    "converged": (("learning_rate=2",), Cause.NONE, "It needed 271 epochs.", ""),
    "stationary": ((*DRAWN, "gradient_tolerance=1e-2"), Cause.NONE, "It is stationary", ""),
    "large": (
        ("task=digits", "network.hidden=[32]", "initial=uniform", "max_epochs=1"),
        None, "K* were not looked at: 2,368", "",
    ),
    "no epochs": (("max_epochs=0",), None, "Exhausted after 0 epochs", ""),
    "another criterion": (
        (*DRAWN, "criterion=worst_output", "max_epochs=900", "threshold=0.02", "learning_rate=2", "seed=1"),
        Cause.DESCENDING, "about 0.00", "criterion=worst_output",
    ),
}  # fmt: skip
FAST = [name for name in ENDS if name != "large"]


def trained(*overrides):
    trial, settings = read_run(compose(list(overrides)))
    quickest = "compiled" if trial.batch_key.max_epochs > 2000 else "numpy"
    return trial, end_of(engine(quickest)(make_batch([trial], settings.curve_points)))


@cache
def ended(name):
    """Trial, end, and story of one of ENDS."""
    trial, end = trained(*ENDS[name][0])
    blocks = list(story.told(end, trial, command_for(end, trial)))
    return trial, end, "\n\n".join(map(story.STYLES["text"], blocks))


def pasted(text):
    """The overrides of the command at the end of a story."""
    words = shlex.split(text[text.index("    python -m pipeline.train") :].replace("\\\n", " "))
    return words[3:]


@pytest.mark.parametrize("name", [*FAST, pytest.param("large", marks=pytest.mark.slow)])
def test_each_end_has_its_story_on_80_columns(name):
    _, cause, said, tried = ENDS[name]
    _, end, text = ended(name)
    assert cause in (None, end.cause)
    assert said in text
    assert max(map(len, text.split("\n"))) <= 80
    if end.cause:
        assert f"\n\n{end.cause.word.capitalize()}: " in text.partition("what to try")[2]
        assert tried in " ".join(pasted(text))
    else:
        assert "python -m" not in text


@pytest.mark.parametrize("name", FAST)
def test_the_word_is_the_first_rule_that_holds_and_those_before_it_do_not(name):
    _, end, text = ended(name)
    if end.status is not Status.EXHAUSTED:
        assert "the first rule that holds" not in text
        return
    first = next((cause for cause, holds in end.rules if holds), Cause.UNDECIDED)
    assert first is end.cause
    table = text.partition("the first rule that holds")[2].partition("The cause")[0].strip().splitlines()[3:]
    assert [line.split()[-1] for line in table] == ["no"] * (len(table) - 1) + ["yes"]
    assert table[-1].split()[0] == end.cause.word


@pytest.mark.parametrize(
    "name", ["near the goal", "descending from afar", pytest.param("another criterion", marks=pytest.mark.slow)]
)
def test_what_descends_converges_with_the_pasted_command(name):
    overrides = pasted(ended(name)[2])
    if name == "descending from afar":
        overrides = ["threshold=1e-3", *(word for word in overrides if not word.startswith("threshold"))]  # E ÷ 30 at least
    _, end = trained(*overrides)
    assert end.status is Status.CONVERGED


def test_other_advice_does_what_it_says():
    _, start = trained(*pasted(ended("symmetric")[2]), "max_epochs=1")
    assert not start.equals
    trial, reached = trained(*pasted(ended("zero inputs")[2]), "max_epochs=1")
    assert reached.bound < trial.threshold
    assert trial.batch_key.bias == "per_unit"
    assert "without biases, the inputs of zeros in pattern 1 give 0.5" in " ".join(ended("zero inputs")[2].split())
    assert trained(*pasted(ended("dead")[2]), "max_epochs=1")[1].cause is not Cause.FROZEN


@pytest.mark.parametrize(
    "overrides",
    [
        ("momentum=0.9", "learning_rate=[1,2]", "threshold=1e-4", "curve_points=20"),
        (*DRAWN, "initial.range=[-1,2]", "seed=18446744073709551615", "update=online", "criterion=mean_error"),
        (*DRAWN, "network.hidden=[3,2]", "network.bias=shared", "network.activation=relu", "gradient_tolerance=1e-6"),
        (*XOR, "initial=explicit", DEAD),
        pytest.param(("task=parity", "task.bits=3", "network.train_bias=true", "initial=uniform"), marks=pytest.mark.slow),
        pytest.param(
            ("task=csv", "task.path='a b/c=d.csv'", "task.targets=[kind,'x y']", "initial=uniform"), marks=pytest.mark.slow
        ),
        ("task=csv", "task.path=table.csv", "task.targets=kind", "task.test=0.25", "initial=uniform", "network=trained"),
    ],
)
def test_a_command_made_from_a_trial_makes_that_trial(overrides, folder):
    (folder / "a b").mkdir()
    for path in ("a b/c=d.csv", "table.csv"):
        (folder / path).write_text("length,x y,kind\n" + "1,2,red\n2,1,blue\n3,3,red\n0,1,blue\n" * 4)
    trial, _ = read_run(compose(list(overrides)))
    batch = make_batch([trial])
    end = type("End", (), {"cause": Cause.NONE})()
    words = shlex.split(command_for(end, trial).replace("\\\n", " "))
    again, _ = read_run(compose(words[3:]))
    assert (again, keys(make_batch([again]))) == (trial, keys(batch))


def test_many_weights_are_not_pasted():
    values = ",".join(f"weights_{n}: {np.ones((9, 9)).tolist()}" for n in (1, 2)) + ", bias_1: [0], bias_2: [0]"
    config = ("task=encoder", "task.size=9", "network.hidden=[9]", "initial=explicit", f"initial.values={{{values}}}")
    trial, _ = read_run(compose(list(config)))
    end = type("End", (), {"cause": Cause.DIVERGED})()
    assert command_for(end, trial) == "learning_rate=0.05"


# The numbers, by other methods


@pytest.mark.parametrize("name", ["descending", "minimum", "plateau"])
def test_units_gradient_steps_and_directions_are_those_of_other_methods(name):
    _, end, _ = ended(name)
    batch, final = end.batch, end.result.parameters[:, 0]
    network, targets = batch.network, batch.targets

    def outputs(parameters):
        one, two, bias_one, bias_two = np.split(parameters, [4, 6, 8])
        hidden = expit(batch.inputs @ one.reshape(2, 2).T + bias_one)
        return hidden, expit(hidden @ two + bias_two)

    def error(parameters):
        return 0.5 * ((outputs(parameters)[1] - targets[:, 0]) ** 2).sum()

    steps = 1e-5 * np.eye(9)
    gradient = np.array([(error(final + step) - error(final - step)) / 2e-5 for step in steps])
    for layer, own in zip(end.layers, [[0, 1, 2, 3, 6, 7], [4, 5, 8]], strict=True):
        assert layer.gradient == pytest.approx(np.linalg.norm(gradient[own]), rel=1e-4)
        assert layer.step == pytest.approx(layer.learning_rate * np.abs(gradient[own]).max(), rel=1e-4)
        assert layer.largest == np.abs(final[own]).max()
        assert (layer.moved, layer.trained) == (len(own), len(own))
    hidden, output = outputs(final)
    assert len(end.layers[0].flat) == (hidden * (1 - hidden) < 0.01).all(axis=0).sum()
    assert end.layers[1].wrong == ((np.abs(output - targets[:, 0]) > 0.5) & (output * (1 - output) < 0.01)).sum()

    def gradient_at(parameters):
        column = parameters[:, None]
        return backward(network, column, forward(network, column, batch.inputs), targets)[:, 0]

    second = np.array([(gradient_at(final + step) - gradient_at(final - step)) / 2e-5 for step in steps])
    values = np.linalg.eigvalsh(batch.learning_rate[0, 0] * 0.5 * (second + second.T))
    assert end.negative == (values < -1e-8).sum()
    assert (end.at("lambda_min"), end.at("lambda_max")) == pytest.approx((values[0], values[-1]), abs=1e-7)


def test_equal_units_are_those_that_make_a_cause_and_have_equal_weights():
    random = np.random.default_rng(0)
    for network in (Network((2, 3, 2), bias="per_unit"), Network((1, 3, 3, 1)), Network((2, 4, 1), bias="none")):
        parameters = random.integers(0, 2, (network.size, 200)).astype(float)
        parameters[random.random(parameters.shape) < 0.1] = -0.0
        groups = [equal_units(network, parameters[:, run]) for run in range(200)]
        assert [len(found) for found in groups] == twins(network, parameters).tolist()
        assert any(groups)
        for run, found in enumerate(groups):
            for equals in found:
                for rows in (equals.incoming, equals.outgoing):
                    numbers = [[parameters[int(name[1:]) - 1, run] for name in row] for row in rows]
                    assert all(row == numbers[0] for row in numbers)


def test_a_step_that_is_lost_in_rounding_changes_no_weight():
    assert [(layer.moved, layer.wrong) for layer in ended("frozen")[1].layers] == [(0, None), (0, 2)]
    _, end, text = ended("dead")
    assert (end.layers[0].moved, end.layers[0].flat) == (0, ["h1", "h2"])
    assert "a relu unit dead (0 for every pattern)" in text


def test_epochs_are_rounded_up_to_two_digits():
    assert [advice.rounded_up(number) for number in (0.2, 7, 99.5, 101, 1388.1, 87_001, 1e300)] == [
        1, 7, 100, 110, 1400, 88_000, 10**12,
    ]  # fmt: skip


def test_a_threshold_is_raised_where_neither_other_outputs_nor_biases_help(folder):
    (folder / "table.csv").write_text("a,b\n1,0.2\n1,0.4\n2,0.3\n")
    for criterion in ("total_error", "mean_error", "worst_output"):
        overrides = ("task=csv", "task.path=table.csv", "task.targets=b", "initial=uniform", "max_epochs=9", "network=trained")
        trial, end = trained(*overrides, f"criterion={criterion}", "threshold=1e-6")
        assert end.cause is Cause.UNREACHABLE
        assert lowest_error(end.batch.network, end.batch.inputs, end.batch.targets) == pytest.approx(0.01)
        new, _ = trained(*pasted(f"    {command_for(end, trial)}"))
        assert new.threshold > trial.threshold
        assert warnings_of_unreachable([(new.batch_key, new.threshold)], "refuse") == []
