"""The story of how a run ended, in blocks: error, units, gradient, curvature, rules, cause and advice, with the numbers."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from pipeline.backprop.causes.ending import SLOPE, WRONG
from pipeline.backprop.causes.limits import MOST_TERMS, MOST_TRAINED, MOST_UNITS, is_moderate
from pipeline.backprop.causes.rules import FALLS, LARGE, Cause
from pipeline.backprop.status import Status
from pipeline.report.causes import why
from pipeline.report.numbers import count
from pipeline.trials.trial import Trial
from pipeline.trials.unreachable import Unreachable, lowest
from pipeline.walkthrough.end import Equals, Layer, RunEnd
from pipeline.walkthrough.numbers import few
from pipeline.walkthrough.text import Block, Literal, markdown, plain_text

WIDTH = 80
MOST_POINTS, MOST_NAMES, MOST_LAYERS, MOST_GROUPS = 8, 5, 8, 5  # that a table shows
RULES = {  # what is asked, for a cause's first and second rule
    (Cause.DIVERGED, 1): "the error is not finite",
    (Cause.UNREACHABLE, 1): "lowest error above the goal",
    (Cause.SYMMETRIC, 1): "equal units at the start",
    (Cause.MINIMUM, 1): "at the lowest point of a bowl",
    (Cause.FROZEN, 1): "a step changes no weight",
    (Cause.SATURATED, 1): "wrong, flat outputs hold it",
    (Cause.OSCILLATING, 1): "it bounces, gets no lower",
    (Cause.DESCENDING, 1): f"0 ≤ ρ < {FALLS}, or it bounces",
    (Cause.PLATEAU, 1): "a way down, found soon",
    (Cause.MINIMUM, 2): f"no way down soon, ρ ≥ {LARGE:g}",
    (Cause.DESCENDING, 2): "its curve falls",
    (Cause.UNDECIDED, 1): "none of these",
}


def short(value: float) -> str:
    """Four digits, thousands separated; – for what is not known."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    whole = abs(value) >= 1000 and abs(value) < 1e9
    return (f"{value:,.0f}" if whole else f"{value + 0.0:.4g}").replace("-", "−")


def epochs(value: float) -> str:
    """A number of epochs of which two digits are known."""
    return "never" if math.isinf(value) else f"{short(float(f'{value:.2g}'))} epochs"


def names(units: Sequence[str], most: int = MOST_NAMES) -> str:
    """Names of units, the first and the last of many."""
    return ", ".join("…" if index is None else units[index] for index in few(len(units), most))


def told(end: RunEnd, trial: Trial, command: str, record: str = "") -> Iterator[Block]:
    """The whole story. `command`: what to try next, to paste; `record`: where the run is from."""
    yield from how_it_ended(end, trial, record)
    if end.status is not Status.DIVERGED:
        yield from units_told(end)
        yield from gradient_told(end)
        yield from fall_told(end)
        yield from curvature_told(end)
    yield from equals_told(end)
    if end.status is Status.EXHAUSTED:
        yield from rules_told(end)
    yield from cause_told(end, trial, command)


def how_it_ended(end: RunEnd, trial: Trial, record: str) -> Iterator[Block]:
    """The trial, the end, and the errors on the way."""
    key = trial.batch_key
    yield "# How the run ended"
    yield f"{setting(end, trial)}."
    if record:
        yield record
    yield f"{end.status.word.capitalize()} after {count(end.epochs, 'epoch')}: {end.status.meaning}."
    curve_epochs, errors = end.result.curve(0)
    shown = [index for index in few_points(len(curve_epochs)) if index < len(errors)]
    yield {"epoch": [f"{curve_epochs[index]:,}" for index in shown], "total error": [short(errors[index]) for index in shown]}
    rows = {"total error at the end": short(end.error)}
    if key.criterion != "total_error":
        rows |= {f"{key.criterion} at the end": short(end.measure), f"threshold of {key.criterion}": short(trial.threshold)}
    about = "about, " if key.criterion == "worst_output" else ""
    rows |= {
        "goal: total error at which it converges": f"{about}{short(end.goal)}".replace(", ", " "),
        "error ÷ goal": short(end.error / end.goal),
        "no weights have a total error below": short(end.bound),
    }
    yield {"what": list(rows), "value": list(rows.values())}


def setting(end: RunEnd, trial: Trial) -> str:
    """The most telling values of a trial."""
    key, rates = trial.batch_key, ", ".join(map(short, trial.learning_rate))
    momentum = f", momentum {short(trial.momentum)}" if trial.momentum else ""
    update = f", update {key.update}" if key.update != "batch" else ""
    units = "-".join(map(str, end.batch.network.units))
    return f"Task {key.task.name}, network {units}, learning rate {rates}{momentum}{update}"


def few_points(number: int) -> list[int]:
    """The first point, the last, and evenly chosen ones between."""
    most = min(number, MOST_POINTS)
    return sorted({round(index * (number - 1) / max(1, most - 1)) for index in range(most)})


