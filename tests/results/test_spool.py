"""A spool has every result that was added, whole, whatever happens meanwhile; and one process at a time."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.backprop.trainer import train
from pipeline.results.rows import run_table
from pipeline.results.spool import Spool, SpoolInUseError, whole_file
from pipeline.trials.batching import make_batch
from tests.configurations import trial_of, uniform


def tables():
    batch = make_batch([trial_of(initial=uniform(), seed=seed, max_epochs=9) for seed in range(6)])
    table = run_table(np.arange(6), train(batch), "numpy")
    return [table.slice(start, 2) for start in (4, 0)]


def test_what_is_added_is_there_when_it_is_opened_again(tmp_path):
    spool = Spool.new(tmp_path / "sweep")
    added = tables()
    for table in added:
        assert spool.add(table).table.equals(table)
    assert spool.missing(6).tolist() == [False, False, True, True, False, False]
    spool.close()
    again = Spool(spool.path)
    assert (again.done, again.missing(6).tolist()) == (4, [False, False, True, True, False, False])
    assert [rows.table for rows in again.rows] == added[::-1]
    again.remove()
    assert not spool.path.exists()


def test_a_damaged_result_is_missing_again(tmp_path):
    spool = Spool.new(tmp_path)
    for table in tables():
        spool.add(table)
    spool.close()
    damaged = spool.path / "0000000000.arrow"
    damaged.write_bytes(damaged.read_bytes()[:700])
    again = Spool(spool.path)
    assert (again.done, np.flatnonzero(again.missing(6)).tolist()) == (2, [0, 1, 2, 3])
    assert not damaged.exists()


def test_a_spool_has_a_folder_and_a_process_of_its_own(tmp_path):
    one, other = Spool.new(tmp_path), Spool.new(tmp_path)
    assert [one.path.name, other.path.name] == ["kept", "kept-2"]
    with pytest.raises(SpoolInUseError):
        Spool(one.path)
    one.close()
    Spool(one.path).close()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), pa.ArrowInvalid("x")], ids=repr)
def test_a_file_is_there_whole_or_as_it_was(tmp_path, error):
    path = tmp_path / "sweep.json"
    path.write_text("before")

    def write_half():
        with whole_file(path) as file:
            file.write(b"half of")
            raise error

    with pytest.raises(type(error)) as raised:
        write_half()
    assert (path.read_text(), list(tmp_path.iterdir())) == ("before", [path])
    if isinstance(error, OSError):
        assert str(path) in str(raised.value)
