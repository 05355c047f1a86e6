"""Initial weights in a configuration: the section `initial`, read and written side by side."""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pipeline.errors import ConfigError, dotted
from pipeline.trials.checks import choice, integer, number, refuse_unknown, text, variant
from pipeline.trials.starts.changes import ALONG, DISTANCE, FRACTION, OFFSET, SCALE, SET
from pipeline.trials.starts.distributions import SCALED
from pipeline.trials.trial import UNSCALED, Direction, InitialChoice, Pair

Changes = tuple[tuple[str, float], ...]
KEYS = {
    "published": (),
    "uniform": ("range", "biases"),
    "normal": ("std", "biases"),
    **dict.fromkeys(SCALED, ("distribution", "biases")),
    "sphere": ("radius", "biases"),
    "layers": ("layers",),
    "perturbed": ("start", "range"),
    "explicit": ("values",),
    "file": ("path",),
}
OF_ONE_LAYER = ("uniform", "normal", *SCALED)
# What stands for a key that is not there, as in configurations from before there was such a key, and in those of layers.
DEFAULTS: dict[str, dict[str, Any]] = {
    "uniform": {"biases": "as_weights"},
    "normal": {"biases": "as_weights"},
    **{kind: {"distribution": one.distribution, "biases": "zero"} for kind, one in SCALED.items()},
    "sphere": {"biases": "as_weights"},
}
CHANGES: dict[str, Any] = {"scale": 1, "direction": {}, "offset": {}, "set": {}}
DIRECTION_KEYS = ("seed", "to", "fraction", "distance")
TEXTS = ("path", "start", "direction.to")  # whose params are texts, whatever they look like


def read_initial(config: Mapping[str, Any]) -> tuple[InitialChoice, Changes]:
    """The choice of initial weights and their changes; whether they fit a network is seen when a batch is made."""
    node = config["initial"]
    if not isinstance(node, Mapping):
        return read_choice(config, "initial", node), ()
    changes = {**CHANGES, **{key: value for key, value in node.items() if key in CHANGES}}
    start = read_choice(config, "initial", {key: value for key, value in node.items() if key not in CHANGES})
    direction, along = read_direction(config, changes["direction"])
    numbers = [*along, *read_weights(OFFSET, changes["offset"]), *read_weights(SET, changes["set"])]
    if (scaled := (SCALE, read_change(SCALE, changes["scale"]))) != UNSCALED:
        numbers.append(scaled)
    for place, (key, value) in enumerate(numbers):
        if key in dict(numbers[:place]):
            raise ConfigError(key, value, "is given twice")
    return replace(start, direction=direction), tuple(sorted(numbers))


def read_choice(config: Mapping[str, Any], key: str, node: Any, kinds: Mapping[str, tuple[str, ...]] = KEYS) -> InitialChoice:
    """Initial weights without changes; those of a layer have the key `initial.layers`."""
    if isinstance(node, Mapping):
        node = {**DEFAULTS.get(str(node.get("kind")), {}), **node}
    kind, options = variant({key: node}, key, "kind", kinds)
    if kind == "published":
        return read_published(config)
    if kind == "file":
        return InitialChoice(kind, path=text("initial.path", options["path"], "the path of a .npz file"))
    if kind == "explicit":
        return InitialChoice(kind, values=read_values("initial.values", options["values"]))
    return InitialChoice(kind, **{name: READERS[name](config, options[name]) for name in options})


def read_published(config: Mapping[str, Any]) -> InitialChoice:
    """The worked example's weights."""
    if (task := config["task"]["name"]) != "seed_example":
        raise ConfigError("initial", "published", f"belongs to task=seed_example, not to {task}; use initial=uniform")
    return InitialChoice("published")


def read_values(key: str, values: object) -> tuple[tuple[str, Any], ...]:
    """Weights given one by one, as pairs sorted by name."""
    if not isinstance(values, Mapping) or not values:
        raise ConfigError(key, values, "must give weights_1, bias_1, weights_2, … as nested lists")
    return tuple((str(name), nested(values[name], tuple)) for name in sorted(values, key=str))


