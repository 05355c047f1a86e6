"""SHA-256 of many messages of one length (FIPS 180-4), one in each lane of a vector.

Of a message of 100 bytes hashlib takes 0.3 µs, most of them around the hashing; this takes a twelfth of that where vectors
have 512 bits. `hashlib` is what it must equal.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from pipeline.backprop.engines.compiled.machine_code import compiled
from pipeline.backprop.engines.compiled.scalars import BYTE
from pipeline.backprop.engines.compiled.vectors import INTEGER, POINTER

Bytes = NDArray[np.uint8]

NAME = "sha256"
LANES = 16  # more than most processors have in a vector: LLVM takes several then
BLOCK, SUM, LENGTH = 64, 32, 8  # bytes of a block, of a sum, and of a message's length after it
ROUNDS, STATE = 64, 8
WORD = ir.IntType(32)
WORDS = ir.VectorType(WORD, LANES)


def root_fraction(number: int, root: int) -> int:
    """The first 32 bits of the fraction of a square or cubic root."""
    found = 0
    for bit in reversed(range(40)):
        if (found | 1 << bit) ** root <= number << 32 * root:
            found |= 1 << bit
    return found % 2**32


PRIMES = [number for number in range(2, 312) if all(number % below for below in range(2, number))]
CONSTANTS = [root_fraction(prime, 3) for prime in PRIMES[:ROUNDS]]
START = np.array([root_fraction(prime, 2) for prime in PRIMES[:STATE]], np.uint32)


def sums(messages: Bytes, prefix: bytes = b"") -> Bytes:
    """SHA-256 (R, 32) of each of the messages (R, W), each after the prefix."""
    runs, width = messages.shape
    ahead = len(prefix) // BLOCK * BLOCK
    start = START if not ahead else after(prefix[:ahead])
    rest = np.frombuffer(prefix[ahead:], np.uint8)
    blocks = -(-(len(rest) + width + 1 + LENGTH) // BLOCK)
    padded = np.zeros((-(-runs // LANES) * LANES, blocks * BLOCK), np.uint8)
    padded[:runs, : len(rest)] = rest
    padded[:runs, len(rest) : len(rest) + width] = messages
    padded[:runs, len(rest) + width] = 0x80
    padded[:runs, -LENGTH:] = np.array([8 * (len(prefix) + width)], ">u8").view(np.uint8)
    return states(start, padded)[:runs]


def after(whole: bytes) -> NDArray[np.uint32]:
    """The state (8,) after whole blocks."""
    state: NDArray[np.uint32] = (
        states(START, np.tile(np.frombuffer(whole, np.uint8), (LANES, 1)))[0].view(">u4").astype(np.uint32)
    )
    return state


def states(start: NDArray[np.uint32], padded: Bytes) -> Bytes:
    """The states (R, 32), as they are written, after the blocks of each row, (R, 64 B), R a multiple of LANES."""
    found = np.empty((len(padded), SUM), np.uint8)
    addresses = (array.ctypes.data for array in (start, padded, found))
    routine()(*addresses, len(padded) // LANES, padded.shape[1] // BLOCK)
    return found


@dataclass(frozen=True, slots=True)
class Routine:
    """The compiled function: addresses of a state, blocks and sums; the number of groups, and of blocks of each message."""

    names: tuple[str, ...] = (NAME,)
    what: str = "SHA-256"

    def emit(self, module: ir.Module) -> None:
        """Writes the function into the module."""
        emit(module)


@cache
def routine() -> Any:
    """The compiled function, from the cache or compiled now."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_int64, ctypes.c_int64)(compiled(Routine()).functions[NAME])


class Lanes:
    """Operations on vectors of words that are being emitted."""

    def __init__(self, module: ir.Module, builder: ir.IRBuilder) -> None:
        self.builder = builder
        name = f"v{LANES}i32"
        self.shift = ir.Function(module, ir.FunctionType(WORDS, [WORDS] * 3), f"llvm.fshr.{name}")
        self.swap = ir.Function(module, ir.FunctionType(WORDS, [WORDS]), f"llvm.bswap.{name}")

    def constant(self, number: int) -> ir.Constant:
        """The same word in all lanes."""
        return ir.Constant(WORDS, [number] * LANES)

    def sum(self, first: ir.Value, *others: ir.Value) -> ir.Value:
        """The sum modulo 2^32."""
        for other in others:
            first = self.builder.add(first, other)
        return first

    def turned(self, word: ir.Value, *bits: int, shifted: int | None = None) -> ir.Value:
        """The word rotated right by each of these numbers of bits, and shifted; exclusive or of all."""
        parts = [self.builder.call(self.shift, [word, word, self.constant(number)]) for number in bits]
        if shifted is not None:
            parts.append(self.builder.lshr(word, self.constant(shifted)))
        whole = parts[0]
        for part in parts[1:]:
            whole = self.builder.xor(whole, part)
        return whole

    def swapped(self, words: list[ir.Value]) -> list[ir.Value]:
        """The words with their bytes in the other order."""
        return [self.builder.call(self.swap, [word]) for word in words]

    def transposed(self, rows: list[ir.Value]) -> list[ir.Value]:
        """The columns of LANES rows: four times each row of the upper half and its partner are zipped."""
        kind, half = ir.VectorType(WORD, LANES), LANES // 2
        halves = [
            ir.Constant(kind, [one for lane in range(start, start + half) for one in (lane, LANES + lane)])
            for start in (0, half)
        ]
        for _ in range(LANES.bit_length() - 1):
            pairs = zip(rows[:half], rows[half:], strict=True)
            rows = [self.builder.shuffle_vector(*pair, lanes) for pair in pairs for lanes in halves]
        return rows


