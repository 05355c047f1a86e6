"""Forward and backward pass: the right numbers (finite differences), and the right bits (a loop over Python's floats)."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.backprop.network import ACTIVATIONS, BIASES, Network, WorkArrays, backward, forward, total_error, worst_output
from tests.oracles import Scalar
from tests.strategies import BIAS_MODES, examples, networks, same_bits, seeds

E_KINK = 1e-3  # how far from relu's kink finite differences stay

VECTOR_ACTIVATION = {
    "sigmoid": lambda net: 1 / (1 + np.exp(-net)),
    "tanh": np.tanh,
    "relu": lambda net: np.maximum(net, 0.0),
    "identity": lambda net: net,
}


def drawn(network, seed, patterns, runs, spread=1.0):
    """Parameters (N, R), inputs (P, I) and targets (P, O)."""
    rng = np.random.default_rng(seed)
    return (
        rng.uniform(-spread, spread, (network.size, runs)),
        rng.uniform(-1.0, 1.0, (patterns, network.units[0])),
        rng.uniform(-1.0, 1.0, (patterns, network.units[-1])),
    )


def gradient_of(network, parameters, inputs, targets):
    return backward(network, parameters, forward(network, parameters, inputs), targets)


def error_of(network, parameters, inputs, targets):
    return total_error(forward(network, parameters, inputs)[-1], targets)


def nets_of_relu(network, parameters, inputs):
    """The net inputs of all relu units, by matrix products."""
    weights, biases = network.split(parameters[:, 0])
    below, found = inputs, [np.inf]
    for weight, bias, name in zip(weights, biases, network.activations, strict=True):
        net = below @ weight.T + (bias if len(bias) else 0.0)
        if name == "relu":
            found.extend(net.ravel())
        below = VECTOR_ACTIVATION[name](net)
    return np.array(found)


@pytest.mark.parametrize("hidden_layers", range(4))
@pytest.mark.parametrize(("bias", "train_bias"), BIAS_MODES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@examples(12)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=5, max_size=5),
    output_activation=st.sampled_from(ACTIVATIONS),
    patterns=st.integers(1, 4),
    seed=seeds,
)
def test_the_gradient_is_the_central_finite_difference_of_the_error(
    activation, bias, train_bias, hidden_layers, sizes, output_activation, patterns, seed
):
    if hidden_layers == 0:
        output_activation = activation
    network = Network(tuple(sizes[: hidden_layers + 2]), activation, output_activation, bias, train_bias)
    parameters, inputs, targets = drawn(network, seed, patterns, 1, spread=1.5)
    assume(np.abs(nets_of_relu(network, parameters, inputs)).min() > E_KINK)
    step = 1e-5
    moves = step * np.eye(network.size)[:, : network.trained]
    above = error_of(network, parameters + moves, inputs, targets)
    below = error_of(network, parameters - moves, inputs, targets)
    gradient = gradient_of(network, parameters, inputs, targets)
    assert gradient.shape == (network.trained, 1)
    np.testing.assert_allclose(gradient[:, 0], (above - below) / (2 * step), rtol=1e-6, atol=2e-8)


@examples(200)
@given(
    network=networks(max_units=5),
    patterns=st.integers(1, 5),
    runs=st.integers(1, 3),
    seed=seeds,
    spread=st.sampled_from((1.0, 10.0, 300.0)),
)
def test_every_bit_is_that_of_a_loop_over_single_numbers(network, patterns, runs, seed, spread):
    parameters, inputs, targets = drawn(network, seed, patterns, runs, spread)
    outputs = forward(network, parameters, inputs)
    error, worst = total_error(outputs[-1], targets), worst_output(outputs[-1], targets)
    gradient = backward(network, parameters, outputs, targets)
    for run in range(runs):
        scalar = Scalar(network, parameters[:, run])
        for p, pattern in enumerate(inputs):
            for layer, values in enumerate(scalar.forward(pattern)[1:], start=1):
                assert same_bits(outputs[layer][p, :, run], values)
        assert same_bits(error[run], scalar.error(inputs, targets))
        assert same_bits(worst[run], scalar.worst(inputs, targets))
        # + 0.0: a zero's sign is nobody's business
        assert same_bits(gradient[:, run] + 0.0, scalar.gradient(inputs, targets))


@pytest.mark.parametrize("bias", ["shared", "per_unit"])
@pytest.mark.parametrize("runs", [1, 2])
def test_sums_over_1000_patterns_of_one_unit_are_added_one_by_one(bias, runs):
    """The trap: NumPy's sum is pairwise when no other axis lies inside, and its last bits are others."""
    network = Network((1, 1), output_activation="sigmoid", bias=bias, train_bias=True)
    parameters, inputs, targets = drawn(network, 5, 1000, runs)
    outputs = forward(network, parameters, inputs)
    scalar = Scalar(network, parameters[:, 0])
    wanted_error, wanted_gradient = scalar.error(inputs, targets), scalar.gradient(inputs, targets)

    difference = outputs[-1][:, 0, 0] - targets[:, 0]
    assert not same_bits((0.5 * (difference * difference)).sum(), wanted_error)  # these numbers do tell the two apart
    delta = difference * (outputs[-1][:, 0, 0] * (1.0 - outputs[-1][:, 0, 0]))
    assert not same_bits([(delta * inputs[:, 0]).sum(), delta.sum()], wanted_gradient)

    assert same_bits(total_error(outputs[-1], targets)[0], wanted_error)
    assert same_bits(backward(network, parameters, outputs, targets)[:, 0], wanted_gradient)


