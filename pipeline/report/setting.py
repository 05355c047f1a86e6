"""A setting, or one value of an axis, as one writes it on the command line."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.errors import as_override, printable
from pipeline.stats.sample import NESTED


def valued(axis: str, value: Any) -> str:
    """An axis with its value: learning_rate=0.5."""
    return printable(f"{axis}={as_override(value)}")


def named(row: Mapping[str, Any], axes: Iterable[str]) -> str:
    """The values that a row of a table has of these axes, but of the threshold: learning_rate=0.5 initial.range=1."""
    return " ".join(valued(axis, row[axis]) for axis in axes if axis != NESTED)


def listed(texts: list[str], word: str = "and") -> str:
    """a; a and b; a, b and c."""
    return f" {word} ".join(part for part in (", ".join(texts[:-1]), texts[-1]) if part) if texts else ""
