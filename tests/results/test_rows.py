"""A run's row is what the trainer gave; all runs of a sweep are found by the index of their trial, in any order of chunks."""

import numpy as np
import pytest

from pipeline.backprop.causes.of_batch import causes
from pipeline.backprop.status import STATUSES
from pipeline.backprop.trainer import train
from pipeline.results import runs as all_runs
from pipeline.results.rows import SCALARS, RunRows, run_table
from pipeline.results.run_result import BatchRows, RunResult
from pipeline.results.runs import InOrder, Runs
from pipeline.trials.batching import make_batch
from pipeline.trials.fingerprint import digests, keys
from tests.configurations import trial_of, uniform

RATES = {"learning_rate": 1e-9}, {"learning_rate": 5.0}, {"learning_rate": 1e3, "network_output_activation": "identity"}


def result_of(**changes):
    """The result of a batch of three trainings with two thresholds each."""
    thresholds = 1e-1, 1e-2
    return train(make_batch([trial_of(initial=uniform(), seed=seed, max_epochs=50, threshold=threshold, **changes)
                             for seed in range(3) for threshold in thresholds]))  # fmt: skip


@pytest.mark.parametrize("changes", RATES, ids=["slow", "fast", "diverging"])
def test_rows_are_what_the_trainer_gave(changes):
    result = result_of(**changes)
    rows = RunRows(run_table(np.arange(10, 16), result, "numpy"))
    assert rows.indices.tolist() == list(range(10, 16))
    assert rows.table.column("status").to_pylist() == [STATUSES[status] for status in result.status]
    assert rows.table.column("key").to_pylist() == keys(result.batch)
    assert rows.table.column("digest").to_pylist() == digests(result)
    assert (rows.network, rows.engine) == (result.batch.network, "numpy")
    assert np.array_equal(result.parameters, rows.column("parameters").T, equal_nan=True)
    assert (result.batch.initial_parameters[:, result.batch.training] == rows.column("initial").T).all()
    for row, one in enumerate(RunResult.of_batch(result)):
        curve = result.curve(row)
        for other in (rows.curve(row), one.curve):
            assert all(np.array_equal(*pair, equal_nan=True) for pair in zip(curve, other, strict=True))
        [table] = rows.table.slice(row, 1).select(["key", "digest", "status", "epochs"]).to_pylist()
        assert table == {name: getattr(one, name) for name in table}


@pytest.mark.parametrize("changes", RATES, ids=["slow", "fast", "diverging"])
def test_rows_without_a_table_are_those_of_the_table(changes):
    result, indices = result_of(**changes), np.arange(10, 16)
    for found in (None, causes(result)):
        table, plain = RunRows(run_table(indices, result, "numpy", found)), BatchRows(indices, result, "numpy", found)
        assert repr(plain.scalar_rows()) == repr(table.scalar_rows())  # NaN is not equal to itself
        assert (plain.network, plain.engine) == (table.network, table.engine)
        for name in ("initial", "parameters"):
            assert np.array_equal(plain.column(name), table.column(name), equal_nan=True)
        for row in range(6):
            pairs = zip(plain.curve(row), table.curve(row), strict=True)
            assert all(np.array_equal(*pair, equal_nan=True) and pair[0].dtype == pair[1].dtype for pair in pairs)


def test_only_trials_that_have_ended_have_a_row():
    result = result_of()
    before = RunRows(run_table(np.arange(6), result, "numpy")).table.to_pylist()
    result.status[[0, 3]] = -1
    assert RunRows(run_table(np.arange(6), result, "numpy")).table.to_pylist() == [before[row] for row in (1, 2, 4, 5)]


@pytest.mark.parametrize("pieces", [[[0, 1, 2, 3, 4, 5]], [[4, 5], [0, 1], [2, 3]], [[1, 3, 5], [0, 2, 4]]], ids=str)
@pytest.mark.parametrize("at_once", [2, 100])
def test_runs_are_in_the_order_of_their_trials_however_they_were_cut(pieces, at_once, monkeypatch):
    monkeypatch.setattr(all_runs, "ROWS_AT_ONCE", at_once)
    table = run_table(np.arange(6), result_of(), "numpy")
    whole, parts = RunRows(table), [RunRows(table.take(piece)) for piece in pieces]
    in_order = InOrder(6)
    found = [some for part in parts for some in in_order.add(part)]
    assert [row for some in found for row in some.to_pylist()] == table.select(SCALARS).to_pylist()
    runs = Runs(parts, 6)
    assert (len(runs), runs.networks) == (6, 1)
    for index in range(6):
        assert all(np.array_equal(*pair) for pair in zip(runs[index], whole.curve(index), strict=True))
    some = np.array([5, 0, 3])
    assert (runs.parameters("parameters", some) == whole.column("parameters")[some].T).all()
    assert (runs.parameters("initial", some) == whole.column("initial")[some].T).all()
