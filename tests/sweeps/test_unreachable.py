"""A threshold out of reach is refused by every command before anything is written, or warned of; what was begun goes on."""

import signal
from pathlib import Path

import pytest

import pipeline as bp
from pipeline.errors import ConfigError
from pipeline.reproducibility.baselines import CURVE_POINTS, filled_in, read_row
from pipeline.reproducibility.drift import train_again
from pipeline.trials.settings import read_run
from tests.configurations import composed
from tests.stores import after, kept_folder

TASK = ("task=xor", "task.coding=bipolar", "network=trained", "initial=uniform", "max_epochs=3")
SWEEP = (*TASK, "seed=range(4)", "threshold=5,1e-3", "executor.chunk=2")
SAYS = "threshold=0.001: no weights have a total_error below 1: 2 of 4 targets (-1 to 1) cannot be outputs of sigmoid (0 to 1)"


@pytest.mark.parametrize("arguments", [TASK, ("-m", *SWEEP)])
def test_it_is_refused_in_one_line_and_nothing_is_written(arguments, folder, command):
    ended = command("train", *arguments)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith(SAYS)
    assert not list(folder.iterdir())


def test_warned_of_it_is_trained_and_a_line_says_so_once(store, command):
    ended = command("train", *TASK, "on_unreachable=warn")
    assert ended.code == 0, ended.err
    assert "recorded as run" in ended.out
    assert ended.err.count("no weights have") == 1
    assert ended.err.startswith(SAYS)
    assert "on_unreachable" not in ended.err


def test_other_thresholds_alone_are_trained(capfd):
    assert len(bp.sweep(*TASK, threshold=[5, 4])) == 2
    assert "no weights" not in capfd.readouterr().err


def test_the_key_belongs_to_the_sweep_as_a_whole(store, command):
    ended = command("train", "-m", *TASK, "on_unreachable=warn,refuse")
    assert (ended.code, ended.err) == (2, "on_unreachable=warn,refuse: cannot be swept: it belongs to the sweep as a whole\n")


def test_one_job_of_hydras_own_sweeper_is_refused_and_the_others_go_on(store, command):
    ended = command("train", "-m", *TASK, "threshold=5,1e-3,4", "hydra/sweeper=basic")
    assert ended.code == 2
    assert ended.out.count("recorded as run") == 2
    assert ended.err.startswith("job 1 (")
    assert "threshold=0.001" in ended.err
    assert "a threshold of 1 or more" in ended.err


def test_the_python_api_refuses_and_warns_alike(capfd):
    for call in (bp.train, bp.sweep):
        with pytest.raises(ConfigError, match="no weights have a total_error below 1"):
            call(*TASK)
        assert capfd.readouterr() == ("", "")
        call(*TASK, "on_unreachable=warn")
        assert capfd.readouterr().err.startswith(SAYS)


@pytest.mark.slow
@pytest.mark.usefixtures("without_figures")
def test_a_sweep_that_was_begun_goes_on_by_its_command_and_is_pushed_without_the_key(store, command, monkeypatch):
    with monkeypatch.context() as patch:
        after(patch, 2, lambda: signal.raise_signal(signal.SIGINT))
        begun = command("train", "-m", *SWEEP, "on_unreachable=warn")
    assert begun.code == 130
    assert begun.err.startswith(SAYS)
    assert begun.err.count("no weights have") == 1
    assert "on_unreachable" not in Path(kept_folder(), "sweep.json").read_text().partition('"jobs"')[2].partition("tracking")[0]
    assert command("push").code == 0
    refused = command("train", "-m", *SWEEP, "resume=never")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    ended = command("train", "-m", *SWEEP)  # as before there was the key
    assert ended.code == 0, ended.err
    assert "resuming run" in ended.out
    assert ended.err.startswith(SAYS)
    assert command("train", "-m", *SWEEP).code == 2  # finished: it would begin anew
    assert command("reproduce", "sweep=latest", "engines=[compiled]").code == 0


def test_a_baseline_is_trained_again_whatever_its_threshold():
    trial, _ = read_run(composed(*TASK))
    [result] = train_again([trial], "compiled", CURVE_POINTS)
    row = filled_in({"overrides": " ".join(TASK)}, result)
    assert read_row("line 2", row).trial == trial


def test_equal_hidden_units_have_a_line_before_training(store, command, monkeypatch):
    def run(*_):
        raise ConfigError("run", 1, "is enough")

    monkeypatch.setattr("pipeline.sweeps.multirun.run", run)
    values = "initial.values={weights_1:[[1,1],[1,1]],weights_2:[[1,1]],bias_1:[1,1],bias_2:[1]}"
    start = ("task=xor", "network=trained", "initial=explicit", values, "max_epochs=2")
    for arguments, lines in ((start, 1), (("-m", *start, "learning_rate=1,2"), 2)):
        ended = command("train", *arguments)
        assert ended.err.count("\n") == lines
        assert ended.err.startswith("initial=explicit: hidden units are equal at the start")
