"""Changes of initial weights do what their names say, in the order that is said, to the weights that are named."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backprop.network import BIASES, Network
from pipeline.backprop.trainer import train
from pipeline.errors import ConfigError
from pipeline.trials.batching import columns_of, make_batch, trials_of
from pipeline.trials.configuration import configuration_from_params, params_of, read_trial
from pipeline.trials.fingerprint import digests, keys
from pipeline.trials.settings import read_run
from pipeline.trials.starts.initial_choice import is_drawn_again
from pipeline.trials.starts.weight_names import weight_at
from pipeline.walkthrough.numbers import position
from tests.configurations import PUBLISHED, composed, trial_of
from tests.strategies import examples, same_bits

STARTS = (
    {"kind": "published"},
    {"kind": "uniform", "range": 2},
    {"kind": "normal", "std": 1},
    {"kind": "explicit", "values": PUBLISHED},
    {"kind": "perturbed", "start": "published", "range": 0.5},
)
NAMES = {"w1": 0, "w5": 4, "w8": 7, "b1": 8, "b2": 9, "weights_1.0.1": 1, "weights_2.1.0": 6, "bias_2.0": 9}
ANOTHER = {"weights_1": [[1, 2], [3, 4]], "weights_2": [[5, 6], [7, 8]], "bias_1": [9], "bias_2": [10]}
numbers = st.floats(-1e6, 1e6).map(lambda number: number + 0.0)
starts = st.sampled_from(STARTS)


def start(initial, seed=3):
    """The parameters (N,) that a run of the worked example's network begins with."""
    return make_batch([trial_of(initial=initial, seed=seed)]).initial_parameters[:, 0]


@examples(60)
@given(
    starts, st.dictionaries(st.sampled_from(("w1", "w5", "w8", "b1", "weights_1.0.1", "weights_2.1.0", "bias_2.0")), numbers)
)
def test_a_weight_that_is_set_is_that_and_all_others_are_what_they_were(initial, values):
    expected = start(initial)
    for name, value in values.items():
        expected[NAMES[name]] = value
    assert same_bits(start({**initial, "set": values}), expected)


@examples(60)
@given(starts, st.dictionaries(st.sampled_from(("w1", "w5", "b2", "weights_1.0.1")), numbers))
def test_an_offset_is_added(initial, values):
    expected = start(initial)
    for name, value in values.items():
        expected[NAMES[name]] += value
    assert same_bits(start({**initial, "offset": values}), expected)


@examples(30)
@given(starts, st.integers(0, 9))
def test_what_is_neutral_changes_no_bit(initial, seed):
    neutral = {"scale": 1, "offset": {"w1": 0, "b1": 0.0}, "set": {}}
    for direction in ({"seed": seed, "distance": 0}, {"to": ANOTHER, "distance": 0, "fraction": 0.0}):
        assert same_bits(start({**initial, **neutral, "direction": direction}), start(initial))


def test_changes_are_made_in_the_order_that_is_said():
    to = start({"kind": "explicit", "values": ANOTHER})
    initial = {
        "kind": "published", "scale": 0.5, "direction": {"to": ANOTHER, "fraction": 0.25, "distance": 2},
        "offset": {"w1": 3}, "set": {"w2": -7},
    }  # fmt: skip
    expected = start({"kind": "published"}) * 0.5
    way = to - expected
    expected = expected + 0.25 * way + 2 * (way / math.sqrt(math.fsum(way**2)))
    expected[0] += 3
    expected[1] = -7
    np.testing.assert_allclose(start(initial), expected, rtol=1e-15)


def test_a_fraction_of_1_arrives_whatever_the_scale():
    for scale in (1, 0.25):
        initial = {"kind": "published", "scale": scale, "direction": {"to": ANOTHER, "fraction": 1}}
        np.testing.assert_allclose(start(initial), start({"kind": "explicit", "values": ANOTHER}), rtol=1e-15)


@pytest.mark.parametrize("direction", [{"seed": 3}, {"seed": 2**64 - 1}, {"to": ANOTHER}])
def test_a_distance_is_how_far_the_weights_move(direction):
    away, here = (
        start({"kind": "normal", "std": 1, "direction": {**direction, "distance": 0.7}}),
        start({"kind": "normal", "std": 1}),
    )
    assert math.sqrt(math.fsum((away - here) ** 2)) == pytest.approx(0.7, rel=1e-13)


