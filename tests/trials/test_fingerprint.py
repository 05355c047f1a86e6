"""A key says what a trial was and nothing else; a digest says what came out, to the last bit."""

import hashlib
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backprop.status import STATUSES
from pipeline.backprop.trainer import train
from pipeline.trials.batching import make_batch
from pipeline.trials.configuration import read_trial
from pipeline.trials.fingerprint import digests, keys
from pipeline.trials.settings import read_run
from tests.configurations import PUBLISHED, composed, configuration, trial_of, uniform
from tests.strategies import batches, counts, examples

RUN_IN_TWO_WAYS = (("numpy", 7), ("numba", 100))


def key_of(**changes):
    return keys(make_batch([trial_of(**changes)]))[0]


def explicit(**values):
    return {"kind": "explicit", "values": {**PUBLISHED, **values}}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# Keys


def test_the_key_of_the_worked_example_is_the_documented_construction():
    header = (
        '{"activations": ["sigmoid", "sigmoid"], "bias": "shared", "criterion": "total_error", '
        '"gradient_tolerance": "0x0.0p+0", '
        f'"inputs": "{sha256(b"(1, 2)" + struct.pack("<2d", 0.05, 0.10))}", '
        '"max_epochs": 10000, '
        f'"targets": "{sha256(b"(1, 2)" + struct.pack("<2d", 0.01, 0.99))}", '
        '"train_bias": false, "units": [2, 2, 2], "update": "batch"}'
    )
    threshold, rates, momentum = 1e-3, (0.5, 0.5), 0.0
    parameters = (0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55, 0.35, 0.60)
    numbers = struct.pack("<14d", threshold, *rates, momentum, *parameters)
    assert key_of() == sha256(b"backpropagation trial 1\n" + header.encode() + b"\n" + numbers)


def key_by_hand(batch, trial):
    network, column = batch.network, batch.training[trial]
    arrays = {
        name: sha256(f"({len(array)}, {len(array[0])})".encode() + struct.pack(f"<{array.size}d", *array.ravel()))
        for name, array in (("inputs", batch.inputs), ("targets", batch.targets))
    }
    header = {
        "activations": [network.activation] * (len(network.units) - 2) + [network.output_activation],
        "bias": network.bias,
        "criterion": batch.criterion,
        "gradient_tolerance": float(batch.gradient_tolerance).hex(),
        "max_epochs": batch.max_epochs,
        "train_bias": network.train_bias,
        "units": list(network.units),
        "update": batch.update,
        **arrays,
    }
    numbers = [batch.threshold[trial], *batch.learning_rate[:, column], batch.momentum[column]]
    numbers += [*batch.initial_parameters[:, column]]
    text = f"backpropagation trial 1\n{json.dumps(header, sort_keys=True)}\n"
    return sha256(text.encode() + struct.pack(f"<{len(numbers)}d", *numbers))


@examples(60)
@given(batch=batches(st.integers(1, 5)))
def test_every_key_is_the_documented_construction(batch):
    assert keys(batch) == [key_by_hand(batch, trial) for trial in range(len(batch.training))]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"seed": 5}),  # published weights are not drawn
        ({"learning_rate": 0.5}, {"learning_rate": [0.5, 0.5]}),
        ({"learning_rate": 1}, {"learning_rate": 1.0}),
        ({"threshold": 1e-3}, {"threshold": 0.001}),
        ({"max_epochs": 10_000}, {"max_epochs": 1e4}),
        ({"momentum": 0.0}, {"momentum": 0}),
        ({"momentum": 0.0}, {"momentum": -0.0}),
        ({"gradient_tolerance": 0}, {"gradient_tolerance": 0.0}),
        ({"network_hidden": [2]}, {"network_hidden": (2.0,)}),
        ({"network_bias": "none", "network_train_bias": True}, {"network_bias": "none"}),
        ({"initial": uniform(0.5)}, {"initial": uniform([-0.5, 0.5])}),
        ({"initial": uniform(1)}, {"initial": uniform(1.0)}),
        ({"initial": explicit(bias_1=[0])}, {"initial": explicit(bias_1=[-0.0])}),
        (
            {"initial": uniform(), "network_hidden": [], "network_activation": "tanh"},  # no hidden unit to activate
            {"initial": uniform(), "network_hidden": []},
        ),
    ],
)
def test_what_does_not_decide_a_trial_is_not_in_its_key(one, other):
    assert key_of(**one) == key_of(**other)


