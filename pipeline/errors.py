"""A configuration that cannot run, said in one line; and how a value is written there."""

from collections.abc import Mapping
from difflib import get_close_matches


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


def unknown_key(key: str, known: tuple[str, ...], kind: str = "key") -> str:
    """Says that a key (or another kind of word) is unknown, with the nearest known one."""
    near = get_close_matches(key, known, n=1)
    return f"unknown {kind}; did you mean {near[0]}?" if near else f"unknown {kind}; known are {', '.join(known)}"