def units_told(end: RunEnd) -> Iterator[Block]:
    """How many units are saturated or dead, and outputs that are wrong and flat."""
    shown = shown_layers(end)
    pairs = end.batch.targets.size
    yield "## The units"
    yield {
        "layer": [layer.name if layer else None for layer in shown],
        "activation": [layer.activation if layer else None for layer in shown],
        "units": [f"{layer.units:,}" if layer else None for layer in shown],
        "flat": [flat_told(layer) if layer else None for layer in shown],
        "wrong and flat": [
            None if layer is None else "–" if layer.wrong is None else f"{layer.wrong:,} of {pairs:,}" for layer in shown
        ],
    }
    kinds = set(end.batch.network.activations)
    away = WRONG.get(end.batch.network.output_activation)
    yield (
        f"A unit is flat where its slope is below {SLOPE} for every pattern: it is saturated"
        f"{', a relu unit dead (0 for every pattern)' if 'relu' in kinds else ''}. "
        + (
            f"Wrong and flat is an output that is off by more than {away:g} with such a slope, counted by pattern."
            if away
            else "Outputs of this activation are never counted as wrong and flat."
        )
    )


def flat_told(layer: Layer) -> str:
    """How many units of a layer are flat, and which."""
    if not layer.flat:
        return "none"
    every = "all " if len(layer.flat) == layer.units else ""
    return f"{every}{len(layer.flat):,}: {names(layer.flat)}"


def shown_layers(end: RunEnd) -> list[Layer | None]:
    """The layers, with a gap where there are many."""
    return [None if index is None else end.layers[index] for index in few(len(end.layers), MOST_LAYERS)]


def gradient_told(end: RunEnd) -> Iterator[Block]:
    """The gradient of each layer, and the next step beside the weights."""
    shown = shown_layers(end)
    yield "## The gradient and the next step"
    yield {
        "layer": [layer.name if layer else None for layer in shown],
        "η": [short(layer.learning_rate) if layer else None for layer in shown],
        "|gradient|": [short(layer.gradient) if layer else None for layer in shown],
        "largest step η·g": [short(layer.step) if layer else None for layer in shown],
        "largest weight": [short(layer.largest) if layer else None for layer in shown],
        "change": [f"{layer.moved:,} of {layer.trained:,}" if layer else None for layer in shown],
    }
    yield (
        "The last column: how many weights (trained biases among them) such a step changes in any bit. One that is too "
        "small is lost in the rounding of its weight; where that holds for all, the run is frozen."
    )


def fall_told(end: RunEnd) -> Iterator[Block]:
    """How fast the error falls, beside how fast it should, and what ρ says of it."""
    rate, real, rho = end.at("rate"), end.of_curve("last_rate"), end.at("rho")
    last = end.result.curve(0)[0][-2:]
    over = real / rate if rate else math.nan
    rows = {
        "fall per epoch that the gradient promises": short(rate),
        f"real fall per epoch, over the last {count(int(last[-1] - last[0]), 'epoch')}": short(real),
        "real ÷ promised": short(over),
        "times the error rose, last half of the kept curve": short(end.of_curve("rises")),
        "late ÷ middle: lowest errors of these parts of the curve": short(end.of_curve("trend")),
        "ρ, from gradient and curvature": short(rho),
        "ρ of the curve's last part": short(end.of_curve("rho")),
    }
    yield "## How the error falls"
    yield {"what": list(rows), "value": list(rows.values())}
    if math.isnan(rho):
        small = is_moderate(end.batch.network, len(end.batch.inputs))
        yield "There is no ρ where nothing falls." if small else f"ρ is looked at up to {MOST_UNITS:,} of patterns × units."
    else:
        yield f"ρ: if it stays, dE/dk falls like E to the power of ρ. {short(rho)} is {rho_told(rho)}."


def rho_told(rho: float) -> str:
    """What a ρ means."""
    if rho < 0.0:
        return "below 0: the lower the error, the faster it falls: it accelerates"
    if rho < 0.9:
        return "below 1: faster than an exponential"
    if rho <= 1.1:
        return "about 1: an exponential"
    if rho < 1.9:
        return "between 1, an exponential, and 2, like 1/k (k: epochs)"
    if rho < FALLS:
        return "about 2: like 1/k (k: epochs)"
    if rho < LARGE:
        return "above 2: slower than 1/k (k: epochs)"
    return f"above {LARGE:g}: the error levels off"


