"""Emitted numbers, arrays and decisions do what the Python does that they read like; no array is misread."""

import ctypes
import math

import numpy as np
import pytest

from pipeline.backprop.engines.compiled import lanes, machine_code
from pipeline.backprop.engines.compiled.scalars import BYTE, Array, Routine, Variable
from pipeline.backprop.engines.compiled.vectors import DOUBLE, INTEGER, POINTER


def linked(code: Routine, gives: object) -> tuple[object, object]:
    """The emitted function `run(table, argument)`, and what keeps it alive."""
    owner, [address] = machine_code.link(machine_code.machine_code(code.module), ("run",))
    return ctypes.CFUNCTYPE(gives, ctypes.c_void_p, ctypes.c_int64)(address), owner


def array_of(code: Routine, first: int, kind: object, dimensions: int) -> Array:
    """An array that is described in the table from this word on: its address, then its steps in bytes."""
    steps = [code.word(first + 1 + dimension, INTEGER) for dimension in range(dimensions)]
    return Array(code, kind, code.word(first, POINTER), [], steps)


def collatz(number: int) -> int:
    steps = 0
    while number > 1:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        steps += 1
    return steps


def test_loops_and_decisions_are_those_of_python() -> None:
    code = Routine(machine_code.new_module(), "run", 1, gives=INTEGER)
    number, steps = Variable(code, code.arguments[0], INTEGER), Variable(code, 0, INTEGER)
    code.give_if(number.value < 0, code.integer(-1))
    with code.repeat(lambda: number.value > 1):
        half = Variable(code, 0, INTEGER)
        with code.repeat(lambda: half.value * 2 + 1 < number.value):
            half.value += 1
        number.value = (half.value * 2).equals(number.value).where(half.value, number.value * 3 + 1)
        steps.value += 1
    code.give(steps.value)
    run, _owner = linked(code, ctypes.c_int64)
    assert [run(None, n) for n in range(-1, 20)] == [-1, *(collatz(n) for n in range(20))]


def test_arrays_are_read_and_written_by_their_steps() -> None:
    code = Routine(machine_code.new_module(), "run", 1)
    source, into, flags = array_of(code, 0, DOUBLE, 2), array_of(code, 3, DOUBLE, 2), array_of(code, 6, BYTE, 1)
    with code.turns(code.arguments[0]) as row:
        with code.turns(code.integer(3)) as column:
            into[column, row] = abs(source[row, column]) / 2.0
        with code.when((source[row, 0] > 0.0) & ~(source[row, 1] >= source[row, 2])):
            flags[row] = row + 3
    code.give()
    run, _owner = linked(code, None)
    numbers = np.array([[1.0, 2.0, 3.0], [-1.0, math.nan, -0.0], [5.0, math.nan, 1.0], [4.0, 1.0, 1.0]])
    source_of = np.asfortranarray(np.repeat(numbers, 2, axis=1))[:, ::2]
    into_of, flags_of = np.zeros((4, 4)).T[:3], np.full(8, -1, np.int8)[::2]
    arrays = (source_of, into_of, flags_of)
    table = np.array([word for array in arrays for word in (array.ctypes.data, *array.strides)], np.int64)
    run(table.ctypes.data, 4)
    np.testing.assert_array_equal(into_of, np.abs(numbers.T) / 2)
    assert flags_of.tolist() == [3, -1, 5, -1]


@pytest.mark.parametrize("wrong", [np.zeros(3, np.float32), np.zeros((3, 1)), np.zeros(25, np.int8)[1:].view(np.float64)])
def test_an_array_that_the_lanes_would_misread_is_refused(wrong: np.ndarray) -> None:
    entries: dict[str, object] = {}
    for name, (kind, dimensions) in lanes.ENTRIES.items():
        entries[name] = np.zeros((2,) * dimensions, lanes.TYPES[kind]) if dimensions else 0
    assert lanes.table(entries).shape == (len(lanes.ENTRIES), lanes.WORDS)
    with pytest.raises(TypeError, match="momentum: "):
        lanes.table(entries | {"momentum": wrong})
