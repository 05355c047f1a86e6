import numpy as np
import pytest

from pipeline.maps import training
from pipeline.maps.axis import Axis
from pipeline.maps.training import MapResult, train
from tests.maps.grids import WORKED, grid, small_grid


def same(one: MapResult, other: MapResult) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("status", "epochs", "final_error"))


@pytest.fixture(scope="module")
def whole():
    return train(small_grid(), "numpy")


def test_a_map_has_the_result_of_each_pixels_trial(whole):
    from pipeline.backprop.trainer import train as train_trials
    from pipeline.trials.batching import make_batch

    pixels = small_grid()
    result = train_trials(make_batch([pixels.trial(y, x) for y in range(9) for x in range(12)]))
    assert whole.status.ravel().tolist() == result.status.tolist()
    assert whole.epochs.ravel().tolist() == result.epochs.tolist()
    assert np.array_equal(whole.final_error.ravel(), result.final_error)
    assert len(np.unique(whole.status)) > 1


def test_a_map_does_not_depend_on_how_it_is_cut(whole, monkeypatch):
    monkeypatch.setattr(training, "MOST_PIXELS", 17)
    assert same(train(small_grid(), "numpy"), whole)
    part = train(small_grid(), "numpy", step=4)
    assert np.count_nonzero(part.status >= 0) == 9
    assert same(train(small_grid(), "numpy", known=part), whole)


def test_what_is_known_is_not_trained_again(whole):
    trained = []
    part = train(small_grid(), "numpy", step=2)
    train(small_grid(), "numpy", lambda runs, epochs: trained.append(runs), step=1, known=part)
    assert sum(trained) == 108 - 30
    assert part.status.min() == -1


def test_both_engines_give_the_same_bits(whole):
    assert same(train(small_grid(), "compiled"), whole)


def test_pixels_that_share_a_training_are_those_that_do_not(monkeypatch):
    pixels = grid(Axis("learning_rate", "0.1", "1000", "log", 6), Axis("threshold", "1e-4", "0.1", "log", 5), WORKED)
    shared = train(pixels, "numpy")
    monkeypatch.setattr(training, "MOST_PIXELS", 1)
    assert same(train(pixels, "numpy"), shared)
