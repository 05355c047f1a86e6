import re
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.maps.axis import Axis

mpmath = pytest.importorskip("mpmath")


def exact(axis, place):
    """The number at a place of a logarithmic axis, by mpmath, as a float."""
    with mpmath.workdps(80):
        low, high = mpmath.mpf(axis.low), mpmath.mpf(axis.high)
        return float(low * (high / low) ** (mpmath.mpf(place) / axis.size))


def test_pixels_have_the_values_of_their_centres():
    assert Axis("momentum", "0", "1", "linear", 4).values.tolist() == [0.125, 0.375, 0.625, 0.875]
    axis = Axis("learning_rate", "1e-3", "20000", "log", 300)
    assert axis.values.tolist() == [exact(axis, pixel + 0.5) for pixel in range(300)]


def test_a_value_is_rounded_once():
    axis = Axis("threshold", "0.1", "0.7", "linear", 3)  # in floats, 0.1 + 0.5 × (0.7 − 0.1) is 0.4 or its neighbour
    assert axis.values.tolist() == [0.2, 0.4, 0.6]
    assert [axis.text(pixel) for pixel in range(3)] == ["0.2", "0.4", "0.6"]


@given(st.integers(-8, 8), st.integers(1, 60), st.sampled_from(["linear", "log"]))
def test_the_text_of_a_pixel_is_its_value(exponent, size, scale):
    axis = Axis("learning_rate", f"1e{exponent}", f"7e{exponent}", scale, size)
    assert [float(axis.text(pixel)) for pixel in range(size)] == axis.values.tolist()


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize(("first", "end"), [(0, 7), (3, 60), (59, 60), (0, 60)])
def test_a_part_of_a_window_has_the_same_pixels(scale, first, end):
    axis = Axis("learning_rate", "0.013", "17.1", scale, 60)
    assert axis.part(first, end).values.tolist() == axis.values[first:end].tolist()
    inner = axis.part(first, end).part(0, 1)
    assert inner.values.tolist() == axis.values[first : first + 1].tolist()


def test_a_window_by_its_centre_is_the_one_by_its_ends():
    assert Axis.around("initial.set.w5", "0.4", "1e-12", size=512) == Axis(
        "initial.set.w5", "0.3999999999995", "0.4000000000005", size=512
    )
    axis = Axis.around("learning_rate", "1", "2", "log", 50)
    assert np.array_equal(axis.values, Axis("learning_rate", "0.1", "10", "log", 50).values)


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_columns_are_distinct_down_to_a_width_of_a_millionth_of_a_millionth(scale):
    axis = Axis.around("learning_rate", "0.4", "1e-12", scale, 512)
    assert (np.diff(axis.values) > 0).all()


def test_edges_share_the_window():
    axis = Axis("learning_rate", "0.1", "1000", "log", 4)
    assert [float(axis.edge(pixel)) for pixel in range(5)] == [0.1, 1.0, 10.0, 100.0, 1000.0]
    assert axis.edge(4) == Decimal("1000")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Axis("momentum", "1", "1"), "to=1: must be greater than from=1"),
        (lambda: Axis("momentum", "0", "1", "log"), "from=0: must be greater than 0 on a logarithmic axis"),
        (lambda: Axis("momentum", "0", "1", "cubic"), "scale=cubic: must be one of linear, log"),
        (lambda: Axis("momentum", "0", "1", size=0), "size=0: must be a whole number"),
        (lambda: Axis("momentum", "0", "inf"), "to=inf: must be a finite number"),
        (lambda: Axis("momentum", "0", "1e999999999"), "to=1e999999999: must be a finite number"),
        (lambda: Axis("momentum", "0", "9" * 200), "must be a finite number of at most 100 characters"),
        (lambda: Axis("momentum", "a", "1"), "from=a: must be a finite number"),
        (lambda: Axis("momentum", "0.4", "0.4000000000000001"), "float64 has not 512 numbers between"),
        (lambda: Axis.around("momentum", "0.5", "0"), "width=0: must be greater than 0"),
        (lambda: Axis.around("momentum", "-1", "1", "log"), "centre=-1: must be greater than 0"),
    ],
)
def test_an_axis_that_cannot_be_is_refused(make, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        make()
