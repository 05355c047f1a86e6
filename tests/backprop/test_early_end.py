"""A training that has come to rest ends early, with the result that it would have at max_epochs."""

from itertools import product

import numpy as np
import pytest

from pipeline.app.composition import compose
from pipeline.backprop import trainer
from pipeline.backprop.engines.compiled.machine_code import processor
from pipeline.backprop.engines.compiled.schedule import choose_kernel, train_compiled
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run


@pytest.mark.parametrize("overrides", [(), ("momentum=0.5",), ("update=online",)])
def test_a_training_in_which_no_number_changes_any_more_ends_early_with_the_result_it_would_have(overrides, monkeypatch):
    """Beside the plain loop, which goes on to max_epochs; the compiled engine gives the same bits."""
    keys = ["initial=uniform", "initial.range=4", "learning_rate=10000", "max_epochs=1500", *overrides]
    seeds_and_thresholds = product(range(12), (1e-2, 1e-9))
    trials = [read_run(compose([*keys, f"seed={seed}", f"threshold={goal}"]))[0] for seed, goal in seeds_and_thresholds]
    batch = make_batch(trials)
    steps = []
    early = trainer.train(batch, after_epoch=steps.append)
    assert max(steps) > batch.trainings  # epochs that were spared
    told = sum(steps)
    monkeypatch.setattr(trainer.State, "equals", lambda self, earlier: np.zeros(self.parameters.shape[1], bool))
    steps.clear()
    plain = trainer.train(batch, after_epoch=steps.append)
    assert max(steps) <= batch.trainings
    assert sum(steps) == told
    compiled = train_compiled(batch, choose_kernel(batch, processor()))
    for other in (early, compiled):
        for name in ("status", "epochs", "final_error", "gradient_norm", "parameters", "curve_errors"):
            assert np.array_equal(getattr(plain, name), getattr(other, name), equal_nan=True), name