@pytest.mark.parametrize("units", [(300, 2, 1), (1, 300, 1), (2, 3, 300), (1, 300)])
@pytest.mark.parametrize("runs", [1, 2])
def test_sums_over_300_units_are_added_one_by_one(units, runs):
    network = Network(units, "tanh", "sigmoid", "shared", train_bias=True)
    parameters, inputs, targets = drawn(network, 6, 2, runs, spread=0.3)
    outputs = forward(network, parameters, inputs)
    scalar = Scalar(network, parameters[:, 0])
    assert same_bits(outputs[-1][:, :, 0], [scalar.forward(pattern)[-1] for pattern in inputs])
    assert same_bits(total_error(outputs[-1], targets)[0], scalar.error(inputs, targets))
    assert same_bits(backward(network, parameters, outputs, targets)[:, 0], scalar.gradient(inputs, targets))


@examples(100)
@given(network=networks(), patterns=st.integers(1, 5), runs=st.integers(1, 5), seed=seeds)
def test_shapes_are_those_that_the_network_describes(network, patterns, runs, seed):
    parameters, inputs, targets = drawn(network, seed, patterns, runs)
    outputs = forward(network, parameters, inputs)
    assert outputs[0].shape == (patterns, network.units[0], 1)
    assert [layer.shape for layer in outputs[1:]] == [(patterns, units, runs) for units in network.units[1:]]
    assert total_error(outputs[-1], targets).shape == (runs,)
    assert worst_output(outputs[-1], targets).shape == (runs,)
    assert backward(network, parameters, outputs, targets).shape == (network.trained, runs)
    assert network.rates(np.ones((network.layers, runs))).shape == (network.trained, runs)
    assert [array.shape for part in network.split(parameters) for array in part] == [(*shape, runs) for shape in network.shapes]


@examples(100)
@given(network=networks(), seed=seeds)
def test_passes_leave_their_arguments_as_they_were(network, seed):
    parameters, inputs, targets = drawn(network, seed, 3, 2)
    outputs = forward(network, parameters, inputs)
    everything = (parameters, inputs, targets, *outputs)
    copies = [array.copy() for array in everything]
    backward(network, parameters, outputs, targets)
    total_error(outputs[-1], targets)
    worst_output(outputs[-1], targets)
    forward(network, parameters, inputs)
    assert all(map(same_bits, everything, copies))


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("train_bias", [False, True])
def test_parameters_are_weights_layer_by_layer_and_then_biases(bias, train_bias):
    network = Network((2, 3, 1), bias=bias, train_bias=train_bias)
    biases = {"shared": [(1,), (1,)], "per_unit": [(3,), (1,)], "none": [(0,), (0,)]}[bias]
    numbers = {"shared": 2, "per_unit": 4, "none": 0}[bias]
    assert network.names == ["weights_1", "weights_2", "bias_1", "bias_2"]
    assert network.shapes == [(3, 2), (1, 3), *biases]
    assert network.size == 9 + numbers
    assert network.trained == (9 + numbers if train_bias else 9)
    weights, by_bias = network.split(np.arange(float(network.size)))
    assert weights[0].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert weights[1].tolist() == [[6, 7, 8]]
    assert np.concatenate(by_bias).tolist() == list(range(9, 9 + numbers))


