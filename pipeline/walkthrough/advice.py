"""What to try next with a run that did not converge: which keys to change, and the command to paste."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.backprop.causes.rules import FAR, Cause
from pipeline.errors import as_override
from pipeline.trials.configuration import fixed_keys
from pipeline.trials.starts.initial_choice import nested
from pipeline.trials.trial import Trial
from pipeline.trials.unreachable import lowest
from pipeline.walkthrough.end import RunEnd

MARGIN = 1.25  # × the epochs that are foreseen
MORE = 10  # × the epochs, where none are foreseen
MOST_EPOCHS = 10**12
HIGHER = 1.1  # × the lowest criterion that there can be
GIVEN = ("published", "explicit", "file")  # kinds of initial weights that are not drawn
MOST_WEIGHTS = 60  # given one by one, that a command can hold
COMMAND = ["python", "-m", "pipeline.train"]
WIDTH = 74


def changes(end: RunEnd, trial: Trial) -> dict[str, Any]:
    """The keys to change and their values; none for a run that needs nothing."""
    match end.cause:
        case Cause.NONE:
            return {}
        case Cause.UNREACHABLE:
            return within_reach(trial)
        case Cause.DIVERGED:
            return slower(trial, 10)
        case Cause.SYMMETRIC:
            return another_start(trial)
        case Cause.FROZEN if any(len(layer.flat) == layer.units for layer in end.layers if layer.activation == "relu"):
            return another_start(trial)  # of dead units no rate makes live ones
        case Cause.FROZEN:
            return slower(trial, 100)
        case Cause.SATURATED if end.at("k_star") <= 1.0 or math.isnan(end.at("k_star")):
            return narrower(trial)
        case Cause.SATURATED | Cause.OSCILLATING:
            return slower(trial, 10) | narrower(trial)
        case Cause.MINIMUM:
            return narrower(trial)
        case _:
            return {"max_epochs": epochs_needed(end)}


def epochs_needed(end: RunEnd) -> int:
    """The epochs foreseen and a quarter more, or ten times those so far; two digits, rounded up."""
    so_far = max(end.epochs, 1)
    needed = float(MORE * so_far)
    if end.cause is Cause.DESCENDING and math.isfinite(end.number):
        foreseen = MARGIN * (so_far + end.number)
        needed = max(needed, foreseen) if end.error > FAR * end.goal else foreseen
    elif end.cause is Cause.PLATEAU and math.isfinite(end.number):
        needed = max(needed, MARGIN * (so_far + end.number))
    return min(rounded_up(needed), MOST_EPOCHS)


def rounded_up(number: float) -> int:
    """A whole number of two digits and zeros, not below the number."""
    whole = math.ceil(min(number, MOST_EPOCHS))
    unit = int(f"1{'0' * (len(str(whole)) - 2)}")
    return -(-whole // unit) * unit


def slower(trial: Trial, times: int) -> dict[str, Any]:
    """The learning rates, divided."""
    rates = [float(f"{rate / times:.3g}") for rate in trial.learning_rate]
    return {"learning_rate": rates if len(rates) > 1 else rates[0]}


def narrower(trial: Trial) -> dict[str, Any]:
    """A quarter of the initial range about its middle; another start where weights are not drawn from one range."""
    if trial.initial.kind != "uniform" or trial.initial.range is None or isinstance(trial.initial.range[0], tuple):
        return another_start(trial)
    low, high = trial.initial.range
    middle, half = (low + high) / 2, (high - low) / 8
    low, high = (float(f"{value:.3g}") for value in (middle - half, middle + half))
    return {"initial.range": high if low == -high else [low, high]}


def another_start(trial: Trial) -> dict[str, Any]:
    """Initial weights that are drawn, by the next seed if they were drawn before."""
    return {"initial": "uniform"} if trial.initial.kind in GIVEN else {"seed": (trial.seed + 1) % 2**64}


def within_reach(trial: Trial) -> dict[str, Any]:
    """The first of these by which the threshold can be reached: biases, other outputs; else a higher threshold."""
    key = trial.batch_key
    tries: list[dict[str, Any]] = [{"output_activation": "tanh"}, {"output_activation": "identity"}]
    if key.bias == "none" and trial.initial.kind not in GIVEN:
        tries.insert(0, {"bias": "per_unit", "train_bias": True})
    for change in tries:
        if lowest(replace(key, **change)) <= trial.threshold:
            return {f"network.{name}": value for name, value in change.items()}
    return {"threshold": float(f"{HIGHER * lowest(key):.3g}")}


def overrides(trial: Trial, changed: Mapping[str, Any], default: Mapping[str, Any]) -> list[str] | None:
    """The trial with some keys changed, as words of the command line; without what a configuration has by itself.

    `default`: that configuration by dotted keys, with the task, network and initial weights that are named there. None where
    the initial weights are given one by one, and are too many for a command.
    """
    keys = fixed_keys(trial)
    if trial.initial.values is not None and "initial" not in changed:
        values = {name: nested(value, list) for name, value in trial.initial.values}
        if sum(map(count, values.values())) > MOST_WEIGHTS:
            return None
        keys["initial.values"] = values
    if "initial" in changed:
        keys = {key: value for key, value in keys.items() if not key.startswith("initial.")}
    keys |= changed
    groups = {"task": "seed_example", "network": "example", "initial": "published"}
    named = {"network": default["network"]} | keys
    words = [f"{group}={named[group]}" for group, usual in groups.items() if named[group] != usual]
    own = {key: value for key, value in keys.items() if key not in groups}
    return words + assignments({key: value for key, value in own.items() if key in changed or default.get(key, ...) != value})


def assignments(values: Mapping[str, Any]) -> list[str]:
    """Values by key, as words of the command line."""
    return [f"{key}={as_override(value, quoted=True)}" for key, value in values.items()]


def count(values: Any) -> int:
    """The numbers in nested lists."""
    return sum(map(count, values)) if isinstance(values, list) else 1


def command(words: list[str]) -> str:
    """A command to paste, in lines that fit."""
    lines = [shlex.join(COMMAND)]
    for word in map(shlex.quote, words):
        if len(lines[-1]) + 1 + len(word) <= WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(f"    {word}")
    return " \\\n".join(lines)
