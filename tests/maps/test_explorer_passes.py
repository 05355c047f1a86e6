"""Training coarse first: each pixel once, and none that is known; the causes of those that did not converge."""

from dataclasses import fields, replace

import numpy as np
import pytest

from pipeline.backprop.engines import engine
from pipeline.maps.explorer import passes as passes_module
from pipeline.maps.explorer.known import KnownPixels
from pipeline.maps.explorer.newest import SupersededError
from pipeline.maps.explorer.passes import TrainingInPasses, every, explain_in_passes, filled, next_size, passes, pieces
from pipeline.maps.explorer.view import shifted, zoomed
from pipeline.maps.grid import Grid
from pipeline.maps.reasons import reasons
from pipeline.maps.training import MapResult, train
from tests.maps.explorers import RATE, WEIGHT, never
from tests.maps.grids import grid, small_grid


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (16, 16), (61, 83)])
def test_passes_have_each_pixel_once_and_the_coarse_ones_lie_on_their_grid(shape):
    seen = []
    for step, pixels in passes(shape):
        rows, columns = np.divmod(pixels, shape[1])
        assert (rows % step == 0).all()
        assert (columns % step == 0).all()
        seen.append(pixels)
    everything = np.concatenate(seen)
    assert np.array_equal(np.sort(everything), np.arange(shape[0] * shape[1]))
    assert len(seen[0]) == -(-shape[0] // 8) * -(-shape[1] // 8)


def test_pieces_are_all_pixels_and_small_where_networks_are_large():
    pixels = np.arange(100_000)
    for parameters, most in ((10, 65_536), (4000, 1000), (10**9, 1)):
        found = pieces(pixels[:3000] if parameters > 10**8 else pixels, parameters)
        assert np.array_equal(np.concatenate(found), pixels[: sum(map(len, found))])
        assert max(map(len, found)) == most


def test_a_map_trained_in_passes_is_that_of_one_call_and_trains_each_pixel_once(monkeypatch):
    pixels, shown, trained = small_grid(), [], []

    def counting(name):
        def count(batch, *others):
            trained.append(len(batch.training))
            return engine(name)(batch, *others)

        return count

    monkeypatch.setattr(passes_module, "engine_named", counting)
    TrainingInPasses(pixels, "numpy", never, lambda found, step, trained: shown.append((found, step, trained))).run()
    whole = train(pixels, "numpy")
    assert [step for _, step, _ in shown] == [8, 4, 2, 1]
    assert sum(trained) == pixels.shape[0] * pixels.shape[1]
    for found, step, number in shown:
        assert number == found.status.size
        for field in fields(MapResult):
            np.testing.assert_array_equal(getattr(found, field.name), getattr(every(whole, step), field.name))


def trained_with(known: KnownPixels, pixels: Grid, monkeypatch) -> tuple[MapResult, int]:
    """A map trained in passes, and how many runs were."""
    number = []

    def counting(name):
        return lambda batch, *others: number.append(len(batch.training)) or engine(name)(batch, *others)

    monkeypatch.setattr(passes_module, "engine_named", counting)
    training = TrainingInPasses(pixels, "numpy", never, lambda *picture: None, known.of(pixels))
    training.run()
    known.remember(pixels, training.found)
    return training.found, sum(number)


def test_known_pixels_are_not_trained_again_and_are_what_training_them_alone_gives(monkeypatch):
    known, pixels = KnownPixels(), grid(replace(RATE, size=13), replace(WEIGHT, size=9), ("max_epochs=60",))
    everything = 13 * 9
    moved_by_3 = replace(pixels, across=shifted(pixels.across, 3))
    twice = replace(moved_by_3, across=zoomed(moved_by_3.across, "0.5"), down=zoomed(moved_by_3.down, "0.5"))
    other = replace(twice, config={**twice.config, "max_epochs": 59})
    views = ((pixels, everything), (moved_by_3, 3 * 9), (twice, everything - 7 * 5), (other, everything), (pixels, 0))
    for there, new in views:
        found, number = trained_with(known, there, monkeypatch)
        assert number == new
        whole = train(there, "numpy")
        for field in fields(MapResult):
            np.testing.assert_array_equal(getattr(found, field.name), getattr(whole, field.name))


def test_what_had_ended_when_a_newer_view_came_is_known():
    known, pixels = KnownPixels(), small_grid()
    looks = iter(range(8))

    def check():
        if next(looks, None) is None:
            raise SupersededError

    training = TrainingInPasses(pixels, "numpy", check, lambda *picture: None)
    with pytest.raises(SupersededError):
        training.run()
    known.remember(pixels, training.found)
    again = known.of(pixels)
    assert 0 < (again.status >= 0).sum() < again.status.size
    whole, there = train(pixels, "numpy"), again.status >= 0
    for field in fields(MapResult):
        np.testing.assert_array_equal(getattr(again, field.name)[there], getattr(whole, field.name)[there])


def test_causes_come_coarse_first_and_are_those_of_the_map():
    pixels, shown = small_grid(), []
    found = train(pixels, "numpy")
    explain_in_passes(pixels, found, "numpy", never, lambda cause, step: shown.append((cause, step)))
    whole = reasons(pixels, found, "numpy")
    assert [step for _, step in shown] == [8, 4, 2, 1]
    for cause, step in shown:
        np.testing.assert_array_equal(cause, whole[::step, ::step])
    assert len(np.unique(whole)) == 2


def test_causes_of_large_networks_are_found_few_at_a_time():
    assert next_size(16, 16 * 0.0035) == 14
    assert next_size(16, 1e-5) == 64
    assert next_size(1, 0.2) == 1


def test_finding_causes_ends_when_a_newer_view_waits():
    pixels = small_grid()
    found = train(pixels, "numpy")

    def check():
        raise SupersededError

    with pytest.raises(SupersededError):
        explain_in_passes(pixels, found, "numpy", check, lambda cause, step: None)


def test_while_a_pass_goes_on_pixels_that_wait_look_like_the_coarse_one_beside_them():
    found = MapResult.empty((5, 7))
    found.status[::4, ::4] = [[0, 1], [2, 3]]
    found.status[1, 1] = 3
    shown = filled(found, 4).status
    assert shown[1, 1] == 3
    assert shown[0, 3] == 0
    assert shown[3, 6] == 1
    assert shown[4, 2] == 2


def test_training_ends_when_a_newer_view_waits():
    shown = []

    def check():
        if shown:
            raise SupersededError

    with pytest.raises(SupersededError):
        TrainingInPasses(small_grid(), "numpy", check, lambda found, step, trained: shown.append(step)).run()
    assert shown == [8]
