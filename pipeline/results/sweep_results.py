"""`SweepResults`: a table with a row per run, and how the sweep was made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.results.columns import RUN_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

AXES = "axes"  # metadata of results.parquet: which of its columns are axes of the sweep


@dataclass(frozen=True, slots=True)
class SweepResults:
    """The results of a sweep. `table` has a row per run: the axes, RUN_COLUMNS, and every other key of its trial."""

    table: "pd.DataFrame"
    axes: tuple[str, ...]
    name: str
    run_id: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    command: str = ""

    @classmethod
    def from_arrow(cls, table: pa.Table, **known: Any) -> "SweepResults":
        """The results in a table as results.parquet has it; in an older one, all columns but RUN_COLUMNS are axes."""
        axes = json.loads((table.schema.metadata or {}).get(AXES.encode(), b"null"))
        if axes is None:
            axes = [name for name in table.column_names if name not in RUN_COLUMNS]
        return cls(table.to_pandas(), tuple(axes), **known)

    @property
    def observations(self) -> "pd.DataFrame":
        """What statistics look at: the axes and RUN_COLUMNS."""
        return self.table[[*self.axes, *(name for name in RUN_COLUMNS if name in self.table)]]
