"""Causes and their numbers have the same bits on any engine, processor and number of threads, alone and in any batch."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pipeline.app.composition import compose
from pipeline.backprop.causes import looking
from pipeline.backprop.causes.of_batch import causes, first_point_of_causes
from pipeline.backprop.engines import engine
from pipeline.trials.batching import make_batch
from pipeline.trials.fingerprint import cause_digests
from pipeline.trials.settings import read_run
from pipeline.trials.trial import InitialChoice
from tests.strategies import same_bits

XOR = ("task=xor", "network=trained")
POPULATIONS = {
    "xor": ((*XOR, "max_epochs=700"), (0.3, 3.0, 30.0, 1e3), (0.5, 2.0, 8.0)),
    "xor tanh, momentum": ((*XOR, "network.activation=tanh", "momentum=0.7", "max_epochs=300"), (0.1, 1.0), (1.0, 30.0)),
    "xor relu": ((*XOR, "network.activation=relu", "max_epochs=200"), (0.1, 1.0), (0.5, 1.0)),
    "xor without hidden units": ((*XOR, "network.hidden=[]", "max_epochs=600"), (0.3, 3.0, 1e4), (0.5,)),
    "worked example": (("max_epochs=300",), (0.5, 50.0, 1e4), (0.5, 4.0)),
    "encoder": (("task=encoder", "task.size=5", "network=trained", "network.hidden=[2]", "max_epochs=60"), (1.0, 9.0), (1.0,)),
    "iris, many hidden units": (("task=iris", "network=trained", "network.hidden=[24]", "max_epochs=30"), (0.02,), (1.0,)),
}


def batch_of(name, seeds=range(5)):
    overrides, rates, ranges = POPULATIONS[name]
    trial, _ = read_run(compose([*overrides, "initial=uniform", "threshold=1e-4"]))
    return make_batch(
        [
            replace(trial, learning_rate=(rate,), initial=InitialChoice("uniform", (-size, size)), seed=seed, threshold=goal)
            for rate, size, seed, goal in product(rates, ranges, seeds, (1e-2, 1e-4))
        ]
    )


def part(result, trainings):
    """What became of these trainings alone."""
    batch = result.batch.columns(trainings)
    trials = np.flatnonzero(np.isin(result.batch.training, trainings))
    names = ("status", "epochs", "final_error", "gradient_norm", "parameters")
    chosen = {name: getattr(result, name)[..., trials] for name in names}
    return replace(result, batch=batch, curve_errors=result.curve_errors[:, trainings], **chosen)


def digests(batch, name="compiled", threads=None):
    return cause_digests(causes(engine(name)(batch, None, None, threads), name))


@pytest.mark.parametrize("name", POPULATIONS)
def test_on_both_engines_by_one_thread_and_by_two(name):
    batch = batch_of(name)
    found = digests(batch)
    assert len({digest for digest in found if digest}) > 3
    assert found == digests(batch, "numpy") == digests(batch, threads=1) == digests(batch, threads=2)


@pytest.mark.parametrize("name", POPULATIONS)
def test_alone_and_in_a_batch_of_any_size_in_any_order(name, monkeypatch):
    result = engine("compiled")(batch_of(name))
    found = cause_digests(causes(result))
    trainings = np.random.default_rng(0).permutation(result.batch.trainings)
    assert cause_digests(causes(part(result, trainings))) == found
    for training in trainings[:10]:
        own = np.flatnonzero(result.batch.training == training)
        assert cause_digests(causes(part(result, np.array([training])))) == [found[trial] for trial in own]
    monkeypatch.setattr(looking, "FEWEST", 3)
    monkeypatch.setattr(looking, "NUMBERS", 1)
    assert cause_digests(causes(result)) == found


@pytest.mark.parametrize("name", ["compiled", "numpy"])
@pytest.mark.parametrize("points", [2, 3, 100])
@pytest.mark.parametrize("population", POPULATIONS)
def test_without_the_points_of_curves_that_they_are_not_found_by(population, points, name):
    batch = replace(batch_of(population, range(2)), curve_points=points)
    first = first_point_of_causes(batch.curve_epochs)
    assert first > 0 or points <= 3
    whole, late = (engine(name)(replace(batch, first_point=point)) for point in (0, first))
    assert cause_digests(causes(late, name)) == cause_digests(causes(whole, name))
    assert late.curve_epochs.tolist() == whole.curve_epochs[first:].tolist()
    assert same_bits(late.curve_errors, whole.curve_errors[first:])
    for field in ("epochs", "final_error", "parameters"):
        assert same_bits(getattr(late, field), getattr(whole, field))


@pytest.mark.slow
@pytest.mark.parametrize("name", POPULATIONS)
def test_by_compiled_code(name, monkeypatch):
    batch = batch_of(name)
    found = digests(batch, "numpy")
    monkeypatch.setattr(looking, "SECONDS_TO_LOAD", 0.0)
    monkeypatch.setattr(looking, "SECONDS_TO_COMPILE", 0.0)
    monkeypatch.setattr(looking, "look_by_numpy", None)
    assert digests(batch) == found


@pytest.mark.slow
def test_with_any_vector_instructions():
    features = np.show_config("dicts")["SIMD Extensions"].get("found", [])
    if not features:
        pytest.skip("NumPy uses no vector instructions here that could be switched off")
    outputs = [
        subprocess.run(
            [sys.executable, "-m", __name__],
            cwd=Path(__file__).parents[3],
            env={**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(off)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for off in ([], features[len(features) // 2 :], features)
    ]
    assert len(outputs[0].split()) > 100
    assert outputs[0] == outputs[1] == outputs[2]


if __name__ == "__main__":
    for population in POPULATIONS:
        print(*digests(batch_of(population), "numpy"))
