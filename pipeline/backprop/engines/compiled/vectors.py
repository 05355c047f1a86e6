"""Vectors of runs, and the code that computes with them.

The engine trains several runs side by side: a `Vector` holds one number of each, one run a lane. What is done with a
Vector here is not computed but written down, as LLVM's intermediate code, which becomes machine code for the processor
at hand. So ordinary Python, run once, reads like the mathematics and describes a compiled function:

    net = bias
    net = net + weight * below      # two instructions
    output = sigmoid(net)

A product is always rounded before it is added (no fused multiply-add, no reassociation: plain `fmul` and `fadd` without
flags), in every lane for itself: a lane's bits are those of `pipeline.backprop.arithmetic`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from llvmlite import ir

DOUBLE = ir.DoubleType()
INTEGER = ir.IntType(64)
POINTER = ir.PointerType()
SIGN_BIT = 1 << 63
ALIGNMENT = 64  # bytes: of every row of numbers; a vector's own size is never needed beyond it
Emitted = TypeVar("Emitted")
UNROLLED = 8  # loops of at most this number of turns are written out


class Value:
    """A value, or an address, that the emitted code computes."""

    def __init__(self, code: Code, value: ir.Value) -> None:
        self.code = code
        self.value = value


class Index(Value):
    """A whole number of the emitted code. Python's own ints are its constants."""

    def __add__(self, other: Count) -> Index:
        return Index(self.code, self.code.builder.add(self.value, self.code.integer(other)))

    def __sub__(self, other: Count) -> Index:
        return Index(self.code, self.code.builder.sub(self.value, self.code.integer(other)))

    def __mul__(self, other: Count) -> Index:
        return Index(self.code, self.code.builder.mul(self.value, self.code.integer(other)))

    def __floordiv__(self, other: Count) -> Index:
        return Index(self.code, self.code.builder.udiv(self.value, self.code.integer(other)))

    def equals(self, other: Count) -> ir.Value:
        """Whether both are the same number."""
        return self.code.builder.icmp_signed("==", self.value, self.code.integer(other))

    def below(self, other: Count) -> ir.Value:
        """Whether this is the smaller number."""
        return self.code.builder.icmp_signed("<", self.value, self.code.integer(other))

    def at_most(self, other: Count) -> Index:
        """The smaller of the two."""
        return Index(self.code, self.code.builder.select(self.below(other), self.value, self.code.integer(other)))

    __radd__ = __add__
    __rmul__ = __mul__


Count = int | Index


class Vector(Value):
    """One number for each lane."""

    def __add__(self, other: Vector | float) -> Vector:
        return Vector(self.code, self.code.builder.fadd(self.value, self.code.number(other).value))

    def __sub__(self, other: Vector | float) -> Vector:
        return Vector(self.code, self.code.builder.fsub(self.value, self.code.number(other).value))

    def __rsub__(self, other: float) -> Vector:
        return self.code.number(other) - self

    def __mul__(self, other: Vector | float) -> Vector:
        return Vector(self.code, self.code.builder.fmul(self.value, self.code.number(other).value))

    def __rmul__(self, other: float) -> Vector:
        return self.code.number(other) * self

    def __truediv__(self, other: Vector | float) -> Vector:
        return Vector(self.code, self.code.builder.fdiv(self.value, self.code.number(other).value))

    def __rtruediv__(self, other: float) -> Vector:
        return self.code.number(other) / self

    def __le__(self, other: Vector | float) -> Mask:
        """False where one of the two is NaN, as in Python."""
        return Mask(self.code, self.code.builder.fcmp_ordered("<=", self.value, self.code.number(other).value))

    def __lt__(self, other: Vector | float) -> Mask:
        return Mask(self.code, self.code.builder.fcmp_ordered("<", self.value, self.code.number(other).value))

    def __gt__(self, other: Vector | float) -> Mask:
        return Mask(self.code, self.code.builder.fcmp_ordered(">", self.value, self.code.number(other).value))

    def equals(self, other: Vector | float) -> Mask:
        """The lanes in which both are equal; NaN equals nothing."""
        return Mask(self.code, self.code.builder.fcmp_ordered("==", self.value, self.code.number(other).value))

    def __abs__(self) -> Vector:
        integers = self.code.vector_of(INTEGER)
        magnitude = ir.Constant(integers, [ir.Constant(INTEGER, SIGN_BIT - 1)] * self.code.lanes)
        bits = self.code.builder.and_(self.code.builder.bitcast(self.value, integers), magnitude)
        return Vector(self.code, self.code.builder.bitcast(bits, self.code.vector))


