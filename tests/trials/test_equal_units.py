"""Starts with equal hidden units are warned of; drawn ones are not looked at."""

import numpy as np
import pytest

from pipeline.app.composition import compose, compose_multirun
from pipeline.sweeps.request import read_sweep
from pipeline.trials import equal_units as room
from pipeline.trials.equal_units import warnings_of_equal_units
from pipeline.trials.settings import read_run
from pipeline.trials.trial import InitialChoice

XOR = ("task=xor", "network=trained")


def values(weight, bias=0.5):
    return f"{{weights_1:[[0.5,0.5],[0.5,0.5]],weights_2:[[0.5,{weight}]],bias_1:[0.5,{bias}],bias_2:[0.1]}}"


def lines(*overrides):
    return warnings_of_equal_units([read_run(compose([*XOR, *overrides]))[0]])


def test_a_start_with_equal_units_has_a_line():
    [line] = lines("initial=explicit", f"initial.values={values(0.5)}")
    assert line.startswith("initial=explicit: hidden units are equal at the start in all their weights; they stay equal")
    assert "initial=uniform" in line


@pytest.mark.parametrize("other", [values(0.6), values(0.5, bias=0.6)])
def test_one_weight_that_differs_is_enough(other):
    assert not lines("initial=explicit", f"initial.values={other}")


def test_published_weights_are_not_equal_nor_are_drawn_ones_looked_at(monkeypatch):
    assert not warnings_of_equal_units([read_run(compose([]))[0]])
    monkeypatch.setattr(room, "twins", lambda *_: pytest.fail("looked at"))
    assert not lines("initial=uniform")


def test_a_sweep_says_in_how_many_trials(folder):
    np.savez(folder / "same.npz", weights_1=np.ones((2, 2)), weights_2=np.ones((1, 2)), bias_1=np.ones(2), bias_2=np.ones(1))
    starts = f"initial.values={values(0.5)},{values(0.6)}"
    plan = read_sweep(compose_multirun([*XOR, "initial=explicit", starts, "learning_rate=1,2,3", "update=batch,online"])).plan
    [line] = plan.equal_units
    assert "in 6 of 12 trials" in line
    files = compose_multirun([*XOR, "initial=file", "initial.path=same.npz", "threshold=1e-2,1e-3"])
    [line] = read_sweep(files).plan.equal_units
    assert line.startswith("initial=file: ")
    assert "in 2 of 2 trials" in line


def test_large_networks_are_not_looked_at():
    trial, _ = read_run(compose([*XOR, "network.hidden=[400]", "initial=explicit", "initial.values={weights_1:[0]}"]))
    assert trial.initial == InitialChoice("explicit", values=(("weights_1", (0,)),))
    assert not warnings_of_equal_units([trial])  # the weights would be refused
