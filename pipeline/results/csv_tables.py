"""Tables as CSV files that a spreadsheet may open: no text in them is computed as a formula."""

import csv
import re
from pathlib import Path
from typing import Any

import pandas as pd

FORMULA = re.compile(r"[=+\-@\t\r]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf", re.ASCII)


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV; an apostrophe stands before a text or a name that would be a formula."""
    texts = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    safe = table.assign(**{str(name): table[name].map(without_formula) for name in texts}).rename(columns=without_formula)
    written = safe.to_csv(index=False)
    # a carriage return, which Python does not quote, would begin another row
    return safe.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC) if "\r" in written else written


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Writes `csv_text` to a file."""
    path.write_text(csv_text(table), encoding="utf-8", newline="")


def without_formula(value: Any) -> Any:
    """A cell with an apostrophe in front, if it is a text that a spreadsheet would compute; numbers as they are."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value) else value
