"""A sweep is the same whatever the order of its axes and values: it resumes, and keeps the order in which it was begun."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.app.composition import Multirun
from pipeline.store.write import Store
from pipeline.sweeps.description import SweepDescription
from pipeline.sweeps.plan import Plan
from pipeline.sweeps.request import read_sweep
from tests.stores import after, kept_folder, runs_of


def plan_of(multirun, *arguments) -> Plan:
    return read_sweep(Multirun(*multirun(list(arguments)))).plan


ORDERS = {
    "free values": (["learning_rate=1,2", "threshold=0.1,0.2"], ["learning_rate=2,1", "threshold=0.2,0.1"]),
    "axes": (["learning_rate=1,2", "momentum=0,0.5"], ["momentum=0,0.5", "learning_rate=1,2"]),
    "grouped values": (["max_epochs=3,4", "network.bias=none,shared"], ["network.bias=shared,none", "max_epochs=4,3"]),
    "mixed": (["learning_rate=0.5,1", "update=batch,online", "initial=uniform", "initial.range=1,[0,1],2"],
              ["initial=uniform", "initial.range=2,1,[0,1]", "update=online,batch", "learning_rate=1,0.5"]),
    "as they were written": (["seed=range(3)", "learning_rate=0.50,1"], ["learning_rate=1.0,0.5", "seed=2,0,1"]),
}  # fmt: skip


@pytest.mark.parametrize(("one", "other"), ORDERS.values(), ids=ORDERS)
def test_a_sweeps_key_does_not_depend_on_the_order_of_its_trials(one, other, multirun):
    first, second = plan_of(multirun, *one), plan_of(multirun, *other)
    assert first.key(100) == second.key(100) != first.key(101)
    assert first.key_in_order(100) != second.key_in_order(100)
    here, there = ({trial: place for place, trial in enumerate(plan.trials(np.arange(len(plan))))} for plan in (first, second))
    assert here.keys() == there.keys()
    assert here != there


def test_other_trials_have_another_key(multirun):
    sweeps = (
        ["learning_rate=1,2", "momentum=0,0.5"], ["learning_rate=1,2", "momentum=0,0.25"],
        ["learning_rate=1,3", "momentum=0,0.5"],
        ["learning_rate=1,2,2", "momentum=0,0.5"], ["learning_rate=1,2", "momentum=0"], ["learning_rate=1,2", "momentum=0.5"],
        ["learning_rate=1,2", "momentum=0,0.5", "max_epochs=5"], ["learning_rate=1,2", "threshold=0.1,0.5"],
    )  # fmt: skip
    assert len({plan_of(multirun, *sweep).key(100) for sweep in sweeps}) == len(sweeps)


FIRST = ("-m", "initial=uniform", "max_epochs=20,30", "learning_rate=0.5,5", "seed=range(3)", "executor.chunk=3")
OTHER = ("-m", "initial=uniform", "seed=shuffle(range(3))", "learning_rate=5,0.5", "max_epochs=30,20", "executor.chunk=3")


def interrupt():
    raise KeyboardInterrupt


def interrupted(command, monkeypatch, *arguments) -> None:
    with monkeypatch.context() as patch:
        after(patch, 2, interrupt)
        assert command("train", *arguments).code == 130


def assert_as_begun(store, parent) -> None:
    """The sweep has the results of the first command in the first order, each run of it once and at its place."""
    _, parents, children = runs_of(store)
    whole, resumed = (pd.read_parquet(f"{run.info.artifact_uri}/results.parquet") for run in (parents[0], parent))
    pd.testing.assert_frame_equal(whole.drop(columns="run_id"), resumed.drop(columns="run_id"))
    places = {run.info.run_id: int(run.data.tags["trial.place"]) for run in children}
    assert [places[run_id] for run_id in resumed["run_id"]] == list(range(12))
    for run in children:
        assert run.data.tags["trial.key"] == resumed["key"][places[run.info.run_id]]


@pytest.mark.parametrize("begun", ["now", "before the key was without order"])
def test_a_sweep_in_another_order_resumes_in_that_in_which_it_was_begun(begun, store, command, monkeypatch):
    assert command("train", *FIRST).code == 0
    with monkeypatch.context() as patch:
        if begun != "now":
            patch.setattr(Plan, "key", Plan.key_in_order)
        interrupted(command, patch, *FIRST)
    [_, parent] = runs_of(store)[1]
    if begun == "now":
        ended = command("train", *OTHER)
    else:
        Store(f"sqlite:///{store}", "backpropagation").client.delete_tag(parent.info.run_id, "sweep.order")
        ended = command("train", *FIRST)
    assert (ended.code, ended.err) == (0, "")
    assert f"resuming run {parent.info.run_id}: 6 of 12 trials are trained" in ended.out
    [_, parent] = runs_of(store)[1]
    assert parent.info.status == "FINISHED"
    assert_as_begun(store, parent)


def test_a_sweep_in_another_order_whose_folder_is_gone_is_not_mixed_up(store, command, monkeypatch):
    interrupted(command, monkeypatch, *FIRST)
    shutil.rmtree(kept_folder())
    [parent] = runs_of(store)[1]
    ended = command("train", *OTHER, f"resume={parent.info.run_id}")
    assert (ended.code, ended.err.count("\n"), len(ended.err) <= 301) == (2, 1, True)
    assert "in another order; by: python -m pipeline.train -m" in ended.err
    assert not list(store.parent.parent.rglob("kept"))


def test_results_of_other_trials_under_the_key_are_not_taken(store, command, monkeypatch):
    interrupted(command, monkeypatch, *FIRST)
    path = kept_folder()
    left = SweepDescription.of_folder(path)
    *axes, last = left.jobs.axes
    jobs = replace(left.jobs, axes=(*axes, replace(last, values=(7, 8, 9))))
    (path / "sweep.json").write_text(replace(left, jobs=jobs).to_json())
    files = sorted(path.iterdir())
    ended = command("train", *OTHER)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "use resume=never" in ended.err
    assert sorted(path.iterdir()) == files
