"""Starts in which hidden units are equal, and stay so: found before training, among starts that are given, not drawn."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from pipeline.backprop.causes.twins import twins
from pipeline.backprop.network import Network
from pipeline.trials.batching import network_of
from pipeline.trials.initial_weights import initial_parameters
from pipeline.trials.trial import InitialChoice, Trial

MOST_PAIRS = 50_000  # of units of a layer; larger networks are not looked at
MOST_NUMBERS = 1_000_000  # of starts that are looked at together


def warnings_of_equal_units(trials: Sequence[Trial], repeated: int = 1) -> list[str]:
    """A line if some of these trials, each of which stands for `repeated` ones, start with equal hidden units."""
    starts: defaultdict[Network, Counter[InitialChoice]] = defaultdict(Counter)
    for trial in trials:
        if trial.initial.kind != "uniform" and trial.batch_key.hidden:
            starts[network_of(trial.batch_key)][trial.initial] += repeated
    found: Counter[str] = Counter()
    for network, choices in starts.items():
        found += equal_starts(network, choices)
    if not found:
        return []
    number, total = sum(found.values()), len(trials) * repeated
    some = f", in {number:,} of {total:,} trials" if total > 1 else ""
    kinds = ", ".join(found)
    return [
        f"initial={kinds}: hidden units are equal at the start in all their weights{some}; they stay equal, like one unit; "
        "what helps: weights that differ, such as initial=uniform"
    ]


def equal_starts(network: Network, choices: Counter[InitialChoice]) -> Counter[str]:
    """How many of the trials with these starts have equal hidden units, by the kind of start."""
    found: Counter[str] = Counter()
    if sum(units * (units - 1) // 2 for units in network.units[1:-1]) > MOST_PAIRS:
        return found
    distinct, size = list(choices), max(1, MOST_NUMBERS // network.size)
    for first in range(0, len(distinct), size):
        some = distinct[first : first + size]
        groups = twins(network, initial_parameters([(choice, 0) for choice in some], network))
        for index in np.flatnonzero(groups):
            found[some[index].kind] += choices[some[index]]
    return found
