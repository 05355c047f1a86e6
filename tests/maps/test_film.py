"""Films: their windows, what their frames share, their colours, the file."""

import hashlib
import signal
from decimal import Decimal, localcontext
from math import log10

import numpy as np
import pytest
from PIL import Image

from pipeline.app.composition import compose
from pipeline.errors import ConfigError
from pipeline.maps.axis import DIGITS, Axis
from pipeline.maps.digest import map_digest, map_key
from pipeline.maps.film import Film, shared, zoomed
from pipeline.maps.pictures.film import STRIP, FilmColours, Frame, write_film
from pipeline.maps.recording import film as recording
from pipeline.maps.recording.film import rounding_in_words
from pipeline.maps.recording.request import read_map
from pipeline.maps.rounding import Rounding
from pipeline.maps.training import MapResult, train
from tests.maps.grids import maps_in, small_grid
from tests.stores import interrupt_in_a_library

AXES = (Axis("momentum", "0", "1", "linear", 9), Axis("learning_rate", "0.1", "1000", "log", 12))
FILM = ("map.size=[12,9]", "max_epochs=200", "engine=numpy", "map.film.centre=[300,1.7]", "map.film.doublings=3")


def place(axis: Axis, value: str) -> Decimal:
    """Where a value stands in a window, 0 to 1."""
    with localcontext(DIGITS):
        low, high, number = Decimal(axis.low), Decimal(axis.high), Decimal(value)
        if axis.scale == "log":
            low, high, number = low.ln(), high.ln(), number.ln()
        return (number - low) / (high - low)


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.scale)
@pytest.mark.parametrize("target", ["0.3333333333333333333333", "0.7", "1"])
def test_each_window_lies_in_the_one_before_with_the_target_on_one_pixel(axis, target):
    before = None
    for frame in range(40):
        window = zoomed(axis, target, Film(("0", "0"), 10, 4).zoom(frame))
        pixel = min(int(place(axis, target) * axis.size), axis.size - 1)
        assert window.values[pixel] == float(target)
        assert abs(place(window, target) * axis.size - pixel - Decimal("0.5")) < Decimal("1e-40")
        if before:
            assert Decimal(before.low) < Decimal(window.low) < Decimal(window.high) < Decimal(before.high)
        before = window
    ends = (float(axis.low), float(axis.high))
    whole = zoomed(axis, target, Decimal(1))
    ends, found = (
        [log10(one) if axis.scale == "log" else one for one in pair] for pair in (ends, (float(whole.low), float(whole.high)))
    )
    assert np.allclose(found, ends, rtol=0, atol=0.5000001 * (ends[1] - ends[0]) / axis.size)


def test_a_quarter_of_a_frame_is_taken_from_the_frame_half_as_deep_and_is_right():
    grid, film = small_grid(), Film(("7.3", "0.41"), 6, 3)
    earlier, later = film.grid(grid, 3), film.grid(grid, 6)
    known = shared(later, earlier, train(earlier, "numpy"))
    alone = train(later, "numpy")
    taken = known.status >= 0
    assert taken.sum() == 6 * 5 or taken.sum() == 6 * 4
    for name in ("status", "epochs", "final_error"):
        assert np.array_equal(getattr(known, name)[taken], getattr(alone, name)[taken], equal_nan=True)


def test_equal_runs_of_a_frame_have_equal_colours_and_better_ones_no_worse():
    rng = np.random.default_rng(3)
    frames = [
        MapResult(rng.integers(0, 4, (20, 30)).astype(np.int8), rng.integers(0, 40, (20, 30)), np.ones((20, 30)))
        for _ in range(4)
    ]
    colours = FilmColours(frames[0], "pretty", 3)
    for frame in frames:
        codes = colours.codes(frame)
        converged = frame.status == 0
        order = np.argsort(frame.epochs[converged], kind="stable")
        assert (np.diff(codes[converged][order].astype(int)) >= 0).all()
        assert codes.min() > 0
        assert codes.max() < len(colours.colours)
        assert set(codes[converged]).isdisjoint(codes[~converged])


def test_the_colours_of_a_view_that_changes_at_once_follow_slowly():
    low, high = (
        MapResult(np.zeros((8, 8), np.int8), np.arange(64).reshape(8, 8) + shift, np.zeros((8, 8))) for shift in (0, 1000)
    )
    colours = FilmColours(low, "pretty", 4)
    first = colours.codes(low)
    means = [colours.codes(high).mean() for _ in range(5)]
    assert means[0] > means[1] > means[2] > means[3] == means[4] == first.mean()


def test_a_webp_has_all_frames_with_their_time_the_lowest_values_below(tmp_path):
    codes = np.zeros((300, 300), np.uint8)
    codes[:150] = 1
    colours = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)
    size = write_film(tmp_path / "a.webp", (Frame(codes, f"{number}") for number in range(5)), colours, 0.5, 5)
    with Image.open(tmp_path / "a.webp") as film:
        assert (film.n_frames, film.size, film.info["loop"]) == (5, (300, 300 + STRIP), 0)
        film.seek(3)
        red, _, blue = film.convert("RGB").getpixel((150, 250))
        assert blue > 200 > 60 > red
        assert film.info["duration"] == 100
    assert size == (tmp_path / "a.webp").stat().st_size < 20_000


