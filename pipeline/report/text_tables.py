"""Tables and sentences as plain text in lines of at most a width, in columns of a terminal: a wide character takes two."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
from rich.cells import cell_len

from pipeline.backprop.status import STATUSES
from pipeline.errors import printable
from pipeline.report.numbers import in_short
from pipeline.results.columns import HELD_OUT
from pipeline.stats.quartiles import QUARTILES
from pipeline.stats.sample import WORDS
from pipeline.stats.summary import INTERVALS

GAP = 2
WITH_INTERVALS = ("rate", "ert", *QUARTILES)
SHARES = ("rate", "rate_low", "rate_high", "share", "share_best", "given_up", "saves", "of_failed")
EXPLAINED = ("meaning", "helps")  # of what a row is of: written below the table where they do not fit beside it
# Statistics, those that are shown first first; any other column is one of those that tell rows apart.
IMPORTANCE = (
    "runs", "pairs", "rate", "ert", "ratio", "p_ert_adjusted", "p_epochs_adjusted", "p_rate_adjusted", "p_ert_holm",
    "p_epochs_holm", "p_rate_holm", "remains", "p_better", "edge", "change", "share", "share_best", "cutoff", "ert_restarted",
    "saves", "median", *STATUSES, "starts", *HELD_OUT, "q1", "q3", "rate_before", "rate_after", "earlier", "later", "both",
    "same", "only_first", "only_second", "only_before", "only_after", "neither", "given_up", "best", "smallest_p", "p_ert",
    "p_epochs", "p_rate", "ert_high_seen", "ratio_q1", "ratio_q3", "effective_runs", "restricted_mean", "of_failed",
    "total_median", "foreseen", "total_q1", "total_q3", *WORDS, *EXPLAINED, "too_long", "converged_of_long", "others",
    "converged_of_others", "explains", "shorter", "converged_of_shorter", "long_starts",
)  # fmt: skip
Column = tuple[str, "pd.Series[str]"]  # its name and its cells
SHELL_WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|\\.|[^\s'"])+""")
COMMAND, CONTINUED = "python -m ", " \\"


