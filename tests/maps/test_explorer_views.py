"""Moving over the explorer's map: in decimal arithmetic, by whole pixels, by a plot's floats and by typed numbers."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.maps.axis import Axis
from pipeline.maps.explorer.reading import fields_of_axis, read_axis
from pipeline.maps.explorer.view import bounds, first_axis, from_floats, moved, pixel_at, pixels_moved, shifted, zoomed
from tests.maps.explorers import RATE, WEIGHT


@pytest.mark.parametrize("axis", [RATE, WEIGHT], ids=["log", "linear"])
def test_zooming_to_a_width_of_1e_12_keeps_columns_apart(axis):
    axis = from_floats(axis, 1.2345, 1.4567)
    while Decimal(axis.high) - Decimal(axis.low) > Decimal("1e-12"):
        before, axis = axis, zoomed(axis, "0.1")
        assert (np.diff(axis.values) > 0).all()
        assert before.values[269] < axis.values[0] < axis.values[-1] < before.values[330]
        assert len(axis.low) <= 34
    with pytest.raises(ConfigError, match=r"is too close to from=1\.34"):
        zoomed(axis, "0.001")


@pytest.mark.parametrize("axis", [RATE, WEIGHT], ids=["log", "linear"])
def test_moves_and_zooms_undo_each_other(axis):
    for way in (lambda one: moved(moved(one, "0.25"), "-0.25"), lambda one: zoomed(zoomed(one, "0.5"), "2")):
        again = way(axis)
        assert [float(again.low), float(again.high)] == pytest.approx([float(axis.low), float(axis.high)], rel=1e-4)
    assert moved(WEIGHT, "0.25") == Axis("initial.set.w5", "-10", "30", "linear", 600)
    assert zoomed(WEIGHT, "0.5") == Axis("initial.set.w5", "-10", "10", "linear", 600)
    ends = [float(end) for end in (moved(RATE, "0.2").low, moved(RATE, "0.2").high)]
    assert ends == pytest.approx([1, 100_000], rel=1e-4)


def test_a_window_stays_where_there_are_trials():
    momentum = first_axis("momentum", 100)
    assert (zoomed(momentum, "2").low, zoomed(momentum, "2").high) == ("0", "1")
    assert moved(momentum, "0.5") == momentum
    assert moved(Axis("momentum", "0.5", "0.9", "linear", 100), "0.5") == Axis("momentum", "0.6", "1", "linear", 100)
    assert moved(Axis("momentum", "0.1", "0.9", "linear", 100), "-1").low == "0.004"
    assert from_floats(Axis("threshold", "0.1", "1", "linear", 10), -0.3, 0.4).low == "0"
    with pytest.raises(ConfigError, match="to=inf: must be a finite number"):
        from_floats(WEIGHT, -1e308, float("inf"))
    assert bounds("learning_rate.2") == (0, None)
    assert bounds("initial.set.w1") == (None, None)


DEEP = Axis("learning_rate", "1.5", "1.5000000001", "log", 701)
ODD = [Axis(axis.name, axis.low, axis.high, axis.scale, 601) for axis in (RATE, WEIGHT)]


@pytest.mark.parametrize("axis", [*ODD, DEEP], ids=["log", "linear", "deep"])
def test_pixels_that_stay_after_a_move_and_that_coincide_after_a_zoom_have_the_same_bits(axis):
    there = axis
    for pixels in (7, 150, -33, 1):
        before, there = there, shifted(there, pixels)
        old, new = (before.values, there.values) if pixels > 0 else (there.values, before.values)
        is_same = old[abs(pixels) :] == new[: -abs(pixels)]
        assert (is_same | (np.abs(old[abs(pixels) :]) < 1e-20)).all()  # what was 0 is what is left of digits
    inside = zoomed(there, "0.5")
    assert len(np.intersect1d(inside.values, there.values)) == axis.size // 2 + 1
    assert np.isin(zoomed(inside, "2").values, there.values).sum() >= axis.size - 1


@pytest.mark.parametrize("axis", [*ODD, Axis("momentum", "0", "1", "linear", 77)], ids=["log", "linear", "bounded"])
def test_a_plot_that_was_dragged_is_read_as_moved_by_whole_pixels(axis):
    where = [float(axis.edge(pixel)) for pixel in (31, axis.size + 31)]
    assert pixels_moved(axis, *where) == 31
    assert from_floats(axis, *where) == shifted(axis, 31)
    assert pixels_moved(axis, float(axis.low), float(axis.high)) == 0
    wider = [float(axis.edge(pixel)) for pixel in (0, axis.size + 2)]
    assert pixels_moved(axis, *wider) is None


def test_an_end_with_many_digits_is_shown_short_and_kept_as_it_is():
    there = zoomed(shifted(ODD[0], 101), "0.5")
    shown = fields_of_axis("across", there)
    assert len(there.low) > 20 >= max(map(len, shown.values()))
    assert (typed(there).low, typed(there).high) == (there.low, there.high)
    other = typed(there, to="500")
    assert (other.low, other.high) == (there.low, "500")


@given(st.floats(-20, 20), st.floats(1e-9, 10))
def test_a_plots_floats_become_ends_a_thousandth_of_a_pixel_away(low, width):
    high = low + width
    axis = from_floats(Axis("initial.set.w1", "-100", "100", "linear", 16), low, high)
    for end, plotted in ((axis.low, low), (axis.high, high)):
        assert abs(Decimal(end) - Decimal(plotted)) <= Decimal(high - low) / 50_000


@pytest.mark.parametrize("axis", [RATE, WEIGHT, Axis("learning_rate", "1.5", "1.500000000001", "log", 700)])
def test_a_place_on_the_plot_is_the_pixel_whose_value_is_nearest(axis):
    for pixel in (0, 1, axis.size // 3, axis.size - 1):
        assert pixel_at(axis, float(axis.values[pixel])) == pixel
    assert pixel_at(axis, float(axis.high) * 2) is None
    assert pixel_at(axis, -30.0) is None


def typed(axis: Axis, **texts: str) -> Axis:
    """The axis across that is asked for by typing other texts into the fields of this one."""
    shown = fields_of_axis("across", axis)
    fields = shown | {f"across.{key.strip('_')}": text for key, text in texts.items()}
    return read_axis("across", fields, shown, axis)


def test_of_an_axis_what_was_typed_counts():
    assert typed(RATE) == RATE
    assert typed(RATE, to="100").high == "100"
    around = typed(WEIGHT, centre="1.5", width="1e-6")
    assert (around.low, around.high) == ("1.4999995", "1.5000005")
    assert typed(WEIGHT, centre="1").low == "-19"
    other = typed(RATE, key="momentum")
    assert (other.name, other.low, other.high, other.scale, other.size) == ("momentum", "0", "1", "linear", 600)
    kept = typed(RATE, key="learning_rate.1", to="5")
    assert (kept.name, kept.high) == ("learning_rate.1", "5")
    weight = typed(WEIGHT, key="initial.set.weights_1[0, 1]")
    assert (weight.name, weight.low) == ("initial.set.weights_1.0.1", "-20")
    with pytest.raises(ConfigError, match=r"across\.to=0\.01: must be greater than from=0\.1"):
        typed(RATE, to="0.01")
    with pytest.raises(ConfigError, match=r"across\.centre=x: must be a finite number"):
        typed(RATE, centre="x")
