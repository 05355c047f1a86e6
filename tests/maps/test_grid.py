import re

import numpy as np
import pytest

from pipeline.app.composition import compose
from pipeline.errors import ConfigError
from pipeline.maps.axis import Axis
from pipeline.trials.batching import make_batch
from pipeline.trials.fingerprint import digests, keys
from pipeline.trials.settings import read_run
from tests.maps.grids import WORKED, XOR, grid, small_grid

RATE = Axis("learning_rate", "0.1", "1000", "log", 4)
AXES = {
    "rate and momentum": (RATE, Axis("momentum", "0", "1", "linear", 3), WORKED),
    "rates of two layers": (
        Axis("learning_rate.1", "0.1", "10", "log", 4),
        Axis("learning_rate.2", "0", "20", "linear", 3),
        XOR,
    ),
    "threshold": (RATE, Axis("threshold", "1e-4", "0.1", "log", 3), WORKED),
    "range": (Axis("initial.range", "0.1", "10", "log", 4), Axis("learning_rate.2", "0", "20", "linear", 3), XOR),
    "range and threshold": (
        Axis("threshold", "1e-4", "0.1", "log", 4),
        Axis("initial.range", "0.1", "10", "log", 3),
        (*XOR, "seed=3"),
    ),
    "two weights": (Axis("initial.set.w5", "-20", "20", size=4), Axis("initial.offset.b1", "-1", "1", size=3), WORKED),
    "a weight and the rate": (RATE, Axis("initial.set.weights_2.0.1", "-20", "20", size=3), (*WORKED, "initial.offset.w5=1")),
    "range and scale": (
        Axis("initial.range", "0.1", "10", "log", 4),
        Axis("initial.scale", "-1", "2.0", size=3),
        (*XOR, "initial.set.w2=-0.3"),
    ),
    "a direction and a deviation": (
        Axis("initial.direction.distance", "-3", "3", size=4),
        Axis("initial.std", "0.1", "2", size=3),
        ("task=xor", "network=trained", "initial=normal", "initial.direction.seed=3", "seed=5", "max_epochs=40"),
    ),
    "along a way": (
        Axis("initial.direction.fraction", "0", "1", size=4),
        Axis("momentum", "0", "1", size=3),
        (*XOR, "initial.direction.to={weights_1: [[1,2],[3,4]], bias_1: [0,1], weights_2: [[1,2]], bias_2: [-1e-7]}"),
    ),
}


@pytest.mark.parametrize("name", AXES)
def test_a_pixel_is_the_ordinary_trial_of_its_command(name):
    pixels = grid(*AXES[name])
    height, width = pixels.shape
    trials = [read_run(compose(pixels.overrides(y, x)))[0] for y in range(height) for x in range(width)]
    assert keys(pixels.batch(np.arange(height * width))) == keys(make_batch(trials))
    assert trials == [pixels.trial(y, x) for y in range(height) for x in range(width)]


def test_a_pixel_of_any_batch_is_the_same_trial():
    pixels = small_grid()
    all_keys = np.array(keys(pixels.batch(np.arange(108))))
    some = np.array([107, 3, 50, 4])
    assert keys(pixels.batch(some)) == all_keys[some].tolist()


def test_the_lowest_row_is_the_first_and_pixels_are_numbered_row_by_row():
    pixels = small_grid()
    assert pixels.shape == (9, 12)
    trial = pixels.trial(8, 0)
    assert (trial.learning_rate, trial.momentum) == ((pixels.across.values[0],), pixels.down.values[8])
    assert pixels.down.values[0] < pixels.down.values[8]
    assert keys(pixels.batch(np.array([96]))) == keys(make_batch([trial]))


def test_pixels_that_differ_in_the_threshold_alone_share_a_training():
    assert grid(*AXES["threshold"]).batch(np.arange(12)).trainings == 4


def test_overrides_name_only_what_is_not_usual():
    assert small_grid().overrides(8, 0) == [
        "learning_rate=0.14677992676220694",
        "momentum=0.9444444444444444",
        "max_epochs=300",
    ]
    words = grid(*AXES["range"]).overrides(0, 0)
    assert words[:3] == ["task=xor", "initial=uniform", "network=trained"]


def test_overrides_have_weights_that_are_given_one_by_one():
    values = "initial.values={weights_1: [[1,2],[3,4]], bias_1: [0.5], weights_2: [[1,2],[3,4]], bias_2: [-1e-7]}"
    pixels = grid(RATE, Axis("momentum", "0", "1", "linear", 2), ("initial=explicit", values))
    trial = read_run(compose(pixels.overrides(1, 1)))[0]
    assert keys(make_batch([trial])) == keys(pixels.batch(np.array([5])))


@pytest.mark.parametrize(
    ("across", "down", "message"),
    [
        (RATE, Axis("initial.set.w9", "0", "1"), "initial.set.w9=0.5: unknown weight; known are w1, w2 … w8"),
        (RATE, Axis("initial.direction.distance", "0", "1"), "initial.direction.distance=0.5: needs a direction"),
        (RATE, Axis("momentun", "0", "1"), "key=momentun: unknown axis; did you mean momentum?"),
        (RATE, Axis("seed", "0", "1"), "key=seed: unknown axis"),
        (RATE, Axis("learning_rate", "1", "2"), "must be another number than that of the other axis"),
        (RATE, Axis("learning_rate.2", "1", "2"), "must be another number than that of the other axis"),
        (RATE, Axis("momentum", "0", "2"), "must be at least 0 and below 1"),
        (RATE, Axis("threshold", "-2", "1"), "must be greater than 0 and finite"),
        (RATE, Axis("learning_rate.3", "1", "2"), "key=learning_rate.3: the network has 2 layers"),
        (Axis("momentum", "0", "1"), Axis("learning_rate.3", "1", "2"), "key=learning_rate.3: the network has 2 layers"),
        (RATE, Axis("initial.range", "1", "2"), "initial.range=1.5"),
    ],
)
def test_axes_that_cannot_be_are_refused(across, down, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        grid(across, Axis(down.name, down.low, down.high, down.scale, 1))


def test_digests_of_pixels_are_those_of_their_runs():
    from pipeline.backprop.trainer import train

    pixels = small_grid()
    some = np.array([5, 80, 107])
    alone = [digests(train(make_batch([pixels.trial(*divmod(int(pixel), 12))])))[0] for pixel in some]
    assert digests(train(pixels.batch(some))) == alone
