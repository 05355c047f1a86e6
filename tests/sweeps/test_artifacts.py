"""What the statistics of a sweep read is what is kept of it."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipeline.app.composition import Multirun
from pipeline.app.interrupts import Interrupts
from pipeline.report.figures import saving_process
from pipeline.results.sweep_results import SweepResults
from pipeline.store.write import linked
from pipeline.sweeps import artifacts
from pipeline.sweeps.artifacts import RESULTS, all_scores, observations, write_artifacts, write_results
from pipeline.sweeps.executors.local import Local
from pipeline.sweeps.multirun import describe
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


@pytest.mark.slow
def test_figures_that_a_second_process_saves_are_those_of_one(multirun, tmp_path, monkeypatch):
    design = ("task=xor", "network=trained", "initial=uniform", "learning_rate=5,8", "seed=range(40)")
    request = read_sweep(Multirun(*multirun([*design, "max_epochs=1500", "momentum=0,0.5"])))
    plan, description = request.plan, describe(request, "sqlite:///mlruns/mlflow.db")
    rows = list(Local(Interrupts()).train((plan.chunk(some, request.settings) for some in request.pieces), lambda *_: None))
    for name, many in (("one", 1_000), ("two", len(plan))):
        monkeypatch.setattr(artifacts, "MANY_TRIALS", many)
        monkeypatch.setattr(saving_process, "save", None)  # it is not this process that saves what the second one is to save
        (tmp_path / name).mkdir()
        write_artifacts(tmp_path / name, plan, description, rows, np.zeros(len(plan), "S32"))
    one, two = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two
    assert {"start_effects.svg", "main_causes.png", "weights.svg"} <= {path.name for path in one}


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
