"""Columns of a table as what they are: numbers, or classes. One kind for a whole column."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.errors import ConfigError
from pipeline.trials.tasks.table import NUMBER, Table, is_number, plain_number
from pipeline.trials.tasks.wording import override, quoted, refused, shown

# What pandas takes for a missing value, and the ? of the UCI repository.
WORDS_FOR_MISSING = "#N/A #NA -1.#IND -1.#QNAN -NaN -nan 1.#IND 1.#QNAN <NA> N/A NA NULL NaN None n/a nan null ?"
MISSING = frozenset({"", "#N/A N/A", *WORDS_FOR_MISSING.split()})
TRUTHS = {"True": "True", "TRUE": "True", "true": "True", "False": "False", "FALSE": "False", "false": "False"}
DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T].*)?|\d{1,2}:\d\d(:\d\d(\.\d+)?)?")
OTHER_NUMBER = re.compile(
    r"\(?[-+]?\s?[$€£¥]?\s?[-+]?\d[\d.,_'’ ]*([eE][-+]?\d+)?\s?[%$€£¥]?\)?|[-+]?0x[0-9a-f]+|'[-+]?[\d.,]+'", re.I
)
INFINITE = re.compile(r"[-+]?inf(inity)?", re.I)
DECIMAL_COMMA, THOUSANDS = re.compile(r"[-+]?\d+,\d+"), re.compile(r"[-+]?\d{1,3}(,\d{3})+")
MOST_CLASSES = 1000
FEW_CLASSES = 10  # up to here there may be one for each row
EXACT = 2**53  # integers up to here are exact in float64


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column: `values` (P,) are numbers, or, where there are classes, the index of each row's class."""

    name: str
    values: NDArray[Any]
    classes: tuple[str, ...] | None = None

    @property
    def one_hot(self) -> Array:
        """A column of 0 and 1 for each class, (P, classes)."""
        columns: Array = np.eye(len(self.classes or ()))[self.values]
        return columns


def read_columns(
    table: Table, names: Sequence[str], labels: Iterable[str], missing: str, decimal: str
) -> tuple[list[Column], list[int]]:
    """These columns, and the lines of the rows that have a value in each of them.

    The numbers of columns in `labels` are classes. Raises ConfigError for a cell that is not what its column is.
    """
    declared = frozenset(labels)
    labels = table.labels | declared
    for name in set(names) & set(table.unreadable):
        reason = f"has values of type {table.unreadable[name]}, not numbers or words"
        raise refused(table.path, f"column {shown(name)} {reason}; {override('task.ignore', name)} leaves it out")
    cells = {name: table.column(name) for name in names}
    kept = [True] * len(table.rows)
    for name, column in cells.items():
        holes = {cell for cell in set(column) if is_missing(cell, name in labels)}
        for row, cell in enumerate(column) if holes else ():
            kept[row] &= cell not in holes
    if not all(kept) and missing == "refuse":
        raise hole(table, cells, labels, decimal, kept.index(False))
    if not any(kept):
        raise refused(table.path, "has no patterns" + (": each row has a missing value" if table.rows else ""))
    lines = [line for line, keep in zip(table.lines, kept, strict=True) if keep]
    columns = []
    for name in names:
        column = [cell for cell, keep in zip(cells.pop(name), kept, strict=True) if keep]
        columns.append(Cells(table.path, name, column, lines, decimal).column(name in labels, name in declared))
    return columns, lines


def is_missing(cell: str, label: bool) -> bool:
    """Whether a cell has no value; one of a column of labels is missing only if it is empty."""
    return not cell.strip() if label else cell.strip() in MISSING