def test_it_is_said_from_which_zoom_on_rounding_decides():
    def checks(*differing: int) -> dict[int, Rounding]:
        return {2**level: Rounding(9999, 1000, number, 0, "patterns") for level, number in enumerate(differing)}

    assert "more than 1 % of the checked runs from a zoom of 4 on, at the end 30 % (" in rounding_in_words(
        checks(0, 10, 11, 300)
    )
    assert "more than 1 % of the checked runs at zooms of 1, 4, at the end 0.00 % (" in rounding_in_words(checks(11, 0, 11, 0))
    assert "no more than 1 % of the checked runs at any zoom (1,000 runs" in rounding_in_words(checks(0, 10, 0))
    assert "is not known" in rounding_in_words({1: Rounding(9, 9, 0, 0, "")})


BAD = {
    "map.film.centre=3": "map.film.centre=3: must be [x, y], two numbers, or null",
    "map.film.centre=[1,2,3]": "map.film.centre=[1,2,3]: must be [x, y]",
    "map.film.centre=[1,true]": "map.film.centre=[1,true]: must be [x, y]",
    "map.film.centre=[1,x]": "map.film.centre=x: must be a finite number",
    "map.film.centre=[1,21]": "map.film.centre=21: must be a value of initial.set.w5 in the map, -20 to 20",
    "map.film.doublings=0": "map.film.doublings=0: must be a whole number, 1 to 100",
    "map.film.doublings=52": "map.film.doublings=52: must be at most 46 at this centre",
    "map.film.steps=0.5": "map.film.steps=0.5: must be a whole number, 1 to 60",
    "map.film.seconds=1": "map.film.seconds=1: must be at least 1.62 for 81 frames",
    "map.film=3": "film=3: must have the keys centre",
}


@pytest.mark.parametrize("word", BAD)
def test_a_film_that_cannot_be_is_refused(word):
    with pytest.raises(ConfigError) as refused:
        read_map(compose(["map.film.centre=[300,1.7]", word], "map"))
    assert str(refused.value).startswith(BAD[word])


def test_the_deepest_film_that_is_named_is_one():
    assert read_map(compose(["map.film.centre=[300,1.7]", "map.film.doublings=46"], "map")).film


def test_a_configuration_of_before_films_is_a_map():
    config = compose(["map.size=8"], "map")
    del config["map"]["film"]
    assert read_map(config).film is None


@pytest.mark.slow
def test_a_film_is_recorded_with_its_map_and_its_last_frame_is_a_map(store, command, folder):
    ended = command("map", *FILM)
    assert (ended.code, ended.err) == (0, "")
    [run] = maps_in(store)
    with Image.open(store.parent / "artifacts" / run.info.run_id / "artifacts" / "film.webp") as film:
        assert film.n_frames == 13
    request = read_map(compose(FILM, "map"))
    params, tags = run.data.params, run.data.tags
    assert (params["film.centre.across"], params["film.doublings"], params["film.steps"]) == ("300", "3", "4")
    grids = [request.film.grid(request.grid, frame) for frame in range(13)]
    each = [map_digest(map_key(grid), train(grid, "numpy")) for grid in grids]
    assert tags["film.digest"] == hashlib.sha256("\n".join(each).encode()).hexdigest()
    assert run.data.metrics["film_runs_trained"] + run.data.metrics["film_runs_shared"] == 13 * 108
    assert "get-artifact?path=film.webp" in tags["mlflow.note.content"]

    words = recording.last_window(request.grid, request.film)
    assert f"map.across.from={params['film.last.across.from']}" in [word.replace('"', "") for word in words]
    direct = read_map(compose([*FILM, *words], "map"))
    assert (direct.film, map_digest(map_key(direct.grid), train(direct.grid, "numpy"))) == (None, each[-1])


@pytest.mark.slow
@pytest.mark.parametrize("interrupt", [lambda *_: signal.raise_signal(signal.SIGINT), interrupt_in_a_library])
def test_ctrl_c_ends_a_film_and_the_map_is_recorded(interrupt, store, command, folder, monkeypatch):
    monkeypatch.setattr(recording, "rounding", interrupt)
    ended = command("map", *FILM)
    [run] = maps_in(store)
    assert ended.code == 130
    assert f"the map is recorded as run {run.info.run_id}, without its film" in ended.err
    assert (run.info.status, "film.centre.across" in run.data.params, "film.digest" in run.data.tags) == (
        "FINISHED",
        False,
        False,
    )
    assert not list((store.parent / "artifacts").rglob("film*"))
    assert not list(folder.rglob("*.webp"))
