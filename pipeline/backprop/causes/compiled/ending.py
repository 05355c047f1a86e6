"""Where runs stand at their end: the steps of `ending.py`, in the same order, for a vector of runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import prod
from typing import Any

import numpy as np

from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.causes.compiled import curvature, tangent_kernel
from pipeline.backprop.causes.compiled.eigenvalues import scaled_down
from pipeline.backprop.causes.compiled.elementary import as_number, ldexp, log, maximum, minimum, sqrt
from pipeline.backprop.causes.compiled.layers import OF_UNITS, layers
from pipeline.backprop.causes.compiled.routine import Columns, Lowest, Routine
from pipeline.backprop.causes.ending import FLAT, NEVER, SLOPE, STRAIGHT, WRONG, Ending
from pipeline.backprop.engines.compiled.vectors import Count, Index, Mask, Numbers, Rows, Vector
from pipeline.backprop.network import Network

SUMS = ("gradient", "saturated", "total_error", "speed", "bent_step", "kernel", "bordered")  # which begin at 0


def scratch_rows(network: Network) -> dict[str, int]:
    """How many rows of memory each part takes that is always needed."""
    return {
        **dict.fromkeys(OF_UNITS, sum(network.units)),
        **dict.fromkeys(("parameters", "direction"), network.size),
        **dict.fromkeys(("rates", "root", "gradient", "scaled"), network.trained),
        **{"saturated": network.units[-1], "total_error": 1, "speed": 1},
    }


def rows_of_matrices(network: Network, rows: int) -> dict[str, int]:
    """The same of what matrices need; `rows` of the tangent kernel, 0 if it is of parameters × parameters."""
    trained, outputs, size = network.trained, network.units[-1], rows or network.trained
    return {
        "squares": outputs,
        "tangents": trained * (rows or outputs),
        "kernel": size * size,
        "bordered": (trained + 1) ** 2,
        **dict.fromkeys(("diagonal", "beside", "values", "shares", "room", "more_room"), max(trained + 1, size)),
    }


@dataclass(frozen=True, slots=True)
class Matrices:
    """The routines that `tridiagonal`, `eigenvalues` and `eigenvectors` emit."""

    reduced: Routine
    of_tridiagonal: Routine
    shares: Routine


@dataclass(frozen=True, slots=True)
class Runs:
    """What is known of the runs of one vector: columns of arrays, and the patterns that all have."""

    parameters: Columns
    learning_rate: Columns
    momentum: Columns
    inputs: Numbers
    targets: Numbers
    patterns: Index


class EndingCode(ABC):
    """Emits what finds the endings of a vector of runs; `memory` has rows of this many names and lengths, `scratch`."""

    def __init__(
        self, code: Routine, network: Network, runs: Runs, memory: Mapping[str, Rows], scratch: Mapping[str, int]
    ) -> None:
        self.code, self.network, self.runs, self.trained = code, network, runs, network.trained
        self.memory, self.scratch, self.layers = memory, scratch, layers(network, memory)
        self.parameters, self.direction = memory["parameters"], memory["direction"]

    @abstractmethod
    def pattern(self, pattern: Index) -> None:
        """Adds what a pattern adds to error, gradient and saturation, and to what else is summed over patterns."""

    @abstractmethod
    def bending(self) -> Vector:
        """(D g)ᵀ H D g."""

    @abstractmethod
    def directions(self, found: dict[str, Vector], squares: Vector) -> dict[str, Vector]:
        """What is found at once, with what is known of eigenvalues of kernel and Hessian; squares: Σ D g²."""

    def ending(self) -> dict[str, Vector]:
        """All numbers of `Ending`."""
        self.begin()
        with self.code.turns(self.runs.patterns) as pattern:
            self.pattern(pattern)
        return self.directions(*self.found_at_once())

    def begin(self) -> None:
        """Copies what belongs to the vector's runs, and sets sums to 0."""
        code, memory, runs, network = self.code, self.memory, self.runs, self.network
        with code.turns(network.size) as i:
            self.parameters[i], self.direction[i] = runs.parameters[i], code.number(0.0)
        start = 0
        for index, size in enumerate(map(prod, network.shapes[: network.layers * (2 if network.train_bias else 1)])):
            rate = runs.learning_rate[index % network.layers]
            with code.turns(start + size, start) as i:
                memory["rates"][i], memory["root"][i] = rate, sqrt(rate)
            start += size
        for name in filter(self.scratch.__contains__, SUMS):
            with code.turns(self.scratch[name]) as i:
                memory[name][i] = code.number(0.0)

    def outputs(self, pattern: Index) -> None:
        """The outputs of all units at a pattern, and the errors of the last ones."""
        code, (first, *_, last) = self.code, self.layers
        with code.turns(first.units) as u:
            first.output[u] = self.runs.inputs[pattern * first.units + u]
        curvature.forward(code, self.layers, self.parameters)
        targets = self.runs.targets.start(pattern * last.units)
        with code.turns(last.units) as u:
            last.error[u] = last.output[u] - targets[u]

    def add_gradient(self, pattern: Index) -> None:
        """Adds a pattern's error and gradient."""
        self.outputs(pattern)
        last = self.layers[-1]
        with self.code.turns(last.units) as u:
            self.memory["total_error"][0] += last.error[u] * last.error[u] * 0.5
        curvature.add_gradient(self.code, self.layers, self.parameters, self.memory["gradient"])

    def saturation(self, output: Index) -> tuple[Mask, Vector]:
        """Adds the error of an output that is wrong and flat; whether it is, and ∂E/∂(net input), without its sign."""
        last = self.layers[-1]
        difference, slope = last.error[output], last.slope[output]
        distance = abs(difference)
        wrong = (distance > WRONG.get(self.network.output_activation, np.inf)) & (slope < SLOPE)
        self.memory["saturated"][output] += wrong.where(difference * difference * 0.5, 0.0)
        return wrong, distance * slope

    def found_at_once(self) -> tuple[dict[str, Vector], Vector]:
        """What needs no eigenvalues, and Σ D g²."""
        code, memory, momentum = self.code, self.memory, self.runs.momentum[0]
        root, scaled = memory["root"], memory["scaled"]
        frozen, squares, saturated = code.variable(1.0), code.variable(0.0), code.variable(0.0)
        with code.turns(self.trained) as i:
            gradient, parameter = memory["gradient"][i], self.parameters[i]
            scaled[i] = own = root[i] * gradient
            squares.value += own * own
            still = (parameter - memory["rates"][i] * gradient).equals(parameter)
            frozen.value *= as_number(still)
        with code.turns(self.network.units[-1]) as u:
            saturated.value += memory["saturated"][u]
        error, speed = memory["total_error"][0], memory["speed"][0]
        return {
            "error": error,
            "rate": squares.value / (1.0 - momentum),
            "rho": error * 2.0 * self.bending() / (squares.value * squares.value),
            "frozen": frozen.value,
            "saturated_error": saturated.value,
            "awakening": (speed > 0.0).where((1.0 - momentum) / speed, np.inf),
        }, squares.value


