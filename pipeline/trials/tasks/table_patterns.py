"""The patterns of a table: target columns, and input columns, as numbers and a column per class."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.errors import ConfigError
from pipeline.trials.tasks.columns import Column, read_columns
from pipeline.trials.tasks.file_bytes import file_bytes
from pipeline.trials.tasks.held_out import ClassOutputs, HeldOut, split
from pipeline.trials.tasks.parquet import MAGIC
from pipeline.trials.tasks.scaling import scaled
from pipeline.trials.tasks.table import NUMBER, UNNAMED, Table, table_of
from pipeline.trials.tasks.table_options import DECIMALS, LEVELS, SEPARATORS, by_reading, column_named
from pipeline.trials.tasks.wording import listed, override, quoted, refused, shown, shown_path, wrong_column

MOST_NUMBERS = 2**26  # in all patterns: 512 MiB


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What a table was read as: its columns as they are in the file, before any scaling; of the patterns that are trained on.

    `sha256` of the file; `rows`: how many it has; `lines`: where those are that are trained on, in the order of the patterns;
    `held_out`: how many patterns are not, and, if they are in another file, the SHA-256 of that and how many rows it has.
    `typed`: whether all files are Parquet, which has types and no writing.
    """

    path: str
    sha256: str
    rows: int
    lines: Sequence[int]
    inputs: Sequence[Column]
    targets: Sequence[Column]
    held_out: int = 0
    test_sha256: str = ""
    test_rows: int = 0
    typed: bool = False

    def part(self, chosen: NDArray[np.bool_]) -> "Source":
        """The same with the chosen patterns (P,) alone; the others are held out."""
        columns = [[replace(one, values=one.values[chosen]) for one in some] for some in (self.inputs, self.targets)]
        lines = [self.lines[at] for at in np.flatnonzero(chosen).tolist()]
        return replace(self, lines=lines, inputs=columns[0], targets=columns[1], held_out=len(chosen) - len(lines))


@dataclass(frozen=True, slots=True)
class Coding:
    """How columns become numbers."""

    scaling: str
    coding: str
    outputs_of_two_classes: int
    scale_targets: str

    def patterns(self, source: Source, like: Source) -> tuple[Array, Array]:
        """Inputs (P, I) and targets (P, O), numbers scaled as in `like`."""
        inputs = zip(source.inputs, like.inputs, strict=True)
        targets = zip(source.targets, like.targets, strict=True)
        return (
            np.hstack([self.input_numbers(column, other) for column, other in inputs]),
            np.hstack([self.target_numbers(column, other) for column, other in targets]),
        )

    def input_numbers(self, column: Column, like: Column) -> Array:
        """A column as inputs: numbers scaled, (P, 1), or a column of 0 and 1 per class, (P, classes)."""
        if column.classes is not None:
            return column.one_hot
        return scaled(column.values[:, None], self.scaling, like.values[:, None])

    def target_numbers(self, column: Column, like: Column) -> Array:
        """A column as targets: numbers, (P, 1), or low and high per class, (P, classes); of two one may be enough."""
        if column.classes is not None:
            low, high = LEVELS[self.coding]
            hot = column.one_hot
            return np.where(hot[:, 1:] if self.width(column) == 1 < len(column.classes) else hot, high, low)
        numbers, rows = column.values[:, None], like.values[:, None]
        if self.scale_targets not in LEVELS:
            return scaled(numbers, self.scale_targets, rows)
        low, high = LEVELS[self.scale_targets]
        return low + (high - low) * scaled(numbers, "minmax", rows)

    def width(self, target: Column) -> int:
        """The number of outputs of a target."""
        classes = len(target.classes or [0])
        return 1 if classes == 2 and self.outputs_of_two_classes == 1 else classes

    def classes(self, source: Source) -> list[ClassOutputs]:
        """The outputs of the targets that are classes."""
        first = np.cumsum([0, *map(self.width, source.targets)]).tolist()
        middle = sum(LEVELS[self.coding]) / 2
        return [
            ClassOutputs(start, self.width(column), middle)
            for start, column in zip(first, source.targets, strict=False)
            if column.classes is not None
        ]


def table_patterns(
    *,
    path: str,
    scaling: str,
    coding: str,
    outputs_of_two_classes: int,
    scale_targets: str,
    test: float | str,
    test_seed: int,
    **reading: Any,
) -> tuple[Array, Array, Source, HeldOut | None]:
    """Inputs (P, I) and targets (P, O) of a table, what it was read as, and the patterns that are held out.

    `reading` are the options of `read_table`. Raises ConfigError where the patterns are not in it.
    """
    code = Coding(scaling, coding, outputs_of_two_classes, scale_targets)
    source = read_table(path, **reading)
    if not test:
        return *code.patterns(source, source), source, None
    if isinstance(test, str):
        tested = read_test_table(test, source, **reading)
        trained = replace(
            source,
            held_out=len(tested.lines),
            test_sha256=tested.sha256,
            test_rows=tested.rows,
            typed=source.typed and tested.typed,
        )
    else:
        out = split(kinds(source.targets), test, test_seed)
        trained, tested = source.part(~out), source.part(out)
    with np.errstate(over="ignore"):
        held_out = HeldOut(*code.patterns(tested, trained), code.classes(trained))
    if not (np.isfinite(held_out.inputs).all() and np.isfinite(held_out.targets).all()):
        raise ConfigError("task.test", test, "has numbers that cannot be scaled as those that are trained on")
    return *code.patterns(trained, trained), trained, held_out


