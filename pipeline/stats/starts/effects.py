"""What properties of initial weights go with convergence, and how well they predict it for starts that were not seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from pipeline.stats.arrays import Booleans, Floats, Integers, compact, evenly
from pipeline.stats.intervals import LEVEL, RESAMPLES, SEED
from pipeline.stats.sample import Sample
from pipeline.stats.starts.stratified_logistic import Counts, concordance, fit

PropertiesOf = Callable[[Integers], pd.DataFrame]  # of the initial weights of these runs, a row per run
Informative = tuple[Integers, Integers, Integers]  # runs, the setting and the start of each

MOST_RUNS, MOST_STARTS, MOST_SETTINGS = 20_000, 2_000, 100  # that are looked at, evenly chosen
FEWEST_STARTS, FEWEST_OUTCOMES = 20, 10  # starts, and starts with a run of either outcome
FOLDS = 5
WIDER = np.sqrt(1 + FOLDS / (FOLDS - 1))  # 1.5
RARE = 0.05  # a yes-or-no property must be that of this share of runs at least, and at most of the others
ALL = "all together"
COLUMNS = (
    "property", "step", "odds", "odds_low", "odds_high", "p", "p_adjusted", "auc", "auc_low", "auc_high", "starts", "runs",
)  # fmt: skip


def start_effects(sample: Sample, properties_of: PropertiesOf) -> pd.DataFrame:
    """A row per property of the initial weights, and one for all together; empty where `too_few` has a reason.

    odds: by what the odds of converging are multiplied per `step` of the property, all settings being equal: per standard
    deviation between starts at the same setting or, of a yes-or-no property, yes against no (`fit`: logistic regression with
    a constant for each setting in which some runs converged and some did not); odds_low, odds_high: 95 % interval by Student's
    t, with the starts as clusters; p, and p_adjusted for the number of properties (Bonferroni).
    Each property is alone in its model.
    auc: out of sample, the chance that of two runs at the same setting, one converged and the other not, the property tells
    which, 0.5 being no better than a coin: slopes come from four fifths of the starts, pairs from the last one;
    auc_low, auc_high: 95 % interval by bootstrap of the starts. starts and runs: those looked at.
    """
    found = informative_runs(sample)
    if too_few(sample, found):
        return pd.DataFrame(columns=COLUMNS)
    rows, stratum, start = found
    table, converged = properties_of(rows), sample.event[rows].astype(float)
    yes_or_no = [name for name in table if "=" in str(name)]
    common = [name for name in yes_or_no if RARE <= table[name].mean() <= 1 - RARE]
    table = table.drop(columns=[name for name in yes_or_no if name not in common])
    steps = pd.Series({name: 1.0 if name in common else spread_within(table[name], stratum) for name in table}, dtype=float)
    table, steps = table.loc[:, steps > 0], steps[steps > 0]
    scaled = table.to_numpy(float) / steps.to_numpy()
    lines, degrees, folds = [], len(np.unique(start)) - 1, folds_of(converged, stratum, start)
    for number, name in enumerate(steps.index):
        one = fit(scaled[:, [number]], converged, stratum, start)
        slope, error = one.slopes[0], one.errors[0]
        half = stdtrit(degrees, (1 + LEVEL) / 2) * error
        odds = dict(zip(COLUMNS[2:5], np.exp([slope, slope - half, slope + half]), strict=True))
        p = 2 * stdtr(degrees, -abs(slope) / error) if error > 0 else np.nan
        auc = out_of_sample_auc(scaled[:, [number]], converged, stratum, folds)
        lines.append({"property": name, "step": steps.iloc[number], **odds, "p": p, **auc})
    if len(lines) > 1:
        independent = [number for number, name in enumerate(steps.index) if name != "one_sign_units" or not common]
        lines.append({"property": ALL, **out_of_sample_auc(scaled[:, independent], converged, stratum, folds)})
    effects = pd.DataFrame(lines, columns=list(COLUMNS)).assign(starts=len(np.unique(start)), runs=len(rows))
    effects["p_adjusted"] = np.minimum(effects["p"] * effects["p"].notna().sum(), 1.0)
    return effects


def too_few(sample: Sample, found: Informative | None = None) -> str:
    """Why starts cannot be told apart here, in a line; empty where they can. `found` are `informative_runs`, if known."""
    if not sample.replicated:
        return "Starts are not compared: there is only one, as no seed, file or explicit values are an axis of different ones."
    rows, _, start = found or informative_runs(sample)
    starts = sample.starts[1]
    if starts < FEWEST_STARTS:
        return f"Starts are not compared: there are {starts} of them; take {FEWEST_STARTS} or more."
    with_either = [len(np.unique(start[sample.event[rows] == outcome])) for outcome in (True, False)]
    if min(with_either) < FEWEST_OUTCOMES:
        few = "converged" if with_either[0] < with_either[1] else "failed"
        return (
            f"Starts are not compared: only {min(with_either)} of {starts:,} {few} in a setting in which another did not; "
            f"it takes {FEWEST_OUTCOMES}."
        )
    return ""


def informative_runs(sample: Sample) -> Informative:
    """Runs (N,) at settings in which some converged and some did not; the number of each one's setting and of its start.

    At most MOST_STARTS starts, MOST_SETTINGS settings and MOST_RUNS runs in all, evenly chosen.
    """
    unit, units = sample.starts
    chosen = evenly(units, MOST_STARTS)
    rows = np.arange(len(sample)) if units <= MOST_STARTS else np.flatnonzero(np.isin(unit, chosen))
    setting, settings = sample.codes(sample.settings)
    setting, unit = setting[rows], unit[rows]
    mixed = both_outcomes(setting, sample.event[rows], settings)
    most = max(1, min(MOST_SETTINGS, MOST_RUNS // max(min(units, MOST_STARTS), 1)))
    kept = np.zeros(settings, bool)
    kept[np.flatnonzero(mixed)[evenly(int(mixed.sum()), most)]] = True
    own = np.flatnonzero(kept[setting])
    own = np.sort(own[np.unique(setting[own] * units + unit[own], return_index=True)[1]])  # of the same trial, one
    return rows[own], compact(setting[own])[1], np.searchsorted(chosen, unit[own])


def both_outcomes(group: Integers, event: Booleans, groups: int) -> Booleans:
    """Whether each group (G,) has runs that converged and runs that did not."""
    runs, converged = np.bincount(group, minlength=groups), np.bincount(group[event], minlength=groups)
    return np.asarray((converged > 0) & (converged < runs))


def spread_within(values: pd.Series, stratum: Integers) -> float:
    """The standard deviation of values (N,) around the means of their strata."""
    numbers = values.to_numpy(float)
    means = np.bincount(stratum, numbers) / np.bincount(stratum)
    deviation = float(np.sqrt(np.square(numbers - means[stratum]).mean()))
    return deviation if deviation > 1e-9 * max(np.abs(numbers).max(), 1e-300) else 0.0


@dataclass(frozen=True, slots=True)
class Fold:
    """Runs `held_out` (N,) and runs `seen` (N,), from which slopes come; the held-out starts' `place` (runs held out,).

    `drawn` (starts held out, B + 1) is how often each is in a bootstrap sample, first as they are.
    """

    held_out: Booleans
    seen: Booleans
    place: Integers
    drawn: Counts


def folds_of(converged: Floats, stratum: Integers, start: Integers) -> list[Fold]:
    """The folds: of starts, as equal in size as can be, and the same for each property."""
    random = np.random.default_rng(SEED)
    fold = (random.permutation(int(start.max()) + 1) % FOLDS)[start]
    groups, folds = int(stratum.max()) + 1, []
    for number in range(FOLDS):
        held_out = fold == number
        seen = ~held_out
        seen &= both_outcomes(stratum[seen], converged[seen] > 0, groups)[stratum]
        own = np.unique(start[held_out])
        if not seen.any() or not len(own):
            continue
        times = random.multinomial(len(own), np.full(len(own), 1 / len(own)), size=RESAMPLES)
        drawn = np.vstack([np.ones(len(own), int), times]).T.astype(np.float32, order="C")
        folds.append(Fold(held_out, seen, np.searchsorted(own, start[held_out]), drawn))
    return folds


def out_of_sample_auc(properties: Floats, converged: Floats, stratum: Integers, folds: Sequence[Fold]) -> dict[str, float]:
    """auc, auc_low, auc_high: AUC within settings of starts that had no part in the slopes (`start_effects`).

    No pair is of two folds. The interval is that of a bootstrap of
    starts, WIDER because the folds share their training: √(1 + J n_test ÷ n_train), Nadeau & Bengio, "Inference for the
    generalization error", Machine Learning 52 (2003), section 4.
    """
    agreeing, pairs = np.zeros((2, RESAMPLES + 1))
    for fold in folds:
        seen, held_out = fold.seen, fold.held_out
        slopes = fit(properties[seen], converged[seen], compact(stratum[seen])[1]).slopes
        scores = properties[held_out] @ slopes
        agree, of_all = concordance(scores, converged[held_out], stratum[held_out], fold.place, fold.drawn)
        agreeing, pairs = agreeing + agree, pairs + of_all
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = agreeing / pairs
    ends = np.nanquantile(auc[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if np.isfinite(auc[1:]).any() else np.full(2, np.nan)
    low, high = np.clip(auc[0] + WIDER * (ends - auc[0]), 0.0, 1.0)
    return {"auc": float(auc[0]), "auc_low": float(low), "auc_high": float(high)}