def test_a_random_direction_is_another_for_each_seed_and_has_nothing_to_do_with_the_start():
    origin = {"kind": "explicit", "values": {name: np.zeros_like(ANOTHER[name]).tolist() for name in ANOTHER}}
    one, other = (start({**origin, "direction": {"seed": seed, "distance": 1}}) for seed in (3, 4))
    again = start({**origin, "direction": {"seed": 3, "distance": 1}}, seed=99)
    assert same_bits(one, again)
    assert abs(one @ other) < 0.9
    drawn = start({"kind": "sphere", "radius": 1}, seed=3)  # the same seed, and not the same direction
    assert abs(one @ drawn) < 0.9


def test_setting_weights_is_editing_their_file(tmp_path):
    for bias in BIASES:
        parts = {"weights_1": np.array([[0.15, 0.2], [0.25, 0.3]]), "weights_2": np.array([[0.4, 0.45], [0.5, 0.55]])}
        parts |= {
            f"bias_{layer}": np.full({"shared": 1, "per_unit": 2, "none": 0}[bias], b) for layer, b in ((1, 0.35), (2, 0.6))
        }
        parts["weights_2"][0, 0], parts["weights_1"][1, 0] = 0.3, parts["weights_1"][1, 0] - 0.1
        if bias != "none":
            parts["bias_2"][-1] = 0.9
        np.savez(tmp_path / f"{bias}.npz", **parts)
        last = {"none": {}, "shared": {"b2": 0.9}, "per_unit": {"b4": 0.9}}[bias]
        by_key = {"kind": "published", "set": {"w5": 0.3, **last}, "offset": {"weights_1": {"1": {"0": -0.1}}}}
        by_file = {"kind": "file", "path": str(tmp_path / f"{bias}.npz")}
        one, other = (trial_of(initial=given, network_bias=bias, max_epochs=30) for given in (by_key, by_file))
        batch, from_file = make_batch([one]), make_batch([other])
        assert keys(batch) == keys(from_file)
        assert digests(train(batch)) == digests(train(from_file))


def test_a_weight_that_is_set_to_what_it_was_is_the_same_trial():
    one, other = (make_batch([trial_of(initial={"kind": "published", **changes})]) for changes in ({"set": {"w5": 0.4}}, {}))
    assert keys(one) == keys(other)


def test_trials_with_and_without_changes_share_a_batch():
    initials = [
        {"kind": "published"}, {"kind": "published", "set": {"w5": 1}}, {"kind": "published", "offset": {"w5": 1}},
        {"kind": "uniform", "range": 1, "scale": 2}, {"kind": "uniform", "range": 1},
        {"kind": "published", "direction": {"seed": 1, "distance": 2}},
        {"kind": "published", "direction": {"seed": 2, "distance": 2}},
    ]  # fmt: skip
    trials = [trial_of(initial=initial) for initial in initials]
    batch = make_batch(trials)
    assert sorted(set(batch.training)) == list(range(len(trials)))
    for column, initial in zip(batch.training, initials, strict=True):
        assert same_bits(batch.initial_parameters[:, column], start(initial, seed=0))
    assert trials_of(columns_of(trials)) == trials


def test_names_are_those_of_the_walkthrough():
    for bias in BIASES:
        network = Network((3, 2, 4, 1), bias=bias)
        weights = 3 * 2 + 2 * 4 + 4
        names = [f"w{n}" for n in range(1, weights + 1)]
        names += [f"b{n}" for n in range(1, network.size - weights + 1)]
        assert [weight_at("", 0, name, network) for name in names] == list(range(network.size))
        assert [position(network, name) for name in names[:weights]] == list(range(weights))


@examples(30)
@given(st.data(), st.lists(st.integers(1, 4), min_size=2, max_size=4), st.sampled_from(BIASES))
def test_addresses_are_those_of_the_arrays(data, units, bias):
    network = Network(tuple(units), bias=bias)
    weights, biases = network.split(np.arange(float(network.size)))
    arrays = {
        f"{kind}_{n + 1}": array for kind, some in (("weights", weights), ("bias", biases)) for n, array in enumerate(some)
    }
    name = data.draw(st.sampled_from([name for name, array in arrays.items() if array.size]))
    index = data.draw(st.tuples(*(st.integers(0, size - 1) for size in arrays[name].shape)))
    assert weight_at("", 0, f"{name}.{'.'.join(map(str, index))}", network) == arrays[name][index]


