"""Numbers as text for reading; how a value is written on the command line is `errors.as_override`."""

import re
from typing import Any

import numpy as np

from pipeline.errors import printable


def in_short(value: Any) -> str:
    """A value for reading: at most four significant digits, thousands separated; infinite is «not reached»; texts printable."""
    if isinstance(value, bool | np.bool_ | str) or not isinstance(value, int | float | np.integer | np.floating):
        return printable(str(value))
    number = float(value)
    if np.isnan(number):
        return "null"
    if np.isinf(number):
        return "not reached"
    if number == int(number) and abs(number) < 1e15:
        return f"{int(number):,}"
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def count(number: int, word: str) -> str:
    """1 run, 2 runs."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def tick(value: float, _: int = 0) -> str:
    """A number beside an axis, as narrow as possible: 0.001, 100, 10k, 1M, 1e-9."""
    for factor, letter in ((1e6, "M"), (1e3, "k")):
        if factor <= abs(value) < 1e9 and (letter == "M" or abs(value) >= 1e4):
            return f"{value / factor:g}{letter}"
    return re.sub(r"e\+?(-?)0*", r"e\1", f"{value:.4g}")


def percent(share: float) -> str:
    """A share as tables have it, but what is not quite none or all is not called so: 77%, less than 1%, 100%."""
    text = f"{share:.0%}"
    if text == "0%" and share > 0:
        return "less than 1%"
    return "more than 99%" if text == "100%" and share < 1 else text
