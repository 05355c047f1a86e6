"""The shape of error curves: the steps of `curve_shape.py`, in the same order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.backprop.causes.compiled.elementary import as_number, log, minimum
from pipeline.backprop.causes.compiled.routine import Columns, Routine
from pipeline.backprop.causes.curve_shape import FEWEST
from pipeline.backprop.engines.compiled.vectors import Count, Index, Numbers, Rows, Vector


@dataclass(frozen=True, slots=True)
class Curves:
    """Curves in memory: errors at their points, epochs of each interval, and the bounds of the parts that are looked at."""

    errors: Columns
    spans: Numbers
    points: Index
    late: Index
    last_half: Index
    middle: Index
    after_middle: Index
    end: Index

    def fall(self, interval: Count) -> Vector:
        """The error that fell in an interval."""
        return self.errors[interval] - self.errors[interval + 1]

    def rate(self, interval: Count) -> Vector:
        """The same per epoch."""
        return self.fall(interval) / self.spans[interval]


def shape(code: Routine, curves: Curves, x: Rows, y: Rows, used: Rows) -> dict[str, Vector]:
    """All numbers of `CurveShape`; x, y and used are room for a row for each late interval."""
    intervals = curves.points - 1
    rises = code.variable(0.0)
    with code.turns(intervals, curves.last_half) as i:
        rises.value += as_number(curves.fall(i) < 0.0)
    end, middle = lowest(code, curves, curves.end, curves.points), lowest(code, curves, curves.middle, curves.after_middle)
    return {
        "last_rate": curves.rate(intervals - 1),
        "rises": rises.value,
        "rho": slope(code, curves, x, y, used),
        "trend": end / middle,
    }


def lowest(code: Routine, curves: Curves, start: Index, stop: Index) -> Vector:
    """The lowest error of a part; NaN if one is."""
    error = code.variable(curves.errors[start])
    with code.turns(stop, start + 1) as point:
        error.value = minimum(error.value, curves.errors[point])
    return error.value


def slope(code: Routine, curves: Curves, x: Rows, y: Rows, used: Rows) -> Vector:
    """The least-squares slope of ln rate on ln level of the late intervals in which the error fell."""
    count = curves.points - 1 - curves.late
    number, sum_x, sum_y = (code.variable(0.0) for _ in range(3))
    with code.turns(count) as i:
        interval = curves.late + i
        level, rate = (curves.errors[interval] + curves.errors[interval + 1]) * 0.5, curves.rate(interval)
        falls = (rate > 0.0) & (level > 0.0)
        x[i], y[i], used[i] = log(falls.where(level, 1.0)), log(falls.where(rate, 1.0)), as_number(falls)
        number.value += used[i]
        sum_x.value += x[i]
        sum_y.value += y[i]
    mean_x, mean_y = sum_x.value / number.value, sum_y.value / number.value
    below, above = code.variable(0.0), code.variable(0.0)
    with code.turns(count) as i:
        deviation = (used[i] > 0.0).where(x[i] - mean_x, 0.0)
        below.value += deviation * deviation
        above.value += deviation * (y[i] - mean_y)
    known = (number.value > FEWEST - 1.0) & (below.value > 0.0)
    return known.where(above.value / below.value, np.nan)
