"""Pictures of maps: colours, ranks, labels, files."""

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from scipy.stats import rankdata

from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.status import Status
from pipeline.errors import ConfigError
from pipeline.maps.axis import Axis
from pipeline.maps.pictures.axis_labels import marks
from pipeline.maps.pictures.colours import CAUSE_COLOURS, SCALES, STATUS_COLOURS, ramp
from pipeline.maps.pictures.files import save_labelled, save_pixels, write_pictures
from pipeline.maps.pictures.labelled import LARGEST, LEFT, labelled
from pipeline.maps.pictures.layers import causes, epochs, ranks, statuses
from pipeline.maps.training import MapResult

ACROSS, DOWN = Axis("learning_rate", "0.1", "1000", "log", 40), Axis("initial.set.w5", "-20", "20", "linear", 30)

# Machado, Oliveira & Fernandes, "A physiologically-based model for simulation of color vision deficiency" (2009), severity 1,
# of linear sRGB
DEUTERANOPIA = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]])
PROTANOPIA = np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]])
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])


def cielab(colours, seen=None):
    """Colours as bytes (C, 3) in CIE L*a*b* (D65), as they are or as seen with a deficiency."""
    colours = np.asarray(colours) / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ (np.eye(3) if seen is None else seen).T, 0, 1)
    x, y, z = np.cbrt((linear @ TO_XYZ.T) / TO_XYZ.sum(axis=1)).T  # no colour here is so dark that the cube root ends
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def distances(colours, others, seen=None):
    """Between all colours and all others (C, D)."""
    return np.linalg.norm(cielab(colours, seen)[:, None] - cielab(others, seen)[None], axis=2)


def mixed(size=(30, 40), seed=0):
    """A map with all statuses but one, in which many values are equal."""
    random = np.random.default_rng(seed)
    status = random.choice([Status.CONVERGED, Status.EXHAUSTED, Status.DIVERGED], size).astype(np.int8)
    error = np.where(status == Status.DIVERGED, np.nan, random.integers(1, 300, size) / 64)
    return MapResult(status, random.integers(0, 500, size), error)


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("seen", [None, DEUTERANOPIA, PROTANOPIA], ids=["all colours", "deuteranopia", "protanopia"])
def test_sides_are_told_apart_and_steps_of_the_safe_scale_are_even(name, seen):
    scale = SCALES[name]
    sides = (scale.inside, scale.outside, scale.diverged)
    apart = [distances(one, other, seen).min() for one, other in ((sides[0], sides[1]), (sides[0], sides[2]))]
    assert min(apart) > 15
    if name == "pretty":
        return
    assert distances(sides[1][-1:], sides[2][:1], seen).min() > 5
    for side in sides:
        lab = cielab(side[::6], seen)
        steps = np.linalg.norm(np.diff(lab, axis=0), axis=1)
        assert steps.min() > 1
        assert steps.max() < 3 * steps.min()
        assert (np.diff(lab[:, 0]) > 0).all() or (np.diff(lab[:, 0]) < 0).all()  # lightness alone tells the order


def test_a_ramp_begins_and_ends_with_its_colours():
    colours = ramp(7, "#08204f", "#1f6cb4", "#ffffff")
    assert bytes(colours[0]).hex() == "08204f"
    assert bytes(colours[-1]).hex() == "ffffff"


@pytest.mark.parametrize("table", [STATUS_COLOURS, CAUSE_COLOURS], ids=["status", "cause"])
def test_words_have_colours_that_are_told_apart_without_red_and_green(table):
    colours = np.array([list(bytes.fromhex(colour[1:])) for colour in table.values()])
    apart = distances(colours, colours, DEUTERANOPIA)
    assert apart[~np.eye(len(colours), dtype=bool)].min() > 20


