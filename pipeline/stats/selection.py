"""Runs by a condition on their columns, as in `momentum=0.9 and initial.range>=1`: read as data, nothing in it is executed.

A condition is made of comparisons (= or ==, !=, <, <=, >, >=, in, not in) of columns with numbers, texts, lists of them, or
each other; and, or, not, parentheses. A word that is no column is a text where the column has that value: `update=online`.
"""

import ast
import operator
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import as_override, unknown_key
from pipeline.stats.arrays import Booleans

MOST_CHARACTERS = 1000
TOKEN = re.compile(
    r"""(?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|`(?P<name>[^`]+)`|(?P<other>[=!<>:]=)|="""
    r"""|(?<![\w.])(?P<address>[A-Za-z_]\w*(?:\.\w+)*?\.[0-9]+(?:\.\w+)*)"""  # of a weight: initial.set.weights_1.0.1
)
CONSTANTS = {"true": True, "false": False, "null": None, "inf": np.inf, "nan": None}
OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
MIRRORED = {operator.lt: operator.gt, operator.le: operator.ge, operator.gt: operator.lt, operator.ge: operator.le}
ALLOWED = "must be comparisons of columns with numbers or texts, joined by and, or, not, in"


@dataclass(frozen=True, slots=True)
class _Word:
    """A name in a condition that may be a column, or else a text."""

    name: str


@dataclass(slots=True)
class _Condition:
    """The runs of a table, and which of its columns a condition names."""

    table: pd.DataFrame
    quoted: list[str]
    used: set[str] = field(default_factory=set)

    def holds(self, node: ast.expr) -> Booleans:
        """Whether a condition holds for each run, (R,)."""
        match node:
            case ast.BoolOp(op, values):
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return np.asarray(join.reduce([self.holds(value) for value in values]))
            case ast.UnaryOp(ast.Not(), operand):
                return ~self.holds(operand)
            case ast.Compare(left, ops, others):
                sides = [left, *others]
                pairs = zip(sides, ops, others, strict=False)
                return np.asarray(np.logical_and.reduce([self.compare(one, op, other) for one, op, other in pairs]))
            case _:
                value = self.operand(node)
                if isinstance(value, pd.Series) and pd.api.types.is_bool_dtype(value):
                    return value.to_numpy(bool)
                if isinstance(value, _Word):
                    raise ValueError(f"{value.name}: {unknown_key(value.name, tuple(map(str, self.table)), 'column')}")
                raise ValueError(f"{_written(node)} is no comparison; it {ALLOWED}")

    def operand(self, node: ast.expr) -> Any:
        """A side of a comparison: a column, a number, a text, a truth value, None, a list of those, or a word."""
        match node:
            case ast.Constant(bool() | int() | float() | str() | None as value):
                return value
            case ast.UnaryOp(ast.USub() | ast.UAdd() as sign, ast.Constant(int() | float() as value)):
                return -value if isinstance(sign, ast.USub) else value
            case ast.UnaryOp(ast.USub(), ast.Name("inf")):
                return -np.inf
            case ast.List(entries) | ast.Tuple(entries):
                values = [self.operand(entry) for entry in entries]
                if any(isinstance(value, list | pd.Series) for value in values):
                    raise ValueError(f"{_written(node)} must be a list of numbers or texts")
                return [value.name if isinstance(value, _Word) else value for value in values]
            case ast.Name() | ast.Attribute():
                return self.named(self.dotted(node))
        raise ValueError(f"{_written(node)} is not allowed; it {ALLOWED}")

    def dotted(self, node: ast.expr) -> str:
        match node:
            case ast.Name(name):
                found = re.fullmatch(r"_quoted_(\d+)_", name)
                return self.quoted[int(found[1])] if found and int(found[1]) < len(self.quoted) else name
            case ast.Attribute(value, name):
                return f"{self.dotted(value)}.{name}"
        raise ValueError(f"{_written(node)} is not allowed; it {ALLOWED}")

    def named(self, name: str) -> Any:
        if name in self.table:
            self.used.add(name)
            return self.table[name]
        return CONSTANTS[name.lower()] if name.lower() in CONSTANTS else _Word(name)

    def compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Booleans:
        """Whether a comparison of two sides holds for each run, (R,)."""
        one, other = self.operand(left), self.operand(right)
        written = f"{_written(left)} and {_written(right)}"
        if not isinstance(one, pd.Series) and not isinstance(other, pd.Series):
            words = [side.name for side in (one, other) if isinstance(side, _Word)]
            why = unknown_key(words[0], tuple(map(str, self.table)), "column") if words else "neither is a column"
            raise ValueError(f"{words[0] if words else written}: {why}")
        if isinstance(op, ast.In | ast.NotIn):
            if not (isinstance(one, pd.Series) and isinstance(other, list)):
                raise ValueError(f"in stands between a column and a list, as in seed in [1,2], not {written}")
            among = [_compared(one, operator.eq, value) for value in other]
            found = np.asarray(np.logical_or.reduce(among)) if among else np.zeros(len(one), bool)
            return found if isinstance(op, ast.In) else ~found
        if type(op) not in OPERATORS:
            raise ValueError(f"{written} are compared by a word that is not allowed; it {ALLOWED}")
        compare = OPERATORS[type(op)]
        if isinstance(one, pd.Series):
            return _compared(one, compare, other)
        return _compared(other, MIRRORED.get(compare, compare), one)


