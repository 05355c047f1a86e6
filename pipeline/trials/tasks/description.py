"""What a table is read as, in one line; what is odd about it or has no effect, in a line each; and what is recorded of it."""

import json
from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.arithmetic import Array
from pipeline.errors import as_override
from pipeline.trials.tasks.columns import Column
from pipeline.trials.tasks.table_options import TABLE_DEFAULTS
from pipeline.trials.tasks.table_patterns import Source
from pipeline.trials.tasks.wording import MOST_PATH, cut, listed, override, shown
from pipeline.trials.trial import TaskChoice

MOST_LINE, MOST_TAG = 300, 5000  # characters
SATURATING = 100.0  # inputs beyond are so large that units of usual weights saturate


def in_one_line(source: Source) -> str:
    """What will be learned: how many patterns, from which inputs, which targets with their classes."""
    patterns, left_out = len(source.lines), source.rows - len(source.lines) - (0 if source.test_sha256 else source.held_out)
    some = incomplete(left_out, source.rows)
    some += f" and {source.held_out:,} held out" if source.held_out else ""
    some += incomplete(source.test_rows - source.held_out, source.test_rows) if source.test_sha256 else ""
    inputs = f"input{'s' if len(source.inputs) > 1 else ''} {listed([column.name for column in source.inputs], 110)}"
    words = [shown(column.name) for column in source.inputs if column.classes is not None]
    hot = f" ({cut(', '.join(words), 50)}: an input per class)" if words else ""
    targets = ", ".join(map(target, source.targets))
    name = f"target{'s' if len(source.targets) > 1 else ''}"
    return cut(f"{patterns:,} pattern{'s' if patterns > 1 else ''}{some}, {inputs}{hot}, {name} {targets}", MOST_LINE)


def incomplete(left_out: int, rows: int) -> str:
    """How many rows of a file are no patterns, if any."""
    return f" ({left_out:,} of {rows:,} rows left out: a value is missing)" if left_out else ""


def target(column: Column) -> str:
    """A target, with its classes or its range."""
    if column.classes is not None:
        return f"{shown(column.name)} → {listed(column.classes, 80)}"
    return f"{shown(column.name)} ({column.values.min():g} … {column.values.max():g})"


def recorded(source: Source, name: str) -> dict[str, str]:
    """What a run records of a table, as tags `name`.…: lists as JSON, classes in the order of the outputs."""
    classes = {column.name: list(column.classes) for column in (*source.inputs, *source.targets) if column.classes is not None}
    return {
        f"{name}.sha256": source.sha256,
        f"{name}.rows": str(source.rows),
        f"{name}.patterns": str(len(source.lines)),
        f"{name}.inputs": as_json([column.name for column in source.inputs]),
        f"{name}.targets": as_json([column.name for column in source.targets]),
        f"{name}.classes": as_json(classes),
        **({f"{name}.held_out": str(source.held_out)} if source.held_out else {}),
        **({f"{name}.test.sha256": source.test_sha256} if source.test_sha256 else {}),
    }


def without_effect(task: TaskChoice, source: Source | None) -> Iterator[str]:
    """The options of a task that are not as usual and have no effect, a line on each."""
    options = dict(task.options)
    test = options.get("test")
    if options.get("test_seed") and (not test or isinstance(test, str)):
        reason = "holds out a file" if test else "holds nothing out"
        yield f"task.test_seed={options['test_seed']}: has no effect: task.test={cut(as_override(test), MOST_PATH)} {reason}"
    for key in ("header", "separator", "decimal", "quote", "encoding") if source and source.typed else ():
        if options[key] != TABLE_DEFAULTS[key]:
            yield f"task.{key}={options[key]}: has no effect on a Parquet file"


def as_json(value: list[str] | dict[str, list[str]]) -> str:
    """As JSON; cut, and then no JSON any more, where it is too long for a tag."""
    return cut(json.dumps(value, ensure_ascii=False), MOST_TAG)


def warnings(source: Source, inputs: Array, targets: Array, output_activation: str, bounds: bool = True) -> Iterator[str]:
    """What is odd about the patterns (P, I) and (P, O) of a table, each in one line; `bounds`: also what keeps errors up."""
    lines = list(oddities(source, inputs))
    if bounds:
        lines += [*unreachable(source, targets, output_activation), *contradictions(source, inputs, targets)]
    yield from (cut(f"{shown_end(source)}: {line}", MOST_LINE) for line in lines)


