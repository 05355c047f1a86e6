"""The compiled engine gives the bits of the NumPy trainer: whatever is trained, beside what, on how many threads."""

import logging
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.backprop import trainer
from pipeline.backprop.engines import compiled as engine
from pipeline.backprop.engines.compiled import machine_code as compiled
from pipeline.backprop.engines.compiled import schedule
from pipeline.backprop.engines.compiled.lanes import compiled_work
from pipeline.backprop.network import ACTIVATIONS, BIASES, Network
from pipeline.backprop.trainer import CRITERIA, STATUSES, UPDATES, Batch
from tests.engines import assert_same, check, compiled_training, make

XOR_INPUTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR_TARGETS = np.array([[0.0], [1.0], [1.0], [0.0]])


def xor(trainings: int, max_epochs: int, **settings: object) -> Batch:
    network = Network((2, 2, 1), bias="per_unit", train_bias=True)
    random = make(network, 4, trainings, 0, scale=4.0, max_epochs=max_epochs, **settings)  # type: ignore[arg-type]
    return Batch(
        *(network, XOR_INPUTS, XOR_TARGETS, random.initial_parameters, random.learning_rate, random.momentum),
        *(random.training, random.threshold, random.update, random.criterion, random.max_epochs),
        *(random.gradient_tolerance, random.curve_points),
    )


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Batches of every kind, small enough to be trained by NumPy in a moment."""
    small = draw(st.booleans())
    depth = draw(st.integers(0, 1 if small else 3))
    widths = st.integers(1, 3) if small else st.integers(1, 11)
    network = Network(
        tuple(draw(st.lists(widths, min_size=depth + 2, max_size=depth + 2))),
        draw(st.sampled_from(ACTIVATIONS)),
        draw(st.sampled_from(ACTIVATIONS)),
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
def test_every_bit_is_that_of_the_numpy_trainer(batch: Batch) -> None:
    check(batch)


@pytest.mark.slow
@given(batches())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_bit_is_that_of_the_numpy_trainer_in_many_more_cases(batch: Batch) -> None:
    check(batch)


def test_runs_that_end_at_very_different_epochs_keep_their_bits() -> None:
    batch = xor(300, 3000, thresholds=(0.3, 0.1, 1e-2), rate=20.0)
    definition = trainer.train(batch)
    assert len(np.unique(definition.epochs)) > 100
    assert_same(compiled_training(batch, 1), definition)
    assert_same(compiled_training(batch, 2), definition)


def test_all_four_endings_are_reached_and_equal() -> None:
    found = set()
    for rate, tolerance in ((0.1, 0.0), (0.1, 0.2), (50.0, 0.0)):
        network = Network((3, 4, 2), "relu", "identity", "per_unit", True)
        batch = make(network, 5, 60, 1, rate=rate, gradient_tolerance=tolerance, max_epochs=200, thresholds=(0.2,))
        definition = trainer.train(batch)
        found |= set(definition.status)
        assert_same(compiled_training(batch), definition)
    assert found == set(range(len(STATUSES)))


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


GENERIC = """
import numpy as np
from tests.engines import make, check
from pipeline.backprop.engines.compiled.machine_code import processor
from pipeline.backprop.network import Network
print(processor().width)
for units, patterns in ((2, 2, 1), 4), ((2, 3, 7, 2), 13), ((9, 5), 40):
    for activation in "sigmoid", "tanh":
        network = Network(units, activation, "sigmoid", "per_unit", True)
        check(make(network, patterns, 30, 7, momentum=0.5, max_epochs=60))
