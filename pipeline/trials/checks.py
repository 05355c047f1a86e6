"""Values of a configuration, checked one by one."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from pipeline.errors import ConfigError, unknown_key


def number(key: str, value: object, allowed: str, accepts: Callable[[float], bool]) -> float:
    """A finite number that `accepts` accepts; never −0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(key, value, f"must be a number, {allowed}{decoding(value)}")
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
        raise ConfigError(key, value, f"{allowed}{decoding(value)}")
    return value


def integers(key: str, values: Sequence[object], low: int, high: int) -> Sequence[int]:
    """Whole numbers from low to high; those of a range, between whose ends all others are, as the range."""
    if isinstance(values, range) and values and all(low <= end <= high for end in (values[0], values[-1])):
        return values
    return [integer(key, value, low, high) for value in values]


TEXT = """; this is text: write it without quotes, or a variable as 'KEY="${oc.decode:${oc.env:NAME}}"'"""


def decoding(value: object) -> str:
    """How a text that looks like a number, such as a variable of the environment, becomes one."""
    try:
        is_number = isinstance(value, str) and value.isascii() and float(value) is not None
    except ValueError:
        is_number = False
    return TEXT if is_number else ""


def choice(key: str, value: object, allowed: Collection[str]) -> str:
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
    """A text that is neither empty nor ???, Hydra's mark of a mandatory value."""
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


def variant(
    config: Mapping[str, Any], key: str, named_by: str, allowed: Mapping[str, Collection[str]]
) -> tuple[str, dict[str, Any]]:
    """The name that the sub-dictionary `key` has under `named_by`, one of those allowed, and the options of that name."""
    node = config[key]
    name = choice(f"{key}.{named_by}", node.get(named_by) if isinstance(node, Mapping) else node, allowed)
    options = section(config, key, (named_by, *allowed[name]))
    del options[named_by]
    return name, options


def refuse_unknown(config: Mapping[str, Any], allowed: tuple[str, ...], prefix: str = "") -> None:
    """Raises ConfigError for an unknown key and for a missing one."""
    for key in config:
        if key not in allowed:
            raise ConfigError(prefix + str(key), config[key], unknown_key(str(key), allowed))
    for key in allowed:
        if key not in config:
            raise ConfigError(prefix + key, None, "is missing")