def shown_end(source: Source) -> str:
    """What a table is called in a warning."""
    return shown(source.path.rpartition("/")[2])


def oddities(source: Source, inputs: Array) -> Iterator[str]:
    """The lines of `warnings`, without the name of the table and without bounds."""
    constant = [column.name for column in source.inputs if is_constant(column)]
    if constant and len(source.lines) > 1:
        yield f"the same value in all patterns: input {listed(constant)}"
    for column in source.targets:
        if is_constant(column) and len(source.lines) > 1:
            yield f"the same value in all patterns: target {shown(column.name)}"
    for column in (*source.inputs, *source.targets):
        yield from alike(column)
    yield from copies(source)
    large = [
        column.name for column, reach in zip(source.inputs, reaches(source.inputs, inputs), strict=True) if reach > SATURATING
    ]
    if large:
        yield f"values up to {np.abs(inputs).max():g}, which saturate most units: input {listed(large)}; task.scaling=standard"


def is_constant(column: Column) -> bool:
    """Whether all values are one."""
    return bool((column.values == column.values[0]).all())


def alike(column: Column) -> Iterator[str]:
    """Classes that differ only in capital letters or in spaces."""
    first: dict[str, str] = {}
    for name in column.classes or ():
        other = first.setdefault(" ".join(name.casefold().split()), name)
        if other != name:
            yield f"classes of {shown(column.name)} that differ only in case or spaces: {shown(other)}, {shown(name)}"
            return


def copies(source: Source) -> Iterator[str]:
    """Inputs that are a target again."""
    for column in source.targets:
        for other in source.inputs:
            alike = column.classes == other.classes and np.array_equal(column.values, other.values)
            if alike and not is_constant(column) and len(source.lines) > 2:
                yield f"the same value in all patterns: input {shown(other.name)} is target {shown(column.name)} again"


def reaches(columns: Sequence[Column], inputs: Array) -> list[float]:
    """The largest absolute value of each column among the inputs (P, I)."""
    widths = [len(column.classes or [0]) for column in columns]
    parts = np.split(np.abs(inputs).max(axis=0), np.cumsum(widths)[:-1])
    return [float(part.max()) for part in parts]


def unreachable(source: Source, targets: Array, output_activation: str) -> Iterator[str]:
    """Targets outside the range of the output units, and the total error that they leave."""
    low, high = ACTIVATIONS[output_activation].range
    beyond = targets - np.clip(targets, low, high)
    if not beyond.any():
        return
    allowed = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more"
    yield (
        f"targets from {targets.min():g} to {targets.max():g}, outputs of {output_activation} are {allowed}: "
        f"the total error stays above {float((0.5 * beyond * beyond).sum()):.6g}; {', '.join(scaled_by(source))}, "
        "or network.output_activation=identity"
    )


def scaled_by(source: Source) -> list[str]:
    """The keys, with values, that bring the targets of a table into the range of its outputs."""
    words = any(column.classes is not None for column in source.targets)
    whole = [
        c.name for c in source.targets if c.classes is None and len(set(c.values.tolist())) <= 10 and (c.values % 1 == 0).all()
    ]
    hints = ["task.coding=binary", "task.scale_targets=minmax"] if words else ["task.scale_targets=minmax"]
    if whole and len(source.lines) > 2:
        hints.append(f"{override('task.classes', whole[0])} if its numbers are labels")
    return hints


def contradiction(inputs: Array, targets: Array) -> tuple[int, int] | None:
    """The first two rows with the same inputs (P, I) and different targets (P, O)."""
    first: dict[bytes, int] = {}
    for row, own in enumerate(inputs):
        other = first.setdefault(own.tobytes(), row)
        if other != row and (targets[row] != targets[other]).any():
            return other, row
    return None


def contradictions(source: Source, inputs: Array, targets: Array) -> Iterator[str]:
    """Patterns with the same inputs and different targets, and the total error that they leave."""
    pair = contradiction(inputs, targets)
    if pair is None:
        return
    numbers: dict[bytes, int] = {}
    group = np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in inputs])
    count = np.bincount(group)
    means = np.stack([np.bincount(group, column) / count for column in targets.T], axis=1)
    left = float((0.5 * (targets - means[group]) ** 2).sum())
    lines = " and ".join(f"{source.lines[row]:,}" for row in pair)
    yield f"the same inputs, but different targets, in lines {lines}: the total error stays above {left:.6g}"