@examples(60)
@given(first=networks(), second=networks(), seed=seeds, patterns=st.integers(1, 4), runs=st.integers(1, 4))
def test_memory_that_was_used_before_leaves_no_trace(first, second, seed, patterns, runs):
    """A WorkArrays may have served another network, more patterns or more runs, and have anything in it."""
    used = WorkArrays()
    for network, more in ((first, 3), (second, 1), (second, 0)):
        parameters, inputs, targets = drawn(network, seed, patterns + more, runs + more)
        outputs = forward(network, parameters, inputs, used)
        wanted = forward(network, parameters, inputs)
        assert all(map(same_bits, outputs, wanted))
        assert same_bits(total_error(outputs[-1], targets, used), total_error(wanted[-1], targets))
        gradient = backward(network, parameters, outputs, targets, used)
        assert same_bits(gradient, backward(network, parameters, wanted, targets))
        assert all(map(same_bits, outputs, wanted))
        nothing = forward(network, np.full_like(parameters, np.nan), inputs, used)
        backward(network, parameters, nothing, targets, used)


def test_the_parts_of_split_are_views_of_the_parameters():
    network = Network((2, 3, 1), bias="per_unit", train_bias=True)
    parameters = np.zeros((network.size, 4))
    for part in network.split(parameters):
        for array in part:
            array += 1.0
    assert (parameters == 1.0).all()


@pytest.mark.parametrize(
    ("bias", "train_bias", "wanted"),
    [
        ("none", False, [1] * 6 + [2] * 3),
        ("per_unit", False, [1] * 6 + [2] * 3),
        ("shared", True, [1] * 6 + [2] * 3 + [1] + [2]),
        ("per_unit", True, [1] * 6 + [2] * 3 + [1] * 3 + [2]),
    ],
)
def test_a_learning_rate_belongs_to_the_weights_and_biases_of_its_layer(bias, train_bias, wanted):
    network = Network((2, 3, 1), bias=bias, train_bias=train_bias)
    rates = network.rates(np.array([[1.0, 10.0], [2.0, 20.0]]))
    assert rates[:, 0].tolist() == wanted
    assert rates[:, 1].tolist() == [10 * rate for rate in wanted]


def test_a_network_without_biases_has_one_description():
    assert Network((2, 1), bias="none", train_bias=True) == Network((2, 1), bias="none", train_bias=False)


def outputs_of(name, net):
    """The outputs of units with these net inputs: of a network of one weight, 1, in which each is a pattern."""
    network = Network((1, 1), output_activation=name, bias="none")
    return forward(network, np.ones((1, 1)), np.array(net, float)[:, None])[-1][:, 0, 0]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_the_functions_of_their_names(name):
    net = np.array([-3.0, -1.0, -0.0, 0.0, 0.5, 2.0])
    np.testing.assert_allclose(outputs_of(name, net), VECTOR_ACTIVATION[name](net), rtol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_net_input_that_is_no_number_gives_an_output_that_is_none(name):
    assert np.isnan(outputs_of(name, [np.nan, -np.nan])).all()


def test_relu_has_slope_0_at_its_kink():
    network = Network((1, 1), output_activation="relu", bias="none")
    for net, slope in ((-1.0, 0.0), (0.0, 0.0), (5e-324, 1.0), (2.0, 1.0)):
        target = max(net, 0.0) - 7.0  # so ∂E/∂output is 7
        gradient = gradient_of(network, np.array([[net]]), np.ones((1, 1)), np.array([[target]]))
        assert gradient.tolist() == [[7.0 * slope]]


@pytest.mark.parametrize("position", list(product(range(2), range(3))))
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_worst_output_is_found_wherever_it_stands(position, sign):
    outputs = np.zeros((2, 3, 1))
    outputs[*position, 0] = 0.25 * sign
    assert worst_output(outputs, np.zeros((2, 3))).tolist() == [0.25]


def test_the_worst_output_is_no_number_if_any_output_is_none():
    outputs = np.zeros((2, 3, 2))
    outputs[0, 1, 0] = np.nan
    worst = worst_output(outputs, np.ones((2, 3)))
    assert np.isnan(worst[0])
    assert worst[1] == 1.0
