"""The values of an axis two by two, from the same starts, with tests in which a start counts once."""

from itertools import combinations

import numpy as np
import pandas as pd

from pipeline.stats.arrays import evenly
from pipeline.stats.comparisons.paired_tests import flips, in_blocks, max_t, smallest_p
from pipeline.stats.comparisons.pairs import COUNTS, ERTS, MEASURES, Watched, by_start, described, matched, unseen
from pipeline.stats.sample import NESTED, REPLICATES, Sample

MOST_VALUES = 50  # of an axis that are compared, 1,225 pairs: of more, these many evenly chosen ones with first and last
TESTS = tuple(f"p_{measure}{kind}" for kind in ("", "_adjusted") for measure in MEASURES)
COLUMNS = ("first", "second", *COUNTS, *ERTS, "starts", *TESTS, "p_unseen", "smallest_p")


def paired(sample: Sample, axis: str) -> pd.DataFrame:
    """Each two values of the axis, on pairs of runs that agree in all other axes.

    Columns first, second, pairs; both, only_first, only_second, neither: the number of pairs in which these runs converged;
    earlier, later: the number of pairs in which the second converged earlier or later than the first, a run that did not
    counting as later; ratio, the median over pairs of epochs(second) ÷ epochs(first), and its quartiles ratio_q1 and
    ratio_q3; ert_first, ert_second, the expected running times over these pairs; starts, the number of them that have pairs.

    p_epochs (Prentice's scores), p_rate (McNemar's) and p_ert, of differences whose signs flip start by start;
    p_epochs_adjusted, p_rate_adjusted, p_ert_adjusted, by `max_t` for all pairs of values of the axis; p_unseen, how probable
    it is that failures not seen make up for the difference in ert (`pairs.unseen`), which p_ert_adjusted is at least;
    smallest_p, the smallest that so many starts can give: where it is above 0.05 they can show nothing. They are NaN where
    there are no two starts to compare on, and for thresholds, as runs of one start that differ in it alone are one training.

    A pair of which one converged has a ratio of 0 or infinity, which is on the right side of the median; one of which none
    did has no ratio. Each pair is compared up to the smaller of its horizons, but for ert, which is what was spent.
    Of more than `MOST_VALUES` values so many are compared, evenly chosen. Raises KeyError for what is no axis.
    """
    row, values = matched(sample, axis)
    unit, units = sample.codes([other for other in sample.axes if other in REPLICATES and other != axis])
    block, blocks = in_blocks(unit, units)
    tested = axis != NESTED and units > 1
    watched = Watched(sample)
    rows, differences = [], []
    for first, second in combinations(evenly(len(values), MOST_VALUES).tolist(), 2):
        both = row[:, [first, second]]
        one, other = both[(both >= 0).all(axis=1)].T
        runs = watched.pairs(one, other, capped=False)
        starts = int(np.count_nonzero(np.bincount(unit[one])))
        rows.append({"first": values[first], "second": values[second], **described(*runs), "starts": starts})
        if tested:
            rows[-1]["p_unseen"] = unseen(*runs, (starts, starts)) if starts > 1 else np.nan
            differences.append(by_start(*runs, block[one], blocks))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys([*TESTS, "p_unseen", "smallest_p"], float))
    if differences:
        shown = table["starts"].to_numpy() > 1
        for measure, of_pairs in zip(MEASURES, np.stack(differences, 1), strict=True):
            p_values = max_t(of_pairs, flips(blocks))
            for name, p in zip((f"p_{measure}", f"p_{measure}_adjusted"), p_values, strict=True):
                table[name] = np.where(shown, p, np.nan)
        table["p_ert_adjusted"] = np.maximum(table["p_ert_adjusted"], table["p_unseen"])
        table["smallest_p"] = np.where(shown, [smallest_p(starts) for starts in table["starts"]], np.nan)
    return table
