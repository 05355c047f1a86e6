"""Where each start converges: counted start by start, sorted by failures, few of very many."""

import numpy as np
import pandas as pd

from pipeline.stats.sample import Sample
from pipeline.stats.starts.outcomes import MOST_SHOWN, start_outcomes

STATUS = {  # by seed and learning rate, at the lower threshold
    7: ["converged", "converged"],
    3: ["exhausted", "converged"],
    5: ["exhausted", "diverged"],
}


def sample(extra=0):
    rows = [
        {"seed": seed, "learning_rate": rate, "threshold": goal, "status": "converged" if goal == 0.1 else status[number],
         "epochs": 5}
        for seed, status in (STATUS | {100 + number: ["converged"] * 2 for number in range(extra)}).items()
        for number, rate in enumerate([0.5, 2.0]) for goal in [0.1, 0.01]
    ]  # fmt: skip
    return Sample(pd.DataFrame(rows))


def test_starts_that_fail_wherever_and_only_at_some_values_are_counted_and_sorted():
    outcomes = start_outcomes(sample(), "learning_rate")
    assert (outcomes.starts, outcomes.always, outcomes.sometimes, outcomes.never) == (3, 1, 1, 1)
    assert sample().results["seed"].iloc[outcomes.first].tolist() == [7, 3, 5]
    assert outcomes.share[:, :, 0].tolist() == [[1, 1], [0, 1], [0, 0]]


def test_with_a_second_axis_a_start_is_a_seed_at_each_of_its_values():
    twice = pd.concat([sample().results.assign(**{"initial.range": value}) for value in (0.5, 4.0)], ignore_index=True)
    twice = twice[~((twice["seed"] == 5) & (twice["initial.range"] == 4.0))]
    outcomes = start_outcomes(Sample(twice.reset_index(drop=True)), "learning_rate", "initial.range")
    assert outcomes.share.shape == (3, 2, 2)
    assert (outcomes.always, outcomes.sometimes, outcomes.never) == (2, 2, 1)
    assert np.isnan(outcomes.share[:, :, 1]).all(axis=1).sum() == 1  # of one seed there is no run at a range of 4


def test_of_very_many_starts_evenly_chosen_ones_are_shown_and_all_are_counted():
    outcomes = start_outcomes(sample(200), "learning_rate")
    assert len(outcomes.first) == MOST_SHOWN
    assert (outcomes.starts, outcomes.always, outcomes.never) == (203, 201, 1)
    assert outcomes.share[-1].tolist() == [[0], [0]]
