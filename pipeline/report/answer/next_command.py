"""The command that would decide: the same sweep from fresh starts, of the settings that are not ruled out."""

import math
import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.report.answer.candidates import Candidates
from pipeline.report.numbers import count
from pipeline.report.setting import as_value
from pipeline.stats.sample import NESTED
from pipeline.stats.summary import Summary
from pipeline.trials.trial import GIVEN

FIRST, LEAST, MOST = 1000, 100, 1000  # the first fresh seed, and how many of them
LARGEST = 2**63  # of seeds
COMMAND = ["python", "-m", "pipeline.train", "-m"]
FILES = ("initial.path", "initial.values")


def to_decide(summary: Summary, main: Candidates, command: str, drawn: bool) -> list[str]:
    """A sentence, and the command if that of the sweep is known; nothing if one setting is left, or the starts are files.

    `drawn`: whether the sweep draws its initial weights, so that its seeds are starts.
    """
    seeds = fresh_seeds(summary)
    if not seeds or (summary.replicated and len(main.remaining) < 2):
        return []
    runs = count(_runs(summary, main) * len(seeds), "run")
    if not summary.replicated:
        why, overrides = f"To learn what other starts do, train from many ({runs})", {} if drawn else {"initial": "uniform"}
    else:
        what = "the settings that are not ruled out" if main.tested else "all settings"
        why, overrides = f"To decide, train {what} from fresh starts ({runs})", left_values(main)
    overrides["seed"] = f"range({seeds.start},{seeds.stop})"
    if whole := with_overrides(command, overrides):
        return [f"{why}:", whole]
    return [f"{why}: the same command with {shlex.join(f'{key}={value}' for key, value in overrides.items())}."]


def _runs(summary: Summary, main: Candidates) -> int:
    """How many runs from one start the command trains: the product of the axes' values that are left."""
    if not summary.replicated:
        return math.prod(map(summary.size, summary.settings))
    return math.prod(main.remaining[axis].nunique(dropna=False) for axis in main.axes)


def draws_starts(summary: Summary, configuration: Mapping[str, Any]) -> bool:
    """Whether the weights that runs start with are drawn, as far as one can know."""
    initial = configuration.get("initial")
    kind = initial.get("kind") if isinstance(initial, Mapping) else None
    return kind not in (None, *GIVEN) or "initial.range" in summary.axes


def left_values(main: Candidates) -> dict[str, str]:
    """The values that the settings which are not ruled out have, of each axis of which some are ruled out; the threshold."""
    left = {}
    for axis in main.axes:
        some, every = (rows.sort_index()[axis].drop_duplicates().tolist() for rows in (main.remaining, main.rows))
        if len(some) < len(every):
            left[axis] = ",".join(map(as_value, some))
    if main.threshold is not None:
        left[NESTED] = as_value(main.threshold)
    return left


def fresh_seeds(summary: Summary) -> range | None:
    """Seeds of which none was used; None where starts are files or values, or no such seeds are left."""
    if any(axis in FILES for axis in summary.axes):
        return None
    used = pd.to_numeric(summary.results["seed"], errors="coerce") if "seed" in summary.axes else pd.Series([0])
    if not np.isfinite(used.max()):
        return None
    first = (int(used.max()) // FIRST + 1) * FIRST
    number = min(max(2 * summary.size("seed") if "seed" in summary.axes else 0, LEAST), MOST)
    return range(first, first + number) if first + number <= LARGEST else None


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
