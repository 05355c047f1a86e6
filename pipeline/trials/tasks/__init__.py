"""What is to be learned: patterns, by name or from a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.trials.checks import choice, integer
from pipeline.trials.files import read_once
from pipeline.trials.tasks.built_in import classified, encoder, parity, spirals, symmetry
from pipeline.trials.tasks.held_out import HELD_OUT, HELD_OUT_DEFAULTS, HELD_OUT_OR_FILE, HeldOut
from pipeline.trials.tasks.scaling import scaled as scaled
from pipeline.trials.tasks.table_options import TABLE_DEFAULTS, TABLE_OPTIONS
from pipeline.trials.tasks.table_patterns import Source, table_patterns
from pipeline.trials.trial import TaskChoice


@dataclass(frozen=True, eq=False)
class Task:
    """Named patterns: inputs (P, I) and targets (P, O); of a table also what it was read as; and those held out, if any."""

    name: str
    inputs: Array
    targets: Array
    source: Source | None = None
    held_out: HeldOut | None = None


@read_once
def load(task: TaskChoice) -> Task:
    """The task of that name and with those options, read once a command. Raises ConfigError where a file does not hold it."""
    make, _ = TASKS[task.name]
    *patterns, source, held_out = (*make(**dict(task.options)), None, None)[:4]
    inputs, targets = (np.ascontiguousarray(array, float) + 0.0 for array in patterns)
    inputs.flags.writeable = targets.flags.writeable = False
    return Task(task.name, inputs, targets, source, held_out)


def with_defaults(task: object) -> object:
    """A task's configuration, with the options that one of an earlier version lacks."""
    if not isinstance(task, Mapping) or not isinstance(task.get("name"), str):
        return task
    return {**DEFAULTS.get(task["name"], {}), **task}


Readers = Mapping[str, Callable[[str, object], Any]]  # of options: each reads one from its key and value, or raises ConfigError
CODING: Readers = {"coding": partial(choice, allowed=("binary", "bipolar"))}
SCALING: Readers = {"scaling": partial(choice, allowed=("none", "standard", "minmax"))}
BITS: Readers = {"bits": partial(integer, low=2, high=12)}

# The tasks by name: the function that makes the patterns, and its options.
TASKS: dict[str, tuple[Callable[..., tuple[Any, ...]], Readers]] = {
    "seed_example": (lambda: ([[0.05, 0.10]], [[0.01, 0.99]]), {}),  # of the worked example
    "xor": (partial(parity, 2), CODING),
    "parity": (parity, {**BITS, **CODING}),
    "encoder": (encoder, {"size": partial(integer, low=2, high=1000), **CODING}),
    "symmetry": (symmetry, {**BITS, **CODING}),
    "spirals": (spirals, {"turns": partial(integer, low=1, high=3), **CODING}),
    "iris": (partial(classified, "iris"), {**SCALING, **HELD_OUT}),
    "digits": (partial(classified, "digits"), {**SCALING, **HELD_OUT}),
    "csv": (table_patterns, {**TABLE_OPTIONS, **SCALING, **HELD_OUT_OR_FILE}),
}
DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "csv": {**TABLE_DEFAULTS, **HELD_OUT_DEFAULTS},
    "iris": HELD_OUT_DEFAULTS,
    "digits": HELD_OUT_DEFAULTS,
}
