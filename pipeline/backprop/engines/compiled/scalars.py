"""Single numbers, arrays and decisions: what `vectors` is for the arithmetic of runs, for what happens around it.

Code here is written down as LLVM's intermediate code too, and reads like the Python that it stands for:

    with code.turns(width) as lane:             # for lane in range(width):
        with code.when(training[lane] < 0):     #     if training[lane] < 0:
            epoch[lane] += 1                    #         epoch[lane] += 1
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from llvmlite import ir

from pipeline.backprop.engines.compiled.vectors import DOUBLE, INTEGER, POINTER

BYTE = ir.IntType(8)


class Condition:
    """Whether something holds when the emitted code runs."""

    def __init__(self, code: Routine, value: ir.Value) -> None:
        self.code = code
        self.value = value

    def __and__(self, other: Condition) -> Condition:
        return Condition(self.code, self.code.builder.and_(self.value, other.value))

    def __invert__(self) -> Condition:
        return Condition(self.code, self.code.builder.not_(self.value))

    def where(self, chosen: S, otherwise: S) -> S:
        """`chosen` if it holds, else `otherwise`."""
        return type(chosen)(self.code, self.code.builder.select(self.value, chosen.value, otherwise.value))


class Scalar:
    """A number of the emitted code. Python's own numbers are its constants."""

    kind: ir.Type
    comparison: str  # LLVM's instruction

    def __init__(self, code: Routine, value: ir.Value) -> None:
        self.code = code
        self.value = value

    def _with(self, instruction: str, other: Self | float) -> Self:
        operation = getattr(self.code.builder, instruction)
        return type(self)(self.code, operation(self.value, self.code.constant(other, self.kind)))

    def _compared(self, relation: str, other: Self | float) -> Condition:
        compare = getattr(self.code.builder, self.comparison)
        return Condition(self.code, compare(relation, self.value, self.code.constant(other, self.kind)))

    def __lt__(self, other: Self | float) -> Condition:
        return self._compared("<", other)

    def __le__(self, other: Self | float) -> Condition:
        return self._compared("<=", other)

    def __gt__(self, other: Self | float) -> Condition:
        return self._compared(">", other)

    def __ge__(self, other: Self | float) -> Condition:
        return self._compared(">=", other)

    def equals(self, other: Self | float) -> Condition:
        """Whether both are the same number."""
        return self._compared("==", other)


class Integer(Scalar):
    """A whole number, of 64 bits."""

    kind, comparison = INTEGER, "icmp_signed"

    def __add__(self, other: Integer | int) -> Integer:
        return self._with("add", other)

    def __sub__(self, other: Integer | int) -> Integer:
        return self._with("sub", other)

    def __mul__(self, other: Integer | int) -> Integer:
        return self._with("mul", other)


class Number(Scalar):
    """A double. Comparisons with NaN are false."""

    kind, comparison = DOUBLE, "fcmp_ordered"

    def __add__(self, other: Number | float) -> Number:
        return self._with("fadd", other)

    def __mul__(self, other: Number | float) -> Number:
        return self._with("fmul", other)

    def __truediv__(self, other: Number | float) -> Number:
        return self._with("fdiv", other)

    def __abs__(self) -> Number:
        absolute = self.code.module.declare_intrinsic("llvm.fabs", [DOUBLE])
        return Number(self.code, self.code.builder.call(absolute, [self.value]))


S = TypeVar("S", bound=Scalar)


class Variable:
    """A number of the emitted code that changes."""

    def __init__(self, code: Routine, start: Any, kind: ir.Type) -> None:
        self.code, self.kind = code, kind
        with code.builder.goto_entry_block():
            self.place = code.builder.alloca(kind)
        self.value = start

    @property
    def value(self) -> Any:
        """What it is now."""
        return self.code.scalar(self.code.builder.load(self.place, typ=self.kind))

    @value.setter
    def value(self, new: Any) -> None:
        self.code.builder.store(self.code.constant(new, self.kind), self.place)