class EndingByProduct(EndingCode):
    """Of a network of which one product with the Hessian is computed."""

    def pattern(self, pattern: Index) -> None:
        """Adds what a pattern adds to error, gradient and saturation."""
        self.add_gradient(pattern)
        with self.code.turns(self.layers[-1].units) as u:
            self.saturation(u)

    def bending(self) -> Vector:
        """By another pass over the patterns: the Hessian times a step, times the step."""
        code, bent = self.code, self.memory["bent_step"]
        with code.turns(self.trained) as i:
            self.direction[i] = self.memory["rates"][i] * self.memory["gradient"][i]

        def add(row: Count, term: Vector) -> None:
            bent[row] += term

        with code.turns(self.runs.patterns) as pattern:
            self.outputs(pattern)
            curvature.deltas(code, self.layers, self.parameters)
            curvature.moved_forward(code, self.layers, self.parameters, self.direction)
            curvature.moved_backward(code, self.layers, self.parameters, self.direction, add)
        total = code.variable(0.0)
        with code.turns(self.trained) as i:
            total.value += self.direction[i] * bent[i]
        return total.value

    def directions(self, found: dict[str, Vector], squares: Vector) -> dict[str, Vector]:
        """Nothing is known of eigenvalues."""
        return {field.name: self.code.number(np.nan) for field in fields(Ending)} | found


