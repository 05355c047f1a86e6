"""Every engine gives the bits of the definition: whatever is trained, beside what, on how many threads."""

import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.backprop import trainer
from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.batch import Batch, BatchResult
from pipeline.backprop.engines import ENGINES, canonical, engine
from pipeline.backprop.network import BIASES, Network
from pipeline.backprop.status import Status
from pipeline.backprop.trainer import CRITERIA, UPDATES
from tests.amounts import amount
from tests.backprop.engines.trainings import check, make, train, xor
from tests.strategies import same_bits

every_engine = pytest.mark.parametrize("name", ENGINES)


def test_an_engine_is_found_by_its_name_and_its_other_name() -> None:
    assert ENGINES[0] == canonical("numba") == "compiled"
    assert engine("numba") is engine("compiled")
    assert {canonical(name) for name in ENGINES} == set(ENGINES)
    with pytest.raises(KeyError):
        engine("abacus")


IMPORT = """
import sys
import pipeline.backprop.engines
pipeline.backprop.engines.engine("compiled")
assert "llvmlite" not in sys.modules
"""


def test_importing_an_engine_costs_nothing() -> None:
    subprocess.run([sys.executable, "-c", IMPORT], check=True)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Batches of every kind, small enough to be trained by NumPy in a moment."""
    small = draw(st.booleans())
    depth = draw(st.integers(0, 1 if small else 3))
    widths = st.integers(1, 3) if small else st.integers(1, 11)
    network = Network(
        tuple(draw(st.lists(widths, min_size=depth + 2, max_size=depth + 2))),
        draw(st.sampled_from(tuple(ACTIVATIONS))),
        draw(st.sampled_from(tuple(ACTIVATIONS))),
        draw(st.sampled_from(BIASES)),
        draw(st.booleans()),
    )
    return make(
        network,
        draw(st.integers(1, 4) if small else st.sampled_from((1, 2, 5, 13, 48, 61, 100))),
        draw(st.integers(1, 100)),
        draw(st.integers(0, 2**32)),
        scale=draw(st.sampled_from((1e-310, 1e-3, 1.0, 1.0, 5.0, 1e200))),
        rate=draw(st.sampled_from((0.01, 0.5, 5.0, 1e3, 1e300))),
        momentum=draw(st.sampled_from((0.0, 0.0, 0.5, 0.99))),
        thresholds=draw(st.sampled_from(((1e-2,), (0.5, 0.1, 1e-3), (0.1, 3.0, 0.1)))),
        update=draw(st.sampled_from(UPDATES)),
        criterion=draw(st.sampled_from(CRITERIA)),
        max_epochs=draw(st.sampled_from((0, 1, 7, 64, 65, 150))),
        gradient_tolerance=draw(st.sampled_from((0.0, 0.0, 1e-3, 0.1))),
        curve_points=draw(st.sampled_from((2, 3, 10, 100))),
    )


@given(batches())
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_every_bit_is_that_of_the_definition(batch: Batch) -> None:
    check(batch)


@pytest.mark.slow
@given(batches())
@settings(max_examples=amount(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_bit_is_that_of_the_definition_in_many_more_cases(batch: Batch) -> None:
    check(batch)


@pytest.mark.parametrize("update", ["batch", "online"])
@pytest.mark.parametrize(
    ("shape", "patterns"), [((2, 2, 1), 3), ((5, 6, 3), 7), pytest.param((4, 8, 3), 601, marks=pytest.mark.slow)]
)
def test_the_mean_error_has_the_bits_of_the_definition(update: str, shape: tuple[int, ...], patterns: int) -> None:
    network = Network(shape, bias="per_unit", train_bias=True)
    batch = make(network, patterns, 20, 3, rate=6.0 / patterns, max_epochs=22, update=update, criterion="mean_error")
    curve = trainer.train(replace(batch, curve_points=100)).curve_errors[:, 0]
    reached = curve[[5, 20]] / (
        patterns * shape[-1]
    )  # thresholds that are the criterion itself, to the last bit, and one below
    thresholds = np.concatenate([reached, np.nextafter(reached, 0.0)])
    some = replace(batch, training=np.repeat(np.arange(20), 4), threshold=np.tile(thresholds, 20))
    definition = trainer.train(some)
    assert {5, 6, 20, 21} >= set(definition.epochs[:4].tolist()) >= {5, 20}
    check(some)


def test_runs_that_end_at_very_different_epochs_keep_their_bits() -> None:
    batch = xor(300, 3000, thresholds=(0.3, 0.1, 1e-2), rate=20.0)
    definition = trainer.train(batch)
    assert len(np.unique(definition.epochs)) > 100
    check(batch)


def test_all_four_endings_are_reached_and_equal() -> None:
    statuses = set()
    for rate, tolerance in ((0.1, 0.0), (0.1, 0.2), (50.0, 0.0)):
        network = Network((3, 4, 2), "relu", "identity", "per_unit", True)
        batch = make(network, 5, 60, 1, rate=rate, gradient_tolerance=tolerance, max_epochs=200, thresholds=(0.2,))
        definition = trainer.train(batch)
        statuses |= set(definition.status)
        check(batch)
    assert statuses == set(Status)


def test_a_run_without_momentum_forgets_an_infinite_step() -> None:
    batch = make(Network((2, 3, 1), "relu", "identity"), 3, 64, 5, rate=1e300, momentum=0.9, max_epochs=20)
    assert (batch.momentum == 0).any()
    assert (batch.momentum > 0).any()
    check(batch)


def test_arrays_need_not_be_contiguous_or_writable() -> None:
    batch = make(Network((2, 2, 1)), 4, 10, 3, max_epochs=50)
    parameters = np.asfortranarray(batch.initial_parameters)
    parameters.flags.writeable = False
    rates = np.broadcast_to(batch.learning_rate[:1], batch.learning_rate.shape)
    strided = Batch(
        *(batch.network, np.asfortranarray(batch.inputs), batch.targets[::1], parameters, rates),
        *(np.broadcast_to(np.float64(0.5), (10,)), batch.training, batch.threshold),
        max_epochs=50,
    )
    check(strided)


@every_engine
def test_progress_adds_up_to_all_trials_and_epochs(name: str) -> None:
    batch = xor(200, 500, thresholds=(0.3, 0.1))
    reports: list[tuple[int, int]] = []
    result = train(name, batch, lambda trials, epochs: reports.append((trials, epochs)))
    trials, epochs = map(sum, zip(*reports, strict=True))
    lowest = np.full(200, 0)
    np.maximum.at(lowest, batch.training, result.epochs)
    assert trials == 400
    assert epochs == lowest.sum()


class StopError(Exception):
    """What a progress function may raise; Ctrl-C raises at the same place."""


@every_engine
def test_training_is_given_up_soon(name: str) -> None:
    network = Network((64, 32, 10))
    batch = make(network, 1797, 64, 0, max_epochs=10**9, thresholds=(0.0,))
    train(name, make(network, 5, 1, 0, max_epochs=1))
    calls = []

    def stop(trials: int, epochs: int) -> None:
        calls.append(time.monotonic())
        if len(calls) == 5:
            raise StopError

    with pytest.raises(StopError):
        train(name, batch, stop)
    assert max(np.diff([*calls, time.monotonic()])) < 10.0  # a fraction of a second where nothing else is at work
    assert not [thread for thread in threading.enumerate() if thread.daemon and "share" in thread.name]


@every_engine
def test_what_had_ended_when_training_was_given_up_is_in_the_result(name: str) -> None:
    batch = xor(2000, 10**9, thresholds=(0.5, 0.0))
    result, done = BatchResult.empty(batch), 0

    def stop(trials: int, epochs: int) -> None:
        nonlocal done
        done += trials
        if done:
            raise StopError

    with pytest.raises(StopError):
        train(name, batch, stop, result=result)
    ended = result.status >= 0
    assert 0 < done <= ended.sum() < len(ended)
    assert set(result.status[ended]) == {Status.CONVERGED}
    wanted = trainer.train(replace(batch, max_epochs=int(result.epochs.max())))
    for field in ("epochs", "final_error", "gradient_norm", "parameters"):
        assert same_bits(getattr(result, field)[..., ended], getattr(wanted, field)[..., ended])