Body = Callable[[Count, list[Vector]], Sequence[Vector]]  # of a loop: (turn, carried) -> carried


class Mask(Value):
    """True or false for each lane."""

    def __and__(self, other: Mask) -> Mask:
        return Mask(self.code, self.code.builder.and_(self.value, other.value))

    def __or__(self, other: Mask) -> Mask:
        return Mask(self.code, self.code.builder.or_(self.value, other.value))

    def __invert__(self) -> Mask:
        return Mask(self.code, self.code.builder.not_(self.value))

    def where(self, chosen: Vector | float, otherwise: Vector | float) -> Vector:
        """`chosen` in the lanes that are true, `otherwise` in the rest."""
        values = self.code.number(chosen).value, self.code.number(otherwise).value
        return Vector(self.code, self.code.builder.select(self.value, *values))

    def any(self) -> ir.Value:
        """Whether any lane is true."""
        bits = self.code.builder.bitcast(self.value, ir.IntType(self.code.lanes))
        return self.code.builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))


class Rows(Value):
    """Memory of the emitted function in which each row holds one number for each lane; it may be part of a longer row."""

    def __init__(self, code: Code, value: ir.Value, length: int | None = None) -> None:
        super().__init__(code, value)
        self.length = length or code.lanes

    def _address(self, row: Count) -> ir.Value:
        return self.code.address(self.value, row * self.length)

    def __getitem__(self, row: Count) -> Vector:
        return Vector(self.code, self.code.builder.load(self._address(row), align=self.code.alignment, typ=self.code.vector))

    def __setitem__(self, row: Count, vector: Vector) -> None:
        self.code.builder.store(vector.value, self._address(row), align=self.code.alignment)

    def start(self, row: Count) -> Rows:
        """The rows from this one on."""
        return Rows(self.code, self._address(row), self.length)

    def part(self, code: Code, place: Count) -> Rows:
        """Of each row the part at this place, when it is divided into parts of as many lanes as `code` has."""
        return Rows(code, self.code.address(self.value, place * code.lanes), self.length)


class Numbers(Value):
    """Memory of the emitted function in which all runs have the same numbers: inputs and targets."""

    def __getitem__(self, index: Count) -> Vector:
        number = self.code.builder.load(self.code.address(self.value, index), align=8, typ=DOUBLE)
        return self.code.everywhere(number)

    def start(self, index: Count) -> Numbers:
        """The numbers from this one on."""
        return Numbers(self.code, self.code.address(self.value, index))


