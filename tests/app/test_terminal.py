"""On a terminal: titles stand out, phases are named while it works; elsewhere plain lines, and no noise."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from pipeline.app import progress, terminal
from pipeline.app.progress import phase

PARTS = [("", "The answer."), ("By [learning_rate]", "a  b"), ("", "The end.")]
PLAIN = "The answer.\n\nBy [learning_rate]\na  b\n\nThe end.\n"


class Screen(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def screen_of(monkeypatch):
    """Makes both streams a terminal, of a usual kind, and gives it."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    both = Screen()
    monkeypatch.setattr(sys, "stdout", both)
    monkeypatch.setattr(sys, "stderr", both)
    return both


def test_titles_stand_out_on_a_terminal(monkeypatch):
    screen = screen_of(monkeypatch)
    terminal.show(PARTS)
    shown = screen.getvalue()
    assert "\x1b[" in shown
    assert re.sub(r"\x1b\[[\d;]*m", "", shown) == PLAIN


@pytest.mark.parametrize("variable", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colour_where_none_is_wanted(variable, monkeypatch):
    screen = screen_of(monkeypatch)
    monkeypatch.setenv(*variable)
    terminal.show(PARTS)
    assert screen.getvalue() == PLAIN


def test_no_colour_in_a_file(monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    terminal.show(PARTS)
    assert file.getvalue() == PLAIN


def test_lines_are_as_wide_as_columns_says_or_80(monkeypatch):
    monkeypatch.setenv("COLUMNS", "123")
    assert terminal.width() == 123
    monkeypatch.setenv("COLUMNS", "3")
    assert terminal.width() == 40
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(sys, "__stdout__", io.StringIO())
    assert terminal.width() == 80


def test_a_phase_is_named_at_once_and_moves_while_it_works(monkeypatch):
    screen = screen_of(monkeypatch)
    with phase("tables"):
        time.sleep(0.35)
    frames = re.findall(r"\S+ tables", re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", screen.getvalue()))
    assert len(set(frames)) >= 2


def test_a_phase_makes_no_noise_in_a_log_unless_it_takes_long(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with phase("tables"):
        time.sleep(0.05)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.1)
    with phase("figures"):
        time.sleep(0.35)
    out, err = capsys.readouterr()
    assert out == ""
    assert 1 <= len(err.splitlines()) <= 3
    assert set(err.splitlines()) == {"figures: 0 s"}
    time.sleep(0.15)
    assert capsys.readouterr().err == ""  # it is over


@pytest.mark.parametrize("kind", ["screen", "log"])
def test_an_interrupt_ends_a_phase_at_once(kind, monkeypatch):
    if kind == "screen":
        screen_of(monkeypatch)
    timer = threading.Timer(0.1, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])
    begun = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt), phase("figures"):
        time.sleep(5)
    assert time.monotonic() - begun < 1


SCRIPT = """
import sys
sys.argv = ["train", "-m", "initial=uniform", "seed=1,2,3", "learning_rate=1,10", "max_epochs=50", "engine=numpy"]
from pipeline.app.application import run
from pipeline.train import main
run(main, "train")
"""


@pytest.mark.slow
def test_no_two_seconds_of_a_sweep_pass_in_silence(store, tmp_path):
    """A sweep in a pseudo-terminal: every phase is named, and from the first on something moves at least every two seconds."""
    controller, terminal_end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=terminal_end, stderr=terminal_end, env=environment)
    os.close(terminal_end)
    seen, gaps, last = b"", [], time.monotonic()
    while True:
        try:
            data = os.read(controller, 65536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        now = time.monotonic()
        if seen:
            gaps.append(now - last)
        last, seen = now, seen + data
    assert process.wait() == 0, seen[-2000:]
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", seen.decode())
    for name in ("reading", "opening", "runs", "results", "figures", "storing"):
        assert name in text
    assert max(gaps) < 2.0
    printed = text[text.index("Asked:") :]
    assert all(len(line) <= 80 or max(map(len, line.split())) > 30 for line in printed.splitlines())  # or it is a path