"""


@pytest.mark.parametrize(("cpu", "width"), [("generic", 2), ("haswell", 4)])
def test_bits_do_not_depend_on_the_processor(cpu: str, width: int) -> None:
    if cpu != "generic" and compiled.processor().width < width:
        pytest.skip("not a processor that has these instructions")
    environment = {**os.environ, "NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""}
    done = subprocess.run([sys.executable, "-c", GENERIC], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert cpu != "generic" or int(done.stdout) in (2, width)


@pytest.mark.parametrize("network", [Network((2, 2, 1), "tanh"), Network((9, 8, 3), "sigmoid", "tanh", "per_unit", True)])
@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize(
    ("triple", "cpu"),
    [
        ("x86_64-unknown-linux-gnu", ""),
        ("x86_64-unknown-linux-gnu", "znver4"),
        ("aarch64-unknown-linux-gnu", ""),
        ("aarch64-unknown-linux-gnu", "neoverse-v1"),
    ],
)
def test_no_product_is_fused_with_a_sum_on_any_processor(triple: str, cpu: str, network: Network, update: str) -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip(f"this llvmlite makes no code for {triple}")
    batch = make(network, 4, 2, 0, momentum=0.5, update=update)
    processor = compiled.Processor(cpu, "", 2, 16)
    module = compiled.emit(schedule.choose_kernel(batch, processor))
    module.triple = triple
    machine = target.create_target_machine(cpu=cpu, opt=3)
    assembly = machine.emit_assembly(compiled.optimised(module, machine))
    assert re.search(r"\bv?f?mul", assembly)
    assert not re.search(r"\b(fml[as]|fn?m(add|sub)|vfn?m(add|sub)\w*)\b", assembly)


def test_progress_adds_up_to_all_trials_and_epochs() -> None:
    batch = xor(200, 500, thresholds=(0.3, 0.1))
    told = []
    outcome = schedule.train_compiled(
        batch, schedule.choose_kernel(batch, compiled.processor()), lambda trials, epochs: told.append((trials, epochs))
    )
    trials, epochs = map(sum, zip(*told, strict=True))
    lowest = np.full(200, 0)
    np.maximum.at(lowest, batch.training, outcome.epochs)
    assert trials == 400
    assert epochs == lowest.sum()


class ToldToStopError(Exception):
    """What a progress function may raise; Ctrl-C raises at the same place."""


def test_training_is_given_up_within_a_second() -> None:
    network = Network((64, 32, 10))
    batch = make(network, 1797, 64, 0, max_epochs=10**9, thresholds=(0.0,))
    compiled_training(make(network, 5, 1, 0, max_epochs=1))
    calls = []

    def stop(trials: int, epochs: int) -> None:
        calls.append(time.monotonic())
        if len(calls) == 5:
            raise ToldToStopError

    with pytest.raises(ToldToStopError):
        schedule.train_compiled(batch, schedule.choose_kernel(batch, compiled.processor()), stop)
    assert time.monotonic() - calls[-1] < 1.0
    assert max(np.diff(calls)) < 1.0
    assert not [thread for thread in threading.enumerate() if thread.daemon and "share" in thread.name]


def test_damaged_and_missing_caches_are_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = schedule.choose_kernel(make(Network((3, 2, 1)), 2, 1, 0), compiled.processor())
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    compiled._load(shape)
    file = compiled.cached_file(shape)
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    compiled._load(shape)
    assert file.read_bytes() == whole
    (tmp_path / "a file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "a file" / "no folder"))
    compiled._load(shape)
    assert callable(compiled_work(str(compiled.cache_folder())))


def test_short_work_is_left_to_numpy_and_long_work_is_compiled(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG, "pipeline.engine")
    monkeypatch.setattr(schedule, "is_ready", lambda shape: False)
    short = make(Network((2, 2, 1)), 4, 2, 0, max_epochs=10)
    assert_same(engine.train(short), trainer.train(short))
    assert "NumPy" in caplog.text
    caplog.clear()
    engine.train(xor(2000, 20000, thresholds=(1.0,)))
    assert "compiled:" in caplog.text


IMPORT = """
import sys
import pipeline.backprop.engines.compiled
assert not {"numba", "llvmlite"} & set(sys.modules)
"""


def test_importing_the_engine_costs_nothing() -> None:
    subprocess.run([sys.executable, "-c", IMPORT], check=True)