def test_neither_the_engine_nor_the_curve_is_in_the_trial_or_its_key():
    one, other = (read_run(composed(f"engine={engine}", f"curve_points={points}"))[0] for engine, points in RUN_IN_TWO_WAYS)
    assert one == other
    assert keys(make_batch([one], 7)) == keys(make_batch([one], 100))


def test_where_the_weights_come_from_is_not_in_the_key(tmp_path):
    np.savez(tmp_path / "weights.npz", **PUBLISHED)
    from_file = {"kind": "file", "path": str(tmp_path / "weights.npz")}
    assert key_of(initial=explicit()) == key_of() == key_of(initial=from_file)

    drawn = make_batch([trial_of(initial=uniform(), seed=3)])
    weights, biases = drawn.network.split(drawn.initial_parameters[:, 0])
    values = {name: part.tolist() for name, part in zip(drawn.network.names, weights + biases, strict=True)}
    assert key_of(initial={"kind": "explicit", "values": values}) == keys(drawn)[0]


def test_the_key_of_a_trial_does_not_depend_on_its_batch():
    trials = [
        trial_of(threshold=threshold, learning_rate=rate, momentum=momentum)
        for threshold in (1e-2, 1e-3)
        for rate in (0.5, [0.5, 1.0])
        for momentum in (0.0, 0.9)
    ]
    together = keys(make_batch(trials))
    assert together == [keys(make_batch([trial]))[0] for trial in trials]
    assert len(set(together)) == len(trials)
    assert keys(make_batch(trials[::-1])) == together[::-1]


CHANGES = [
    {"task": {"name": "parity", "bits": 2, "coding": "bipolar"}},  # other inputs, other targets
    {"task": {"name": "encoder", "size": 2, "coding": "binary"}},
    {"network_hidden": [3]},
    {"network_hidden": [2, 2]},
    {"network_activation": "tanh"},
    {"network_output_activation": "tanh"},
    {"network_bias": "per_unit"},
    {"network_bias": "none"},
    {"network_train_bias": True},
    {"initial": uniform(2.0)},
    {"seed": 1},
    {"learning_rate": 0.25},
    {"learning_rate": [0.5, 0.25]},
    {"learning_rate": [0.25, 0.5]},
    {"momentum": 0.5},
    {"update": "online"},
    {"criterion": "worst_output"},
    {"criterion": "mean_error"},
    {"threshold": 1e-4},
    {"threshold": float(np.nextafter(1e-3, 1.0))},
    {"max_epochs": 9999},
    {"gradient_tolerance": 1e-9},
]


def test_every_change_of_what_decides_a_trial_gives_another_key():
    base = {"task": {"name": "xor", "coding": "binary"}, "initial": uniform()}
    found = [key_of(**base), *(key_of(**{**base, **change}) for change in CHANGES)]
    assert len(set(found)) == len(CHANGES) + 1


positive = st.floats(1e-300, 1e300)
deciding = st.fixed_dictionaries(
    {
        "task": st.sampled_from(
            [
                {"name": "seed_example"},
                *({"name": "parity", "bits": bits, "coding": coding} for bits in (2, 3) for coding in ("binary", "bipolar")),
                {"name": "symmetry", "bits": 2, "coding": "binary"},
            ]
        ),
        "initial": st.sampled_from([uniform(1.0), uniform(2.0), uniform([-1.0, 2.0])]),
        "seed": counts(0, 3),
        "network_hidden": st.lists(counts(1, 3), min_size=1, max_size=2),
        "network_activation": st.sampled_from(("sigmoid", "tanh", "relu", "identity")),
        "network_output_activation": st.sampled_from(("sigmoid", "tanh", "relu", "identity")),
        "network_bias": st.sampled_from(("shared", "per_unit")),
        "network_train_bias": st.booleans(),
        "learning_rate": positive,
        "momentum": st.floats(0.0, 1.0, exclude_max=True),
        "update": st.sampled_from(("batch", "online")),
        "criterion": st.sampled_from(("total_error", "mean_error", "worst_output")),
        "threshold": positive,
        "max_epochs": st.integers(0, 10**12),
        "gradient_tolerance": st.floats(0.0, 1e300),
    }
)


