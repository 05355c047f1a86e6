"""Trial ↔ configuration ↔ params: one trial in three forms, each made from the others.

`read_trial` turns a configuration (plain nested dictionaries, as Hydra composes them) into a `Trial`, checked, or raises
`ConfigError`, whose text is the one line that a user is shown. `configuration_of` is its inverse. `params_of` writes a trial
as MLflow params, text by dotted keys; `configuration_from_params` reads them back.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.backprop.network import ACTIVATIONS, BIASES
from pipeline.backprop.trainer import CRITERIA, UPDATES
from pipeline.errors import ConfigError, written
from pipeline.trials.checks import choice, integer, number, refuse_unknown, section, text, truth
from pipeline.trials.trial import BatchKey, InitialChoice, TaskChoice, Trial

POSITIVE = "greater than 0 and finite"
TRIAL_KEYS = (
    *("task", "network", "initial", "learning_rate", "momentum", "update", "criterion", "threshold", "max_epochs"),
    *("gradient_tolerance", "seed"),
)
NETWORK_KEYS = ("hidden", "activation", "output_activation", "bias", "train_bias")
TASK_KEYS: dict[str, tuple[str, ...]] = {
    "seed_example": (),
    "xor": ("coding",),
    "parity": ("bits", "coding"),
    "encoder": ("size", "coding"),
    "symmetry": ("bits", "coding"),
    "iris": ("scaling",),
    "digits": ("scaling",),
    "csv": ("path", "targets", "scaling"),
}
CODINGS = ("binary", "bipolar")
SCALINGS = ("none", "standard", "minmax")
INITIAL_KEYS: dict[str, tuple[str, ...]] = {
    "published": (),
    "uniform": ("range",),
    "explicit": ("values",),
    "file": ("path",),
}


def read_trial(config: Mapping[str, Any]) -> Trial:
    """The trial that a resolved configuration describes; raises ConfigError."""
    refuse_unknown(config, TRIAL_KEYS)
    return Trial(
        batch_key=read_batch_key(config),
        initial=read_initial(config),
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
    return BatchKey(
        task=read_task(config),
        hidden=units,
        activation=choice("network.activation", network["activation"], ACTIVATIONS),
        output_activation=choice("network.output_activation", network["output_activation"], ACTIVATIONS),
        bias=bias,
        train_bias=train_bias and bias != "none",
        update=choice("update", config["update"], UPDATES),
        criterion=choice("criterion", config["criterion"], CRITERIA),
        max_epochs=integer("max_epochs", config["max_epochs"], 0, 10**12),
        gradient_tolerance=number(
            "gradient_tolerance", config["gradient_tolerance"], "0 (off) or greater", lambda value: value >= 0.0
        ),
    )


def read_learning_rate(value: object) -> tuple[float, ...]:
    """One learning rate, or one per layer."""
    rates = value if isinstance(value, list | tuple) else [value]
    if not rates:
        raise ConfigError("learning_rate", value, "must be one number, or one per layer")
    return tuple(number("learning_rate", rate, POSITIVE, lambda rate: rate > 0.0) for rate in rates)


# The keys that are read without a look at any other.
INDEPENDENT: dict[str, Callable[[object], object]] = {
    "learning_rate": read_learning_rate,
    "momentum": lambda given: number("momentum", given, "at least 0 and below 1", lambda value: 0.0 <= value < 1.0),
    "threshold": lambda given: number("threshold", given, POSITIVE, lambda value: value > 0.0),
    "seed": lambda given: integer("seed", given, 0, 2**64 - 1),
}


def read_task(config: Mapping[str, Any]) -> TaskChoice:
    """The task by name, with its options."""
    node = config["task"]
    name = choice("task.name", node.get("name") if isinstance(node, Mapping) else node, tuple(TASK_KEYS))
    options = section(config, "task", ("name", *TASK_KEYS[name]))
    del options["name"]
    for key in options:
        value, where = options[key], f"task.{key}"
        match key:
            case "coding":
                options[key] = choice(where, value, CODINGS)
            case "scaling":
                options[key] = choice(where, value, SCALINGS)
            case "bits":
                options[key] = integer(where, value, 2, 12)
            case "size":
                options[key] = integer(where, value, 2, 1000)
            case "path":
                options[key] = text(where, value, "the path of a CSV file")
            case "targets":
                columns = value if isinstance(value, list | tuple) else [value]
                options[key] = tuple(text(where, column, "a column's name, or a list of them") for column in columns)
                if not columns or len(set(columns)) < len(columns):
                    raise ConfigError(where, value, "must name one column or more, each once")
    return TaskChoice(name, tuple(sorted(options.items())))


def read_initial(config: Mapping[str, Any]) -> InitialChoice:
    """Where the weights start; whether they fit the network is seen when they are made (`pipeline.trials.initial_weights`)."""
    node = config["initial"]
    kind = choice("initial.kind", node.get("kind") if isinstance(node, Mapping) else node, tuple(INITIAL_KEYS))
    options = section(config, "initial", ("kind", *INITIAL_KEYS[kind]))
    match kind:
        case "published":
            if config["task"]["name"] != "seed_example":
                raise ConfigError(
                    "initial", kind, f"belongs to task=seed_example, not to {config['task']['name']}; use initial=uniform"
                )
            return InitialChoice(kind)
        case "uniform":
            return InitialChoice(kind, range=read_range(options["range"]))
        case "file":
            return InitialChoice(kind, path=text("initial.path", options["path"], "the path of a .npz file"))
        case _:
            values = options["values"]
            if not isinstance(values, Mapping) or not values:
                raise ConfigError("initial.values", values, "must give weights_1, bias_1, weights_2, … as nested lists")
            return InitialChoice(kind, values=tuple((str(name), freeze(values[name])) for name in sorted(values, key=str)))


def read_range(value: object) -> tuple[float, float]:
    """r, for −r to r, or [low, high]."""
    allowed = "a number greater than 0, or [low, high] with low < high"
    if not isinstance(value, list | tuple):
        high = number("initial.range", value, allowed, lambda value: value > 0.0)
        return (-high, high)
    if len(value) != 2:
        raise ConfigError("initial.range", value, f"must be {allowed}")
    low, high = (number("initial.range", bound, allowed, lambda bound: True) for bound in value)
    if not low < high or not math.isfinite(high - low):
        raise ConfigError("initial.range", value, f"must be {allowed}")
    return (low, high)


def freeze(value: Any) -> Any:
    """Lists, at any depth, as tuples."""
    return tuple(map(freeze, value)) if isinstance(value, list | tuple) else value


def thaw(value: Any) -> Any:
    """Tuples, at any depth, as lists."""
    return list(map(thaw, value)) if isinstance(value, list | tuple) else value


def configuration_of(trial: Trial) -> dict[str, Any]:
    """The configuration that `read_trial` reads as this trial."""
    key, initial = trial.batch_key, trial.initial
    options: dict[str, Any] = {}
    if initial.range:
        low, high = initial.range
        options["range"] = high if low == -high else [low, high]
    if initial.values:
        options["values"] = {name: thaw(value) for name, value in initial.values}
    if initial.path:
        options["path"] = initial.path
    return {
        "task": {"name": key.task.name, **{name: thaw(value) for name, value in key.task.options}},
        "network": {name: thaw(getattr(key, name)) for name in NETWORK_KEYS},
        "initial": {"kind": initial.kind, **options},
        "learning_rate": list(trial.learning_rate) if len(trial.learning_rate) > 1 else trial.learning_rate[0],
        "momentum": trial.momentum,
        "update": key.update,
        "criterion": key.criterion,
        "threshold": trial.threshold,
        "max_epochs": key.max_epochs,
        "gradient_tolerance": key.gradient_tolerance,
        "seed": trial.seed,
    }


# What a section is called by, and the key of that in it: `task` is the task's name.
NAMES = {"task": "name", "initial": "kind"}


def fixed_keys(trial: Trial) -> dict[str, Any]:
    """The values of a trial by dotted keys, without initial weights that are given one by one."""
    found: dict[str, Any] = {}
    for key, value in configuration_of(trial).items():
        if not isinstance(value, dict):
            found[key] = value
            continue
        for name, entry in value.items():
            if not isinstance(entry, dict):
                found[key if NAMES.get(key) == name else f"{key}.{name}"] = entry
    return found


def params_of(trial: Trial) -> dict[str, str]:
    """A trial as MLflow params. Initial weights that are given one by one are in the run's weights.npz."""
    return {key: param(value) for key, value in fixed_keys(trial).items()}


def param(value: Any) -> str:
    """A value as a param; a list of names as JSON, so that it can be read back whatever the names are."""
    return json.dumps(value) if isinstance(value, list) and any(isinstance(entry, str) for entry in value) else written(value)


def configuration_from_params(params: Mapping[str, str]) -> dict[str, Any]:
    """The configuration that `params_of` was made from, without initial weights that are given one by one."""
    config: dict[str, Any] = {}
    for key, entry in params.items():
        group, _, name = key.partition(".")
        value = entry if group in NAMES and name in ("", "path") else read_param(entry)
        if group in NAMES or name:
            config.setdefault(group, {})[name or NAMES[group]] = value
        elif key in TRIAL_KEYS:
            config[key] = value
    return config


def read_param(entry: str) -> Any:
    """A param as the value that was written: a number, a truth value, a list, or text."""
    try:
        return json.loads(entry)
    except ValueError:
        return entry
