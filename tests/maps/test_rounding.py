"""The check of how much of a map rounding decides."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.backprop.network import Network, forward, total_error
from pipeline.maps.axis import Axis
from pipeline.maps.rounding import Rounding, other_orders, reversed_units, rounding
from pipeline.maps.training import MapResult, train
from tests.maps.grids import grid

XOR = ("task=xor", "network=trained", "initial=uniform", "initial.range=2", "seed=0")


def over_rate_and_weight(*overrides, size=8, low="0.1", high="100"):
    """A map over the learning rate and the second weight."""
    return grid(
        Axis("learning_rate", low, high, "log", size),
        Axis("initial.set.w2", "-3", "3", "linear", size),
        ("max_epochs=500", *overrides),
    )


@pytest.mark.parametrize("bias", ["shared", "per_unit", "none"])
def test_hidden_units_in_reverse_order_are_the_same_network(bias):
    batch = over_rate_and_weight().batch(np.arange(50))
    network = Network((2, 4, 3, 2), "tanh", bias=bias, train_bias=True)
    parameters = np.random.default_rng(0).normal(size=(network.size, 50))
    batch = replace(batch, network=network, initial_parameters=parameters)
    other = reversed_units(batch)
    errors = [total_error(forward(network, one.initial_parameters, batch.inputs)[-1], batch.targets) for one in (batch, other)]
    np.testing.assert_allclose(*errors, rtol=1e-13)
    assert not np.array_equal(*errors)
    np.testing.assert_array_equal(reversed_units(other).initial_parameters, parameters)
    np.testing.assert_array_equal(batch.initial_parameters, parameters)


def test_rounding_decides_nothing_of_the_worked_example():
    pixels = over_rate_and_weight(size=24)
    found = rounding(pixels, train(pixels))
    assert (found.pixels, found.runs, found.differing, found.order) == (576, 576, 0, "hidden units")
    assert str(found).startswith(
        "no run of this picture is seen to be decided by rounding (0 of 576 runs end with another status when"
    )
    assert found.metrics()["rounding_share"] == 0


def test_a_chaotic_map_is_decided_by_rounding():
    """Where the error of XOR jumps for hundreds of epochs, the last bit says where it ends."""
    pixels = over_rate_and_weight(*XOR, "network.hidden=[4]", "network.activation=tanh", size=24, low="8", high="12.5")
    result = train(pixels)
    found = rounding(pixels, result)
    assert found.share > 0.02
    assert found.converging == found.differing  # none diverges
    assert f"({found.differing:,} of 576 runs end with another status" in str(found)
    some = rounding(pixels, result, most=100)
    assert some.runs == 100
    low, high = some.interval
    assert low <= found.share <= high
    assert some == rounding(pixels, result, most=100)


@pytest.mark.parametrize("words", [["network.hidden=[1]"], ["network.bias=none", "network.train_bias=false"]])
def test_where_hidden_units_have_one_sum_only_the_patterns_are_put_in_another_order(words):
    pixels = over_rate_and_weight(*XOR, *words)
    assert rounding(pixels, train(pixels)).order == "patterns"


def test_where_no_order_is_another_nothing_is_claimed():
    pixels = over_rate_and_weight(*XOR, "network.hidden=[1]", "update=online")
    assert other_orders(pixels.batch(np.arange(8))) == {}
    found = rounding(pixels, train(pixels))
    assert "is not known" in str(found)
    assert found.metrics() == {}


def test_a_run_that_ends_otherwise_is_counted():
    pixels = over_rate_and_weight()
    result = train(pixels)
    status, error = result.status.copy(), result.final_error
    status[0, 0], status[5, 5] = 3 - status[0, 0], 3
    found = rounding(pixels, MapResult(status, result.epochs, error))
    assert found.differing == 2


@pytest.mark.parametrize(
    ("differing", "runs", "said"),
    [
        (70, 4096, "rounding decides 1.7 % [1.4 %, 2.2 %] of this picture (70 of 4,096 runs"),
        (0, 4096, "rounding decides less than 0.10 % of this picture (0 of 4,096 runs"),
        (450, 4096, "rounding decides 11 % [10 %, 12 %] of this picture"),
        (4095, 4096, "rounding decides 100.0 % [99.9 %, 100.0 %]"),
        (1, 40960, "rounding decides less than 0.01 % [less than 0.01 %, 0.01 %]"),
    ],
)
def test_the_sentence_has_the_share_its_interval_and_what_was_counted(differing, runs, said):
    found = Rounding(2**20, runs, differing, 0, "hidden units")
    assert str(found).startswith(said)
    assert str(found).endswith("end with another status when the hidden units are put in another order)")
