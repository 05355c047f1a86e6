"""Drawn weights have the distribution that is asked for, and depend on their seed alone."""

import numpy as np
import pytest
from scipy import stats

from pipeline.backprop.network import Network
from pipeline.errors import ConfigError
from pipeline.trials.batching import make_batch
from pipeline.trials.initial_weights import initial_parameters
from pipeline.trials.starts.initial_choice import read_initial
from tests.configurations import PUBLISHED, configuration, trial_of
from tests.strategies import bits, same_bits

NETWORK = Network((4, 3, 2), bias="per_unit")
LAYERS = (slice(0, 12), slice(12, 18), slice(18, 21), slice(21, 23))  # weights_1, weights_2, bias_1, bias_2
FEW = 1e-4  # a p value below which a distribution is another one


def drawn(seeds, network=NETWORK, **initial):
    choice, _ = read_initial(configuration(initial=initial))
    return initial_parameters([(choice, seed) for seed in seeds], network)


KINDS = {
    "uniform": {"kind": "uniform", "range": [-1, 3]},
    "normal": {"kind": "normal", "std": 0.5},
    "xavier": {"kind": "xavier"},
    "he": {"kind": "he", "distribution": "uniform", "biases": "as_weights"},
    "sphere": {"kind": "sphere", "radius": 2},
    "layers": {"kind": "layers", "layers": [{"kind": "uniform", "range": 1}, {"kind": "normal", "std": 2, "biases": 0.5}]},
    "perturbed": {"kind": "perturbed", "start": "published", "range": 0.1},
}
DISTRIBUTIONS = {  # of weights_1, weights_2, bias_1, bias_2; the variance of xavier is 2 ÷ (fan in + fan out), of he 2 ÷ fan in
    "uniform": [stats.uniform(-1, 4)] * 4,
    "normal": [stats.norm(0, 0.5)] * 4,
    "xavier": [stats.uniform(-np.sqrt(6 / 7), 2 * np.sqrt(6 / 7)), stats.uniform(-np.sqrt(6 / 5), 2 * np.sqrt(6 / 5)), 0, 0],
    "he": [stats.uniform(-np.sqrt(6 / fan_in), 2 * np.sqrt(6 / fan_in)) for fan_in in (4, 3, 4, 3)],
    "layers": [stats.uniform(-1, 2), stats.norm(0, 2), stats.uniform(-1, 2), 0.5],
}


@pytest.mark.parametrize("kind", DISTRIBUTIONS)
def test_weights_and_biases_have_their_distribution(kind):
    parameters = drawn(range(1000), **KINDS[kind])
    for rows, distribution in zip(LAYERS, DISTRIBUTIONS[kind], strict=True):
        if isinstance(distribution, int | float):
            assert (parameters[rows] == distribution).all()
        else:
            assert stats.kstest(parameters[rows].ravel(), distribution.cdf).pvalue > FEW


def test_a_hundred_thousand_normal_weights_are_normal():
    weights = drawn(range(5000), Network((5, 4, 1), bias="none"), kind="normal", std=[2, 3])[:20].ravel() / 2
    assert len(weights) == 100_000
    assert stats.kstest(weights, stats.norm.cdf).pvalue > FEW
    assert stats.normaltest(weights).pvalue > FEW  # skewness and kurtosis
    assert abs(weights.mean()) < 4 / np.sqrt(1e5)
    assert abs(weights.std() - 1) < 4 / np.sqrt(2e5)


def test_neighbouring_weights_and_seeds_are_not_correlated():
    parameters = drawn(range(4000), kind="normal", std=1)
    for one, other in ((parameters[:-1], parameters[1:]), (parameters[:, :-1], parameters[:, 1:])):
        assert stats.pearsonr(one.ravel(), other.ravel()).pvalue > FEW


def test_normal_xavier_has_the_variance_of_uniform_xavier():
    weights = drawn(range(2000), kind="xavier", distribution="normal")[LAYERS[0]]
    assert stats.kstest(weights.ravel(), stats.norm(0, np.sqrt(2 / 7)).cdf).pvalue > FEW


def test_points_on_a_sphere_are_as_far_out_and_go_in_all_directions():
    points = drawn(range(2000), kind="sphere", radius=2)
    np.testing.assert_allclose(np.sqrt((points**2).sum(axis=0)), 2, rtol=1e-15)
    # of a uniform direction in n dimensions, the square of a coordinate is Beta(½, (n − 1)/2)
    for row in points:
        assert stats.kstest((row / 2) ** 2, stats.beta(0.5, (NETWORK.size - 1) / 2).cdf).pvalue > FEW
        assert stats.binomtest(int((row > 0).sum()), len(row)).pvalue > FEW
    of_weights = drawn(range(50), kind="sphere", radius=2, biases="zero")
    np.testing.assert_allclose(np.sqrt((of_weights[:18] ** 2).sum(axis=0)), 2, rtol=1e-15)
    assert (of_weights[18:] == 0).all()


