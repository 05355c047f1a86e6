"""A weight, an offset, a scale or a distance is an axis like any other: of a sweep, its tables, its figures, its run names."""

import json
import re
import shlex
import time

import numpy as np
import pytest
from mlflow import MlflowClient

import pipeline as bp
from pipeline.app.composition import Multirun
from pipeline.errors import ConfigError
from pipeline.sweeps.axes import Product
from pipeline.sweeps.plan import Plan, in_short
from pipeline.sweeps.request import read_sweep
from pipeline.trials.batching import batch_of
from tests import ROOT

FREE = (
    "learning_rate=0.5,2", "initial.set.w5=range(3)", "initial.offset.weights_1.0.1=0.1,-0.1", "initial.scale=1,0.5",
    "initial.direction.seed=3", "initial.direction.distance=${linspace:0,1,3}",
)  # fmt: skip


def plan_of(multirun, *arguments) -> Plan:
    return read_sweep(Multirun(*multirun(list(arguments)))).plan


def test_changes_of_weights_are_free_axes(multirun):
    plan = plan_of(multirun, *FREE)
    assert set(plan.free) == {
        *("learning_rate", "initial.set.w5", "initial.offset.weights_1.0.1", "initial.scale", "initial.direction.distance"),
    }
    assert (len(plan), len(plan.groups)) == (72, 1)


def test_a_plan_of_weights_is_read_again_from_what_is_kept_to_resume(multirun):
    plan = plan_of(multirun, *FREE)
    again = Plan.of_recorded(Product.from_data(json.loads(plan.jobs.json)))
    assert again.key(100) == plan.key(100)
    assert again.trials(np.arange(72)) == plan.trials(np.arange(72))


def test_an_axis_may_be_given_as_one_adds_a_key(multirun):
    plain, added, forced = (plan_of(multirun, f"{prefix}initial.set.w5=1,2") for prefix in ("", "+", "++"))
    assert plain.group_keys == forced.group_keys[:1] == added.group_keys[:1]
    assert plain.trials(np.arange(2)) == added.trials(np.arange(2)) == forced.trials(np.arange(2))


def test_a_quarter_of_a_million_trials_are_planned_and_made_batches_at_once(multirun):
    started = time.process_time()
    plan = plan_of(multirun, "initial.set.w5=${linspace:-10,10,512}", "learning_rate=${logspace:0.01,1000,512}")
    pieces = plan.cut(curve_points=100, size=16_384)
    batches = [batch_of(plan.fields(indices)) for indices in pieces]
    assert time.process_time() - started < 4  # 0.8 s when it was written
    assert sum(len(batch.threshold) for batch in batches) == len(plan) == 512 * 512
    assert batches[0].initial_parameters[4, :2].tolist() == [-10.0, -10.0]
    assert len(np.unique(np.concatenate([batch.initial_parameters[4] for batch in batches]))) == 512


def test_an_address_with_brackets_is_the_same_axis_as_with_dots(multirun):
    brackets, dots = (
        plan_of(multirun, f"initial.set.weights_1{address}=1,2", "initial.set.w5=${linspace:0,1,3}")
        for address in ("[0,1]", ".0.1")
    )
    of_a_study = read_sweep(
        Multirun(*multirun(params={"initial.set.weights_1[0, 1]": "1,2", "initial.set.w5": "${linspace:0,1,3}"}))
    ).plan
    assert brackets.key(100) == dots.key(100) == of_a_study.key(100)
    assert brackets.free == dots.free == of_a_study.free
    assert brackets.names(np.arange(6)) == dots.names(np.arange(6))


def test_values_are_numbers_in_their_order():
    axes = {"initial.set.weights_2[0,0]": [10, 9, -1, 2.5]}
    sweep = bp.sweep("learning_rate=1,2", "max_epochs=3", "engine=numpy", **axes)
    assert sweep.axes == ("learning_rate", "initial.set.weights_2.0.0")
    assert list(sweep.by("initial.set.weights_2[0,0]")["initial.set.weights_2.0.0"]) == [-1, 2.5, 9, 10]
    assert len(sweep.where("initial.set.weights_2[0,0]>=9 and learning_rate=2").results) == 2
    with pytest.raises(ConfigError, match=r"^axis=initial.set.weights_2.0.1: is no axis of this sweep"):
        sweep.by("initial.set.weights_2[0,1]")