def hole(table: Table, cells: dict[str, list[str]], labels: Iterable[str], decimal: str, row: int) -> ConfigError:
    """The error that a row has a missing value."""
    name = next(name for name in cells if is_missing(cells[name][row], name in labels))
    cell = cells[name][row]
    what = (
        f"{quoted(cell)} in column {shown(name)} is a missing value" if cell.strip() else f"column {shown(name)} has no value"
    )
    hint = "task.missing=drop_rows leaves such rows out"
    words = any(not is_missing(other, False) and not is_number(other, decimal) for other in set(cells[name]))
    if cell.strip() and words:
        hint += f", {override('task.classes', name)} takes it as a class"
    return refused(table.path, f"line {table.lines[row]}: {what}; {hint}")


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one column, none of them missing, and the lines of their rows."""

    path: str
    name: str
    cells: Sequence[str]
    lines: Sequence[int]
    decimal: str

    def column(self, label: bool, declared: bool = False) -> Column:
        """The column, as numbers if all cells are, else as classes; with `label`, always as classes.

        Raises ConfigError for a cell of another kind than the others, and for too many classes that were not `declared`.
        """
        different = dict.fromkeys(self.cells)
        written = ((cell, plain_number(cell, self.decimal)) for cell in different)
        numbers = {cell: float(number) for cell, number in written if NUMBER.fullmatch(number)}
        only_numbers = len(numbers) == len(different)
        if only_numbers and not label:
            return self.numbers(numbers)
        if not label:
            self.refuse_other_kinds(different, numbers)
        if len(different) > max(FEW_CLASSES, len(self.cells) // 2) and not declared:
            raise refused(self.path, self.no_classes(len(different)))
        if only_numbers and all(self.is_exact(cell, number) for cell, number in numbers.items()):
            return self.labels(numbers)
        if not label and all(cell.strip() in TRUTHS for cell in different):
            return self.classes({cell: TRUTHS[cell.strip()] for cell in different})
        return self.classes({cell: cell for cell in different})

    def numbers(self, value: dict[str, float]) -> Column:
        """The column as numbers. Raises ConfigError for one that float64 cannot hold."""
        for cell, number in value.items():
            if not -EXACT < number < EXACT:
                self.refuse_inexact(cell, number)
        return self.checked(Column(self.name, np.array([value[cell] for cell in self.cells]) + 0.0))

    def refuse_other_kinds(self, cells: Iterable[str], numbers: Mapping[str, float]) -> None:
        """Raises ConfigError for the first cell that is no number among numbers, or a number or date in another writing."""
        for cell in cells:
            if cell not in numbers:
                text = cell.strip()
                if numbers or any(kind.fullmatch(text) for kind in (OTHER_NUMBER, INFINITE, DATE)):
                    raise self.wrong(cell, self.no_number(text, bool(numbers)))

    def no_classes(self, words: int) -> str:
        """Why so many different words are no classes, and what to write."""
        ignored, taken = override("task.ignore", self.name), override("task.classes", self.name)
        found = f"column {shown(self.name)} has {words:,} words in {len(self.cells):,} rows, such as {quoted(self.cells[0])}"
        return f"{found}: {ignored} leaves it out, {taken} takes each as a class"

    def wrong(self, cell: str, reason: str) -> ConfigError:
        """The error that a cell is wrong."""
        return refused(
            self.path, f"line {self.lines[self.cells.index(cell)]}: {quoted(cell)} in column {shown(self.name)} {reason}"
        )

    def refuse_inexact(self, cell: str, number: float) -> None:
        """Raises ConfigError where a number is not finite, or is not the integer that the cell has."""
        if not math.isfinite(number):
            raise self.wrong(cell, "is too large for a float64")
        if not self.is_exact(cell, number):
            raise self.wrong(cell, f"is not exact as float64; {override('task.ignore', self.name)} leaves the column out")

    def is_exact(self, cell: str, number: float) -> bool:
        """Whether a number is finite, and the integer that the cell has, if it has one."""
        if -EXACT < number < EXACT:
            return True
        written = plain_number(cell, self.decimal)
        return math.isfinite(number) and (not written.lstrip("+-").isdigit() or int(written) == int(number))

    def no_number(self, cell: str, among_numbers: bool) -> str:
        """Why a cell is no number, and what to write."""
        if DATE.fullmatch(cell):
            return f"is a date or time; {override('task.ignore', self.name)} leaves the column out"
        reason = "is no number, and others are" if among_numbers else "is no plain number"
        if INFINITE.fullmatch(cell):
            return f"is no finite number; {override('task.ignore', self.name)} leaves the column out"
        if DECIMAL_COMMA.fullmatch(cell) and self.decimal == "point":
            meant = (
                "write it without commas, or task.decimal=comma if it is a decimal"
                if THOUSANDS.fullmatch(cell)
                else "write task.decimal=comma"
            )
            return f"{reason}: {meant}"
        if self.decimal == "comma" and is_number(cell, "point"):
            return f"{reason} with task.decimal=comma: write task.decimal=point"
        if len(cell) > 1 and cell[0] == cell[-1] == "'":
            return f"{reason}: write task.quote=single"
        return f"{reason}; {override('task.classes', self.name)} takes all cells of the column as classes"

    def labels(self, value: dict[str, float]) -> Column:
        """Numbers as classes, by size; equal ones are one class, whatever is written."""
        shortest = {value[cell]: cell for cell in sorted(value, key=lambda cell: (-len(cell), cell))}
        order = [shortest[number] for number in sorted(shortest)]
        return self.classes({cell: shortest[value[cell]] for cell in value}, order)

    def classes(self, name_of: dict[str, str], order: list[str] | None = None) -> Column:
        """The column as classes, in this order or else sorted, by the name of the class that each cell has."""
        classes = order or sorted(set(name_of.values()))
        for name in classes:
            if not name.isprintable():
                raise self.wrong(
                    next(cell for cell in name_of if name_of[cell] == name), "has characters that cannot be printed"
                )
        if len(classes) > MOST_CLASSES:
            raise refused(
                self.path, f"column {shown(self.name)} has {len(classes):,} classes; at most {MOST_CLASSES:,} are allowed"
            )
        index = {name: place for place, name in enumerate(classes)}
        return Column(self.name, np.array([index[name_of[cell]] for cell in self.cells], np.intp), tuple(classes))

    def checked(self, column: Column) -> Column:
        """The column, if the difference of its numbers is a number too. Raises ConfigError."""
        low, high = float(column.values.min()), float(column.values.max())
        if not math.isfinite(high - low):
            raise refused(self.path, f"column {shown(self.name)} reaches from {low:g} to {high:g}: too far apart for float64")
        return column