@examples(200)
@given(one=deciding, other=deciding, data=st.data())
def test_two_trials_have_one_key_only_if_they_are_one_trial(one, other, data):
    """The two differ in anything from one field to all."""
    fields = data.draw(st.lists(st.sampled_from(sorted(one)), min_size=1, max_size=len(one), unique=True))
    changed = {**one, **{field: other[field] for field in fields}}
    same = read_trial(configuration(**one)) == read_trial(configuration(**changed))
    assert (key_of(**one) == key_of(**changed)) == same


# Digests


def digest_by_hand(outcome, trial):
    numbers = [outcome.final_error[trial], *outcome.parameters[:, trial]]
    one_nan = struct.pack("<Q", 0x7FF8000000000000)
    text = f"backpropagation result 1\n{STATUSES[outcome.status[trial]]}\n{outcome.epochs[trial]}\n"
    packed = b"".join(one_nan if number != number else struct.pack("<d", number) for number in numbers)
    return sha256(text.encode() + packed)


@examples(60)
@given(batch=batches(st.integers(1, 5)))
def test_every_digest_is_the_documented_construction(batch):
    outcome = train(batch)
    assert digests(outcome) == [digest_by_hand(outcome, trial) for trial in range(len(batch.training))]


@pytest.fixture(scope="module")
def outcome():
    return train(make_batch([trial_of(max_epochs=3)]))


def with_parameters(outcome, parameters):
    return digests(replace(outcome, parameters=np.array(parameters, float).reshape(-1, 1)))[0]


@pytest.mark.parametrize("parameter", range(10))
@pytest.mark.parametrize("bit", [0, 1, 31, 51, 52, 62, 63])
def test_one_bit_of_one_parameter_changes_the_digest(outcome, parameter, bit):
    changed = outcome.parameters.copy()
    changed.view(np.uint64)[parameter] ^= np.uint64(1 << bit)
    assert with_parameters(outcome, changed) != digests(outcome)[0]


@pytest.mark.parametrize("bit", [0, 51, 63])
def test_one_bit_of_the_final_error_changes_the_digest(outcome, bit):
    changed = outcome.final_error.copy()
    changed.view(np.uint64)[0] ^= np.uint64(1 << bit)
    assert digests(replace(outcome, final_error=changed)) != digests(outcome)


def test_status_and_epochs_change_the_digest(outcome):
    found = {
        digests(replace(outcome, status=np.array([status], np.int8), epochs=np.array([epochs])))[0]
        for status in range(len(STATUSES))
        for epochs in (0, 1, 3, 10)
    }
    assert len(found) == 4 * len(STATUSES)


def test_two_parameters_that_change_places_change_the_digest(outcome):
    assert with_parameters(outcome, outcome.parameters[::-1]) != digests(outcome)[0]


@examples(50)
@given(payload=st.integers(1, 2**52 - 1), negative=st.booleans(), place=counts(0, 9))
def test_any_nan_is_one_nan(outcome, payload, negative, place):
    plain, other = outcome.parameters.copy(), outcome.parameters.copy()
    plain[place] = np.nan
    other.view(np.uint64)[place] = (0xFFF if negative else 0x7FF) << 52 | payload
    assert np.isnan(other[place, 0])
    assert with_parameters(outcome, plain) == with_parameters(outcome, other)
    error = np.array([np.nan])
    assert digests(replace(outcome, final_error=error)) == digests(replace(outcome, final_error=-error))
    assert with_parameters(outcome, plain) != digests(outcome)[0]


def test_trials_of_one_training_that_end_apart_have_digests_apart():
    trials = [trial_of(threshold=threshold, max_epochs=500) for threshold in (0.29, 0.25, 0.2, 1e-9)]
    assert len(set(digests(train(make_batch(trials))))) == 4


def test_how_much_of_the_curve_is_kept_is_not_in_the_digest():
    few, many = (train(make_batch([trial_of(max_epochs=20)], points)) for points in (2, 20))
    assert digests(few) == digests(many)


@examples(30)
@given(batch=batches(st.just(20)), trial=st.integers(0, 10**6))
def test_the_digest_of_a_trial_does_not_depend_on_its_batch(batch, trial):
    column = np.array([batch.training[trial % len(batch.training)]])
    together = np.array(digests(train(batch)))[batch.training == column[0]]
    assert digests(train(batch.columns(column))) == together.tolist()
