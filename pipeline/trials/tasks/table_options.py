"""The keys of a table: how it is written in its file, which columns are used, and what they become."""

import codecs
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from pipeline.errors import ConfigError, as_override
from pipeline.trials.checks import choice, text
from pipeline.trials.tasks.wording import listed

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " ", "pipe": "|"}
DECIMALS = {"point": ".", "comma": ","}
QUOTES = {"double": '"', "single": "'", "none": ""}
LEVELS = {"binary": (0.0, 1.0), "soft": (0.1, 0.9), "bipolar": (-1.0, 1.0)}  # of targets: low, high
NOT_FOR_TABLES = ("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "utf-7", "mbcs", "oem")

WORDS = ("true", "false", "null")  # that are read as something else than text
MOST_NUMBER = 40  # characters

TABLE_DEFAULTS: Mapping[str, object] = {
    "inputs": [],
    "ignore": [],
    "classes": [],
    "missing": "refuse",
    "coding": "binary",
    "outputs_of_two_classes": 2,
    "scale_targets": "none",
    "header": "auto",
    "separator": "comma",
    "decimal": "point",
    "quote": "double",
    "encoding": "utf-8",
}


def read_names(key: str, value: object, fewest: int = 0) -> tuple[str, ...]:
    """Names of columns: one, or a list; a number, a truth value or null is the name that it is written as."""
    if value is None and not fewest:
        raise ConfigError(key, value, "must be a column's name, or a list of them")
    columns = value if isinstance(value, list | tuple) else [value]
    names = tuple(read_name(key, column) for column in columns)
    if len(names) < fewest or len(set(names)) < len(names):
        raise ConfigError(key, value, "must name one column or more, each once" if fewest else "must name columns, each once")
    return names


def read_name(key: str, value: object) -> str:
    """The name of a column."""
    allowed = "a column's name, or a list of them"
    return text(key, as_override(value) if value is None or isinstance(value, bool | int | float) else value, allowed)


def as_read(name: str) -> str:
    """A column's name as `read_names` gives it where it was written without quotes: 1 of 1.0, true of TRUE."""
    if name.lower() in WORDS:
        return name.lower()
    if len(name) <= MOST_NUMBER:
        for kind in (int, float):
            with suppress(ValueError):
                return as_override(kind(name))
    return name


def by_reading(names: Iterable[str]) -> dict[str, list[str]]:
    """The names of columns by what `read_names` would give for them without quotes."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(as_read(name), []).append(name)
    return found


def column_named(key: str, name: str, columns: Mapping[str, Sequence[str]]) -> str:
    """The name of the column that is meant, of those given by `by_reading`. Raises ConfigError where it may be one of two."""
    meant = columns.get(name, ()) if as_read(name) == name else ()
    if len(meant) > 1:
        raise ConfigError(key, name, f"may be one of the columns {listed(meant)}, which are read as one: rename one of them")
    return meant[0] if meant else name


def read_separator(key: str, value: object) -> str:
    """A separator by its name, or any other character as it is."""
    names = {character: name for name, character in SEPARATORS.items()} | {"\\t": "tab"}
    if isinstance(value, str):
        name = names.get(value, value)
        if name in SEPARATORS or (len(value) == 1 and value in "!#$%&*/:<=>?@\\^`~"):
            return name
    raise ConfigError(key, value, f"must be {', '.join(SEPARATORS)}, or one other character such as ':'")


def read_decimal(key: str, value: object) -> str:
    """The decimal mark, by its name or as it is."""
    return choice(key, {".": "point", ",": "comma"}.get(str(value), value), DECIMALS)


def read_encoding(key: str, value: object) -> str:
    """The name of an encoding of text, as Python has it."""
    name = text(key, value, "the name of an encoding, such as utf-8, latin-1, cp1252 or utf-16")
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        found = None
    if not (found and found.name not in NOT_FOR_TABLES and getattr(found, "_is_text_encoding", True)):
        raise ConfigError(key, value, "must be the name of an encoding, such as utf-8, latin-1, cp1252 or utf-16")
    return found.name


def read_two(key: str, value: object) -> int:
    """How many outputs a target of two classes has."""
    if value not in (1, 2) or isinstance(value, bool):
        raise ConfigError(key, value, "must be 2 (an output per class), or 1 (low for the first class, high for the second)")
    return int(str(value).removesuffix(".0"))


TABLE_OPTIONS: Mapping[str, Callable[[str, object], Any]] = {
    "path": partial(text, allowed="the path of a table: CSV, compressed CSV, or Parquet"),
    "targets": partial(read_names, fewest=1),
    "inputs": read_names,
    "ignore": read_names,
    "classes": read_names,
    "missing": partial(choice, allowed=("refuse", "drop_rows")),
    "coding": partial(choice, allowed=LEVELS),
    "outputs_of_two_classes": read_two,
    "scale_targets": partial(choice, allowed=("none", "standard", "minmax", "soft", "bipolar")),
    "header": partial(choice, allowed=("auto", "first", "none")),
    "separator": read_separator,
    "decimal": read_decimal,
    "quote": partial(choice, allowed=QUOTES),
    "encoding": read_encoding,
}
