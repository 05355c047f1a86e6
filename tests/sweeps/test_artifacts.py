"""What the statistics of a sweep read is what is kept of it."""

import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipeline.app.composition import Multirun
from pipeline.app.interrupts import Interrupts
from pipeline.results.sweep_results import SweepResults
from pipeline.store.write import linked
from pipeline.sweeps.artifacts import RESULTS, all_scores, observations, write_results
from pipeline.sweeps.executors.local import Local
from pipeline.sweeps.request import read_sweep

SWEEP = ("task=xor", "network=trained", "initial=uniform", "engine=numpy", "max_epochs=60", "threshold=0.6,1e-9")
READ = ["status", "epochs", "final_error", "horizon", "cause", "cause_number", "cause_goal", "rho", "k_star"]


@pytest.mark.parametrize("axis", ["seed=range(8)", "learning_rate=2,20"])
def test_statistics_read_what_is_written_to_the_results(multirun, tmp_path, axis):
    request = read_sweep(Multirun(*multirun([*SWEEP, axis, "executor.chunk=3"])))
    plan = request.plan
    chunks = (plan.chunk(indices, request.settings) for indices in request.pieces)
    rows = list(Local(Interrupts()).train(chunks, lambda runs, epochs: None))
    ids, scores = np.zeros(len(plan), "S32"), all_scores(plan, rows)
    write_results(tmp_path / RESULTS, plan, rows, ids, scores)
    written = SweepResults.from_arrow(pq.read_table(tmp_path / RESULTS), name="x").observations
    read = observations(plan, rows, ids, scores)
    assert list(read) == [*plan.axes, *READ]
    assert len(set(read["status"])) > 1
    words = dict.fromkeys(("status", "cause"), str)
    pd.testing.assert_frame_equal(read.astype(words), written[list(read)].astype(words))


def test_a_file_that_is_linked_replaces_what_was_there_and_outlives_its_first_name(tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "target"
    for no_links in (False, True):
        if no_links:
            monkeypatch.delattr("os.link")
            monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError), raising=False)
        source.write_bytes(b"new")
        target.write_bytes(b"old, and longer")
        linked(str(source), str(target))
        assert target.samefile(source) is not no_links
        source.unlink()
        assert target.read_bytes() == b"new"


@pytest.mark.slow
def test_an_interrupt_while_the_results_are_written_ends_the_command_as_any_other(folder, store):
    """Arrow aborts a process that ends while it is at work."""
    sweep = ("task=xor", "network=trained", "initial=uniform", "max_epochs=20", "learning_rate=1,2,3,4", "seed=range(100000)")
    command = [sys.executable, "-m", "pipeline.train", "-m", *sweep, "tracking.runs=none", "resume=never"]
    for _ in range(3):
        before = set(folder.rglob(RESULTS))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and set(folder.rglob(RESULTS)) == before:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        assert process.returncode == 130, errors
        assert "400,000 of 400,000 runs are kept" in errors
