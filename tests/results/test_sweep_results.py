"""results.parquet says which of its columns are axes; an older file does not, and has no other columns."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.results.columns import RUN_COLUMNS
from pipeline.results.sweep_results import AXES, SweepResults

RUN = {
    "status": ["converged", "diverged"], "epochs": [1, 2], "final_error": [0.1, np.inf], "gradient_norm": [1.0, np.nan],
    "run_id": ["a", None], "key": ["b", "c"], "digest": ["d", "e"], "horizon": [2, 2],
}  # fmt: skip


@pytest.mark.parametrize("axes", [["learning_rate", "seed"], ["seed"], []])
def test_axes_are_the_columns_that_the_file_names(axes):
    columns = {"learning_rate": [0.5, 0.5], "seed": [0, 1], **RUN, "momentum": [0.0, 0.0]}
    table = pa.table(columns, metadata={AXES: json.dumps(axes)})
    results = SweepResults.from_arrow(table, name="sweep", run_id="a")
    assert (results.axes, results.name, results.run_id) == (tuple(axes), "sweep", "a")
    assert list(results.table) == list(columns)
    assert list(results.observations) == [*axes, *RUN_COLUMNS]


@pytest.mark.parametrize("by_pandas", [False, True])
def test_axes_of_an_older_file_are_all_columns_that_are_not_of_a_run(by_pandas):
    columns = {"learning_rate": [0.5, 0.5], **{name: RUN[name] for name in RUN_COLUMNS if name != "horizon"}, "seed": [0, 1]}
    table = pa.Table.from_pandas(pd.DataFrame(columns)) if by_pandas else pa.table(columns)
    results = SweepResults.from_arrow(table, name="sweep")
    assert results.axes == ("learning_rate", "seed")
    assert list(results.observations) == ["learning_rate", "seed", *(name for name in RUN_COLUMNS if name != "horizon")]
