"""A setting, or one value of an axis, as one writes it on the command line."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.errors import as_override, printable
from pipeline.stats.sample import NESTED

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def as_value(value: Any) -> str:
    """A cell of a table as a value on the command line; lists, and numbers beside texts, are texts in a table."""
    if isinstance(value, str) and (value.startswith(("[", "{")) or NUMBER.fullmatch(value)):
        return value
    return as_override(value, quoted=True)


def valued(axis: str, value: Any) -> str:
    """An axis with its value: learning_rate=0.5."""
    return printable(f"{axis}={as_value(value)}")


def named(row: Mapping[Any, Any], axes: Iterable[str]) -> str:
    """The values that a row of a table has of these axes, but of the threshold: learning_rate=0.5 initial.range=1."""
    return " ".join(valued(axis, row[axis]) for axis in axes if axis != NESTED)


def listed(texts: list[str], word: str = "and") -> str:
    """a; a and b; a, b and c."""
    return f" {word} ".join(part for part in (", ".join(texts[:-1]), texts[-1]) if part) if texts else ""
