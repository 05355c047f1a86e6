"""Walks to test with: drawn ones, and those of a configured trial."""

from types import SimpleNamespace

import numpy as np
from hypothesis import strategies as st

from pipeline.backprop.batch import Batch
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from pipeline.walkthrough.numbers import walk
from tests.configurations import composed
from tests.strategies import alone, batches


@st.composite
def walks(draw, max_iterations=3):
    """A drawn batch of one run, and a walk through one of its iterations, patterns and weights."""
    batch = alone(draw(batches(trainings=st.just(1))), 0)
    weights = sum(below * above for below, above in zip(batch.network.units, batch.network.units[1:], strict=False))
    name = f"w{draw(st.integers(1, weights))}"
    return walk(batch, name, draw(st.integers(1, max_iterations)), draw(st.integers(1, len(batch.inputs))))


def is_finite(told) -> bool:
    """Is this walk not one of a training that diverges?"""
    numbers = (told.old, told.gradient, told.pattern_gradient, *told.deltas, [told.total_error])
    return all(np.isfinite(part).all() for part in numbers)


def trial_of(batch: Batch) -> SimpleNamespace:
    """What a lesson says of the trial."""
    task = SimpleNamespace(name="drawn")
    return SimpleNamespace(
        batch_key=SimpleNamespace(task=task, update=batch.update),
        initial=SimpleNamespace(kind="explicit"),
        learning_rate=tuple(batch.learning_rate[:, 0]),
        momentum=float(batch.momentum[0]),
    )


def configured(*overrides, weight="w5", **which):
    """A walk through an iteration of the configured trial, and the trial."""
    [trial, _] = read_run(composed(*overrides))
    return walk(make_batch([trial]), weight, **which), trial
