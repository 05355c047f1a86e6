"""A function that is being emitted, whose loops and sums read like Python's:

with code.turns(size) as i:             # for i in range(size):
    total.value += row[i] * row[i]      #     total += row[i] * row[i]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llvmlite import ir

from pipeline.backprop.engines.compiled.vectors import DOUBLE, INTEGER, POINTER, Code, Count, Index, Mask, Rows, Value, Vector


class Routine(Code):
    """A function of pointers and whole numbers that gives nothing, with vectors of `lanes` runs."""

    def __init__(self, module: ir.Module, name: str, lanes: int, pointers: int, integers: int) -> None:
        kind = ir.FunctionType(ir.VoidType(), [POINTER] * pointers + [INTEGER] * integers)
        super().__init__(ir.Function(module, kind, name), lanes)
        self.module = module
        self.pointers = list(self.function.args[:pointers])
        self.integers = [Index(self, value) for value in self.function.args[pointers:]]

    def inner(self) -> list[Rows]:
        """Its pointers as rows of one number for each lane, none of which overlap; nobody else calls it."""
        self.function.linkage = "internal"
        for pointer in self.pointers:
            pointer.add_attribute("noalias")
        return [Rows(self, pointer) for pointer in self.pointers]

    def index(self, number: Count) -> Index:
        """A whole number of the emitted code."""
        return Index(self, self.integer(number))

    @contextmanager
    def turns(self, count: Count, start: Count = 0, going_on: Callable[[], Mask] | None = None) -> Iterator[Index]:
        """`for index in range(start, count):`, as long as `going_on` holds in any lane."""
        place = self._place(self.index(start))
        head, inside, after = (self.function.append_basic_block() for _ in range(3))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        index = Index(self, self.builder.load(place, typ=INTEGER))
        condition = index.below(count)
        if going_on:
            condition = self.builder.and_(condition, going_on().any())
        self.builder.cbranch(condition, inside, after)
        self.builder.position_at_end(inside)
        yield index
        self.builder.store((index + 1).value, place)
        self.builder.branch(head)
        self.builder.position_at_end(after)

    def _place(self, start: Value) -> ir.Value:
        """Where a value that changes is kept: in a register, if LLVM finds one."""
        with self.builder.goto_entry_block():
            place = self.builder.alloca(start.value.type)
        self.builder.store(start.value, place)
        return place

    def variable(self, start: Vector | float) -> Variable:
        """A vector that changes, first this one."""
        vector = self.number(start)
        return Variable(self, self._place(vector))

    def everywhere_index(self, index: Index) -> Vector:
        """A whole number as a vector."""
        return self.everywhere(self.builder.sitofp(index.value, DOUBLE))

    def call(self, routine: Routine, *arguments: Rows | Count) -> None:
        """Calls another routine."""
        values = [argument.value if isinstance(argument, Value) else self.integer(argument) for argument in arguments]
        self.builder.call(routine.function, values)


class Variable:
    """A vector of the emitted code that changes."""

    def __init__(self, code: Routine, place: ir.Value) -> None:
        self.code = code
        self.place = place

    @property
    def value(self) -> Vector:
        """What it is now."""
        return Vector(self.code, self.code.builder.load(self.place, typ=self.code.vector))

    @value.setter
    def value(self, new: Vector) -> None:
        self.code.builder.store(new.value, self.place)


class Columns(Value):
    """Memory of the emitted function that is a NumPy array (rows, R): of each row the numbers of the runs from `start` on."""

    def __init__(self, code: Routine, pointer: ir.Value, runs: Index, start: Index) -> None:
        super().__init__(code, code.address(pointer, start))
        self.runs = runs

    def _address(self, row: Count) -> ir.Value:
        return self.code.address(self.value, self.runs * row)

    def __getitem__(self, row: Count) -> Vector:
        return Vector(self.code, self.code.builder.load(self._address(row), align=8, typ=self.code.vector))

    def __setitem__(self, row: Count, vector: Vector) -> None:
        self.code.builder.store(vector.value, self._address(row), align=8)


class Lowest:
    """The lowest of some vectors, lane by lane, the first of equal ones, and its mark; NaN is lower than any number."""

    def __init__(self, code: Routine, first: Vector, mark: Vector | float) -> None:
        self._lowest, self._mark = code.variable(first), code.variable(mark)

    @property
    def lowest(self) -> Vector:
        """The lowest so far."""
        return self._lowest.value

    @property
    def mark(self) -> Vector:
        """Its mark."""
        return self._mark.value

    def see(self, vector: Vector, mark: Vector | float) -> None:
        """The next one."""
        better = (vector < self.lowest) | (~vector.equals(vector) & self.lowest.equals(self.lowest))
        self._mark.value = better.where(mark, self.mark)
        self._lowest.value = better.where(vector, self.lowest)
