"""A pixel that did not converge has the cause of its own command."""

import numpy as np
import pytest

from pipeline.app.composition import compose
from pipeline.backprop.causes.of_batch import causes
from pipeline.backprop.engines import ENGINES
from pipeline.backprop.status import Status
from pipeline.backprop.trainer import train as train_trials
from pipeline.maps import reasons as room
from pipeline.maps.reasons import reasons
from pipeline.maps.recording.request import read_map
from pipeline.maps.training import train
from pipeline.trials.batching import make_batch

GRID = read_map(compose(["map.size=[12,9]", "max_epochs=100"], "map")).grid


@pytest.mark.parametrize("engine", ENGINES)
def test_it_is_that_of_the_trial_alone(engine, monkeypatch):
    monkeypatch.setattr(room, "AT_ONCE", 7)
    result = train(GRID, engine)
    found = reasons(GRID, result, engine)
    failed = result.status == Status.EXHAUSTED
    assert 10 < failed.sum() < failed.size
    assert ((found > 0) == failed).all()
    assert (found[~failed] == 0).all()
    assert len(np.unique(found)) > 2
    for y, x in np.argwhere(failed)[::5]:
        assert causes(train_trials(make_batch([GRID.trial(y, x)]))).code == [found[y, x]]


def test_too_many_are_not_looked_at(monkeypatch):
    monkeypatch.setattr(room, "MOST_EXPLAINED", 3)
    assert reasons(GRID, train(GRID)) is None
