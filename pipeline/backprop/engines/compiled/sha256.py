"""SHA-256 of many short messages by OpenSSL's functions, called by compiled code.

Of a message of 100 bytes hashlib takes ten times as long as its hashing: copies of its objects, and results. What it hashes
by are functions of OpenSSL, which are found in the same library; a compiled loop calls them while other threads go on.
Whether they are there, and give what hashlib gives, is tried once in a process.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from pipeline.backprop.engines.compiled.machine_code import compiled
from pipeline.backprop.engines.compiled.scalars import Array, Routine
from pipeline.backprop.engines.compiled.vectors import INTEGER, POINTER

Bytes = NDArray[np.uint8]

SUM = 32  # bytes
CONTEXT = 16  # words of eight bytes for OpenSSL's SHA256_CTX, which has 14
OLDEST = 0x3000_0000  # OpenSSL 3.0: some before it end a process in FIPS mode that calls these
FUNCTIONS = ("SHA256_Init", "SHA256_Update", "SHA256_Final")  # (context), (context, bytes, count), (sum, context)
TABLE = (*FUNCTIONS, "heads", "rows", "sums", "head_count", "row_count", "row_bytes", "ends", "head", "contexts", "scratch")


@dataclass(frozen=True, slots=True)
class SumsCode:
    """The code of `sums(table)`: sums[r] of heads[head[r]] + rows[r], where head h is heads[ends[h] : ends[h + 1]]."""

    @property
    def names(self) -> tuple[str, ...]:
        """The function."""
        return ("sums",)

    @property
    def what(self) -> str:
        """What is compiled, in words."""
        return "sums of messages"

    def emit(self, module: ir.Module) -> None:
        """Writes `sums` into the module."""
        code = Routine(module, "sums")
        init, update, final, heads, rows, sums, head_count, row_count, row_bytes = (
            code.word(index, INTEGER) for index in range(TABLE.index("ends"))
        )
        ends, head, contexts, scratch = (words_at(code, TABLE.index(name)) for name in TABLE[-4:])
        with code.turns(head_count) as h:
            begun = Array(code, INTEGER, contexts.place(h * CONTEXT), lengths=[], steps=[])
            code.call_at(init, begun, gives=ir.VoidType())
            code.call_at(update, begun, heads + ends[h], ends[h + 1] - ends[h], gives=ir.VoidType())
        with code.turns(row_count) as r:
            first = head[r] * CONTEXT
            for word in range(CONTEXT):
                scratch[code.integer(word)] = contexts[first + word]
            code.call_at(update, scratch, rows + r * row_bytes, row_bytes, gives=ir.VoidType())
            code.call_at(final, sums + r * SUM, scratch, gives=ir.VoidType())
        code.give()


def words_at(code: Routine, index: int) -> Array:
    """The words of eight bytes at the address in an entry of the table."""
    return Array(code, INTEGER, code.word(index, POINTER), lengths=[], steps=[code.integer(8)])


@cache
def functions() -> tuple[int, ...] | None:
    """The addresses of OpenSSL's FUNCTIONS; None where they are not there, or are not what they are held for."""
    try:
        import _hashlib

        library = ctypes.CDLL(_hashlib.__file__)
        found = [getattr(library, name) for name in FUNCTIONS]
        version = library.OpenSSL_version_num()
    except (ImportError, AttributeError, OSError):
        return None
    if version < OLDEST:
        return None
    init, update, final = found
    message, context, digest = bytes(range(200)), np.full(2 * CONTEXT, -1), np.empty(SUM, np.uint8)
    begun = ctypes.c_void_p(context.ctypes.data)
    init(begun)
    update(begun, message, ctypes.c_size_t(len(message)))
    if (context[CONTEXT:] != -1).any():
        return None
    final(ctypes.c_void_p(digest.ctypes.data), begun)
    if digest.tobytes() != hashlib.sha256(message).digest():
        return None
    return tuple(ctypes.cast(function, ctypes.c_void_p).value or 0 for function in found)


def sums(heads: Sequence[bytes], head: NDArray[np.int64], rows: Bytes) -> Bytes | None:
    """SHA-256 (R, 32) of heads[head[r]] + rows[r] for rows (R, N); None where OpenSSL's functions are not there."""
    calls = functions()
    if calls is None:
        return None
    text, found = np.frombuffer(b"".join(heads), np.uint8), np.empty((len(rows), SUM), np.uint8)
    ends = np.concatenate([[0], np.cumsum([len(one) for one in heads])]).astype(np.int64)
    head, rows = np.ascontiguousarray(head, np.int64), np.ascontiguousarray(rows)
    contexts, scratch = np.empty(len(heads) * CONTEXT, np.int64), np.empty(CONTEXT, np.int64)
    counts = (len(heads), *rows.shape)
    pointers = [array.ctypes.data for array in (text, rows, found, ends, head, contexts, scratch)]
    table = np.array([*calls, *pointers[:3], *counts, *pointers[3:]], np.int64)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(compiled(SumsCode()).functions["sums"])(table.ctypes.data)
    return found
