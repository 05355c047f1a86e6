"""What can be asked: a trial, read from configuration and checked before anything is trained or written.

`read_trial` turns a plain dictionary (the composed Hydra configuration) into a `Trial`, or raises `ConfigError`, whose text
is the one line that a user is shown.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pipeline.network import ACTIVATIONS, BIASES
from pipeline.trainer import CRITERIA, UPDATES

ENGINES = ("numba", "numpy")


class ConfigError(ValueError):
    """A configuration that cannot run, in one line: the key, the value, what is allowed."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key}={written(value)}: {allowed}")


def written(value: object) -> str:
    """A value as one writes it on Hydra's command line."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float():
            return repr(value).removesuffix(".0")
        case list() | tuple():
            return "[" + ",".join(map(written, value)) + "]"
        case Mapping():
            return "{" + ",".join(f"{key}:{written(entry)}" for key, entry in value.items()) + "}"
        case _:
            return str(value)


@dataclass(frozen=True, slots=True)
class TaskChoice:
    """Which task: its name and its options, as sorted pairs."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class InitialChoice:
    """Which initial weights: kind and what that kind needs (range: (low, high); values by name; path of a file)."""

    kind: str
    range: tuple[float, float] | None = None
    values: tuple[tuple[str, Any], ...] | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What all trials of one batch have in common."""

    task: TaskChoice
    hidden: tuple[int, ...]
    activation: str
    output_activation: str
    bias: str
    train_bias: bool
    update: str
    criterion: str
    max_epochs: int
    gradient_tolerance: float
    curve_points: int
    engine: str


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything that decides one training run (and, in its shape, how it is trained and how much of its curve is kept)."""

    shape: Shape
    initial: InitialChoice
    learning_rate: tuple[float, ...]  # one, or one per layer
    momentum: float
    threshold: float
    seed: int


def number(key: str, value: object, allowed: str, accepts: Callable[[float], bool]) -> float:
    """A finite number that `accepts` takes; never −0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(key, value, f"must be a number, {allowed}")
    try:
        result = float(value) + 0.0
    except OverflowError:
        raise ConfigError(key, value, "must be a number of 64 bits") from None
    if not (math.isfinite(result) and accepts(result)):
        raise ConfigError(key, value, f"must be {allowed}")
    return result


def integer(key: str, value: object, low: int, high: int | None = None) -> int:
    """A whole number from low to high; 10.0 and 1e4 are whole numbers too."""
    allowed = f"must be a whole number, at least {low}" if high is None else f"must be a whole number, {low} to {high}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
        raise ConfigError(key, value, allowed)
    return value


def choice(key: str, value: object, allowed: tuple[str, ...]) -> str:
    """One of the allowed words."""
    if not isinstance(value, str) or value not in allowed:
        raise ConfigError(key, value, f"must be one of {', '.join(allowed)}")
    return value


def truth(key: str, value: object) -> bool:
    """A truth value."""
    if not isinstance(value, bool):
        raise ConfigError(key, value, "must be true or false")
    return value


def text(key: str, value: object, allowed: str) -> str:
    """A text that is not empty, nor Hydra's ??? for a value to be given."""
    if not isinstance(value, str) or value in ("", "???"):
        raise ConfigError(key, value, f"must be {allowed}")
    return value


def section(config: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    """The sub-dictionary `key`, with no keys but the allowed ones."""
    value = config.get(key)
    if not isinstance(value, Mapping):
        raise ConfigError(key, value, f"must have the keys {', '.join(allowed)}")
    refuse_unknown(value, allowed, f"{key}.")
    return dict(value)


def refuse_unknown(config: Mapping[str, Any], allowed: tuple[str, ...], prefix: str = "") -> None:
    """Raises ConfigError if there is a key that means nothing, or if one is missing."""
    for key in config:
        if key not in allowed:
            raise ConfigError(prefix + str(key), config[key], unknown_key(str(key), allowed))
    for key in allowed:
        if key not in config:
            raise ConfigError(prefix + key, None, "is missing")


def unknown_key(key: str, known: tuple[str, ...]) -> str:
    """Says that a key is unknown, with the nearest known one."""
    near = get_close_matches(key, known, n=1)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; known are {', '.join(known)}"


POSITIVE = "greater than 0 and finite"
TRIAL_KEYS = (
    *("task", "network", "initial", "learning_rate", "momentum", "update", "criterion", "threshold", "max_epochs"),
    *("gradient_tolerance", "seed", "curve_points", "engine"),
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
        shape=read_shape(config),
        initial=read_initial(config),
        **{key: read(config[key]) for key, read in INDEPENDENT.items()},  # type: ignore[arg-type]
    )


def read_shape(config: Mapping[str, Any]) -> Shape:
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
    return Shape(
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
        curve_points=integer("curve_points", config["curve_points"], 2, 1000),
        engine=choice("engine", config["engine"], ENGINES),
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
    """Where the weights start; whether they fit the network is seen when they are made (`pipeline.initial`)."""
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