def read_given(config: Mapping[str, Any], key: str, value: object) -> InitialChoice:
    """Weights that are not drawn: the word published, the path of a .npz file, or values by name."""
    if value == "published":
        return read_published(config)
    if isinstance(value, Mapping):
        return InitialChoice("explicit", values=read_values(key, value))
    return InitialChoice("file", path=text(key, value, "published, the path of a .npz file, or {weights_1: …, bias_1: …}"))


MOST = 1e300  # so that no deviate, of at most 8.3 standard deviations, is infinite
LARGEST = sys.float_info.max / 2  # r for which −r … r is no wider than a float
RANGE = "a number greater than 0, or [low, high] with low < high, or such a pair for each layer: [[-1,1],[-0.5,0.5]]"


def read_range(value: object) -> Pair | tuple[Pair, ...]:
    """r, for −r to r, or [low, high], or a list with one of these for each layer, of which one at least is a pair."""
    if isinstance(value, list | tuple) and any(isinstance(entry, list | tuple) for entry in value):
        return tuple(read_pair(entry, value) for entry in value)
    return read_pair(value, value)


def read_pair(value: object, whole: object) -> Pair:
    """r, for −r to r, or [low, high]."""
    if not isinstance(value, list | tuple):
        high = number("initial.range", value, RANGE, lambda value: 0.0 < value <= LARGEST)
        return (-high, high)
    try:
        low_high = [number("initial.range", bound, RANGE, lambda bound: True) for bound in value]
    except ConfigError:
        low_high = []
    if len(low_high) != 2 or not low_high[0] < low_high[1] or not math.isfinite(low_high[1] - low_high[0]):
        raise ConfigError("initial.range", whole, f"must be {RANGE}")
    return (low_high[0], low_high[1])


def read_std(value: object) -> tuple[float, ...]:
    """The standard deviation of all weights, or one for each layer."""
    given = value if isinstance(value, list | tuple) and value else [value]
    allowed = f"greater than 0 and at most {MOST}, or one such number for each layer"
    return tuple(number("initial.std", one, allowed, lambda std: 0.0 < std <= MOST) for one in given)


def read_biases(value: object) -> float | None:
    """None for as the weights, or the number that all biases start from."""
    if value in ("as_weights", "zero"):
        return None if value == "as_weights" else 0.0
    if isinstance(value, str):
        raise ConfigError("initial.biases", value, "must be as_weights, zero, or a number from which all biases start")
    return number("initial.biases", value, "finite, or as_weights, or zero", lambda bias: True)


def read_layers(config: Mapping[str, Any], value: object) -> tuple[InitialChoice, ...]:
    """A choice for each layer."""
    if not isinstance(value, list | tuple) or not value:
        raise ConfigError("initial.layers", value, "must have an entry for each layer: [{kind:uniform,range:1},{kind:he}]")
    return tuple(read_choice(config, "initial.layers", one, {kind: KEYS[kind] for kind in OF_ONE_LAYER}) for one in value)


READERS: dict[str, Callable[[Mapping[str, Any], object], Any]] = {
    "range": lambda config, value: read_range(value),
    "std": lambda config, value: read_std(value),
    "distribution": lambda config, value: choice("initial.distribution", value, ("uniform", "normal")),
    "radius": lambda config, value: number(
        "initial.radius", value, f"greater than 0 and at most {MOST}", lambda r: 0.0 < r <= MOST
    ),
    "biases": lambda config, value: read_biases(value),
    "layers": read_layers,
    "start": lambda config, value: read_given(config, "initial.start", value),
}


def read_change(key: str, value: object) -> float:
    """A number that changes initial weights. Raises ConfigError."""
    return number(key, value, "finite", lambda change: True)


