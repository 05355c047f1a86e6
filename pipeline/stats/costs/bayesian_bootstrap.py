"""The Bayesian bootstrap of what a success costs: the starts are weighted at random, and another start may fail.

ERT* = ((1 − f) Σ w·spent + f·H) ÷ ((1 − f) Σ w·successes), with weights w ~ Dirichlet(1, …, 1) of the U starts (Rubin, "The
Bayesian bootstrap", Annals of Statistics 9 (1981)) and f ~ Beta(½, U), the share of all starts that fail as none of the sample
did: where a sample has U successes and no failure that is what Jeffreys' prior leaves to be expected. A start that fails
costs H, the sum of the horizons of its runs. With f = 0, ERT* knows of nothing but the starts that were seen.

Letters: R runs in G groups; U starts of a group; B starts, or blocks of them, that have a weight; S resamples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import betaincinv

from pipeline.stats.arrays import Floats, Integers, compact, counted, distinct
from pipeline.stats.costs.running_times import expected_running_time
from pipeline.stats.intervals import LEVEL, MOST_UNITS, RESAMPLES, SEED
from pipeline.stats.sample import Sample

AT_ONCE = 4_000_000  # numbers in one array of resamples, at most
FEW_GROUPS, PARTS = 24, 5  # a product of few rows with all weights is made in parts: threads wait longer than they help
FEW = 100_000  # numbers in an array of resamples that is kept
MOST_KEPT = 200_000  # starts of groups that are kept
MANY_GROUPS, FEWER_RESAMPLES = 40_000, 200
UNSEEN, CHOSEN = 0.5, 1.0  # a of the f ~ Beta(a, U) of a group; of one that was chosen, because its cost was the lowest


@dataclass(frozen=True)
class Starts:
    """What each of the starts (N,) of G groups spent and gained in all its runs; sorted by `group`, the group of each.

    `weight` numbers the weight (of B) that a start has; `runs`, `spent`, `successes`, `horizons` are sums over its runs, and
    `number` is 1, or how many starts there are in a block. `first` (G + 1,) is where each group begins; `starts` (G,) is U.
    """

    group: Integers
    weight: Integers
    number: Floats
    runs: Floats
    spent: Floats
    successes: Floats
    horizons: Floats
    first: Integers
    starts: Integers

    @cached_property
    def resampled(self) -> dict[tuple[bytes, int], "Resampled"]:
        """The resamples of some groups that were made, by the groups and the number of resamples."""
        return {}

    @cached_property
    def replicated(self) -> Integers:
        """The groups with at least two starts; nothing is known of the spread of the others."""
        return np.flatnonzero(self.starts > 1)

    def total(self, name: str) -> Floats:
        """The sum (G,) of a column over the starts of each group."""
        return np.bincount(self.group, getattr(self, name), len(self.starts)).astype(float)

    @cached_property
    def ert(self) -> Floats:
        """The expected running time (G,); infinite with no success."""
        return expected_running_time(self.total("spent"), self.total("successes"))

    @cached_property
    def horizon(self) -> Floats:
        """What a start costs that fails, (G,): the sum of the horizons of its runs, on average."""
        return self.total("horizons") / np.maximum(self.starts, 1)

    @cached_property
    def epochs(self) -> Floats:
        """The epochs that a run took, on average, (G,)."""
        return self.total("spent") / np.maximum(self.total("runs"), 1)


@dataclass(frozen=True, slots=True)
class Resampled:
    """The resamples of some groups: `seen` (G, S) is ERT* with f = 0, and `failing` (G, S) what it grows by per f ÷ (1 − f).

    Of a group without success both are infinite. `groups` (G,) are its groups in the table of starts, `starts` (G,) their U.
    """

    groups: Integers
    starts: Integers
    seen: Floats
    failing: Floats

    def odds(self, a: float = UNSEEN) -> Floats:
        """The f ÷ (1 − f) of each resample for f ~ Beta(a, U), (G, S), or (1, S) if all groups have one U."""
        sizes, which = np.unique(self.starts, return_inverse=True)
        odds = np.stack([failing_odds(int(size), a, self.seen.shape[1]) for size in sizes])
        return odds[which] if len(sizes) > 1 else odds

    def cost(self, a: float = UNSEEN) -> Floats:
        """ERT* (G, S) for f ~ Beta(a, U)."""
        return self.seen + self.odds(a) * self.failing


def starts_of(sample: Sample, by: Sequence[str]) -> Starts:
    """The starts of each group of `by`, each with all its runs in the group.

    A start has the same weight in all groups, so that groups are compared on the same resamples. In a group of more than
    `MOST_UNITS` they are put into that many blocks at random, whose spread is the same.
    """
    return sample.once(("starts of", *by), lambda: _starts_of(sample, by), lambda found: len(found.group) <= MOST_KEPT)


def _starts_of(sample: Sample, by: Sequence[str]) -> Starts:
    group, groups = sample.codes(by)
    unit, units = sample.starts
    if units > MOST_UNITS:  # the order of the units must mean nothing when they are put into blocks
        unit = np.random.default_rng(SEED).permutation(units)[unit]
    code, kept = group * units + unit, max(units, 1)
    cell = distinct(code)
    owner, weight = np.divmod(cell, kept)
    starts = np.bincount(owner, minlength=groups)
    if units > MOST_UNITS and starts.min(initial=units) > MOST_UNITS:  # the runs are put into the blocks at once
        code, cell, kept = group * MOST_UNITS + unit % MOST_UNITS, owner * MOST_UNITS + weight % MOST_UNITS, MOST_UNITS
    elif units > MOST_UNITS:
        position = np.arange(len(cell)) - (np.cumsum(starts) - starts)[owner]
        cell = owner * MOST_UNITS + np.where(starts[owner] > MOST_UNITS, weight % MOST_UNITS, position)
        code, kept = cell[compact(code)[1]], MOST_UNITS
    cell, number = counted(cell)
    _, place = compact(code)
    values = {"runs": None, "spent": sample.epochs, "successes": sample.event, "horizons": sample.horizons}
    columns = {name: np.bincount(place, value, len(cell)).astype(float) for name, value in values.items()}
    owner, weight = np.divmod(cell, kept)
    first = np.searchsorted(owner, np.arange(groups + 1))
    return Starts(group=owner, weight=weight, first=first, starts=starts, number=number.astype(float), **columns)


def resamples(table: Starts, groups: Integers) -> Iterator[Resampled]:
    """The resamples of these groups, in ascending order, some groups at a time: their memory is bounded.

    More than `MANY_GROUPS` have fewer resamples each.
    """
    size = RESAMPLES if len(table.replicated) <= MANY_GROUPS else FEWER_RESAMPLES
    for some in np.array_split(groups, max(1, -(-len(groups) * size // AT_ONCE))):
        if len(some):
            yield resampled(table, some, size)


def resampled(table: Starts, groups: Integers, size: int = RESAMPLES) -> Resampled:
    """The resamples of these groups, in ascending order, all at once; those of few groups are kept with the table."""
    name = (groups.tobytes(), size)
    if name not in table.resampled:
        found = _resampled(table, groups, size)
        if found.seen.size > FEW:
            return found
        table.resampled[name] = found
    return table.resampled[name]


def _resampled(table: Starts, groups: Integers, size: int) -> Resampled:
    rows = slice(table.first[groups[0]], table.first[groups[-1] + 1])
    place = np.searchsorted(groups, table.group[rows])
    own = groups[place] == table.group[rows]
    place, weight = place[own], table.weight[rows][own]
    random = weights()[: weight.max() + 1, :size]

    def weighted(values: Floats) -> Floats:
        matrix = np.zeros((len(groups), len(random)))
        matrix[place, weight] = values[rows][own]
        parts = PARTS if len(groups) <= FEW_GROUPS and len(random) == MOST_UNITS else 1
        return np.concatenate([matrix @ part for part in np.array_split(random, parts, axis=1)], axis=1)

    successes = weighted(table.successes)
    return Resampled(
        groups,
        table.starts[groups],
        seen=expected_running_time(weighted(table.spent), successes),
        failing=expected_running_time(table.horizon[groups, None] * weighted(table.number), successes),
    )


@lru_cache(maxsize=1)
def weights() -> Floats:
    """The weights (MOST_UNITS, RESAMPLES), the same in every table: exponential; divided by their sum they are Dirichlet's."""
    drawn = np.random.default_rng(SEED).exponential(size=(MOST_UNITS, RESAMPLES))
    drawn.setflags(write=False)
    return drawn


@lru_cache(maxsize=64)
def failing_odds(starts: int, a: float, size: int) -> Floats:
    """The f ÷ (1 − f) of each resample, (S,), f ~ Beta(a, starts): its quantiles at evenly spread shares, in random order."""
    f = betaincinv(a, starts, (np.arange(size) + 0.5) / size)
    return np.random.default_rng([SEED, 1]).permutation(f / (1 - f))


def ends(samples: Floats) -> tuple[Floats, Floats]:
    """The ends (low, high), each (G,), of the middle 95 % of samples (G, S); infinite ones sort last."""
    last = samples.shape[-1] - 1
    places = [round((1 + sign * LEVEL) / 2 * last) for sign in (-1, 1)]
    ordered = np.partition(samples, places, axis=-1)
    return ordered[..., places[0]], ordered[..., places[1]]