def curvature_told(end: RunEnd) -> Iterator[Block]:
    """The curvature along all directions, the ways down, and K*."""
    trained, patterns = end.batch.network.trained, len(end.batch.inputs)
    yield "## How the error bends"
    if end.negative is None:
        yield (
            f"Curvature, directions and K* were not looked at: {trained:,} trained parameters and {patterns:,} patterns. They "
            f"are up to {MOST_TRAINED} parameters, and {MOST_TERMS:,} of parameters × patterns."
        )
        return
    rows = {
        "curvature, lowest λmin": short(end.at("lambda_min")),
        "curvature, highest λmax": short(end.at("lambda_max")),
        "directions that bend down": f"{end.negative:,} of {trained:,}",
        "part of the promised fall along these": short(end.at("negative_share")),
        "epochs until the lowest of these takes over": short(float(f"{end.at('escape'):.2g}")) if end.negative else "–",
        "K*": short(end.at("k_star")),
    }
    yield {"what": list(rows), "value": list(rows.values())}
    kinks = " Units of relu have kinks, of which the curvature does not know." if end.with_kinks else ""
    yield (
        "Eigenvalues of the second derivatives, each weight scaled by the root of its learning rate: below 0 the error bends "
        f"down there. K* above 1: the learning rate is too high here for outputs at their steepest.{kinks}"
    )


def equals_told(end: RunEnd) -> Iterator[Block]:
    """Units that were equal at the start, by their names."""
    if not end.equals:
        return
    shown = [None if index is None else end.equals[index] for index in few(len(end.equals), MOST_GROUPS)]

    def each(rows: list[list[str]], equals: Equals) -> str:
        """The weights of the first two units, pair by pair."""
        return names([f"{one}={other}" for one, other in zip(rows[0], rows[1], strict=True)], 3)

    yield "## Equal units"
    yield {
        "equal at the start": [names(one.units, 4) if one else None for one in shown],
        "weights that come in": [each(one.incoming, one) if one else None for one in shown],
        "weights that go out": [each(one.outgoing, one) if one else None for one in shown],
    }
    yield "Equal units get equal gradients: they stay equal, and do the work of one."


def rules_told(end: RunEnd) -> Iterator[Block]:
    """The rules up to the first that holds."""
    causes, asked, here, holds = [], [], [], []
    seen: dict[Cause, int] = {}
    for cause, held in [*end.rules, (Cause.UNDECIDED, True)]:
        seen[cause] = seen.get(cause, 0) + 1
        causes.append(cause.word)
        asked.append(RULES.get((cause, seen[cause]), "–"))
        here.append(evidence(end, cause, seen[cause]))
        holds.append("yes" if held else "no")
        if held:
            break
    yield "## Why this word: the first rule that holds"
    yield {"cause": causes, "rule": asked, "here": here, "holds": holds}


def evidence(end: RunEnd, cause: Cause, rule: int) -> str:
    """The number that a cause's first or second rule looks at first."""
    match cause:
        case Cause.MINIMUM if rule == 1:
            above = end.at("above_lowest")
            if math.isnan(above):
                return "not looked at"
            return f"at most {short(above)} above" if math.isfinite(above) else "not near one"
        case Cause.DIVERGED:
            return f"error {short(end.error)}"
        case Cause.UNREACHABLE:
            return f"{short(end.bound)}, {short(end.goal)}"
        case Cause.SYMMETRIC:
            return count(len(end.equals), "group")
        case Cause.FROZEN:
            moved, trained = sum(layer.moved for layer in end.layers), sum(layer.trained for layer in end.layers)
            return f"{moved:,} of {trained:,} change"
        case Cause.SATURATED:
            return f"error of these {short(end.at('saturated_error'))}"
        case Cause.OSCILLATING:
            rate = end.at("rate")
            return f"{end.of_curve('last_rate') / rate if rate else math.nan:.2g} of the fall"
        case Cause.PLATEAU:
            return "λmin not looked at" if math.isnan(end.at("lambda_min")) else f"λmin = {short(end.at('lambda_min'))}"
        case Cause.DESCENDING | Cause.MINIMUM:
            return f"ρ = {short(end.at('rho'))}"
        case _:
            return ""


def cause_told(end: RunEnd, trial: Trial, command: str) -> Iterator[Block]:
    """The cause, its number, and what to try; of a run that converged, how fast it was falling."""
    if end.status is Status.CONVERGED:
        yield "## It converged"
        yield (
            f"It needed {count(end.epochs, 'epoch')}. At the end the gradient promised a fall of {short(end.at('rate'))} per "
            f"epoch, {short(100 * end.at('rate') / end.error) if end.error else '–'} % of the error."
        )
        return
    if end.status is Status.STATIONARY:
        yield "## It is stationary"
        ways = "not looked at" if end.negative is None else f"{end.negative:,}"
        yield f"No cause is looked for: the gradient is as good as 0 there. Directions that bend down: {ways}."
        return
    yield "## The cause, and what to try"
    line = why(end.cause, end.number, end.error, end.goal, end.at("k_star"), end.at("rho"))
    yield f"{line[:1].upper()}{line[1:]}."
    out_of_reach = Unreachable(trial.batch_key, trial.threshold)
    if end.cause is Cause.UNREACHABLE and lowest(trial.batch_key) > trial.threshold:
        yield f"{out_of_reach.reason[:1].upper()}{out_of_reach.reason[1:]}."
    if not command.startswith("python"):
        yield "The same run (its initial weights are too many for a command), with"
    yield Literal(command)


STYLES: dict[str, Callable[[Block], str]] = {"text": partial(plain_text, width=WIDTH), "markdown": markdown}