def test_runs_are_named_by_the_weight(multirun):
    plan = plan_of(multirun, "initial.set.weights_1.0.1=0.5,1", "initial.offset.w5=0.123456789012345,0.1", "initial.scale=1,2")
    assert plan.names(np.array([0])) == ["weights_1.0.1=0.5 offset.w5=0.123457 scale=1"]


def test_long_numbers_are_shortened_as_far_as_they_stay_apart():
    assert in_short([0.1, 1, 100000.5]) == ["0.1", "1", "100000.5"]
    assert in_short([0.123456789012345, 0.5]) == ["0.123457", "0.5"]
    assert in_short([0.123456789012345, 0.123456789]) == ["0.12345678901", "0.123456789"]
    assert in_short(["a long word of text", 0.123456789012345]) == ["a long word of text", "0.123456789012345"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["initial.set.w9=1,2"], "initial.set.w9=1: unknown weight; known are w1, w2 … w8, b1, b2;"),
        (["initial.set.w5=1,high"], "initial.set.w5=high: must be a number, finite"),
        (["initial.set.w5=1,2", "initial.offset.w5=1,2"], "initial.set.w5=1: changes the same weight as initial.offset.w5"),
        (["network.hidden=[2],[1]", "initial=uniform", "initial.set.w8=1,2"], "initial.set.w8=1: unknown weight; known are w1"),
        (["initial.direction.distance=0,1"], "initial.direction.distance=0: needs a direction"),
        (
            ["initial.direction.to=published", "initial.direction.distance=1", "initial.scale=2,1"],
            "initial.direction.to=published: ",
        ),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_before_it_begins(multirun, arguments, message):
    with pytest.raises(ConfigError) as refusal:
        plan_of(multirun, *arguments)
    assert str(refusal.value).startswith(message)


EXAMPLES = [
    shlex.split(line)[3:] for line in (ROOT / "docs" / "starts.md").read_text().splitlines() if line.startswith("python ")
]
KEYS = re.findall(
    r"`(initial\.[^`]+)`", (ROOT / "docs" / "starts.md").read_text().partition("## Changes")[2].partition("##")[0]
)


@pytest.mark.parametrize("words", [*EXAMPLES, *map(str.split, KEYS)], ids=" ".join)
def test_examples_of_the_documentation_can_run(multirun, folder, words):
    np.savez("w.npz", weights_1=np.eye(2), bias_1=[0.5], weights_2=np.ones((2, 2)), bias_2=[-1.0])
    plan = plan_of(multirun, *(word for word in words if word != "-m"))
    assert len(plan) > 1 or "-m" not in words


SWEEP = ("initial.set.w5=${linspace:-1,1,2}", "initial.offset.bias_1[0]=0,0.1", "max_epochs=20", "initial=perturbed", "seed=7")


def runs_of(store, experiment):
    """The trials of an experiment, in the order of their keys."""
    client = MlflowClient(f"sqlite:///{store}")
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return sorted((run for run in runs if "trial.key" in run.data.tags), key=lambda run: run.data.tags["trial.key"])


@pytest.mark.slow
@pytest.mark.usefixtures("without_figures")
def test_both_sweepers_train_the_same_trials_which_are_reproduced(store, command):
    assert command("train", "-m", *SWEEP).err == ""
    assert command("train", "-m", *SWEEP, "hydra/sweeper=basic", "tracking.experiment=basic").code == 0
    by_batch, by_basic = runs_of(store, "backpropagation"), runs_of(store, "basic")
    assert len(by_batch) == 4
    for tag in ("trial.key", "result.digest"):
        assert [run.data.tags[tag] for run in by_batch] == [run.data.tags[tag] for run in by_basic]
    assert sorted(run.data.params["initial.set.w5"] for run in by_batch) == ["-1", "-1", "1", "1"]
    assert sorted(run.data.params["initial.offset.bias_1.0"] for run in by_batch) == ["0", "0", "0.1", "0.1"]
    assert "4 of 4" in command("reproduce", "sweep=latest").out
    table = command("summary", "by=initial.set.w5", "where=initial.offset.bias_1[0]=0.1", "format=csv").out
    assert [line.split(",")[:2] for line in table.splitlines()[1:]] == [["-1", "1"], ["1", "1"]]
