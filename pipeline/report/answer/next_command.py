"""The command that would decide: the same sweep from fresh starts, of the settings that are not ruled out."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import as_override
from pipeline.report.answer.candidates import Candidates
from pipeline.stats.sample import NESTED
from pipeline.stats.summary import Summary

FIRST, LEAST, MOST = 1000, 100, 1000  # the first fresh seed, and how many of them
LARGEST = 2**63  # of seeds
COMMAND = ["python", "-m", "pipeline.train", "-m"]
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
FILES = ("initial.path", "initial.values")


def to_decide(summary: Summary, main: Candidates, command: str, drawn: bool) -> list[str]:
    """A sentence, and the command if that of the sweep is known; nothing if one setting is left, or the starts are files.

    `drawn`: whether the sweep draws its initial weights, so that its seeds are starts.
    """
    seeds = fresh_seeds(summary)
    if not seeds or (summary.replicated and len(main.remaining) < 2):
        return []
    if summary.replicated:
        why, overrides = "To decide, train the settings that are not ruled out again, from fresh starts", left_values(main)
    else:
        why, overrides = "To learn what other starts do, train again from many", {} if drawn else {"initial": "uniform"}
    overrides |= {"seed": seeds}
    if again := with_overrides(command, overrides):
        return [f"{why}:", again]
    return [f"{why}: the same command with {shlex.join(f'{key}={value}' for key, value in overrides.items())}."]


def draws_starts(summary: Summary, configuration: Mapping[str, Any]) -> bool:
    """Whether the weights that runs start with are drawn, as far as one can know."""
    initial = configuration.get("initial")
    kind = initial.get("kind") if isinstance(initial, Mapping) else None
    return kind == "uniform" or "initial.range" in summary.axes


def left_values(main: Candidates) -> dict[str, str]:
    """The values that the settings which are not ruled out have, of each axis of which some are ruled out; the threshold."""
    left = {}
    for axis in main.axes:
        values = main.rows.sort_index()[axis]
        some, every = (table.drop_duplicates().tolist() for table in (main.remaining[axis], values))
        if len(some) < len(every):
            left[axis] = ",".join(map(as_value, sorted_like(some)))
    if main.threshold is not None:
        left[NESTED] = as_value(main.threshold)
    return left


def sorted_like(values: list[object]) -> list[object]:
    """Numbers in order; other values as they came."""
    return sorted(values) if all(isinstance(value, int | float) for value in values) else values  # type: ignore[type-var]


def as_value(value: object) -> str:
    """A cell of a table as a value on the command line: text that lists and numbers have become beside each other is those."""
    if isinstance(value, str) and (value.startswith(("[", "{")) or NUMBER.fullmatch(value)):
        return value
    return as_override(value, quoted=True)


def fresh_seeds(summary: Summary) -> str:
    """A range of seeds of which none was used; nothing where starts are files or values, or no seeds are left."""
    if any(axis in FILES for axis in summary.axes):
        return ""
    used = pd.to_numeric(summary.results["seed"], errors="coerce") if "seed" in summary.axes else pd.Series([0])
    highest = used.max()
    number = int(np.clip(2 * summary.size("seed") if "seed" in summary.axes else 0, LEAST, MOST))
    first = FIRST if highest < FIRST else (int(highest) // FIRST + 1) * FIRST
    if not np.isfinite(highest) or first + number > LARGEST:
        return ""
    return f"range({first},{first + number})"


def with_overrides(command: str, overrides: Mapping[str, str]) -> str:
    """The command with these values in place of what it has of these keys; nothing if it is no command of a sweep."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    if words[: len(COMMAND)] != COMMAND:
        return ""
    kept, added = [], dict.fromkeys(overrides, "")
    for word in words[len(COMMAND) :]:
        name = word.partition("=")[0]
        key = name.lstrip("+")
        if key in overrides and "=" in word:
            added[key] = name[: len(name) - len(key)]
        else:
            kept.append(word)
    return shlex.join([*COMMAND, *kept, *(f"{added[key]}{key}={value}" for key, value in overrides.items())])
