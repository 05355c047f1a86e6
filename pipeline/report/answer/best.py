"""At which setting a success costs least, how sure that is, and which other settings it may be."""

import numpy as np
import pandas as pd

from pipeline.report.answer.candidates import Candidates
from pipeline.report.numbers import count, in_short
from pipeline.report.setting import listed

MOST_EQUAL, MOST_THRESHOLDS = 3, 6  # that are named


def best(main: Candidates) -> str:
    """The best setting with its cost, those that cost as much, the next, and how many are not ruled out."""
    row = main.best
    goal = f"{main.at.capitalize()} a" if main.at else "A"
    cost = f"{_epochs(row['ert'])} on average, failed runs included"
    if main.all_equal:
        where = f" the same with each of the {len(main.rows):,} settings:"
    else:
        where = f" least with {name}:" if (name := main.name(row)) else ""
    known = f" ({_runs(row)}{_interval(row)})" if main.alike else ""
    return " ".join(filter(None, [f"{goal} success costs{where} {cost}{known}.", _equal(main), _next(main), _ruled_out(main)]))


def others(rest: list[Candidates]) -> str:
    """A short answer for each of the other thresholds."""
    parts = []
    for one in rest[:MOST_THRESHOLDS]:
        if not one.converged:
            parts.append(f"{one.at}: no run converged")
            continue
        known = f" ({_runs(one.best)}{_interval(one.best)})" if one.alike else ""
        text = f"{one.at}: {_short_name(one)}{_epochs(one.best['ert'])}{known}"
        if one.tested and len(one.rows) > 1:
            text += f", {len(one.remaining):,} of {count(len(one.rows), 'setting')} not ruled out"
        parts.append(text)
    more = f"; and {count(len(rest) - MOST_THRESHOLDS, 'more threshold')}" if len(rest) > MOST_THRESHOLDS else ""
    return f"The least cost of a success {'; '.join(parts)}{more}." if parts else ""


def _short_name(one: Candidates) -> str:
    """The best setting and how many cost as much, with a comma; nothing where there is one setting."""
    if one.all_equal:
        return f"each of {len(one.rows):,} settings, "
    name = one.name(one.best)
    return f"{name}{f' and {len(one.equal):,} more' if len(one.equal) else ''}, " if name else ""


def _epochs(ert: float) -> str:
    """1 epoch, 1.5 epochs."""
    return f"{(text := in_short(ert))} epoch{'' if text == '1' else 's'}"


def _runs(row: pd.Series) -> str:
    """3 of 4 runs converged."""
    return f"{int(row['converged']):,} of {count(int(row['runs']), 'run')} converged"


def _interval(row: pd.Series) -> str:
    """The interval of a setting's ERT, of the runs as they were seen and allowing for failures that were not."""
    if not np.isfinite(row["ert_low"]):
        return ""
    all_converged = row["converged"] == row["runs"]
    text = f"; 95% interval {in_short(row['ert_low'])} to {_end(row['ert_high_seen'])}"
    text += " of those that converged" if all_converged else " of the runs seen"
    return f"{text}; allowing for failures not seen, up to {_end(row['ert_high'])}"


def _end(high: float) -> str:
    """The upper end of an interval."""
    return in_short(high) if np.isfinite(high) else "any number"


def _equal(main: Candidates) -> str:
    """The settings that cost exactly as much as the best."""
    names = [main.name(row) for _, row in main.equal.head(MOST_EQUAL).iterrows()]
    if not names or main.all_equal:
        return ""
    more = [f"{len(main.equal) - MOST_EQUAL:,} more"] if len(main.equal) > MOST_EQUAL else []
    return f"Exactly as much {'costs' if len(names) == 1 else 'cost'} {listed([*names, *more])}."


def _next(main: Candidates) -> str:
    """The cheapest setting after those that cost least."""
    later = main.rows.iloc[1 + len(main.equal) :]
    if not len(later) or not np.isfinite(later.iloc[0]["ert"]):
        return ""
    return f"Next is {main.name(later.iloc[0])} with {in_short(later.iloc[0]['ert'])}."


def _ruled_out(main: Candidates) -> str:
    """How many settings may be the best."""
    total, left = len(main.rows), len(main.remaining)
    if total == 1 or not main.tested:
        return ""
    if left == total:
        return f"None of the {total:,} settings is ruled out as the best."
    if left == 1:
        return f"{f'All {total - 1:,} others are' if total > 2 else 'The other is'} ruled out as the best."
    return f"{left:,} of {total:,} settings are not ruled out as the best."