def emit(module: ir.Module) -> None:
    """Writes the function down."""
    kind = ir.FunctionType(ir.VoidType(), [POINTER] * 3 + [INTEGER] * 2)
    function = ir.Function(module, kind, NAME)
    start, padded, found, groups, blocks = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    lanes = Lanes(module, builder)

    def at(address: ir.Value, *factors: ir.Value | int) -> ir.Value:
        """The address after a product of bytes."""
        offset: ir.Value = ir.Constant(INTEGER, 1)
        for factor in factors:
            offset = builder.mul(offset, ir.Constant(INTEGER, factor) if isinstance(factor, int) else factor)
        return builder.gep(address, [offset], source_etype=BYTE)

    nothing = ir.Constant(WORDS, ir.Undefined)
    first = [
        builder.insert_element(nothing, builder.load(at(start, 4 * i), typ=WORD), ir.Constant(INTEGER, 0)) for i in range(STATE)
    ]
    first = [builder.shuffle_vector(one, nothing, lanes.constant(0)) for one in first]
    entry = builder.block
    each_group, each_block, next_group, end = (function.append_basic_block() for _ in range(4))
    builder.branch(each_group)

    builder.position_at_end(each_group)
    group = builder.phi(INTEGER)
    group.add_incoming(ir.Constant(INTEGER, 0), entry)
    inside = function.append_basic_block()
    builder.cbranch(builder.icmp_signed("<", group, groups), inside, end)
    builder.position_at_end(inside)
    here = at(padded, group, LANES * BLOCK, blocks)
    builder.branch(each_block)

    builder.position_at_end(each_block)
    block = builder.phi(INTEGER)
    state = [builder.phi(WORDS) for _ in range(STATE)]
    place = at(here, block, BLOCK)
    rows = [builder.load(at(place, lane * BLOCK, blocks), typ=WORDS, align=4) for lane in range(LANES)]
    after = compressed(lanes, state, lanes.swapped(lanes.transposed(rows)))
    following = builder.add(block, ir.Constant(INTEGER, 1))
    for phi, begun, gone_on in zip([block, *state], [ir.Constant(INTEGER, 0), *first], [following, *after], strict=True):
        phi.add_incoming(begun, inside)
        phi.add_incoming(gone_on, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, blocks), each_block, next_group)

    builder.position_at_end(next_group)
    there = at(found, group, LANES * SUM)
    own = ir.Constant(ir.VectorType(WORD, STATE), list(range(STATE)))
    for lane, row in enumerate(lanes.transposed([*lanes.swapped(after), *[nothing] * (LANES - STATE)])):
        builder.store(builder.shuffle_vector(row, nothing, own), at(there, lane * SUM), align=4)
    group.add_incoming(builder.add(group, ir.Constant(INTEGER, 1)), builder.block)
    builder.branch(each_group)

    builder.position_at_end(end)
    builder.ret_void()


def compressed(lanes: Lanes, state: list[ir.Value], words: list[ir.Value]) -> list[ir.Value]:
    """The state after a block of 16 words (section 6.2.2)."""
    both, either, differ = lanes.builder.and_, lanes.builder.or_, lanes.builder.xor
    words = words.copy()
    a, b, c, d, e, f, g, h = state
    for number, constant in enumerate(CONSTANTS):
        if number >= len(words):
            earlier, later = lanes.turned(words[-15], 7, 18, shifted=3), lanes.turned(words[-2], 17, 19, shifted=10)
            words.append(lanes.sum(words[-16], earlier, words[-7], later))
        chosen = differ(both(e, differ(f, g)), g)
        majority = either(both(a, b), both(c, either(a, b)))
        one = lanes.sum(h, lanes.turned(e, 6, 11, 25), chosen, lanes.constant(constant), words[number])
        two = lanes.sum(lanes.turned(a, 2, 13, 22), majority)
        a, b, c, d, e, f, g, h = lanes.sum(one, two), a, b, c, lanes.sum(d, one), e, f, g
    return [lanes.sum(before, now) for before, now in zip(state, (a, b, c, d, e, f, g, h), strict=True)]
