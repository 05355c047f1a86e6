"""The results of a sweep are the same in whatever order its chunks come, and the statistics read what is kept of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.app.composition import Multirun
from pipeline.app.interrupts import Interrupts
from pipeline.results import runs as all_runs
from pipeline.results.sweep_results import FILE, SweepResults
from pipeline.sweeps.artifacts.results import Collected, results_tables, write_results
from pipeline.sweeps.executors.local import Local
from pipeline.sweeps.request import read_sweep
from tests.strategies import examples

SWEEP = ("task=xor", "network=trained", "initial=uniform", "engine=numpy", "max_epochs=60", "threshold=0.6,1e-9")
READ = ["status", "epochs", "final_error", "horizon", "cause", "cause_number", "cause_goal", "rho", "k_star"]


def trained(multirun, *arguments, **settings):
    """The plan of a sweep, and the rows of its chunks."""
    request = read_sweep(Multirun(*multirun([*arguments])))
    chunks = (request.plan.chunk(indices, replace(request.settings, **settings)) for indices in request.pieces)
    return request.plan, list(Local(Interrupts()).train(chunks, lambda runs, epochs: None))


@pytest.mark.parametrize("axis", ["seed=range(8)", "learning_rate=2,20"])
def test_statistics_read_what_is_written_to_the_results(multirun, tmp_path, axis):
    plan, rows = trained(multirun, *SWEEP, axis, "executor.chunk=3")
    collected = Collected(plan, True, tmp_path / FILE)
    for some in rows:
        collected.add(some)
    read = collected.observations()
    collected.close()  # the file is whole
    written = SweepResults.from_arrow(pq.read_table(tmp_path / FILE), name="x").observations
    assert list(read) == [*plan.axes, *READ]
    assert len(set(read["status"])) > 1
    words = dict.fromkeys(("status", "cause"), str)
    pd.testing.assert_frame_equal(read.astype(words), written[list(read)].astype(words))


def test_keys_are_read_where_an_axis_has_no_effect(multirun):
    plan, rows = trained(multirun, "max_epochs=20", "seed=range(3)")
    collected = Collected(plan, True, None)
    for some in rows:
        collected.add(some)
    assert "key" in collected.observations()


@pytest.fixture(scope="module")
def sweep(multirun):
    return trained(multirun, *SWEEP, "seed=range(7)", "network.hidden=[2],[3]", "executor.chunk=3")


@examples(20)
@given(data=st.data(), at_once=st.sampled_from([1, 2, 5, 28, 100]))
def test_results_do_not_depend_on_the_order_of_chunks(sweep, tmp_path_factory, data, at_once):
    plan, rows = sweep
    expected = pa.concat_tables(results_tables(plan, rows))
    assert expected.num_rows == len(plan)
    path = tmp_path_factory.mktemp("order") / FILE
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(all_runs, "ROWS_AT_ONCE", at_once)
        write_results(path, plan, data.draw(st.permutations(rows)), np.zeros(len(plan), "S32"))
    written = pq.ParquetFile(path)
    assert written.num_row_groups == -(-len(plan) // at_once)
    assert written.read().equals(expected, check_metadata=True)


def test_causes_that_were_not_looked_for_are_null(multirun, tmp_path, monkeypatch):
    plan, with_causes = trained(multirun, *SWEEP, "seed=range(4)", "executor.chunk=2")
    _, without = trained(multirun, *SWEEP, "seed=range(4)", "executor.chunk=2", causes=False)
    monkeypatch.setattr(all_runs, "ROWS_AT_ONCE", 2)
    for first in (without, with_causes):
        second = with_causes if first is without else without
        rows = [*first[:2], *second[2:]]
        assert len(rows) == 4
        write_results(tmp_path / FILE, plan, rows, np.zeros(len(plan), "S32"))
        written = pq.read_table(tmp_path / FILE).column("cause").to_pylist()
        expected = pa.concat_tables(results_tables(plan, with_causes)).column("cause").to_pylist()
        looked_for = np.concatenate([some.indices for some in rows if some.has_causes])
        assert written == [cause if place in looked_for else None for place, cause in enumerate(expected)]
        assert any(written)


def test_a_file_without_an_end_is_removed(multirun, tmp_path, monkeypatch):
    plan, rows = trained(multirun, *SWEEP, "seed=range(4)", "executor.chunk=2")
    monkeypatch.setattr(all_runs, "ROWS_AT_ONCE", 2)
    collected = Collected(plan, True, tmp_path / FILE)
    for some in rows[:-1]:
        collected.add(some)
    assert (tmp_path / FILE).exists()
    collected.close()
    assert not (tmp_path / FILE).exists()
    Collected(plan, True, tmp_path / FILE).close()


def test_a_run_has_its_id(multirun):
    plan, rows = trained(multirun, *SWEEP, "seed=range(2)")
    ids = np.array([b"", b"a" * 32, b"", b""], "S32")
    assert pa.concat_tables(results_tables(plan, rows, ids)).column("run_id").to_pylist() == [None, "a" * 32, None, None]
