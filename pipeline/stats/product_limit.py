"""Product-limit curves of the epochs to convergence, some of them censored, of many groups of runs at once.

Letters: R runs in G groups; T distinct times; B blocks, the distinct times of each group. `group` (R,) is the group 0 … G − 1
of each run, and every group has a run. `event` (R,) is true where the run converged, at `time` (R,); elsewhere `time` is when
it was last seen.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.stats.arrays import Booleans, Floats, Integers, compact, counted, ranked


@dataclass(frozen=True)
class Survival:
    """Product-limit curves: a row per distinct time of each group, in order, each array (B,).

    `survival` is the share that has not converged by `time` (so it holds from then to the next time), `greenwood` the sum
    Σ d ÷ (n(n − d)) up to then. `at_risk` were running just before, `events` converged then, `censored` were last seen then;
    `complete` is true where none was censored before. `code` (R,) is a number of the row of each run, in their order.
    """

    group: Integers
    time: Floats
    at_risk: Integers
    events: Integers
    censored: Integers
    survival: Floats
    greenwood: Floats
    complete: Booleans
    code: Integers

    @cached_property
    def row(self) -> Integers:
        """The row (R,) of each run."""
        return compact(self.code)[1]


def product_limit(
    time: Floats, event: Booleans, group: Integers | None = None, *, ranks: tuple[Floats, Integers] | None = None
) -> Survival:
    """The Kaplan–Meier estimate of each group.

    S(t) = ∏ (1 − d/n) over the times up to t, d events of n at risk (Kaplan & Meier, JASA 53 (1958), equation 2b). Before
    anything is censored that is what remains ÷ what started, and is computed so: 1 − ECDF exactly. After that it takes for
    granted that a run's horizon says nothing about when it converges: it does where slow settings were watched longer.
    `ranks` are `ranked(time)`, if known: they are the same for every grouping of the same runs.
    """
    group = np.zeros(len(time), np.intp) if group is None else group
    times, rank = ranked(np.asarray(time, float)) if ranks is None else ranks
    code = group * len(times) + rank
    ends, number = counted(code * 2 + event)
    codes, block = compact(ends // 2)
    owner, block_rank = np.divmod(codes, max(len(times), 1))
    leaving = np.bincount(block, number, len(codes)).astype(np.intp)
    events = np.bincount(block, number * (ends % 2), len(codes)).astype(np.intp)
    opening = np.searchsorted(owner, owner, "left")
    size = np.bincount(owner, leaving)[owner].astype(np.intp)
    at_risk = size - (running(leaving, opening) - leaving).astype(np.intp)
    censored = leaving - events
    complete = running(censored, opening) == censored
    left = at_risk - events
    over = left == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        log_steps = np.where(over, 0.0, np.log1p(-events / at_risk))
        survival = np.where(complete, left / size, np.where(over, 0.0, np.exp(running(log_steps, opening))))
        greenwood = running(np.where(over, 0.0, events / (at_risk * np.where(over, 1.0, left))), opening)
        exact = complete & ~over
        greenwood = np.where(exact, size.astype(float) - left, greenwood) / np.where(exact, size.astype(float) * left, 1.0)
    return Survival(owner, times[block_rank], at_risk, events, censored, survival, greenwood, complete, code)


def running(steps: NDArray[Any], opening: Integers) -> Floats:
    """The sum (B,) of the steps of each block's group up to it; `opening` (B,) is the first block of its group."""
    total = np.cumsum(steps, dtype=float)
    return np.asarray(total - (total - steps)[opening], float)


def restricted_mean(curves: Survival, horizon: ArrayLike, groups: int) -> Floats:
    """∫ S(t) dt from 0 to the horizon of each group, (G,): the mean of min(time to convergence, horizon).

    Irwin, "The standard error of an estimate of expectation of life", Journal of Hygiene 47 (1949); Royston & Parmar, BMC
    Medical Research Methodology 13:152 (2013). The last value of a curve that ends before the horizon is carried on.
    """
    end = np.broadcast_to(horizon, groups)[curves.group]
    time = np.minimum(curves.time, end)
    opens = np.ones(len(time), bool)
    opens[1:] = curves.group[1:] != curves.group[:-1]
    closes = np.append(opens[1:], True)
    until = np.where(closes, end, np.append(time[1:], 0.0))
    area = curves.survival * (until - time) + np.where(opens, time, 0.0)
    return np.asarray(np.bincount(curves.group, area, groups), float)
