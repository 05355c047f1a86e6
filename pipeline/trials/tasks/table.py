"""A table as it is in its file: names of columns and rows of cells, all of them text."""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from pipeline.trials.tasks.recognition import (
    decoded,
    reader,
    refuse_binary,
    refuse_other_text,
    spaced,
    why_not_a_table,
)
from pipeline.trials.tasks.table_options import QUOTES, SEPARATORS
from pipeline.trials.tasks.wording import quoted, refused

SHORT = 9  # characters: equal cells up to here are one text, which saves memory
MOST_LINES, MOST_CELLS = 2**21, 2**26
UNNAMED = "Unnamed: "  # and its number: what pandas calls a column without a name
NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of as many cells as there are names; its columns by name are in `index`.

    `lines`: the line of the file in which each row begins; `labels`: the columns that the file itself says are words;
    `unreadable`: those that are neither words nor numbers, and the type that they have.
    """

    path: str
    index: Mapping[str, int]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    labels: frozenset[str] = frozenset()
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of its columns."""
        return list(self.index)

    def column(self, name: str) -> list[str]:
        """The cells of a column."""
        index = self.index[name]
        return [row[index] for row in self.rows]


def table_of(path: str, data: bytes, *, header: str, separator: str, quote: str, decimal: str, encoding: str) -> Table:
    """The table in the bytes of a file. Raises ConfigError, which says what to write, where it is not one."""
    refuse_binary(path, data)
    refuse_too_many(path, data, SEPARATORS.get(separator, separator))
    text = decoded(path, data, encoding)
    refuse_other_text(path, text)
    rows, lines = split_rows(path, text, separator, QUOTES[quote])
    if not rows:
        raise refused(path, "must be a table with a header, and is empty")
    names = list(map(str, range(len(rows[0])))) if header == "none" else rows.pop(0)
    lines = lines[len(lines) - len(rows) :]
    while header != "none" and names and not names[-1].strip():
        names.pop()
    if not names:
        raise refused(path, "has a header without names: its first line has nothing but separators")
    refuse_other_shape(path, text, names, rows, separator, QUOTES[quote])
    rows = [fitted(path, row, len(names), line, rows) for row, line in zip(rows, lines, strict=True)]
    names, rows = without_empty_columns([name if name.strip() else f"{UNNAMED}{at}" for at, name in enumerate(names)], rows)
    if header == "auto":
        refuse_values_as_names(path, names, decimal)
    if header != "none":
        refuse_wrong_names(path, names, quote)
    return Table(path, {name: at for at, name in enumerate(names)}, rows, lines)


def refuse_too_many(path: str, data: bytes, separator: str) -> None:
    """Raises ConfigError for more lines or cells than can be held."""
    for what, most, characters in (("lines", MOST_LINES, "\n\r"), ("cells", MOST_CELLS, separator)):
        if max(data.count(character.encode()) for character in characters) > most:
            raise refused(path, f"is too large: at most {most:,} {what} are read")


def refuse_other_shape(path: str, text: str, names: list[str], rows: list[list[str]], separator: str, quote: str) -> None:
    """Raises ConfigError for rows of other lengths than the header's, and for one column, if it is seen why."""
    width = len(names)
    if width > 1 and all(len(row) >= width >= filled(row) for row in rows):
        return
    if hint := why_not_a_table(text, separator, quote):
        shape = f"has one column, {quoted(names[0])}" if width == 1 else f"does not have {width} cells in each line"
        raise refused(path, f"{shape}: {hint}")


def split_rows(path: str, text: str, separator: str, quote: str) -> tuple[list[list[str]], list[int]]:
    """The rows that are not blank, and the line in which each begins. Raises ConfigError for quotes in wrong places."""
    stream = io.StringIO(text, newline="")
    rows, lines, cells, end = [], [], {}, 0  # type: ignore[var-annotated]
    reading = reader(map(spaced, stream) if separator == "space" else stream, separator, quote)
    try:
        for row in reading:
            if len(row) > 1 or (row and row[0].strip()):
                rows.append([cells.setdefault(cell, cell) if len(cell) < SHORT else cell for cell in row])
                lines.append(end + 1)
            end = reading.line_num
    except csv.Error as error:
        if "unexpected end" in str(error):
            reason = f"the quote that opens in line {end + 1} is never closed; close it, or write task.quote=none"
        elif "after" in str(error):
            reason = (
                f"text follows a closing quote in line {reading.line_num}; double quotes within it, or write task.quote=none"
            )
        else:
            reason = f"line {end + 1}: {error}"
        raise refused(path, reason) from None
    return rows, lines


def filled(row: Sequence[str]) -> int:
    """The number of cells, without empty ones at the end."""
    return next((index for index in range(len(row), 0, -1) if row[index - 1].strip()), 0)


def fitted(path: str, row: list[str], width: int, line: int, rows: list[list[str]]) -> list[str]:
    """A row of `width` cells; separators too many at its end are nothing. Raises ConfigError for any other number."""
    if len(row) == width:
        return row
    if len(row) < width:
        raise refused(
            path, f"line {line} has fewer cells ({len(row)}) than the first row ({width}); its last is {quoted(row[-1])}"
        )
    if filled(row) > width:
        hint = "; the header may lack a name for the first column" if all(len(other) == width + 1 for other in rows) else ""
        raise refused(
            path, f"line {line} has more cells ({filled(row)}) than the first row ({width}), such as {quoted(row[width])}{hint}"
        )
    return row[:width]


def without_empty_columns(names: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Names and rows without the columns that have no name and no cell that is not empty."""
    kept = [at for at, name in enumerate(names) if not name.startswith(UNNAMED) or any(row[at].strip() for row in rows)]
    if len(kept) == len(names):
        return names, rows
    return [names[at] for at in kept], [[row[at] for at in kept] for row in rows]


def refuse_values_as_names(path: str, names: Sequence[str], decimal: str) -> None:
    """Raises ConfigError for a header that has numbers in it, but for 0, 1, 2, … as pandas writes them."""
    numbers = [name for name in names if is_number(name, decimal)]
    if numbers and not (len(names) > 2 and all(map(str.__eq__, names, map(str, count())))):
        columns = f"columns are then 0 to {len(names) - 1}"
        reason = f"the header has the number {quoted(numbers[0])}, so it looks like a row of values: write task.header=none"
        raise refused(path, f"{reason} ({columns}), or task.header=first if it has names")


def is_number(cell: str, decimal: str) -> bool:
    """Whether a cell is a number."""
    return bool(NUMBER.fullmatch(plain_number(cell, decimal)))


def plain_number(cell: str, decimal: str) -> str:
    """A cell as a number is written in Python, if it is a number."""
    cell = cell.strip(" \t")
    if decimal == "comma":
        return cell.replace(".", "_").replace(",", ".")
    return cell


def refuse_wrong_names(path: str, names: Sequence[str], quote: str) -> None:
    """Raises ConfigError for a name that occurs twice, and for names in quotes that were not asked for."""
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise refused(
            path, f"the header has the name {quoted(name)} twice: rename one, or write task.header=none if it has values"
        )
    for kind in ("single", "double"):
        mark = QUOTES[kind]
        if kind != quote and all(len(name) > 1 and name[0] == name[-1] == mark for name in names):
            raise refused(path, f"has names in {kind} quotes, such as {quoted(names[0])}: write task.quote={kind}")
