"""Figures are the same files whoever saves them: this process, a second one, or this one after the second one has died."""

import io
import os
import pickle
import signal
import subprocess
import sys
import time
from math import inf
from pathlib import Path
from queue import SimpleQueue

import pytest
from matplotlib.figure import Figure

from pipeline.report.figures import files, saving_process
from pipeline.report.figures.drawing import epochs_axis
from pipeline.report.figures.saving import save
from pipeline.report.figures.saving_process import LENGTH, SavingProcess
from pipeline.stats.summary import Summary
from tests.designs import curves_of, sweep, weights_of

PARENT = """
import sys, time
from pipeline.report.figures.saving_process import SavingProcess
process = SavingProcess()
print(process._process.pid, flush=True)
time.sleep(60)
"""


def small() -> Figure:
    """A figure that takes milliseconds."""
    figure = Figure(figsize=(2, 1))
    epochs_axis(figure.subplots(), 100)
    return figure


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def drawn(folder: Path, process: SavingProcess | None = None) -> dict[str, bytes]:
    """The files of all figures of a sweep."""
    results = sweep(learning_rate=[0.1, 1.0, 10.0], momentum=[0.0, 0.5], seed=range(5))
    files.write_figures(Summary(results), folder, curves_of(results), weights_of(results), process=process)
    if process:
        process.finish()
    return contents(folder)


def has_ended(pid: int, seconds: float = 5.0) -> bool:
    """Whether a process ends within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_a_png_is_as_wide_as_it_may_be_and_the_same_figure_is_the_same_files(tmp_path):
    for name, widest, width in (("usual", inf, 260), ("narrow", 90, 90)):
        save(small(), tmp_path / f"{name}.svg", widest=widest)
        assert int.from_bytes((tmp_path / f"{name}.png").read_bytes()[16:20], "big") == width
    save(small(), tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "usual.svg").read_bytes()
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "usual.png").read_bytes()


@pytest.mark.parametrize("executable", [None, "/bin/false", "/none/such"])
def test_what_the_second_process_does_not_save_is_saved_here(tmp_path, monkeypatch, executable):
    if executable is None:
        monkeypatch.setattr(saving_process, "started", lambda: None)
    else:
        monkeypatch.setattr(sys, "executable", executable)
    process = SavingProcess()
    process.save(small(), tmp_path / "first.svg", 90)
    process.save(small(), tmp_path / "second.svg", inf)
    process.finish()
    process.close()
    save(small(), tmp_path / "third.svg")
    found = contents(tmp_path)
    assert len(found) == 6
    assert found["second.svg"] == found["third.svg"]
    assert found["second.png"] == found["third.png"] != found["first.png"]


def test_the_second_process_ends_at_once_where_its_input_breaks_off(monkeypatch):
    def end(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", end)
    message = pickle.dumps("a figure")
    whole = len(message).to_bytes(LENGTH, "big") + message
    for given in (b"", whole[:3], whole[:-1], whole):
        with pytest.raises(SystemExit):
            saving_process.read(io.BytesIO(given), SimpleQueue())
    messages = SimpleQueue()
    saving_process.read(io.BytesIO(whole + bytes(LENGTH)), messages)
    assert [messages.get(), messages.get()] == [message, saving_process.ALL_GIVEN]


@pytest.mark.slow
def test_a_second_process_saves_the_same_files_prints_nothing_and_has_ended_when_they_are_there(tmp_path, capfd):
    process = SavingProcess()
    assert drawn(tmp_path / "there", process) == drawn(tmp_path / "here")
    assert process._process.wait(1) == 0
    process.close()
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_second_process_that_is_killed_changes_no_file(tmp_path, monkeypatch):
    process, given = SavingProcess(), SavingProcess.save

    def kill_after_four(self: SavingProcess, figure: Figure, path: Path, widest: float) -> None:
        given(self, figure, path, widest)
        if len(self._given) == 4:
            while not (path.parent / "rate_map.png").exists():
                time.sleep(0.01)
            self._process.kill()

    monkeypatch.setattr(SavingProcess, "save", kill_after_four)
    killed = drawn(tmp_path / "killed", process)
    assert process._process.wait(1) == -signal.SIGKILL
    process.close()
    assert killed == drawn(tmp_path / "here")


@pytest.mark.slow
@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_second_process_does_not_outlive_the_first_and_is_not_interrupted_by_its_keyboard(with_signal):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    pid = int(parent.stdout.readline())
    assert os.getsid(pid) == pid != os.getsid(parent.pid)  # a terminal interrupts its own session only
    assert not has_ended(pid, 0.5)
    parent.send_signal(with_signal)
    assert has_ended(pid)
    parent.communicate()
    assert parent.returncode


@pytest.mark.slow
def test_closing_ends_a_second_process_that_is_at_work(tmp_path):
    process = SavingProcess()
    for number in range(20):
        process.save(small(), tmp_path / f"{number}.svg", inf)
    pid = process._process.pid
    process.close()
    assert not Path(f"/proc/{pid}").exists()
    assert len(list(tmp_path.iterdir())) < 40
