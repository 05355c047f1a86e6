"""The tangent kernel of the outputs' net inputs: the steps of `tangent_kernel.py`, in the same order.

K = Σ D ∂net/∂w ∂net'/∂w over patterns and outputs: element (i, j) is row i · size + j of `whole`. Of ∂net/∂w, scaled by D^½,
element (i, p) is row i · trained + p of `rows`: i is an output of a pattern if K is that of rows, else of the pattern at hand.
"""

from __future__ import annotations

from pipeline.backprop.causes.compiled.routine import Routine
from pipeline.backprop.engines.compiled.vectors import Count, Rows


def add_square(code: Routine, row: Rows, trained: int, squares: Rows, output: Count) -> None:
    """Σ D (∂net/∂w)² of an output at one pattern."""
    total = code.variable(0.0)
    with code.turns(trained) as p:
        total.value += row[p] * row[p]
    squares[output] = total.value


def add_outer(code: Routine, row: Rows, trained: int, whole: Rows) -> None:
    """Adds an output's part to the lower half of K, parameters × parameters."""
    with code.turns(trained) as i, code.turns(i + 1) as j:
        element = i * trained + j
        whole[element] += row[i] * row[j]


def of_rows(code: Routine, rows: Rows, size: int, trained: int, whole: Rows) -> None:
    """The lower half of K, of the products of all rows."""
    with code.turns(size) as i, code.turns(i + 1) as j:
        total = code.variable(0.0)
        with code.turns(trained) as p:
            total.value += rows[i * trained + p] * rows[j * trained + p]
        whole[i * size + j] = total.value


def mirror(code: Routine, whole: Rows, size: int) -> None:
    """The upper half."""
    with code.turns(size) as i, code.turns(i) as j:
        whole[j * size + i] = whole[i * size + j]
