"""Where the pages of a Parquet file are, what they inflate to, and how their values are written, by their own headers.

What the end of the file says of sizes need not be true, and a reader holds what the header of a page asks for. The fields have
the numbers of https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift. pyarrow tells them too, but
ends the process where some of them are damaged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.trials.tasks.parquet.thrift import struct

DATA_PAGE, DATA_PAGE_V2 = 5, 8  # fields of a PageHeader, each a struct
MOST_HEADER = 2**20  # bytes
ENCODING = {DATA_PAGE: 2, DATA_PAGE_V2: 4}  # field of that struct


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a column: the column's path, where its pages begin and end, and how many values it says that it has."""

    path: str
    start: int
    end: int
    values: int


@dataclass(frozen=True, slots=True)
class Page:
    """The bytes of a page's header, and what that says: the bytes of the page inflated, how many values, in which encoding."""

    header: int
    size: int
    values: int
    encoding: int | None


def chunks(data: bytes, footer: int) -> tuple[list[Chunk], int]:
    """The parts of all columns, by the end of the file, its FileMetaData at `footer`; and the bytes that they say they have.

    Raises ValueError where it is none.
    """
    found, size = [], 0
    for group in struct(memoryview(data)[footer:-8], 0)[0].get(4, []):
        size += whole(group, 2)
        for column in group[1]:
            metadata = column[3]
            start, dictionary = whole(metadata, 9), metadata.get(11)
            if isinstance(dictionary, int) and 0 < dictionary < start:
                start = dictionary
            path = b".".join(metadata[3]).decode()
            found.append(Chunk(path, start, start + whole(metadata, 7), whole(metadata, 5)))
    return found, size


def pages(data: bytes, chunk: Chunk) -> Iterator[Page]:
    """The pages of a part of a column. Raises ValueError where a header is none."""
    at, seen = chunk.start, 0
    while at < chunk.end and seen < chunk.values:
        header, length = struct(memoryview(data)[at : at + MOST_HEADER], 0)
        kind = next((field for field in ENCODING if field in header), None)
        inner = header[kind] if kind else {}
        number = whole(inner, 1) if kind else 0
        yield Page(length, whole(header, 2), number, inner.get(ENCODING[kind]) if kind else None)
        seen += number
        at += length + whole(header, 3)


def whole(fields: dict[int, Any], number: int) -> int:
    """A field that is a size or a number. Raises ValueError where it is none."""
    found = fields.get(number)
    if not isinstance(found, int) or found < 0:
        raise ValueError("a size is missing, or below 0")
    return found
