"""The pages of a Parquet file, by their own headers: what they inflate to, and how their values are written.

A page header is a struct in Thrift's compact protocol (https://github.com/apache/parquet-format, `PageHeader`): what the end of
the file says of sizes need not be true, and a reader holds what the header of a page asks for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

DATA_PAGE, DATA_PAGE_V2 = 5, 8  # fields of a PageHeader, each a struct
ENCODING = {DATA_PAGE: 2, DATA_PAGE_V2: 4}  # field of that struct
MOST_DEPTH = 8
TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
INTEGERS = (4, 5, 6)


@dataclass(frozen=True, slots=True)
class Page:
    """The bytes that a page inflates to, the number of its values, and that of their encoding, or None; as its header says."""

    size: int
    values: int
    encoding: int | None


def pages(data: bytes, start: int, end: int, values: int) -> Iterator[Page]:
    """The pages of a column chunk of so many values. Raises ValueError where a header is none."""
    seen = 0
    while start < end and seen < values:
        header, start = struct(data, start)
        size, compressed = header.get(2), header.get(3)
        if not (isinstance(size, int) and isinstance(compressed, int) and size >= 0 and compressed >= 0):
            raise ValueError("a page has no size")
        kind = next((field for field in ENCODING if isinstance(header.get(field), dict)), None)
        inner = header[kind] if kind else {}
        number = inner.get(1, 0)
        yield Page(size, number, inner.get(ENCODING[kind]) if kind else None)
        seen += max(0, number)
        start += compressed


def struct(data: bytes, at: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    """The fields of a struct that begins there, by their number, and where it ends."""
    if depth > MOST_DEPTH:
        raise ValueError("too deep")
    fields: dict[int, Any] = {}
    number = 0
    while (head := byte(data, at)) != 0:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = integer(data, at)
        fields[number], at = value(data, at, head & 15, depth)
    return fields, at + 1


def value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    """The value of a field, and where it ends; of texts, lists and maps only that it is one."""
    if kind in (TRUE, FALSE):
        return kind == TRUE, at
    if kind == BYTE:
        return byte(data, at), at + 1
    if kind in INTEGERS:
        return integer(data, at)
    if kind == DOUBLE:
        return None, at + 8
    if kind == BINARY:
        length, at = varint(data, at)
        return None, at + length
    if kind == STRUCT:
        return struct(data, at, depth + 1)
    raise ValueError("a list or a map, which no page header has")


def byte(data: bytes, at: int) -> int:
    """The byte there."""
    if not 0 <= at < len(data):
        raise ValueError("it ends too early")
    return data[at]


def varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned integer of 7 bits a byte, lowest first, and where it ends."""
    number = shift = 0
    while True:
        part = byte(data, at)
        number |= (part & 127) << shift
        at += 1
        shift += 7
        if part < 128:
            return number, at
        if shift > 63:
            raise ValueError("a number is too long")


def integer(data: bytes, at: int) -> tuple[int, int]:
    """A signed integer, written as 0, −1, 1, −2, … (zigzag), and where it ends."""
    number, at = varint(data, at)
    return (number >> 1) ^ -(number & 1), at