def test_an_address_may_have_brackets_in_a_file():
    initial = {"kind": "published", "set": {"weights_1[0, 1]": 3, "bias_1[0]": 2}}
    trial = trial_of(initial=initial)
    assert trial.changes == (("initial.set.bias_1.0", 2.0), ("initial.set.weights_1.0.1", 3.0))
    assert read_trial(configuration_from_params(params_of(trial))) == trial


def test_a_file_towards_which_weights_move_is_read(tmp_path):
    np.savez(tmp_path / "to.npz", **{name: np.array(values) for name, values in ANOTHER.items()})
    by_file, by_values = (
        start({"kind": "published", "direction": {"to": to, "distance": 1}}) for to in (str(tmp_path / "to.npz"), ANOTHER)
    )
    assert same_bits(by_file, by_values)


@pytest.mark.parametrize(
    ("initial", "again"),
    [
        ({"kind": "published", "set": {"w5": 1}, "scale": 2}, True),
        ({"kind": "published", "direction": {"seed": 1, "distance": 2}}, True),
        ({"kind": "uniform", "range": 1, "direction": {"to": "published", "distance": 2}}, True),
        ({"kind": "perturbed", "start": "published", "range": 1}, True),
        ({"kind": "explicit", "values": ANOTHER}, False),
        ({"kind": "perturbed", "start": "w.npz", "range": 1}, False),
        ({"kind": "perturbed", "start": ANOTHER, "range": 1}, False),
        ({"kind": "uniform", "range": 1, "direction": {"to": "w.npz", "distance": 2}}, False),
        ({"kind": "uniform", "range": 1, "direction": {"to": ANOTHER, "fraction": 2}}, False),
    ],
)
def test_params_give_the_weights_again_unless_they_are_values_or_a_file(initial, again):
    recorded = configuration_from_params(params_of(trial_of(initial=initial)))["initial"]
    assert is_drawn_again(recorded) == again


KNOWN = "unknown weight; known are w1, w2 … w8, b1, b2; weights_1.0.0 to 1.1, weights_2.0.0 to 1.1, bias_1.0, bias_2.0"
NEEDS = "needs a direction: initial.direction.seed, or initial.direction.to"
REFUSED = {  # what is asked for: the last part of it, and what is said of that
    "initial.set.w9=1": KNOWN,
    "initial.set.b3=1": KNOWN,
    "initial.set.w0=1": KNOWN,
    "initial.offset.weights_1.0.2=1": KNOWN,
    "initial.offset.weights_1.0=1": KNOWN,
    "initial.set.speed=1": KNOWN,
    "initial.set.w5=high": "must be a number, finite",
    "initial.set.w5=null": "must be a number, finite",
    "initial.set.w5=inf": "must be finite",
    "initial.offset.w5=[1,2]": "must be a number, finite",
    "initial.scale=nan": "must be finite",
    "initial.scale=inf": "must be finite",
    "initial.set=7": "must have names of weights and biases as keys: w5, b1, weights_1.0.1",
    "initial.offset.w5=2 initial.set.w5=1": "changes the same weight as initial.offset.w5: leave one out",
    "initial.set.w5=1 initial.set.weights_2.0.0=1": "changes the same weight as initial.set.w5: leave one out",
    "initial.direction.distance=1": NEEDS,
    "initial.direction.fraction=1": NEEDS,
    "initial.direction.seed=1": "needs initial.direction.distance, how far to move",
    "initial.direction.distance=1 initial.direction.seed=-1": "must be a whole number, 0 to 18446744073709551615",
    "initial.direction.seed=1 initial.direction.fraction=1": "needs initial.direction.to; with a seed it is",
    "initial.direction.to=published initial.direction.distance=1 initial.direction.seed=1": "leave out this",
    "initial.direction.fraction=1 initial.direction.to=published": "must be other weights than those that runs start with",
}  # fmt: skip


@pytest.mark.parametrize("overrides", REFUSED)
def test_what_cannot_be_changed_is_refused_in_one_line(overrides):
    with pytest.raises(ConfigError) as refusal:
        make_batch([read_run(composed(*overrides.split()))[0]])
    assert str(refusal.value).startswith(f"{overrides.split()[-1]}: {REFUSED[overrides]}")


def test_the_weights_that_a_large_network_has_are_told_in_short():
    told = r"known are w1, w2 … w210, b1, b2, b3; weights_1.0.0 to 9.9, weights_2.0.0 to 9.9, …$"
    with pytest.raises(ConfigError, match=told):
        weight_at("initial.set.w0", 1, "w0", Network((10, 10, 10, 1)))
