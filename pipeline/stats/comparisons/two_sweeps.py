"""What changed from one sweep to another: its configuration, and where convergence changed beyond chance.

`before` and `after` are results with a row per run (`Sample`). Runs that agree in all axes that both sweeps have are pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import as_override
from pipeline.stats.arrays import Booleans, Floats, Integers
from pipeline.stats.comparisons.within_a_sweep import Runs, censored_at, corrected, in_pairs
from pipeline.stats.sample import Sample, axes_of

COMPARED_COLUMNS = (
    "pairs", "same", "rate_before", "rate_after", "only_before", "only_after", "earlier", "later", "ratio",
    "p_epochs", "p_rate",
)  # fmt: skip


def changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """How the axes of two sweeps differ: a row per axis whose values are not the same in both.

    Columns axis, only_before, only_after (values as text, "no axis" where it is none), both: how many values are shared.
    """
    rows = []
    for axis in dict.fromkeys([*axes_of(before), *axes_of(after)]):
        values = [list(dict.fromkeys(_canonical(table[axis]))) if axis in table else None for table in (before, after)]
        shared = set(values[0] or ()) & set(values[1] or ())
        if values[0] is not None and values[1] is not None and len(shared) == len(values[0]) == len(values[1]):
            continue
        only = ["no axis" if some is None else ", ".join(value for value in some if value not in shared) for some in values]
        rows.append((axis, *only, len(shared)))
    return pd.DataFrame(rows, columns=["axis", "only_before", "only_after", "both"])


@dataclass(frozen=True, slots=True)
class _Matched:
    """The N runs that two sweeps have in common: their shared axes, and both results, censored where one sweep ended."""

    shared: Sample
    before: Runs
    after: Runs
    same: Booleans
    unit: Integers

    def rows(self, by: Sequence[str]) -> pd.DataFrame:
        group, keys = self.shared.groups(by)
        order = np.argsort(group, kind="stable")
        lines = []
        for some in np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []:
            first, second = ((time[some], event[some]) for time, event in (self.before, self.after))
            line = in_pairs(first, second, np.unique(self.unit[some], return_inverse=True)[1])
            line |= {"only_before": line["only_first"], "only_after": line["only_second"], "same": int(self.same[some].sum())}
            lines.append({**line, "rate_before": first[1].mean(), "rate_after": second[1].mean()})
        return pd.concat([keys, pd.DataFrame(lines, columns=list(COMPARED_COLUMNS))], axis=1)


def compare(before: pd.DataFrame, after: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Two sweeps, run by run: where convergence changed beyond chance.

    Runs are paired by the axes that both sweeps have, seed included; what only one of them ran is left out. A row per
    combination of `by`, or one for all. Columns `by`, pairs, same (status and epochs are equal), rate_before, rate_after;
    only_before, only_after: pairs of which one run alone converged; earlier, later: pairs in which the run after converged
    earlier or later than the one before; ratio: median of epochs after ÷ before; p_epochs, p_rate and their Holm
    corrections, as in `paired`; change: "more often", "less often", "faster", "slower", joined by commas, where the
    corrected p-value is below 0.05. With few seeds, many rows leave nothing to find: see `compare_axes`.
    A pair is compared up to the smaller of its two horizons. Raises ValueError if an axis that is missing from one sweep takes
    several values in the other: then no run has one partner.
    """
    return _judged(_match(before, after).rows(by))


def compare_axes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """As `compare`: a row for all runs and one for each value of each shared axis but the seed, corrected together.

    Columns axis ("" for all runs), value, and those of `compare`. Raises as it does.
    """
    matched = _match(before, after)
    tables = [matched.rows([]).assign(axis="", value="")]
    for axis in matched.shared.settings:
        tables.append(matched.rows([axis]).rename(columns={axis: "value"}).astype({"value": object}).assign(axis=axis))
    table = pd.concat([some.dropna(axis=1, how="all") for some in tables if len(some)] or tables, ignore_index=True)
    return _judged(table.reindex(columns=["axis", "value", *COMPARED_COLUMNS]))


def _match(before: pd.DataFrame, after: pd.DataFrame) -> _Matched:
    shared = [axis for axis in axes_of(before) if axis in axes_of(after)]
    for table in (before, after):
        for axis in axes_of(table):
            if axis not in shared and len(set(_canonical(table[axis]))) > 1:
                raise ValueError(f"{axis}: takes several values in one sweep and is no axis of the other; choose one of them")
    rows, partners = _partners(before, after, shared)
    old, new = before.iloc[rows].reset_index(drop=True), after.iloc[partners].reset_index(drop=True)
    limit = np.minimum(_limits(before)[rows], _limits(after)[partners])
    first, second = (censored_at(limit, sample.time, sample.event) for sample in map(Sample, (old, new)))
    same = ((old["status"] == new["status"]) & (old["epochs"] == new["epochs"])).to_numpy()
    common = Sample(old[shared])
    return _Matched(common, first, second, same, common.units()[0])


def _limits(results: pd.DataFrame) -> Floats:
    """The horizons (R,); infinite if they are unknown, as every run ended by itself before."""
    known = "horizon" in results or "max_epochs" in results or (results["status"] == "exhausted").any()
    return Sample(results).horizons if known else np.full(len(results), np.inf)


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its p-values corrected for all rows, and the column change."""
    table = corrected(table)
    change = []
    for line in table.to_dict("records"):
        rate = "more often" if line["only_after"] > line["only_before"] else "less often"
        speed = "faster" if line["earlier"] > line["later"] else "slower"
        change.append(", ".join(word for word, p in ((rate, "p_rate_holm"), (speed, "p_epochs_holm")) if line[p] < 0.05))
    table["change"] = change
    return table


def _partners(before: pd.DataFrame, after: pd.DataFrame, shared: Sequence[str]) -> tuple[Integers, Integers]:
    """The rows of both tables that agree in the shared axes; of equal ones within a table, which are one trial, the first."""
    codes = np.zeros(len(before) + len(after), np.int64)
    for axis in shared:
        values = pd.factorize(np.array([*_canonical(before[axis]), *_canonical(after[axis])], dtype=object))[0]
        codes = np.unique(codes * (values.max(initial=0) + 1) + values, return_inverse=True)[1]
    firsts = [np.unique(some, return_index=True) for some in (codes[: len(before)], codes[len(before) :])]
    _, old, new = np.intersect1d(firsts[0][0], firsts[1][0], assume_unique=True, return_indices=True)
    rows, partners = firsts[0][1][old], firsts[1][1][new]
    order = np.argsort(rows)
    return rows[order], partners[order]


def _canonical(column: pd.Series) -> list[str]:
    """Values as text that does not depend on the column's type: 1 and 1.0 are one value, None and NaN too."""
    codes, values = pd.factorize(column, use_na_sentinel=False)
    text = []
    for value in values.tolist():
        whole = isinstance(value, float) and value.is_integer()
        text.append("null" if value is None or pd.isna(value) else as_override(int(value) if whole else value))
    return [text[code] for code in codes]
