"""Timing in alternation, and what comes of it: a table on the terminal, a CSV file, a figure."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path("benchmarks/results")
ROUNDS = 5


def alternate(contenders: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Seconds of each contender in each round: all of them take turns, so that a busy moment hits none alone."""
    for run in contenders.values():
        run()  # what happens only once is not timed
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def lowest_and_median(seconds: Sequence[float], scale: float) -> tuple[float, float]:
    """Both, × scale."""
    return min(seconds) * scale, median(seconds) * scale


def show(name: str, rows: Sequence[Mapping[str, Any]], new: int = 0) -> None:
    """Prints the rows (or the `new` ones: so many at the end) as a table and writes all to benchmarks/results/<name>.csv."""
    columns = list(rows[0])
    cells = [columns, *([_text(row.get(column, "")) for column in columns] for row in rows[-new:])]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    print(f"\n{name}")
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    RESULTS.mkdir(parents=True, exist_ok=True)
    with open(RESULTS / f"{name}.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def save(figure: Any, name: str) -> None:
    """Writes the figure to benchmarks/results/<name>.png."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    figure.savefig(RESULTS / f"{name}.png", dpi=150, bbox_inches="tight")


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
