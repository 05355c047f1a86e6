"""The command that is recorded with a sweep makes it again, run by a shell, whatever made it."""

import os
import shlex
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from pipeline.report.command import command_of
from tests.stores import runs_of

STUDY = "# @package _global_\ndefaults: [override /initial: uniform]\nhydra: {sweeper: {params: {seed: '1,2'}}}\n"
OWN = "defaults: [train, _self_]\nmax_epochs: 3\nlearning_rate: 0.25\n"
COMMANDS = {
    "plain": ["learning_rate=0.5,2"],
    "words that a shell reads": ["initial=uniform", "initial.range=[0,1],[1,2]", "seed=choice(3,1)"],
    "a formula": ["learning_rate=${logspace:0.1,10,3}"],
    "config-dir": ["--config-dir", "own folder", "study=mine"],
    "config-name": ["--config-dir", "own folder", "--config-name", "mine", "threshold=0.1,0.2"],
    "searchpath": ["hydra.searchpath=[file://FOLDER/elsewhere]", "study=other"],
    "params": ["+hydra.sweeper.params.seed='4,5'", "initial=uniform"],
    "whole params": ["++hydra.sweeper.params={seed: '4,5'}", "initial=uniform"],
    "sweeper": ["hydra/sweeper=batch", "momentum=0,0.5"],
    "shuffled": ["initial=uniform", "seed=shuffle(range(5))", "learning_rate=shuffle(1,2)"],
    "variable": ["+hydra.job.env_set.RATE='0.3'", 'learning_rate="${oc.decode:${oc.env:RATE}}",1'],
    "elsewhere": ["learning_rate=1,2", "hydra.sweep.dir=there", "tracking.experiment=backpropagation", "hydra.verbose=false"],
}


def in_a_shell(recorded, command):
    again = recorded.replace("python", shlex.quote(sys.executable), 1)
    return subprocess.run(["sh", "-c", again], capture_output=True, text=True, env=os.environ, check=False).returncode


def in_this_process(recorded, command):
    return command("train", *shlex.split(recorded)[3:]).code


FAST = ("config-dir", "params")
QUOTED = ("words that a shell reads", "a formula", "config-dir", "whole params", "shuffled", "variable")  # for a shell
SLOW = [(name, in_a_shell if name in QUOTED else in_this_process) for name in COMMANDS if name not in FAST or name in QUOTED]


@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize(
    ("name", "way"),
    [(name, in_this_process) for name in FAST] + [pytest.param(*one, marks=pytest.mark.slow) for one in SLOW],
)
def test_the_recorded_command_makes_the_sweep_again(name, way, store, folder, command):
    for path, text in (("own folder/study/mine", STUDY), ("own folder/mine", OWN), ("elsewhere/study/other", STUDY)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{path}.yaml").write_text(text)
    words = [word.replace("FOLDER", str(folder)) for word in COMMANDS[name]]
    made = command("train", "-m", *words, "max_epochs=2")
    assert made.code == 0, made.err
    [before] = runs_of(store)[1]
    recorded = before.data.tags["command"]
    assert recorded.startswith("python -m pipeline.train -m ")
    assert way(recorded, command) == 0
    parents = runs_of(store)[1]
    assert len(parents) == 2
    assert len({run.data.tags["sweep.key"] for run in parents}) == 1
    assert len({run.data.tags["command"] for run in parents}) == 1


def test_no_secret_is_recorded():
    words = ["+hydra.job.env_set.AWS_SECRET_ACCESS_KEY=abc", "tracking.uri=http://me:secret@there", "seed=1,2"]
    assert command_of(words) == "python -m pipeline.train -m seed=1,2"


def test_a_shuffled_sweep_resumes(store, folder, command, monkeypatch):
    from pipeline.sweeps import session

    arguments = ("-m", "initial=uniform", "seed=shuffle(range(12))", "max_epochs=3", "executor.chunk=4")
    real = session.SweepSession._train

    def interrupted(self, executor, work, *rest):
        real(self, executor, [next(iter(work))], *rest)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session.SweepSession, "_train", interrupted)
        assert command("train", *arguments).code == 130
    ended = command("train", *arguments)
    assert ended.code == 0
    assert "4 of 12 trials are trained" in ended.out
    client, parents, children = runs_of(store)
    assert isinstance(client, MlflowClient)
    assert (len(parents), len(children)) == (1, 12)
    assert {run.data.params["seed"] for run in children} == set(map(str, range(12)))
