"""Starts in which hidden units are equal, and stay so: found before training, among starts that are given, not drawn."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.backprop.causes.twins import twins
from pipeline.backprop.network import Network
from pipeline.trials.batching import make_batch, network_of
from pipeline.trials.trial import Trial

GIVEN = ("published", "explicit", "file")  # kinds of starts; those that are drawn have no equal units
MOST_PAIRS = 50_000  # of units of a network; larger ones are not looked at
MOST_NUMBERS = 1_000_000  # of starts that are looked at together


def warnings_of_equal_units(trials: Sequence[Trial], repeated: int = 1) -> list[str]:
    """A line if some of these trials, each of which stands for `repeated` ones, start with equal hidden units."""
    found = Counter(trial.initial.kind for trial in with_equal_units(trials))
    if not found:
        return []
    number, total = found.total() * repeated, len(trials) * repeated
    some = f", in {number:,} of {total:,} trials" if total > 1 else ""
    return [
        f"initial={', '.join(found)}: hidden units are equal at the start in all their weights{some}; they stay equal, like "
        "one unit; what helps: weights that differ, such as initial=uniform"
    ]


def with_equal_units(trials: Sequence[Trial]) -> Iterator[Trial]:
    """Those of the trials whose given starts have equal hidden units."""
    by_network: defaultdict[Network, list[Trial]] = defaultdict(list)
    for trial in trials:
        if trial.initial.kind in GIVEN and trial.batch_key.hidden:
            by_network[network_of(trial.batch_key)].append(trial)
    for network, given in by_network.items():
        if sum(units * (units - 1) // 2 for units in network.units[1:-1]) > MOST_PAIRS:
            continue
        size = max(1, MOST_NUMBERS // network.size)
        for first in range(0, len(given), size):
            some = given[first : first + size]
            starts = np.hstack([make_batch([trial]).initial_parameters for trial in some])
            yield from (some[index] for index in np.flatnonzero(twins(network, starts)))