def read_direction(config: Mapping[str, Any], value: object) -> tuple[Direction | None, list[tuple[str, float]]]:
    """A direction, if one is given, and how far the weights move along it."""
    if not isinstance(value, Mapping):
        raise ConfigError("initial.direction", value, f"must have the keys {', '.join(DIRECTION_KEYS)}")
    refuse_unknown({**dict.fromkeys(DIRECTION_KEYS), **value}, DIRECTION_KEYS, "initial.direction.")
    given = {key: entry for key, entry in value.items() if entry is not None}
    along = [(key, read_change(key, given[name])) for key in ALONG if (name := key.rpartition(".")[2]) in given]
    if "seed" in given and "to" in given:
        raise ConfigError(
            "initial.direction.seed", given["seed"], "leave out this or initial.direction.to: one direction is enough"
        )
    if along and not given.keys() & {"seed", "to"}:
        raise ConfigError(*along[0], "needs a direction: initial.direction.seed, or initial.direction.to")
    for name in given.keys() & {"seed", "to"}:
        if not along:
            raise ConfigError(f"initial.direction.{name}", given[name], f"needs {DISTANCE}, how far to move")
    if "fraction" in given and "seed" in given:
        raise ConfigError(FRACTION, given["fraction"], f"needs initial.direction.to; with a seed it is {DISTANCE}")
    if "seed" in given:
        return Direction(seed=integer("initial.direction.seed", given["seed"], 0, 2**64 - 1)), along
    return (Direction(to=read_given(config, "initial.direction.to", given["to"])) if "to" in given else None), along


def read_weights(prefix: str, value: object, above: str = "") -> list[tuple[str, float]]:
    """Numbers by the names of weights, from a mapping: {w5: 0.3}, {weights_1: {0: {1: 0.3}}} or {"weights_1[0,1]": 0.3}."""
    if not isinstance(value, Mapping):
        raise ConfigError(prefix[:-1], value, "must have names of weights and biases as keys: w5, b1, weights_1.0.1")
    numbers = []
    for name, entry in value.items():
        path = above + dotted(str(name))
        if isinstance(entry, Mapping) and entry:
            numbers += read_weights(prefix, entry, f"{path}.")
        else:
            numbers.append((prefix + path, read_change(prefix + path, entry)))
    return numbers


def nested(value: Any, kind: type[list[Any]] | type[tuple[Any, ...]]) -> Any:
    """Lists and tuples, at any depth, as lists or as tuples."""
    return kind(nested(entry, kind) for entry in value) if isinstance(value, list | tuple) else value


def initial_keys(initial: InitialChoice, changes: Changes) -> dict[str, Any]:
    """A start by dotted keys, without weights that are given one by one."""
    keys: dict[str, Any] = {"initial": initial.kind} | {f"initial.{name}": value for name, value in options(initial).items()}
    if direction := initial.direction:
        keys |= {} if direction.seed is None else {"initial.direction.seed": direction.seed}
        keys |= {"initial.direction.to": name_of(direction.to)} if direction.to and name_of(direction.to) else {}
    return keys | dict(changes)


def options(initial: InitialChoice) -> dict[str, Any]:
    """The options of a kind as a configuration has them, without those of its defaults that older versions did not have."""
    found: dict[str, Any] = {}
    if initial.range:
        symmetric = initial.range[0] == -initial.range[1] if isinstance(initial.range[0], float) else False
        found["range"] = initial.range[1] if symmetric else nested(initial.range, list)
    if initial.std:
        found["std"] = list(initial.std) if len(initial.std) > 1 else initial.std[0]
    found |= {name: value for name in ("distribution", "radius", "path") if (value := getattr(initial, name)) is not None}
    if "biases" in KEYS[initial.kind] and (initial.kind != "uniform" or initial.biases is not None):
        found["biases"] = {None: "as_weights", 0.0: "zero"}.get(initial.biases, initial.biases)
    if initial.layers:
        found["layers"] = [{"kind": layer.kind, **options(layer)} for layer in initial.layers]
    if initial.start and name_of(initial.start):
        found["start"] = name_of(initial.start)
    return found


def name_of(given: InitialChoice) -> str | None:
    """Weights that are not drawn as `read_given` takes them; None of those given one by one."""
    return "published" if given.kind == "published" else given.path


def is_drawn_again(node: Mapping[str, Any]) -> bool:
    """Whether a recorded section `initial` gives the weights again, without values or a file, which only the run itself has."""
    direction = node.get("direction", {})
    others = [node.get("start")] if node["kind"] == "perturbed" else []
    others += [direction.get("to")] if direction and "seed" not in direction else []
    return node["kind"] not in ("explicit", "file") and all(other == "published" for other in others)