def matching(table: pd.DataFrame, condition: str) -> tuple[Booleans, list[str]]:
    """Whether a condition holds for each run, (R,), and the columns that it names. Raises ValueError for any other text."""
    if len(condition) > MOST_CHARACTERS:
        raise ValueError(f"is longer than {MOST_CHARACTERS:,} characters")
    quoted: list[str] = []

    def as_python(token: re.Match[str]) -> str:
        if not (name := token["name"] or token["address"]):
            return token["text"] or token["other"] or "=="
        quoted.append(name)
        return f"_quoted_{len(quoted) - 1}_"

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numbers that touch a word: 1and
            node = ast.parse(TOKEN.sub(as_python, condition.strip()), mode="eval").body
        evaluated = _Condition(table, quoted)
        holds = evaluated.holds(node)
    except SyntaxError as error:
        raise ValueError(f"cannot be read ({error.msg}); it {ALLOWED}") from None
    except (RecursionError, MemoryError):
        raise ValueError("is nested too deeply") from None
    return holds, [str(name) for name in table if name in evaluated.used]


def _compared(column: pd.Series, compare: Callable[[Any, Any], Any], other: Any) -> Booleans:
    """Whether a comparison of a column with a column or a constant holds for each run, (R,)."""
    equal, numbers = compare in (operator.eq, operator.ne), pd.api.types.is_numeric_dtype(column)
    if isinstance(other, pd.Series):
        if not (numbers and pd.api.types.is_numeric_dtype(other)) and not equal:
            raise ValueError(f"{column.name} and {other.name} have values that are in no order")
        return np.asarray(compare(column.astype(object), other.astype(object)) if equal and not numbers else
                          compare(column.to_numpy(), other.to_numpy()), bool)  # fmt: skip
    if other is None:
        if not equal:
            raise ValueError(f"{column.name}: null is in no order")
        return np.asarray(column.isna() if compare is operator.eq else column.notna(), bool)
    if isinstance(other, _Word | list):
        return _compared(column, compare, _text(column, other))
    if numbers and isinstance(other, bool | int | float):
        return np.asarray(compare(column.to_numpy(), other), bool)
    codes, values = pd.factorize(column, use_na_sentinel=False)
    alike = [_is_number(value) == _is_number(other) and not pd.isna(value) for value in values]
    if not any(alike):
        raise ValueError(f"{column.name} has {_some(values)}, none of which can be compared with {as_override(other)}")
    different = compare is operator.ne
    table = [bool(compare(value, other)) if same else different for value, same in zip(values, alike, strict=True)]
    return np.array(table, bool)[codes]


def _text(column: pd.Series, given: Any) -> str:
    """A word, or a list, as the text that it is in a column. Raises ValueError where the column has no such value."""
    text = given.name if isinstance(given, _Word) else as_override(given)
    values = column.unique()
    if text not in [value for value in values if isinstance(value, str)]:
        kind = "is no column, and no value of" if isinstance(given, _Word) else "is no value of"
        hint = "" if isinstance(given, _Word) else "; several values: in"
        raise ValueError(f"{text} {kind} {column.name}, which has {_some(values)}{hint}")
    return str(text)


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float | np.number | np.bool_)


def _some(values: Any, most: int = 5) -> str:
    """The first values, as one writes them."""
    shown = [as_override(value) for value in list(values)[:most]]
    return ", ".join([*shown, *(["…"] if len(values) > most else [])])


def _written(node: ast.expr, most: int = 40) -> str:
    text = ast.unparse(node)
    return text if len(text) <= most else text[: most - 1] + "…"