@pytest.mark.parametrize("scale", SCALES)
def test_ranks_order_each_group_and_share_out_its_colours_evenly(scale):
    result = mixed()
    layer = ranks(result, scale)
    for entry, status, values, sign in zip(
        layer.legend,
        (Status.CONVERGED, Status.EXHAUSTED, Status.DIVERGED),
        (result.epochs, result.final_error, result.epochs),
        (1, 1, -1),
        strict=True,
    ):
        members = result.status == status
        codes = layer.codes[members].astype(int) - entry.first
        number = entry.last - entry.first + 1
        expected = (rankdata(sign * values[members]) - 0.5) / members.sum() * number
        np.testing.assert_allclose(codes + 0.5, expected, atol=0.5 + 1e-9)
        assert f": {members.sum():,} runs (" in entry.text
        assert entry.along[0][1].replace(",", "") == f"{(sign * values[members]).min() * sign:.4g}"


def test_equal_values_have_equal_colours_in_maps_of_which_only_a_part_is_put_in_order(monkeypatch):
    result = mixed((64, 64))
    monkeypatch.setattr("pipeline.maps.pictures.layers.RANKED", 500)
    monkeypatch.setattr("pipeline.maps.pictures.layers.STRIPE", 300)
    layer = ranks(result)
    members = result.status == Status.CONVERGED
    pairs = sorted(set(zip(result.epochs[members].tolist(), layer.codes[members].tolist(), strict=True)))
    assert len(pairs) == len(set(result.epochs[members].tolist()))
    assert all(one <= other for (_, one), (_, other) in pairwise(pairs))
    np.testing.assert_allclose(layer.codes, ranks(mixed((64, 64))).codes, atol=25)


def test_where_nothing_converges_what_does_not_diverge_has_the_colours_of_what_does():
    result = mixed()
    result.status[result.status == Status.CONVERGED] = Status.EXHAUSTED
    layer = ranks(result)
    assert [entry.text.partition(":")[0] for entry in layer.legend] == ["did not diverge", "diverged"]
    np.testing.assert_array_equal(layer.colours[layer.legend[0].first], SCALES["pretty"].inside[0])


def test_pixels_that_are_not_trained_are_white_and_counted():
    result = mixed()
    result.status[:3] = -1
    for layer in (ranks(result), statuses(result), epochs(result)):
        assert (layer.rgb[:3] == 255).all()
        assert layer.legend[-1].text == "not trained: 120 runs (10.0 %)"


def test_status_and_causes_have_a_line_for_each_word_there_is():
    result = mixed()
    layer = statuses(result)
    assert [entry.text.partition(":")[0] for entry in layer.legend] == ["converged", "exhausted", "diverged"]
    for entry, status in zip(layer.legend, (0, 2, 3), strict=True):
        assert (layer.codes == entry.first).tolist() == (result.status == status).tolist()
    layer = causes(np.array([[Cause.NONE, Cause.MINIMUM], [Cause.MINIMUM, -1]], np.int8))
    assert [entry.text for entry in layer.legend] == [
        "converged: 1 run (25.0 %)", "minimum: 2 runs (50.0 %)", "not known: 1 run (25.0 %)",
    ]  # fmt: skip


def test_epochs_are_on_a_logarithmic_scale():
    result = MapResult(np.array([[0, 0, 0, 2]], np.int8), np.array([[0, 9, 99, 100]]), np.ones((1, 4)))
    layer = epochs(result)
    low, middle, high, other = layer.codes[0].astype(int)
    assert (low, high) == (1, 200)
    assert abs(middle - 100.5) <= 1
    assert other > high


