"""What changed from one sweep to another: its configuration, and where convergence changed beyond chance.

`before` and `after` are results with a row per run (`Sample`), in the order in which they are given.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.errors import as_override
from pipeline.stats.arrays import Floats, Integers
from pipeline.stats.comparisons.designs import DifferentStarts, SameStarts
from pipeline.stats.comparisons.paired_tests import ALPHA, max_t
from pipeline.stats.comparisons.pairs import MEASURES
from pipeline.stats.sample import REPLICATES, Sample, axes_of

TESTS = tuple(f"p_{measure}{kind}" for kind in ("", "_adjusted") for measure in MEASURES)
COMPARED_COLUMNS = (
    "pairs", "same", "rate_before", "rate_after", "ert_before", "ert_after", "only_before", "only_after", "earlier", "later",
    "ratio", "starts", *TESTS, "p_unseen", "smallest_p",
)  # fmt: skip
WORDS = {"rate": ("less often", "more often"), "epochs": ("faster", "slower"), "ert": ("cheaper", "dearer")}
Design = SameStarts | DifferentStarts


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


def compare(before: pd.DataFrame, after: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Two sweeps, from the same starts: where convergence changed beyond chance.

    Runs are paired by the axes that both sweeps have, starts included; what only one of them ran is left out. A row per
    combination of `by`, or one for all. Columns `by`, pairs, same (status and epochs are equal), rate_before, rate_after,
    ert_before, ert_after; only_before, only_after: pairs of which one run alone converged; earlier, later: pairs in which the
    run after converged earlier or later than the one before; ratio: median of epochs after ÷ before; starts.
    p_epochs, p_rate and p_ert as in `paired`, one sign per start for all rows, and p_epochs_adjusted, p_rate_adjusted,
    p_ert_adjusted by `max_t` for all rows and all three, so that with 95 % nothing is called a change that is none; p_unseen
    as in `paired`, which p_ert_adjusted is at least; smallest_p: above 0.05 so few starts can show nothing.
    change: "more often" or "less often" converged, "faster" or "slower",
    "cheaper" or "dearer" in expected running time, joined by commas, where that adjusted p is below 0.05.

    If the sweeps have the same settings and no start in common, there are no pairs, and starts change places between the
    sweeps instead of signs: see `DifferentStarts`. With fewer than two starts p-values are NaN.
    A run is compared up to the smaller of the two horizons. Raises ValueError if an axis that is missing from one sweep takes
    several values in the other, starts excepted: then no run has one partner.
    """
    design = _design(before, after)
    keys, rows, differences = _rows(design, by)
    return _judged(pd.concat([keys, rows], axis=1), differences, design)


def compare_axes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """As `compare`: a row for all runs and one for each value of each shared axis but the starts, tested together.

    Columns axis ("" for all runs), value, and those of `compare`. Raises as it does.
    """
    design = _design(before, after)
    tables, differences = [], []
    for axis in ["", *design.shared.settings]:
        keys, rows, of_rows = _rows(design, [axis] if axis else [])
        values = keys[axis].astype(object) if axis else [""] * len(rows)
        tables.append(rows.assign(axis=axis, value=values))
        differences += of_rows
    table = pd.concat([some for some in tables if len(some)] or tables, ignore_index=True)
    return _judged(table.reindex(columns=["axis", "value", *COMPARED_COLUMNS]), differences, design)


