"""Normal deviates are those of the normal distribution, to the last digits, and the same on every machine."""

import mpmath
import numpy as np
from scipy.special import ndtri

from pipeline.backprop.normal_quantile import CENTRE, normal, quantile, upper_quantile
from tests.strategies import bits

RANDOM = np.random.default_rng(5)
EXTREMES = np.array([0.0, 2.0**-53, 0.5 - 2.0**-53, 0.5, 0.5 + 2.0**-53, 1.0 - 2.0**-53])


def test_quantiles_are_those_of_scipy():
    probability = np.concatenate([RANDOM.random(50_000), RANDOM.uniform(0.07, 0.08, 1000), RANDOM.uniform(0.92, 0.93, 1000)])
    centred = probability - 0.5
    np.testing.assert_allclose(quantile(centred), ndtri(centred + 0.5), rtol=2e-15, atol=1e-15)


def test_far_quantiles_are_those_of_scipy():
    beyond = 10.0 ** -RANDOM.uniform(1.13, 300.0, 20_000)
    np.testing.assert_allclose(upper_quantile(beyond), -ndtri(beyond), rtol=1e-15)


def test_quantiles_are_right_to_50_digits_rounded():
    with mpmath.workdps(50):
        for centred in (-0.5 + 2.0**-54, -0.499, -CENTRE, -0.2, 1e-9, 0.1, CENTRE, np.nextafter(CENTRE, 1), 0.4999999):
            exact = mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(float(centred)))
            assert abs(mpmath.mpf(float(quantile(np.array([centred]))[0])) / exact - 1) < 1e-15


def test_deviates_are_finite_and_symmetric():
    numbers = np.concatenate([EXTREMES, RANDOM.random(1000)])
    deviates = normal(numbers)
    assert np.isfinite(deviates).all()
    assert np.abs(deviates).max() < 8.3
    assert (normal(1.0 - 2.0**-53 - numbers) == -deviates).all()


def test_the_bits_of_deviates_are_frozen():
    """Every digest of a run from normal weights stands on them."""
    numbers = np.concatenate([EXTREMES, [0.01, 0.07, 0.3, 0.9, 0.999]])
    assert [f"{one:x}" for one in bits(normal(numbers)).view(np.uint64)] == FROZEN


FROZEN = [
    "c02095b059d67c4c",
    "c02052484c516593",
    "bca40d931ff62707",
    "3ca40d931ff62707",
    "3cbe145caff13a8a",
    "402095b059d67c4c",
    "c0029c5c4630ff0a",
    "bff79cd70d9c27ee",
    "bfe0c7e39582c5fa",
    "3ff4813c36e26d34",
    "4008b8cbb7204494",
]
