"""The patterns of a table: target columns, and input columns, as numbers and a column per class."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.errors import ConfigError
from pipeline.trials.tasks import parquet
from pipeline.trials.tasks.columns import Column, read_columns
from pipeline.trials.tasks.file_bytes import file_bytes
from pipeline.trials.tasks.scaling import scaled
from pipeline.trials.tasks.table import UNNAMED, Table, table_of
from pipeline.trials.tasks.table_options import DECIMALS, LEVELS, SEPARATORS
from pipeline.trials.tasks.wording import listed, override, quoted, refused, shown, shown_path, wrong_column

MOST_NUMBERS = 2**26  # in all patterns: 512 MiB


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What a table was read as: its columns as they are in the file, before any scaling.

    `sha256` of the file; `rows`: how many it has; `lines`: where those are that are not left out, in the order of the patterns.
    """

    path: str
    sha256: str
    rows: int
    lines: Sequence[int]
    inputs: Sequence[Column]
    targets: Sequence[Column]


def table_patterns(
    *,
    path: str,
    targets: tuple[str, ...],
    inputs: tuple[str, ...],
    ignore: tuple[str, ...],
    classes: tuple[str, ...],
    missing: str,
    scaling: str,
    coding: str,
    outputs_of_two_classes: int,
    scale_targets: str,
    header: str,
    separator: str,
    decimal: str,
    quote: str,
    encoding: str,
) -> tuple[Array, Array, Source]:
    """Inputs (P, I) and targets (P, O) of a table, and what it was read as. Raises ConfigError where they are not in it."""
    if SEPARATORS.get(separator, separator) == DECIMALS[decimal]:
        raise ConfigError("task.decimal", decimal, "must be another character than task.separator")
    data, sha256 = file_bytes(path)
    if data.startswith(parquet.MAGIC):
        table = parquet.parquet_table(path, data)
    else:
        table = table_of(path, data, header=header, separator=separator, quote=quote, decimal=decimal, encoding=encoding)
    del data
    used = input_columns(table, targets, inputs, ignore)
    known("task.classes", classes, [*used, *targets], table)
    if not table.rows:
        raise refused(path, "has no patterns: there is no row below the header")
    columns, lines = read_columns(table, [*used, *targets], classes, missing, decimal)
    if header == "auto" and not table.labels:
        refuse_class_as_name(path, columns)
    source = Source(path, sha256, len(table.rows), lines, columns[: len(used)], columns[len(used) :])
    width = sum(len(column.classes or [0]) for column in columns)
    if width * len(lines) > MOST_NUMBERS:
        raise refused(path, f"has {len(lines):,} patterns of {width:,} numbers: at most {MOST_NUMBERS:,} numbers are allowed")
    return (
        np.hstack([input_numbers(column, scaling) for column in source.inputs]),
        np.hstack([target_numbers(column, coding, outputs_of_two_classes, scale_targets) for column in source.targets]),
        source,
    )


def input_columns(table: Table, targets: Sequence[str], inputs: Sequence[str], ignore: Sequence[str]) -> list[str]:
    """The names of the input columns. Raises ConfigError for a name that is none, or that has two parts to play."""
    for key, names in (("task.targets", targets), ("task.ignore", ignore), ("task.inputs", inputs)):
        known(key, names, table.names, table)
    for key, names in (("task.inputs", inputs), ("task.ignore", ignore)):
        for name in set(names) & set(targets):
            raise wrong_column(key, name, "is in task.targets too")
    if inputs:
        for name in set(inputs) & set(ignore):
            raise wrong_column("task.inputs", name, "is in task.ignore too")
        return list(inputs)
    used = [name for name in table.names if name not in {*targets, *ignore}]
    if not used:
        raise wrong_column("task.targets", ",".join(targets), "leaves no input column")
    for name in used:
        if name.startswith(UNNAMED):
            hint = f"{override('task.ignore', name)} leaves it out, task.inputs=[…] says which to use"
            raise refused(table.path, f"column {table.index[name] + 1} has no name, often numbers of rows: {hint}")
    return used


def known(key: str, names: Iterable[str], allowed: Sequence[str], table: Table) -> None:
    """Raises ConfigError for a name that is not among those allowed."""
    columns = set(allowed)
    unknown = [name for name in names if name not in columns]
    if unknown:
        near = get_close_matches(unknown[0], allowed[:1000], n=1)
        hint = f"; did you mean {shown(near[0])}?" if near else ""
        where = shown_path(table.path)[-60:]
        raise wrong_column(key, unknown[0], f"no such column in {where}; it has {listed(allowed)}{hint}")


def refuse_class_as_name(path: str, columns: Iterable[Column]) -> None:
    """Raises ConfigError for a header that has a class of its column, as a row of values has."""
    for column in columns:
        if column.name in (column.classes or ()):
            reason = f"the header has {quoted(column.name)}, and so has its column, so it looks like a row of values"
            raise refused(path, f"{reason}: write task.header=none, or task.header=first if it has names")


def input_numbers(column: Column, scaling: str) -> Array:
    """A column as inputs: numbers scaled, (P, 1), or a column of 0 and 1 per class, (P, classes)."""
    return scaled(column.values[:, None], scaling) if column.classes is None else column.one_hot


def target_numbers(column: Column, coding: str, outputs_of_two_classes: int, scale_targets: str) -> Array:
    """A column as targets: numbers, (P, 1), or low and high per class, (P, classes); of two classes one output is enough."""
    if column.classes is not None:
        low, high = LEVELS[coding]
        hot = column.one_hot
        return np.where(hot[:, 1:] if outputs_of_two_classes == 1 and len(column.classes) == 2 else hot, high, low)
    numbers = column.values[:, None]
    if scale_targets not in LEVELS:
        return scaled(numbers, scale_targets)
    low, high = LEVELS[scale_targets]
    return low + (high - low) * scaled(numbers, "minmax")