@dataclass(slots=True)
class Page:
    """Text being laid out: `width` columns (None: as many as there are), `rows` of each table, and what did not fit."""

    width: int | None = None
    rows: int | None = None
    left_out: list[str] = field(default_factory=list)
    intervals: bool = False  # some were shown

    def table(self, table: pd.DataFrame) -> str:
        """A table, numbers to the right, without statuses in which no run ended; what does not fit is noted in `left_out`."""
        shown = table if self.rows is None else table.head(self.rows)
        bare = readable(without_zeros(shown)).astype(str)
        bare.columns = pd.Index([printable(str(name)) for name in bare])
        read = with_intervals(bare)
        whole = [(str(name), read[name]) for name in read]
        chosen = whole if self.width is None else fitting(read, bare, self.width)
        self.intervals |= any(cells.str.endswith(")").any() for name, cells in chosen or whole if name in WITH_INTERVALS)
        if not chosen:
            return self.more(self.records(read), len(table))
        shown_names = dict(chosen)
        missing = [name for name, _ in whole if name not in shown_names]
        missing += [f"intervals of {name}" for name, cells in chosen if not cells.equals(read[name])]
        lines = aligned(chosen)
        if "meaning" in missing:
            rows = zip(read["cause"], read["meaning"], read["helps"], strict=True)
            below = dict.fromkeys(f"{cause}: {meaning}; what helps: {helps}" for cause, meaning, helps in rows)
            lines += [self.prose(line, indent="  ") for line in below]
            missing = [name for name in missing if name not in EXPLAINED]
        self.left_out += [name for name in missing if name not in self.left_out]
        return self.more("\n".join(lines), len(table))

    def records(self, read: pd.DataFrame) -> str:
        """A table whose rows are told apart by more than a line can hold: each row in lines of its own."""
        rows = [" ".join(f"{name}={text}" for name, text in row.items()) for row in read.to_dict("records")]
        return "\n".join(self.prose(row, indent="  ") for row in rows)

    def more(self, text: str, rows: int) -> str:
        """The text, and how many of so many rows it leaves out."""
        return text if self.rows is None or rows <= self.rows else f"{text}\n… and {rows - self.rows:,} more rows"

    def prose(self, text: str, indent: str = "") -> str:
        """A paragraph, or a command in lines that a shell takes as they are."""
        if self.width is None:
            return text
        if text.startswith(COMMAND):
            return "\n".join(folded(SHELL_WORD.findall(text), self.width - len(CONTINUED), "  ", "    ", CONTINUED))
        return "\n".join(folded(text.split(), self.width, "", indent))


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its numbers as text."""
    shown = table.map(in_short)
    for column in table.columns.intersection(list(SHARES)):
        if pd.api.types.is_numeric_dtype(table[column]):
            shown[column] = table[column].map("{:.0%}".format)
    for column in table.columns.intersection([*INTERVALS, *HELD_OUT, *IMPORTANCE]):
        shown.loc[table[column].isna(), column] = "–"
    return shown


def without_zeros(table: pd.DataFrame) -> pd.DataFrame:
    """The table without statuses in which no run ended, but for converged."""
    never = [status for status in STATUSES[1:] if status in table and not table[status].any()]
    return table.drop(columns=never)


def with_intervals(read: pd.DataFrame) -> pd.DataFrame:
    """A table as text in which an interval stands in the cell of its number: 65% (56–73%)."""
    for name in WITH_INTERVALS:
        low, high = f"{name}_low", f"{name}_high"
        if name not in read or low not in read or high not in read:
            continue
        bounds = [
            f" ({one.removesuffix('%')}–{other})" if "–" not in (one, other) and one != "not reached" else ""
            for one, other in zip(read[low], read[high].replace("not reached", "∞"), strict=True)
        ]
        read = read.assign(**{name: read[name] + bounds})
        read = read.drop(columns=[low, high])
    return read


def fitting(read: pd.DataFrame, bare: pd.DataFrame, width: int) -> list[Column]:
    """The columns that fit side by side, the most important first; none where those that tell rows apart do not.

    A number whose interval does not fit stands alone; quartiles stand beside a median only.
    """
    order = {name: number for number, name in enumerate(IMPORTANCE)}
    chosen = {str(name): read[name] for name in read if name not in order}
    left = width + GAP - sum(size_of(column) + GAP for column in chosen.items())
    for name in sorted((name for name in read if name in order), key=order.__getitem__):
        for cells in (read[name], bare[name]):
            size = size_of((name, cells)) + GAP
            if size <= left and name not in chosen and (name not in ("q1", "q3") or "median" in chosen):
                chosen[name] = cells
                left -= size
    return [(str(name), chosen[name]) for name in read if name in chosen] if left >= 0 else []


def size_of(column: Column) -> int:
    """How wide a column is."""
    name, cells = column
    return max(map(cell_len, [name, *cells]))


def aligned(columns: Sequence[Column]) -> list[str]:
    """The lines of a table, its columns to the right, with their names above."""
    sizes = list(map(size_of, columns))
    rows = zip(*([name, *cells] for name, cells in columns), strict=True)
    padded = ([" " * (size - cell_len(cell)) + cell for cell, size in zip(row, sizes, strict=True)] for row in rows)
    return [(" " * GAP).join(row) for row in padded]


def folded(words: Sequence[str], width: int, first: str, then: str, end: str = "") -> list[str]:
    """Words in lines of at most a width, beginning with `first` and `then`, ending with `end` where another line follows.

    A word that is longer than a line has one of its own.
    """
    lines: list[str] = []
    for word in words:
        if lines and cell_len(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append((then if lines else first) + word)
    return [f"{line}{end}" for line in lines[:-1]] + lines[-1:]
