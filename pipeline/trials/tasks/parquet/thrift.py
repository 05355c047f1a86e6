"""Structs in Thrift's compact protocol, in which Parquet writes what it says of a file and of its pages.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from typing import Any

MOST_DEPTH = 16
TRUE, FALSE, BYTE, DOUBLE, BINARY, STRUCT = 1, 2, 3, 7, 8, 12
INTEGERS, LISTS = (4, 5, 6), (9, 10)  # lists and sets
LONG = 15  # in place of the length of a list that is written by itself


def struct(data: memoryview, at: int, depth: int = 0) -> tuple[dict[int, Any], int]:
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


def value(data: memoryview, at: int, kind: int, depth: int) -> tuple[Any, int]:
    """The value of a field, and where it ends; None of a float."""
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
        return data[at : at + length], at + length
    if kind in LISTS:
        return elements(data, at, depth)
    if kind == STRUCT:
        return struct(data, at, depth + 1)
    raise ValueError("a field is of no type that Parquet has")


def elements(data: memoryview, at: int, depth: int) -> tuple[list[Any], int]:
    """The elements of a list, and where it ends."""
    head, at = byte(data, at), at + 1
    number, kind = head >> 4, head & 15
    if number == LONG:
        number, at = varint(data, at)
    found = []
    for _ in range(number):
        if kind in (TRUE, FALSE):  # each a byte, and no less
            one, at = byte(data, at) == TRUE, at + 1
        else:
            one, at = value(data, at, kind, depth + 1)
        found.append(one)
    return found, at


def byte(data: memoryview, at: int) -> int:
    """The byte there."""
    if not 0 <= at < len(data):
        raise ValueError("it ends too early")
    return data[at]


def varint(data: memoryview, at: int) -> tuple[int, int]:
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


def integer(data: memoryview, at: int) -> tuple[int, int]:
    """A signed integer, written as 0, −1, 1, −2, … (zigzag), and where it ends."""
    number, at = varint(data, at)
    return (number >> 1) ^ -(number & 1), at