def kinds(targets: Iterable[Column]) -> NDArray[np.intp]:
    """A number (P,) for each combination of classes; 0 where there are none."""
    columns = [column.values for column in targets if column.classes is not None]
    if not columns:
        return np.zeros(len(next(iter(targets)).values), np.intp)
    return np.unique(np.stack(columns), axis=1, return_inverse=True)[1].ravel()


def read_table(
    path: str,
    *,
    targets: Sequence[str],
    inputs: Sequence[str],
    ignore: Sequence[str],
    classes: Sequence[str],
    missing: str,
    header: str,
    separator: str,
    decimal: str,
    quote: str,
    encoding: str,
) -> Source:
    """The table in a file. Raises ConfigError where it cannot be read, or does not have the columns."""
    if SEPARATORS.get(separator, separator) == DECIMALS[decimal]:
        raise ConfigError("task.decimal", decimal, "must be another character than task.separator")
    data, sha256 = file_bytes(path)
    if typed := data.startswith(MAGIC):
        from pipeline.trials.tasks.parquet.table import parquet_table  # with pyarrow, which nothing else of a task needs

        table, decimal = parquet_table(path, data), "point"
    else:
        table = table_of(path, data, header=header, separator=separator, quote=quote, decimal=decimal, encoding=encoding)
    del data
    columns_by_reading = by_reading(table.names)
    targets, inputs, ignore, classes = (
        [column_named(f"task.{key}", name, columns_by_reading) for name in names]
        for key, names in (("targets", targets), ("inputs", inputs), ("ignore", ignore), ("classes", classes))
    )
    used = input_columns(table, targets, inputs, ignore)
    known("task.classes", classes, [*used, *targets], table)
    if not table.rows:
        raise refused(path, "has no patterns: there is no row below the header")
    columns, lines = read_columns(table, [*used, *targets], classes, missing, decimal)
    if header == "auto" and not table.labels:
        refuse_class_as_name(path, columns)
    width = sum(len(column.classes or [0]) for column in columns)
    if width * len(lines) > MOST_NUMBERS:
        raise refused(path, f"has {len(lines):,} patterns of {width:,} numbers: at most {MOST_NUMBERS:,} numbers are allowed")
    return Source(path, sha256, len(table.rows), lines, columns[: len(used)], columns[len(used) :], typed=typed)


def read_test_table(path: str, trained: Source, **reading: Any) -> Source:
    """The table in another file, with the columns and the classes of that which is trained on. Raises ConfigError."""
    columns = [*trained.inputs, *trained.targets]
    numbered = [column.name for column in columns if column.classes and all(map(NUMBER.fullmatch, column.classes))]
    reading["classes"] = [*reading["classes"], *(name for name in numbered if name not in reading["classes"])]
    reading |= {"inputs": [column.name for column in trained.inputs], "ignore": ()}
    try:
        tested = read_table(path, **reading)
        used = [as_trained(path, *pair) for pair in zip([*tested.inputs, *tested.targets], columns, strict=True)]
    except ConfigError as error:
        if error.key != "task.path":
            raise
        raise ConfigError("task.test", error.value, error.allowed) from None
    return replace(tested, inputs=used[: len(trained.inputs)], targets=used[len(trained.inputs) :])


def as_trained(path: str, column: Column, trained: Column) -> Column:
    """A column with the classes of the one that is trained on. Raises ConfigError for one that has others."""
    if column.classes is None and trained.classes is None:
        return column
    kind = {True: "numbers", False: "classes"}
    name, numeric = shown(column.name), column.classes is None
    if column.classes is None or trained.classes is None:
        raise refused(path, f"column {name} has {kind[numeric]}, and {kind[not numeric]} in task.path")
    index: dict[object, int] = {name: at for at, name in enumerate(trained.classes)}
    if all(map(NUMBER.fullmatch, (*trained.classes, *column.classes))):
        index = {float(name): at for at, name in enumerate(trained.classes)} | index
    places = [index.get(one, index.get(float(one)) if NUMBER.fullmatch(one) else None) for one in column.classes]
    if None in places:
        unknown = quoted(column.classes[places.index(None)])
        raise refused(path, f"column {name} has the class {unknown}, which task.path has not")
    return replace(column, values=np.array(places, np.intp)[column.values], classes=trained.classes)


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
