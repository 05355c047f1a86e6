"""What the sample says of initial weights: which properties go with convergence, and how weakly they predict it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.stats.starts.effects import ALL

NAMES = {
    "norm": "a larger norm of all initial weights",
    "largest_hidden": "a larger largest weight into a hidden unit",
    "one_sign_units": "more hidden units whose input weights have one sign",
    "saturated": "more hidden units saturated at the start",
    "distance": "hidden units that lie farther apart",
}
LABELS = {
    "norm": "norm of all weights",
    "largest_hidden": "largest weight into a hidden unit",
    "one_sign_units": "hidden units of one sign",
    **{f"one_sign_units={number}": f"… exactly {number}" for number in range(4)},
    "saturated": "saturated at the start",
    "distance": "distance of hidden units",
}  # short ones, of the figure
COUNTS = ("no hidden unit", "exactly one hidden unit", "exactly two hidden units", "exactly three hidden units")
MOST_NAMED = 2  # properties in a sentence
STRENGTHS = ((0.6, "hardly at all"), (0.7, "weakly"), (0.8, "moderately"), (0.9, "well"), (2.0, "very well"))


def starts_in_words(effects: pd.DataFrame) -> str:
    """Which properties of a start go with convergence, and how well they predict it; empty where nothing was compared."""
    if effects.empty:
        return ""
    alone = effects[effects["property"] != ALL]
    shown = alone[alone["p_adjusted"] <= 0.05].sort_values("p")
    looked_at = f"{effects['starts'].iloc[0]:,} starts"
    if shown.empty:
        text = f"No property of the initial weights that was looked at is shown to go with convergence ({looked_at})."
    else:
        named = [effect_in_words(row) for row in shown.head(MOST_NAMED).to_dict("records")]
        text = f"At the same setting, {'; '.join(named)}; {looked_at} were looked at."
    last = effects.iloc[-1]
    strength = next(word for most, word in STRENGTHS if last["auc"] < most)
    what = ("All properties together", "predict", "are") if last["property"] == ALL else ("It", "predicts", "is")
    told = f"{what[1]} {strength}" if last["auc_low"] > 0.5 else f"{what[2]} not shown to tell better than a coin"
    return (
        f"{text} {what[0]} {told} which of two new starts converges: right in {last['auc']:.0%} of pairs "
        f"(95 % interval {last['auc_low']:.0%}–{last['auc_high']:.0%}; a coin is right in 50 %)."
    )


def effect_in_words(row: Mapping[Any, Any]) -> str:
    """Starts with more of a property converge less often (odds × 0.37 per standard deviation, 95 % interval 0.2–0.5)."""
    name, _, number = str(row["property"]).partition("=")
    which = f"{COUNTS[int(number)]} whose input weights have one sign" if number else NAMES[name]
    often = "less" if row["odds"] < 1 else "more"
    per = "" if number else " per standard deviation"
    odds, low, high = (f"{row[column]:.2g}" for column in ("odds", "odds_low", "odds_high"))
    return f"starts with {which} converge {often} often (odds × {odds}{per}, 95 % interval {low}–{high})"
