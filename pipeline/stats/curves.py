"""The product-limit curves of the groups of a sample, with what their intervals are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.stats.arrays import Floats
from pipeline.stats.effective_runs import Clusters, of_rate
from pipeline.stats.product_limit import Survival, product_limit
from pipeline.stats.sample import Sample
from pipeline.stats.survival_bands import effective_runs_at

MOST_KEPT = 200_000  # rows of curves that are kept for whoever needs them next


@dataclass(frozen=True, slots=True)
class Curves:
    """The `curves` of G groups, and their `clusters`, both without what they say of single runs.

    `effective` (B,) is the effective number of runs behind each row of the curves, `of_rate` (G,) that behind the share that
    converged; `watched` (G,) the epoch up to which each group was watched.
    """

    curves: Survival
    clusters: Clusters
    effective: Floats
    of_rate: Floats
    watched: Floats


def curves_of(sample: Sample, by: Sequence[str]) -> Curves:
    """The curves of each combination of values of the axes `by`, in order of value."""
    return sample.once(("curves", *by), lambda: _curves(sample, by), lambda found: len(found.effective) <= MOST_KEPT)


def _curves(sample: Sample, by: Sequence[str]) -> Curves:
    group, groups = sample.codes(by)
    curves = product_limit(sample.time, sample.event, group, ranks=sample.ranked_time)
    clusters = Clusters.of(sample.starts[0], group, groups)
    effective, of_all = effective_runs_at(curves, sample.event, clusters), of_rate(sample.event, clusters)
    few = replace(curves, code=np.zeros(0, np.intp))
    return Curves(few, clusters.of_groups, effective, of_all, sample.watched(group, groups))