def _rows(design: Design, by: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame, list[Floats]]:
    """The values of `by`, the untested columns of each of their combinations, and its differences by start (3, U)."""
    group, keys = design.shared.groups(by)
    order = np.argsort(group, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []
    found = [design.row(some) for some in parts]
    floats = dict.fromkeys([*TESTS, "p_unseen", "smallest_p"], float)
    table = pd.DataFrame([line for line, _ in found], columns=list(COMPARED_COLUMNS)).astype(floats)
    return keys, table, [differences for _, differences in found]


def _judged(table: pd.DataFrame, differences: list[Floats], design: Design) -> pd.DataFrame:
    """The table with its p-values, where there are two starts, and the column change."""
    change = np.full((len(MEASURES), len(table)), "", object)
    if len(table) and design.replicated:
        together = np.stack(differences, 1)  # (3, rows, U)
        raw, adjusted = (p.reshape(together.shape[:2]) for p in max_t(np.concatenate(together), design.arrangements))
        shown = table["smallest_p"].notna().to_numpy()
        adjusted[MEASURES.index("ert")] = np.fmax(adjusted[MEASURES.index("ert")], table["p_unseen"])
        for number, measure in enumerate(MEASURES):
            table[f"p_{measure}"] = np.where(shown, raw[number], np.nan)
            table[f"p_{measure}_adjusted"] = np.where(shown, adjusted[number], np.nan)
            higher_before = design.before_less_after(together[number]) > 0
            change[number] = np.where(shown & (adjusted[number] < ALPHA), np.where(higher_before, *WORDS[measure]), "")
    order = [MEASURES.index(measure) for measure in WORDS]
    return table.assign(change=[", ".join(word for word in words if word) for words in change[order].T])


def _design(before: pd.DataFrame, after: pd.DataFrame) -> Design:
    """How runs of two sweeps are compared: start by start if they share runs, else all of one with all of the other."""
    shared = [axis for axis in axes_of(before) if axis in axes_of(after)]
    pairable = True
    for table in (before, after):
        for axis in axes_of(table):
            if axis not in shared and len(set(_canonical(table[axis]))) > 1:
                if axis not in REPLICATES:
                    raise ValueError(
                        f"{axis}: takes several values in one sweep and is no axis of the other; choose one of them"
                    )
                pairable = False
    settings = [axis for axis in shared if axis not in REPLICATES]
    codes = _codes(before, after, shared)
    rows, partners = _partners(*codes)
    if pairable and (len(rows) or len(settings) == len(shared)):
        old, new = before.iloc[rows].reset_index(drop=True), after.iloc[partners].reset_index(drop=True)
        same = ((old["status"] == new["status"]) & (old["epochs"] == new["epochs"])).to_numpy()
        return SameStarts(
            Sample(old[shared]), (Sample(old), Sample(new)), (_limits(before)[rows], _limits(after)[partners]), same
        )
    codes = _codes(before, after, settings)
    both = [np.isin(own, other) for own, other in (codes, codes[::-1])]
    tables = [table[some].reset_index(drop=True) for table, some in zip((before, after), both, strict=True)]
    setting = np.concatenate([own[some] for own, some in zip(codes, both, strict=True)])
    horizons = np.concatenate([_limits(table)[some] for table, some in zip((before, after), both, strict=True)])
    return DifferentStarts(tables[0], tables[1], settings, setting, horizons)


def _limits(results: pd.DataFrame) -> Floats:
    """The horizons (R,); infinite if they are unknown, as every run ended by itself before."""
    known = "horizon" in results or "max_epochs" in results or (results["status"] == "exhausted").any()
    return Sample(results).horizons if known else np.full(len(results), np.inf)


def _codes(before: pd.DataFrame, after: pd.DataFrame, shared: Sequence[str]) -> tuple[Integers, Integers]:
    """Numbers (R,) of both tables' runs, equal where they agree in the shared axes."""
    codes = np.zeros(len(before) + len(after), np.int64)
    for axis in shared:
        values = pd.factorize(np.array([*_canonical(before[axis]), *_canonical(after[axis])], dtype=object))[0]
        codes = np.unique(codes * (values.max(initial=0) + 1) + values, return_inverse=True)[1]
    return codes[: len(before)], codes[len(before) :]


def _partners(before: Integers, after: Integers) -> tuple[Integers, Integers]:
    """The rows of both tables that have equal codes; of equal ones within a table, which are one trial, the first."""
    firsts = [np.unique(some, return_index=True) for some in (before, after)]
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