class Array:
    """Numbers in memory, in one or two dimensions: entry (i, j) is at `address` + i × steps[0] + j × steps[1] bytes."""

    def __init__(self, code: Routine, kind: ir.Type, address: ir.Value, lengths: list[Integer], steps: list[Integer]) -> None:
        self.code, self.kind, self.address, self.lengths, self.steps = code, kind, address, lengths, steps

    def place(self, index: Any) -> ir.Value:
        """The address of an entry."""
        indices = index if isinstance(index, tuple) else (index,)
        address = self.address
        for number, step in zip(indices, self.steps, strict=True):
            address = self.code.builder.gep(address, [(step * number).value], source_etype=BYTE)
        return address

    def __getitem__(self, index: Any) -> Any:
        return self.code.scalar(self.code.builder.load(self.place(index), typ=self.kind))

    def __setitem__(self, index: Any, number: Any) -> None:
        value = self.code.constant(number, INTEGER if self.kind == BYTE else self.kind)
        if self.kind == BYTE:
            value = self.code.builder.trunc(value, BYTE)
        self.code.builder.store(value, self.place(index))

    def take(self, index: int) -> Integer:
        """An entry before it is raised by one, for one thread at a time."""
        one = ir.Constant(INTEGER, 1)
        return Integer(self.code, self.code.builder.atomic_rmw("add", self.place(index), one, "monotonic"))


class Routine:
    """A function that is being emitted, with a `table` and whole numbers as arguments; it gives one number or nothing."""

    def __init__(self, module: ir.Module, name: str, integers: int = 0, gives: ir.Type | None = None) -> None:
        kind = ir.FunctionType(gives or ir.VoidType(), [POINTER] + [INTEGER] * integers)
        self.module = module
        self.function = ir.Function(module, kind, name)
        self.table, *rest = self.function.args
        self.arguments = [Integer(self, value) for value in rest]
        self.builder = ir.IRBuilder(self.function.append_basic_block())

    def constant(self, number: Any, kind: ir.Type) -> ir.Value:
        """A number of the emitted code, or one of Python's as its constant."""
        return number.value if isinstance(number, Scalar) else ir.Constant(kind, number)

    def scalar(self, value: ir.Value) -> Any:
        """A value of the emitted code as what it is."""
        return (Number if value.type == DOUBLE else Integer)(self, value)

    def integer(self, number: int) -> Integer:
        """A constant."""
        return Integer(self, ir.Constant(INTEGER, number))

    def number(self, number: float) -> Number:
        """A constant."""
        return Number(self, ir.Constant(DOUBLE, number))

    def word(self, index: int, kind: ir.Type) -> Any:
        """An entry of the table, of eight bytes; the table never changes while the code runs."""
        place = self.builder.gep(self.table, [ir.Constant(INTEGER, index)], inbounds=True, source_etype=INTEGER)
        loaded = self.builder.load(place, typ=kind)
        loaded.set_metadata("invariant.load", self.module.add_metadata([]))
        return loaded if kind == POINTER else self.scalar(loaded)

    def call(self, routine: Routine, *arguments: Integer) -> Any:
        """Calls another routine with the same table."""
        return self.scalar(self.builder.call(routine.function, [self.table, *(argument.value for argument in arguments)]))

    def call_at(self, address: Integer, *arguments: Array | Integer, gives: ir.Type) -> Any:
        """Calls the function at this address, with arrays' own addresses and whole numbers."""
        values = [argument.address if isinstance(argument, Array) else argument.value for argument in arguments]
        kind = ir.FunctionType(gives, [value.type for value in values])
        function = self.builder.inttoptr(address.value, kind.as_pointer())
        return self.scalar(self.builder.call(function, values))

    def give(self, result: Scalar | None = None) -> None:
        """`return result`."""
        if result is None:
            self.builder.ret_void()
        else:
            self.builder.ret(result.value)

    @contextmanager
    def when(self, condition: Condition) -> Iterator[None]:
        """`if condition:`."""
        inside, after = self.function.append_basic_block(), self.function.append_basic_block()
        self.builder.cbranch(condition.value, inside, after)
        self.builder.position_at_end(inside)
        yield
        if not self.builder.block.is_terminated:
            self.builder.branch(after)
        self.builder.position_at_end(after)

    def give_if(self, condition: Condition, result: Scalar | None = None) -> None:
        """`if condition: return result`."""
        with self.when(condition):
            self.give(result)

    @contextmanager
    def repeat(self, condition: Callable[[], Condition] | None = None) -> Iterator[None]:
        """`while condition:`, or `while True:`, which only returning ends."""
        head = self.function.append_basic_block()
        self.builder.branch(head)
        self.builder.position_at_end(head)
        if condition is None:
            yield
            self.builder.branch(head)
        else:
            with self.when(condition()):
                yield
                self.builder.branch(head)

    @contextmanager
    def turns(self, count: Integer) -> Iterator[Integer]:
        """`for index in range(count):`."""
        index = Variable(self, 0, INTEGER)
        with self.repeat(lambda: index.value < count):
            yield index.value
            index.value += 1