class EndingByMatrices(EndingCode):
    """Of a small network; `rows` of its tangent kernel, 0 if it is of parameters × parameters."""

    def __init__(self, *given: Any, rows: int, matrices: Matrices) -> None:
        super().__init__(*given)
        self.rows, self.matrices, self.size = rows, matrices, rows or self.trained

    def element(self, i: Count, j: Count) -> Count:
        """The row of an element of the Hessian, which has a border: a row above and a column before it, for a vector."""
        return (i + 1) * (self.trained + 1) + j + 1

    def pattern(self, pattern: Index) -> None:
        """Adds what a pattern adds to error, gradient, Hessian, tangent kernel and saturation."""
        code, memory, last = self.code, self.memory, self.layers[-1]
        self.add_gradient(pattern)
        curvature.deltas(code, self.layers, self.parameters)
        tangents = memory["tangents"].start(pattern * last.units * self.trained) if self.rows else memory["tangents"]
        with code.turns(self.trained) as column:
            self.direction[column] = code.number(1.0)
            curvature.moved_forward(code, self.layers, self.parameters, self.direction)
            with code.turns(last.units) as u:
                tangents[u * self.trained + column] = last.moved_net[u] * memory["root"][column]

            def add(row: Count, term: Vector, column: Index = column) -> None:
                memory["bordered"][self.element(row, column)] += term

            curvature.moved_backward(code, self.layers, self.parameters, self.direction, add)
            self.direction[column] = code.number(0.0)
        with code.turns(last.units) as u:
            row = tangents.start(u * self.trained)
            tangent_kernel.add_square(code, row, self.trained, memory["squares"], u)
            if not self.rows:
                tangent_kernel.add_outer(code, row, self.trained, memory["kernel"])
            wrong, push = self.saturation(u)  # how fast it moves by itself
            memory["speed"][0] = maximum(memory["speed"][0], wrong.where(memory["squares"][u] * push, 0.0))

    def bending(self) -> Vector:
        """By the Hessian, which is made symmetric and scaled."""
        code, memory = self.code, self.memory
        bordered, root, scaled = memory["bordered"], memory["root"], memory["scaled"]
        with code.turns(self.trained) as i, code.turns(i) as j:
            lower, upper = self.element(i, j), self.element(j, i)
            bordered[lower] = bordered[upper] = (bordered[lower] + bordered[upper]) * 0.5
        bending = code.variable(0.0)
        with code.turns(self.trained) as i:
            product = code.variable(0.0)
            with code.turns(self.trained) as j:
                place = self.element(i, j)
                bordered[place] = number = bordered[place] * root[j] * root[i]
                product.value += number * scaled[j]
            bending.value += scaled[i] * product.value
        return bending.value

    def steepest(self) -> Vector:
        """The largest eigenvalue of the tangent kernel."""
        code, memory, kernel, size = self.code, self.memory, self.memory["kernel"], self.size
        if self.rows:
            tangent_kernel.of_rows(code, memory["tangents"], size, self.trained, kernel)
        tangent_kernel.mirror(code, kernel, size)
        finite, exponent = scaled_down(code, kernel, size * size)
        self.diagonalise(kernel, size)
        code.call(self.matrices.of_tridiagonal, memory["diagonal"], memory["beside"], memory["values"], memory["room"], size)
        largest = code.variable(-np.inf)
        with code.turns(size) as i:
            largest.value = maximum(largest.value, ldexp(memory["values"][i], exponent))
        return finite.where(largest.value, np.nan)

    def diagonalise(self, matrix: Rows, size: int) -> None:
        """Makes a matrix tridiagonal."""
        parts = [self.memory[name] for name in ("diagonal", "beside", "room", "more_room")]
        self.code.call(self.matrices.reduced, matrix, *parts, size)

    def directions(self, found: dict[str, Vector], squares: Vector) -> dict[str, Vector]:
        """All that is found at once, and what eigenvalues of kernel and Hessian say."""
        code, rest = self.code, 1.0 - self.runs.momentum[0]
        steepest = self.steepest()
        eigenpair = self.downward()
        value, share = eigenpair(0)
        first, highest, negative = Lowest(code, value, share), code.variable(value), code.variable(share)
        with code.turns(self.trained, 1) as i:
            value, share = eigenpair(i)
            first.see(value, share)
            highest.value = maximum(highest.value, value)
            negative.value += share
        lowest, along = first.lowest, sqrt(first.mark * squares)
        folds = maximum(along.equals(0.0).where(NEVER, log(abs(lowest) / along)), 1.0)
        way = sqrt(steepest * squares) / lowest
        in_bowl = (lowest > abs(highest.value) * FLAT) & (way < STRAIGHT)
        steepest_slope = ACTIVATIONS[self.network.output_activation].steepest
        return found | {
            "k_star": steepest * steepest_slope / ((self.runs.momentum[0] + 1.0) * 2.0),
            "lambda_min": lowest,
            "lambda_max": highest.value,
            "negative_share": minimum(negative.value, 1.0),
            "escape": (lowest < 0.0).where(folds * rest / abs(lowest), np.inf),
            "above_lowest": in_bowl.where(squares * 0.5 / lowest, np.inf),
        }

    def downward(self) -> Callable[[Count], tuple[Vector, Vector]]:
        """Gives, by its number, an eigenvalue of the scaled Hessian and the share of the scaled gradient along its vector."""
        code, memory, size = self.code, self.memory, self.trained + 1
        bordered, values, shares = memory["bordered"], memory["values"], memory["shares"]
        finite, exponent = scaled_down(code, bordered, size * size)
        finite_vector, _ = scaled_down(code, memory["scaled"], self.trained)
        with code.turns(self.trained) as i:
            bordered[(i + 1) * size] = memory["scaled"][i]
        self.diagonalise(bordered, size)
        diagonal, beside = memory["diagonal"].start(1), memory["beside"].start(1)
        code.call(self.matrices.of_tridiagonal, diagonal, beside, values, memory["room"], self.trained)
        code.call(self.matrices.shares, diagonal, beside, values, shares, memory["room"], memory["more_room"], self.trained)
        known = finite & finite_vector

        def eigenpair(i: Count) -> tuple[Vector, Vector]:
            return known.where(ldexp(values[i], exponent), np.nan), known.where(shares[i], np.nan)

        return eigenpair