class Code:
    """A function that is being emitted; vectors of `lanes` runs."""

    def __init__(self, function: ir.Function, lanes: int, builder: ir.IRBuilder | None = None) -> None:
        self.function = function
        self.lanes = lanes
        self.vector = self.vector_of(DOUBLE)
        self.alignment = min(ALIGNMENT, 8 * lanes)
        self.builder = builder or ir.IRBuilder(function.append_basic_block())

    def vector_of(self, element: ir.Type) -> ir.Type:
        """The type of one such element for each lane."""
        return ir.VectorType(element, self.lanes)

    def integer(self, count: Count) -> ir.Value:
        """A whole number of the emitted code."""
        return count.value if isinstance(count, Index) else ir.Constant(INTEGER, count)

    def number(self, number: Vector | float) -> Vector:
        """A constant in all lanes, if it is not a Vector already."""
        if isinstance(number, Vector):
            return number
        return Vector(self, ir.Constant(self.vector, [ir.Constant(DOUBLE, float(number))] * self.lanes))

    def everywhere(self, number: ir.Value) -> Vector:
        """One number of the emitted code in all lanes."""
        nothing = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(self.vector_of(ir.IntType(32)), None)
        return Vector(self, self.builder.shuffle_vector(first, nothing, zeros))

    def address(self, pointer: ir.Value, index: Count) -> ir.Value:
        """The address of a number, counted in doubles from the pointer."""
        return self.builder.gep(pointer, [self.integer(index)], inbounds=True, source_etype=DOUBLE)

    def staggered(self, emitters: Sequence[Callable[[], Emitted]], behind: int) -> list[Emitted]:
        """[emit() for emit in emitters], but the instructions of each begin `behind` places behind those of the one before.

        For chains that need nothing of each other: while an instruction of one waits for its operands, others are at hand,
        and of several kinds. None may begin a new block.
        """
        instructions = self.builder.block.instructions
        first, results, places = len(instructions), [], list[int]()
        for emit in emitters:
            begin = len(instructions)
            results.append(emit())
            places += range(behind * (len(results) - 1), behind * (len(results) - 1) + len(instructions) - begin)
        order = sorted(range(len(places)), key=places.__getitem__)
        instructions[first:] = [instructions[first + place] for place in order]
        return results

    def each(self, turns: Count, body: Callable[[Count], object], step: int = 1) -> None:
        """`for i in range(0, turns, step): body(i)`."""

        def turn(index: Count, _: list[Vector]) -> Sequence[Vector]:
            body(index)
            return ()

        self.loop(turns, turn, step=step)

    def loop(self, turns: Count, body: Body, carried: Sequence[Vector] = (), step: int = 1) -> list[Vector]:
        """`for i in range(0, turns, step): carried = body(i, carried)`, short constant loops written out."""
        if isinstance(turns, int) and turns <= UNROLLED * step:
            for turn in range(0, turns, step):
                carried = body(turn, list(carried))
            return list(carried)
        with self.when(Index(self, self.integer(0)).below(turns), carried) as result:
            loop = Loop(self, carried)
            result[:] = body(loop.turn, loop.carried)
            loop.again(loop.turn + step, result, lambda turn: turn.below(turns))
        return result

    @contextmanager
    def when(self, condition: ir.Value, otherwise: Sequence[Vector] = ()) -> Iterator[list[Vector]]:
        """What is emitted within happens if the condition holds; the list holds its result, or `otherwise`."""
        before = self.builder.block
        inside, after = self.function.append_basic_block(), self.function.append_basic_block()
        self.builder.cbranch(condition, inside, after)
        self.builder.position_at_end(inside)
        result = list(otherwise)
        yield result
        inside = self.builder.block
        self.builder.branch(after)
        self.builder.position_at_end(after)
        for index, (other, value) in enumerate(zip(otherwise, result, strict=True)):
            phi = self.builder.phi(self.vector)
            phi.add_incoming(other.value, before)
            phi.add_incoming(value.value, inside)
            result[index] = Vector(self, phi)


class Loop:
    """A loop whose turns begin here, with the number of the turn and the vectors that are carried from turn to turn."""

    def __init__(self, code: Code, carried: Sequence[Vector] = ()) -> None:
        self.code = code
        before = code.builder.block
        self.head = code.function.append_basic_block()
        code.builder.branch(self.head)
        code.builder.position_at_end(self.head)
        self.turn = Index(code, code.builder.phi(INTEGER))
        self.turn.value.add_incoming(ir.Constant(INTEGER, 0), before)
        self.carried = []
        for vector in carried:
            phi = code.builder.phi(vector.value.type)
            phi.add_incoming(vector.value, before)
            self.carried.append(Vector(vector.code, phi))

    def leave(self, condition: ir.Value, leaving: Callable[[], None]) -> None:
        """Ends the function by what `leaving` emits, if the condition holds."""
        code = self.code
        out, on = code.function.append_basic_block(), code.function.append_basic_block()
        code.builder.cbranch(condition, out, on)
        code.builder.position_at_end(out)
        leaving()
        code.builder.position_at_end(on)

    def again(self, turn: Index, carried: Sequence[Vector] = (), condition: Callable[[Index], ir.Value] | None = None) -> None:
        """The next turn, always or if the condition on its number holds."""
        code = self.code
        end = code.builder.block
        self.turn.value.add_incoming(turn.value, end)
        for phi, vector in zip(self.carried, carried, strict=True):
            phi.value.add_incoming(vector.value, end)
        if condition is None:
            code.builder.branch(self.head)
        else:
            after = code.function.append_basic_block()
            code.builder.cbranch(condition(turn), self.head, after)
            code.builder.position_at_end(after)
