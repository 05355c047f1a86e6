"""The dimension of a map's boundary, where it is known, and what is said of it."""

import numpy as np
import pytest
from scipy.ndimage import convolve

from pipeline.backprop.status import Status
from pipeline.maps.boundary import ERROR, boundary, outcomes, sentence, verdict
from tests.planted_boundaries import PLANTED

CURVE = "the boundary is a curve, no fractal at these scales"
ROUGH = "the boundary is rougher than a curve at these scales"


def planted(name, place, size=512):
    """One of the planted regions, at one of its random places."""
    draw, truth = PLANTED[name]
    return draw(np.random.default_rng([16, place]), size), truth


@pytest.mark.parametrize("name", PLANTED)
def test_planted_boundaries_have_their_dimension(name):
    region, truth = planted(name, 0)
    found = boundary(region)
    assert abs(found.dimension.value - truth) <= ERROR
    assert found.dimension.low <= truth <= found.dimension.high
    said = verdict(found)
    assert said == (CURVE if truth == 1 else ROUGH)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_intervals_hold_the_dimension_of_planted_boundaries_at_20_random_places(name):
    held, said = 0, set()
    for place in range(20):
        region, truth = planted(name, place)
        found = boundary(region)
        assert abs(found.dimension.value - truth) <= ERROR
        held += found.dimension.low <= truth <= found.dimension.high
        said.add(verdict(found))
    assert held >= 18
    assert said == {CURVE if truth == 1 else ROUGH}


def test_shares_are_those_of_pairs_at_these_distances():
    region = np.random.default_rng(3).random((200, 230)) < 0.3
    found = boundary(region)
    assert found.distances.tolist() == [1, 2, 3, 4, 6, 8, 12]
    for distance, share in zip(found.distances, found.shares, strict=True):
        partners = np.zeros((2 * distance + 1, 2 * distance + 1))
        partners[[0, -1, distance, distance], [distance, distance, 0, -1]] = 1
        number = convolve(region.astype(float), partners)  # of the four pixels, how many are inside
        differing = np.where(region, 4 - number, number)[12:-12, 12:-12]
        assert share == pytest.approx(differing.mean() / 4)


def test_many_curves_side_by_side_are_no_fractal():
    y, x = np.mgrid[:512, :512] / 512
    stripes = np.sin(400 * x**2 + 3 * y) > 0  # narrower than the largest distances: their slope is not 1 there
    found = boundary(stripes)
    assert found.dimension.value > 1.1
    assert verdict(found) == "the boundary is no fractal at these scales: its dimension falls towards 1 on looking closer"


def test_dust_that_no_pixel_resolves_has_no_dimension():
    dust = np.random.default_rng(0).random((256, 256)) < 0.5
    assert verdict(boundary(dust)).startswith("the boundary is finer than the pixels")


def test_a_curve_beside_dust_has_no_one_dimension():
    region, _ = planted("disc", 0)
    for corner in range(60, 460, 50):
        region[corner : corner + 25, -corner : -corner + 25] = np.random.default_rng(corner).random((25, 25)) < 0.5
    assert "no one dimension at these scales: it is rougher" in verdict(boundary(region))


def test_many_small_islands_have_no_one_dimension():
    region, _ = planted("quadratic", 0, 32)  # beyond their size, any two pixels are unrelated
    assert "no one dimension at these scales: it is smoother" in verdict(boundary(np.tile(region, (16, 16))))


def test_a_short_boundary_is_said_to_show_nothing():
    y, x = np.mgrid[:256, :256]
    found = boundary((x - 128) ** 2 + (y - 128) ** 2 < 12**2)
    assert found.exists
    assert verdict(found) in (CURVE, "the boundary is not told from a curve: nothing shows a fractal at these scales")


@pytest.mark.parametrize(
    ("size", "corner", "said"),
    [
        (256, 0, "no boundary away from the edges"),
        (256, 30, "too little boundary for a dimension: 28"),
        (100, 50, "that needs at least 200 pixels along each side"),
        (12, 5, "that needs at least 200 pixels"),
    ],
)
def test_without_enough_of_a_boundary_there_is_none(size, corner, said):
    region = np.zeros((size, size), bool)
    region[:corner, :corner] = True
    found = boundary(region)
    assert said in sentence(found)
    assert not found.exists
    assert found.metrics() == {}


def test_the_sentence_has_the_dimension_its_interval_and_its_distances():
    region, _ = planted("snowflake", 1)
    found = boundary(region)
    assert f"at distances of 1 to 32 pixels: D = {found.dimension}, locally" in sentence(found)
    assert found.metrics()["boundary_dimension"] == found.dimension.value
    assert found.metrics()["boundary_largest_distance"] == 32


def test_the_boundary_is_that_of_convergence_or_where_nothing_converges_of_divergence():
    status = np.full((4, 4), Status.EXHAUSTED, np.int8)
    status[0] = Status.DIVERGED
    outcome, word = outcomes(status)
    assert word == "did not diverge"
    assert outcome.tolist() == (status != Status.DIVERGED).tolist()
    status[1] = Status.CONVERGED
    outcome, word = outcomes(status)
    assert word == "converged"
    assert outcome.tolist() == (status == Status.CONVERGED).tolist()
    status[2, 2] = -1
    with pytest.raises(ValueError, match="all been trained"):
        outcomes(status)
