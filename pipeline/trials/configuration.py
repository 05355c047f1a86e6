"""Trial ↔ configuration ↔ params: one trial in three forms, each made from the others.

`read_trial` turns a configuration (plain nested dictionaries, as Hydra composes them) into a `Trial`, checked, or raises
`ConfigError`, whose text is the one line that a user is shown. `params_of` writes a trial as MLflow params, text by dotted
keys; `configuration_from_params` reads them back.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.network import BIASES
from pipeline.backprop.trainer import CRITERIA, UPDATES
from pipeline.errors import ConfigError, as_override
from pipeline.trials.checks import choice, integer, integers, number, refuse_unknown, section, truth, variant
from pipeline.trials.starts.changes import is_change
from pipeline.trials.starts.initial_choice import TEXTS, initial_keys, nested, read_change, read_initial
from pipeline.trials.tasks import TASKS, with_defaults
from pipeline.trials.trial import BatchKey, TaskChoice, Trial

NETWORK_KEYS = ("hidden", "activation", "output_activation", "bias", "train_bias")
NAMED_BY = {"task": "name", "initial": "kind"}  # the param `task` is task.name, `initial` is initial.kind


def read_trial(config: Mapping[str, Any]) -> Trial:
    """The trial that a resolved configuration describes; raises ConfigError."""
    refuse_unknown(config, TRIAL_KEYS)
    batch_key = read_batch_key(config)
    initial, changes = read_initial(config)
    return Trial(
        batch_key=batch_key,
        initial=initial,
        changes=changes,
        **{key: read(config[key]) for key, read in INDEPENDENT.items()},  # type: ignore[arg-type]
    )


def read_batch_key(config: Mapping[str, Any]) -> BatchKey:
    """The part of a trial that its whole batch has in common."""
    network = section(config, "network", NETWORK_KEYS)
    hidden = network["hidden"]
    if not isinstance(hidden, list | tuple):
        raise ConfigError("network.hidden", hidden, "must be a list of units per hidden layer, like [2]")
    try:
        units = tuple(integer("network.hidden", size, 1, 100_000) for size in hidden)
    except ConfigError:
        raise ConfigError("network.hidden", hidden, "must be whole numbers from 1 to 100000, like [2]") from None
    bias = choice("network.bias", network["bias"], BIASES)
    train_bias = truth("network.train_bias", network["train_bias"])
    tolerance = number("gradient_tolerance", config["gradient_tolerance"], "0 (off) or greater", lambda value: value >= 0.0)
    config = {**config, "task": with_defaults(config["task"])}
    task, options = variant(config, "task", "name", {name: readers for name, (_, readers) in TASKS.items()})
    return BatchKey(
        task=TaskChoice(task, tuple((key, read(f"task.{key}", options[key])) for key, read in sorted(TASKS[task][1].items()))),
        hidden=units,
        activation=choice("network.activation", network["activation"], ACTIVATIONS),
        output_activation=choice("network.output_activation", network["output_activation"], ACTIVATIONS),
        bias=bias,
        train_bias=train_bias and bias != "none",
        update=choice("update", config["update"], UPDATES),
        criterion=choice("criterion", config["criterion"], CRITERIA),
        max_epochs=integer("max_epochs", config["max_epochs"], 0, 10**12),
        gradient_tolerance=tolerance,
    )


def read_learning_rate(value: object) -> tuple[float, ...]:
    """One learning rate, or one per layer."""
    rates = value if isinstance(value, list | tuple) else [value]
    if not rates:
        raise ConfigError("learning_rate", value, "must be one number, or one per layer")
    return tuple(number("learning_rate", rate, "greater than 0 and finite", lambda rate: rate > 0.0) for rate in rates)


SEEDS = (0, 2**64 - 1)
# The keys that are read independently of all others: a trial's own, that do not belong to its batch key.
INDEPENDENT: dict[str, Callable[[object], object]] = {
    "learning_rate": read_learning_rate,
    "momentum": lambda given: number("momentum", given, "at least 0 and below 1", lambda value: 0.0 <= value < 1.0),
    "threshold": lambda given: number("threshold", given, "greater than 0 and finite", lambda value: value > 0.0),
    "seed": lambda given: integer("seed", given, *SEEDS),
}


def read_independent(key: str, values: Sequence[object]) -> Sequence[Any] | None:
    """The values of a key that is read independently of all others, as a trial has them; None for other keys."""
    if key == "seed":
        return integers(key, values, *SEEDS)
    if is_change(key):
        return [read_change(key, value) for value in values]
    return list(map(INDEPENDENT[key], values)) if key in INDEPENDENT else None


TRIAL_KEYS = (
    *("task", "network", "initial", "learning_rate"),
    *("momentum", "update", "criterion", "threshold", "max_epochs", "gradient_tolerance", "seed"),
)


def fixed_keys(trial: Trial) -> dict[str, Any]:
    """The values of a trial by dotted keys, without initial weights that are given one by one."""
    key, initial = trial.batch_key, trial.initial
    keys: dict[str, Any] = {"task": key.task.name} | {f"task.{name}": nested(value, list) for name, value in key.task.options}
    keys |= {f"network.{name}": nested(getattr(key, name), list) for name in NETWORK_KEYS}
    keys |= initial_keys(initial, trial.changes)
    rates = trial.learning_rate
    keys["learning_rate"] = list(rates) if len(rates) > 1 else rates[0]
    return keys | {name: getattr(trial if name in INDEPENDENT else key, name) for name in TRIAL_KEYS[4:]}


def params_of(trial: Trial) -> dict[str, str]:
    """A trial as MLflow params; initial weights given one by one are in the run's weights.npz.

    A list of names or of sections, and a name that would be read as something else, are JSON.
    """
    keys = fixed_keys(trial).items()
    names = {key for key, value in keys if isinstance(value, list) and any(isinstance(entry, str | dict) for entry in value)}
    names |= {key for key, value in keys if key == "task.test" and isinstance(value, str) and read_param(value) != value}
    return {key: json.dumps(value) if key in names else as_override(value) for key, value in keys}


def configuration_from_params(params: Mapping[str, str]) -> dict[str, Any]:
    """The configuration that `params_of` was made from, without initial weights that are given one by one."""
    config: dict[str, Any] = {}
    for key, entry in params.items():
        group, _, name = key.partition(".")
        value = entry if group in NAMED_BY and name in ("", *TEXTS) else read_param(entry)
        if group in NAMED_BY or name:
            *above, last = (name or NAMED_BY[group]).split(".") if group == "initial" else [name or NAMED_BY[group]]
            section = config.setdefault(group, {})
            for part in above:
                section = section.setdefault(part, {}) if isinstance(section, dict) else None
            if isinstance(section, dict):  # and no param of the same name
                section[last] = value
        elif key in TRIAL_KEYS:  # others do not belong to a trial
            config[key] = value
    return config


def read_param(entry: str) -> Any:
    """A param as the value that was written: a number, a truth value, a list, or text."""
    try:
        return json.loads(entry)
    except (ValueError, RecursionError):
        return entry
