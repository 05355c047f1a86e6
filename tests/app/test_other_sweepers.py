"""Hydra's other sweepers and launchers: a job gives its objective, and one bad job does not end the others."""

import os
import re
import subprocess
import sys

import pytest

from pipeline.backprop.status import Status
from pipeline.errors import ConfigError
from pipeline.sweeps.single import objective
from pipeline.trials.settings import read_run
from tests.configurations import composed


def test_the_objective_of_a_run_that_did_not_converge_is_penalised():
    assert objective("epochs", Status.CONVERGED, 7, 0.1, 100) == 7
    assert {objective("epochs", status, 7, 0.1, 100) for status in Status if status is not Status.CONVERGED} == {1000}
    assert objective("epochs", Status.EXHAUSTED, 0, 0.1, 0) == 10
    assert objective("final_error", Status.EXHAUSTED, 7, 0.1, 100) == 0.1
    for error in (float("nan"), float("inf")):
        assert objective("final_error", Status.DIVERGED, 7, error, 100) == sys.float_info.max


def test_the_objective_is_one_of_two_and_may_be_missing_in_older_configurations():
    _, settings = read_run(composed("objective=final_error"))
    assert settings.objective == "final_error"
    older = composed()
    del older["objective"]
    assert read_run(older)[1].objective == "epochs"
    with pytest.raises(ConfigError, match=r"^objective=ert: must be one of epochs, final_error$"):
        read_run(composed("objective=ert"))


CALLBACK = """
from hydra.experimental.callback import Callback
class Told(Callback):
    def on_job_end(self, config, job_return, **_): print("objective", job_return.return_value)
"""


def test_a_job_of_a_sweep_gives_its_objective(store, folder, command, monkeypatch):
    (folder / "objectives.py").write_text(CALLBACK)
    monkeypatch.syspath_prepend(str(folder))
    told = "+hydra.callbacks.told._target_=objectives.Told"
    ended = command("train", "-m", "learning_rate=1,10,-1", "max_epochs=100", "hydra/sweeper=basic", told)
    assert ended.code == 2
    converged = re.search(r"converged after (\d+)", ended.out)[1]
    assert re.findall(r"^objective (.*)$", ended.out, re.M) == ["1000.0", f"{converged}.0", "None"]


def in_a_process(*arguments):
    command = [sys.executable, "-m", "pipeline.train", "-m", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)


@pytest.mark.slow
def test_joblib_goes_on_after_a_bad_job(store):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    ended = in_a_process("hydra/launcher=joblib", "hydra/sweeper=basic", "learning_rate=1,-1,2", "max_epochs=2")
    assert ended.returncode == 2
    assert ended.stdout.count("recorded as run") == 2
    assert "learning_rate=-1: must be greater than 0 and finite" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_optuna_finds_the_rate_with_the_fewest_epochs(store):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    space = ("hydra/sweeper=optuna", "learning_rate=interval(0.1,10)", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=1")
    ended = in_a_process(*space, "max_epochs=2000")
    assert ended.returncode == 0, ended.stderr
    best = float(re.search(r"Best value: ([\d.]+)", ended.stdout + ended.stderr)[1])
    assert best == min(int(epochs) for epochs in re.findall(r"converged after ([\d,]+)", ended.stdout.replace(",", "")))