def test_perturbed_weights_are_near_those_given():
    noise = (
        drawn(range(3000), Network((2, 2, 2)), **KINDS["perturbed"])
        - np.array([[0.15, 0.2, 0.25, 0.3, 0.4, 0.45, 0.5, 0.55, 0.35, 0.6]]).T
    )
    assert stats.kstest(noise.ravel(), stats.uniform(-0.1, 0.2).cdf).pvalue > FEW
    explicit = drawn(range(9), Network((2, 2, 2)), kind="perturbed", start=PUBLISHED, range=0.1)
    assert same_bits(explicit, drawn(range(9), Network((2, 2, 2)), **KINDS["perturbed"]))


def test_a_range_of_each_layer_stretches_the_numbers_of_that_layer():
    together, first, second = (drawn([3], kind="uniform", range=r) for r in ([[-2, 2], [0, 0.5]], 2, [0, 0.5]))
    assert same_bits(together[LAYERS[0]], first[LAYERS[0]])
    assert same_bits(together[LAYERS[2]], first[LAYERS[2]])
    assert same_bits(together[LAYERS[1]], second[LAYERS[1]])
    assert same_bits(together[LAYERS[3]], second[LAYERS[3]])


@pytest.mark.parametrize("kind", KINDS)
def test_a_start_depends_on_its_seed_and_on_nothing_else(kind):
    network = Network((2, 2, 2)) if kind == "perturbed" else NETWORK
    seeds = [7, 0, 2**64 - 1, 7, *range(100, 170)]  # enough for seeding all at once
    together = drawn(seeds, network, **KINDS[kind])
    assert same_bits(together[:, 0], together[:, 3])
    for column in (0, 1, 2, 50):
        assert same_bits(together[:, [column]], drawn([seeds[column]], network, **KINDS[kind]))


def test_the_same_seed_gives_the_same_signs_whatever_the_distribution():
    signs = [np.sign(drawn([5], **{**KINDS[kind], "range": 1} if kind == "uniform" else KINDS[kind])[:18])
             for kind in ("uniform", "normal", "xavier", "he", "sphere")]  # fmt: skip
    assert all((one == signs[0]).all() for one in signs)


REFUSED = {
    "initial.layers=[1 entries]: must have 2": {"kind": "layers", "layers": [{"kind": "he"}]},
    "initial.std=[3 entries]: must have 2": {"kind": "normal", "std": [1, 2, 3]},
    "initial.range=[3 entries]: must have 2": {"kind": "uniform", "range": [[-1, 1], [-1, 1], 2]},
    "initial.range=[1,0.5]: must be a number greater than 0, or": {"kind": "uniform", "range": [1, 0.5]},
    "initial.std=0: must be greater than 0": {"kind": "normal", "std": 0},
    "initial.radius=-1: must be greater than 0": {"kind": "sphere", "radius": -1},
    "initial.distribution=beta: must be one of uniform, normal": {"kind": "he", "distribution": "beta"},
    "initial.biases=none: must be as_weights, zero, or a number": {"kind": "he", "biases": "none"},
    "initial.layers.kind=sphere: must be one of uniform, normal, xavier, he": {
        "kind": "layers",
        "layers": [{"kind": "sphere"}],
    },
    "initial.start=3: must be published, the path of a .npz file, or": {"kind": "perturbed", "start": 3, "range": 1},
    "initial.radius=2: unknown key; known are kind, range, biases": {"kind": "uniform", "range": 1, "radius": 2},
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_drawn_is_refused_in_one_line(message):
    with pytest.raises(ConfigError) as refusal:
        make_batch([trial_of(initial=REFUSED[message])])
    assert str(refusal.value).startswith(message)


def test_the_bits_of_every_distribution_are_frozen():
    for kind, frozen in FROZEN.items():
        parameters = drawn([2**40 + 1], Network((2, 2, 2)), **KINDS[kind])[[0, 5, 9], 0]
        assert [f"{one:x}" for one in bits(parameters).view(np.uint64)] == frozen, kind


FROZEN = {
    "uniform": ["bfedcb4efefb2ffc", "3ffd270fc073ed88", "400487bf33f1e271"],
    "normal": ["bff0eaa743610ea0", "3fd14a3ccf244e58", "3fe3c24001abe362"],
    "xavier": ["bff2eba77dbfc5de", "3fe01bca95521856", "0"],
    "he": ["bffac1f6281be88c", "3fe6c7ebf0c7dd38", "3ff5b3fb079e74ba"],
    "sphere": ["bff64d60784c6f98", "3fd6cb643c1069fb", "3fea0c9d2c5f6974"],
    "layers": ["bfeee5a77f7d97fe", "3ff14a3ccf244e58", "3fe0000000000000"],
    "perturbed": ["3fab5d5a67370cce", "3fdf6e3659b0c91c", "3fe5b4bfd730607d"],
}