@pytest.mark.parametrize(
    ("axis", "label", "texts"),
    [
        (Axis("momentum", "0", "1"), "momentum", "0 0.2 0.4 0.6 0.8 1"),
        (Axis("w5", "-20", "20"), "w5", "−20 −10 0 10 20"),
        (Axis("rate", "0.1", "10000", "log"), "rate (logarithmic)", "0.1 1 10 100 1000 10000"),
        (Axis("rate", "3", "40", "log"), "rate (logarithmic)", "5 10 20"),
        (Axis("rate", "0.3", "0.31", "log"), "rate (logarithmic)", "0.3 0.302 0.304 0.306 0.308 0.31"),
        (Axis.around("w5", "0.41234567890123", "1e-12"), "w5 = 0.4123456789012 + n × 1e-13", "−4 −2 0 +2 +4"),
        (Axis.around("w5", "-17.25", "1e-9"), "w5 = −17.25 + n × 1e-10", "−4 −2 0 +2 +4"),
        (Axis("w5", "123456", "123457"), "w5 = 123456.6 + n × 0.1", "−6 −4 −2 0 +2 +4"),
        (Axis("w5", "-1e-7", "1e-7"), "w5", "−1e-7 −5e-8 0 5e-8 1e-7"),
    ],
)
def test_axes_have_round_marks_and_narrow_ones_count_from_a_number(axis, label, texts):
    found = marks(axis)
    assert (found.label, " ".join(found.texts)) == (label, texts)


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("width", ["1e-12", "1e-6", "0.5"])
def test_marks_stand_where_their_numbers_are(scale, width):
    axis = Axis.around("w5", "0.712345678901", width, scale, size=100)
    found = marks(axis)
    base, unit = Decimal(0), Decimal(1)
    if "+ n ×" in found.label:
        base, unit = map(Decimal, found.label.replace("(logarithmic)", "").partition(" = ")[2].split("+ n ×"))
    for place, text in zip(found.places, found.texts, strict=True):
        value = base + unit * Decimal(text.replace("−", "-"))
        pixel = min(int(place), 99)  # a mark within a pixel is between the values of the pixels beside it
        below = axis.values[pixel - 1] if pixel else float(axis.low)
        above = axis.values[pixel + 1] if pixel < 99 else float(axis.high)
        assert Decimal(float(below)) <= value <= Decimal(float(above))


def test_the_pixel_exact_file_has_one_pixel_for_each_run_and_the_lowest_values_at_the_bottom(tmp_path):
    layer = ranks(mixed())
    save_pixels(layer, tmp_path / "pixels.png")
    read = np.asarray(Image.open(tmp_path / "pixels.png").convert("RGB"))
    np.testing.assert_array_equal(read[::-1], layer.rgb)


def test_the_labelled_picture_has_the_pixels_unblended_and_is_the_same_file_each_time(tmp_path):
    layer = ranks(mixed((512, 512)))
    axes = Axis("learning_rate", "0.1", "1000", "log"), Axis("momentum", "0", "1")
    for name in ("one", "other"):
        save_labelled(labelled(layer, *axes, title="XOR $x$", caption="A caption\x1b[2J 名 $\\frac$."), tmp_path / name)
    read = np.asarray(Image.open(tmp_path / "one").convert("RGB"))
    top = next(row for row in range(100) if (read[row, LEFT : LEFT + 512] == layer.rgb[-1]).all())
    np.testing.assert_array_equal(read[top : top + 512, LEFT : LEFT + 512][::-1], layer.rgb)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_large_map_is_thinned_not_averaged_and_says_so():
    layer = ranks(mixed((3000, 40)))
    axes = Axis("learning_rate", "0.1", "1000", "log", 40), Axis("momentum", "0", "1", "linear", 3000)
    picture = labelled(layer, *axes)
    drawn = picture.figure.images[0].get_array()[:, ::13]
    assert drawn.shape[0] <= LARGEST
    np.testing.assert_array_equal(drawn, layer.rgb[1::3, 1::3])
    assert picture.caption == "Drawn is every 3rd run along each axis."


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (17, 900)])
def test_any_shape_can_be_drawn(size, tmp_path):
    axes = Axis("momentum", "0.1", "0.2", "linear", size[1]), Axis("learning_rate", "0.1", "0.2", "linear", size[0])
    save_labelled(labelled(ranks(mixed(size)), *axes), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 160


def test_all_pictures_are_written_and_unknown_colours_refused(tmp_path):
    result = mixed()
    cause = np.where(result.status == Status.CONVERGED, 0, Cause.MINIMUM).astype(np.int8)
    captions = write_pictures(tmp_path, result, ACROSS, DOWN, caption="Rounding decides nothing.", scale="safe", cause=cause)
    assert {path.name for path in captions} == {"picture.png", "pixels.png", "status.png", "epochs.png", "cause.png"}
    assert captions[tmp_path / "picture.png"] == "Rounding decides nothing."
    assert all(path.stat().st_size > 100 for path in captions)
    with pytest.raises(ConfigError, match="scale=nice: must be one of pretty, safe"):
        write_pictures(tmp_path, result, ACROSS, DOWN, scale="nice")
