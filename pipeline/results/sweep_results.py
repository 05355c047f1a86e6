"""`SweepResults`: a table with a row per run, checked where it comes from a file, and how the sweep was made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.backprop.status import STATUSES
from pipeline.errors import ConfigError
from pipeline.results.columns import CAUSE_NUMBERS, HELD_OUT, NO_AXES, RUN_COLUMNS
from pipeline.trials.configuration import TRIAL_KEYS

if TYPE_CHECKING:
    import pandas as pd

AXES = "axes"  # metadata of results.parquet: which of its columns are axes of the sweep
FILE = "results.parquet"
SETTING_SEVERAL = ("lesson",)  # axes that are no key of a trial, but set several
MOST_EPOCHS = 10**12
REQUIRED = RUN_COLUMNS[:3]  # status, epochs, final_error
TEXTS, WHOLE, NUMBERS = (
    ("status", "run_id", "key", "digest", "cause", "cause_digest"),
    ("epochs", "horizon"),
    ("final_error", "gradient_norm", *HELD_OUT, *CAUSE_NUMBERS),
)


@dataclass(frozen=True, slots=True)
class SweepResults:
    """The results of a sweep. `table` has a row per run: the axes, NO_AXES, and every other key of its trial."""

    table: "pd.DataFrame"
    axes: tuple[str, ...]
    name: str
    run_id: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    command: str = ""

    @classmethod
    def from_arrow(cls, table: pa.Table, **known: Any) -> "SweepResults":
        """The results in a table as results.parquet has it; in an older one, all columns but NO_AXES are axes.

        Raises ConfigError, which names the run and the file, for a table that no sweep can have given.
        """
        try:
            axes = axes_of(table)
            check(table)
        except ValueError as error:
            raise ConfigError("sweep", known.get("run_id") or known["name"], f"{FILE} {error}") from None
        return cls(table.replace_schema_metadata().to_pandas(), axes, **known)

    @property
    def origin(self) -> dict[str, Any]:
        """What the answer takes of how the sweep was made."""
        return {"command": self.command, "study": self.name, "configuration": self.configuration}

    @property
    def observations(self) -> "pd.DataFrame":
        """What statistics look at: the axes and NO_AXES."""
        return self.table[[*self.axes, *(name for name in NO_AXES if name in self.table)]]


def axes_of(table: pa.Table) -> tuple[str, ...]:
    """The axes that a table names, or all columns but NO_AXES. Raises ValueError."""
    columns = table.column_names
    given = (table.schema.metadata or {}).get(AXES.encode())
    if given is None:
        return tuple(name for name in columns if name not in NO_AXES)
    try:
        axes = json.loads(given)
        known = isinstance(axes, list) and len(set(axes)) == len(axes) and set(axes) <= set(columns) - set(NO_AXES)
    except (ValueError, TypeError, RecursionError):
        known = False
    if not known:
        raise ValueError("has metadata that do not name columns as its axes")
    return tuple(axes)


def check(table: pa.Table) -> None:
    """Raises ValueError, with the reason, for a table that cannot be the results of a sweep."""
    columns = table.column_names
    if len(set(columns)) < len(columns):
        raise ValueError(f"has several columns {next(name for name in columns if columns.count(name) > 1)}")
    if missing := [name for name in REQUIRED if name not in columns]:
        raise ValueError(f"has no column {missing[0]}")
    for name in columns:
        kind = table.schema.field(name).type
        if not any(allows(kind) for allows in kinds_of(name)):
            raise ValueError(f"has a column {name} of the type {kind}")
    for axis in axes_of(table):  # any other name might be that of a statistic
        if axis.partition(".")[0] not in (*TRIAL_KEYS, *SETTING_SEVERAL):
            raise ValueError(f"has an axis {axis}, which is no key of a trial")
    check_ends(table)


def kinds_of(name: str) -> Sequence[Any]:
    """What tells the Arrow types that a column may have."""
    text = pa.types.is_string, pa.types.is_large_string
    number = pa.types.is_integer, pa.types.is_floating
    if name in TEXTS:
        return text if name == "status" else (*text, pa.types.is_null)
    return number if name in (*WHOLE, *NUMBERS) else (*text, *number, pa.types.is_boolean, pa.types.is_null)


def check_ends(table: pa.Table) -> None:
    """Raises ValueError for runs that cannot have ended so."""
    import pyarrow.compute as pc  # not before runs are trained

    for name in ("status", *(name for name in WHOLE if name in table.column_names)):
        if table.column(name).null_count:
            raise ValueError(f"has rows without {name}")
    status = table.column("status")
    strange = pc.filter(status, pc.invert(pc.is_in(status, pa.array(STATUSES, status.type))))
    if len(strange):
        raise ValueError(f"has a status {strange[0].as_py()[:100]}, which is none")
    for name in (name for name in WHOLE if name in table.column_names):
        column = table.column(name)
        within = pc.and_(pc.greater_equal(column, 0), pc.less_equal(column, MOST_EPOCHS))
        if not true(pc.and_(within, pc.equal(column, pc.floor(column)))):
            raise ValueError(f"has {name} that are no whole numbers from 0 to {MOST_EPOCHS}")
    if "horizon" in table.column_names and not true(pc.less_equal(table.column("epochs"), table.column("horizon"))):
        raise ValueError("has epochs beyond the horizon")
    error, diverged = table.column("final_error"), pc.equal(status, "diverged")
    if not true(pc.or_kleene(diverged, pc.and_(pc.greater_equal(error, 0.0), pc.is_finite(error)))):
        raise ValueError("has a final_error that only a run which diverged can have")
    if pc.any(pc.less(error, 0.0)).as_py():
        raise ValueError("has a negative final_error")


def true(column: pa.ChunkedArray) -> bool:
    """Whether all of a column is true; pandas wrote NaN as null."""
    import pyarrow.compute as pc

    return bool(pc.all(column, skip_nulls=False, min_count=0).as_py())
