"""Tab in a real shell completes commands, then keys and values of the command, as Hydra knows them."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.app.completion import complete
from pipeline.console import COMMANDS, weights

COMPLETIONS = {  # what is typed before Tab: what the line becomes
    "tra": "train ",
    "completion b": "completion bash ",
    "ne": "new ",
    "new s": "new study ",
    "ui ui.p": "ui ui.port=",
    "train tracking.na": "train tracking.name=",
    "train learning_r": "train learning_rate=",
    "train learning_rate=": "train learning_rate=0.5 ",
    "train on_unr": "train on_unreachable=",
    "train on_unreachable=": "train on_unreachable=refuse ",
    "train lesson=sat": "train lesson=saturated ",
    "train task=xor task.co": "train task=xor task.coding=",
    "train task=x": "train task=xor ",
    "train -m network.act": "train -m network.activation=",
    "train initial=uniform initial.r": "train initial=uniform initial.range=",
    "train study=conv": "train study=convergence ",
    "train --mul": "train --multirun ",
    "summary form": "summary format=",
    "map map=mom": "map map=momentum ",
    "map map.across.sc": "map map.across.scale=",
    "map map.down.key=th": "map map.down.key=threshold ",
    "map map.down.key=initial.set.w8": "map map.down.key=initial.set.w8 ",
    "explain explain.it": "explain explain.iteration=",
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """`backprop` on the PATH, as pip puts it there, and nothing of this user's shell."""
    program = tmp_path / "bin" / "backprop"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom pipeline.console import main\nmain()\n")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path), "TERM": "dumb", "PS1": "$ "}


def lines(line: str) -> set[str]:
    """What the whole line may become."""
    return {line[: line.rfind(" ") + 1] + entry for entry in complete(line, tuple(COMMANDS), weights)}


@pytest.mark.parametrize("typed", COMPLETIONS)
def test_the_last_word_is_completed(typed):
    assert lines(f"backprop {typed}") == {f"backprop {COMPLETIONS[typed].rstrip()}"}


def test_the_weights_of_the_network_are_offered():
    typed = "backprop train -m initial=uniform network.hidden=[3] learning_rate=1,2 initial.set."
    assert lines(typed) == {f"{typed}{name}=" for name in (*(f"w{n}" for n in range(1, 13)), "b1", "b2")}
    assert lines(f"{typed}w7") == {f"{typed}w7="}
    assert lines(f"{typed}weights_2.0.") == {f"{typed}weights_2.{unit}.{below}=" for unit in (0, 1) for below in (0, 1, 2)} - {
        f"{typed}weights_2.1.{below}=" for below in (0, 1, 2)
    }
    assert lines("backprop train initial.set.weights_1[0,1]=3 initial.set.bias_1[") == {
        "backprop train initial.set.weights_1[0,1]=3 initial.set.bias_1[0]="
    }
    assert lines("backprop map map.down.key=initial.offset.bias_") == {
        f"backprop map map.down.key=initial.offset.bias_{layer}.0" for layer in (1, 2)
    }
    assert lines("backprop train initial.set.weights_1[0,1]=3 thres") == {
        "backprop train initial.set.weights_1[0,1]=3 threshold="
    }
    assert lines("backprop train network.bias=none initial.offset.b") == set()
    assert lines("backprop train task=nothing initial.set.w") == set()
    assert lines("backprop train initial.di") == {"backprop train initial.direction."}


def test_everything_there_is_is_offered():
    assert set(COMMANDS) < {line.removeprefix("backprop ") for line in lines("backprop ")}
    offered = lines("backprop train ")
    assert {f"backprop train {entry}" for entry in ("task=", "network.", "learning_rate=", "study=", "engine=")} < offered
    assert {f"backprop train task={task}" for task in ("xor", "iris", "csv")} < lines("backprop train task=")


@pytest.mark.parametrize(
    "typed", ["tran learning", "train nosuchkey", "train learning_rate=[ thres", "train task=foo task.", "cd /"]
)
def test_where_nothing_fits_nothing_is_offered(typed, capsys):
    assert lines(f"backprop {typed}") == set()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("typed", ["tra", "train learning_r", "train learning_rate=", "train task=x", "train -m network.act"])
def test_bash_completes_what_is_typed(typed, environment):
    assert completed(["bash", "--norc", "--noprofile", "-i"], 'eval "$(backprop completion bash)"', typed, environment)


@pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh")
@pytest.mark.parametrize("typed", ["tra", "train learning_r", "train task=x"])
def test_zsh_completes_what_is_typed(typed, environment):
    assert completed(["zsh", "-f", "-i"], 'eval "$(backprop completion zsh)"', typed, environment)


@pytest.mark.skipif(not shutil.which("fish"), reason="needs fish")
@pytest.mark.parametrize("typed", ["tra", "train learning_r", "train task=x"])
def test_fish_completes_what_is_typed(typed, environment):
    script = "backprop completion fish | source; complete -C $argv[1]"
    command = ["fish", "--no-config", "-c", script, f"backprop {typed}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert [line.split("\t")[0] for line in ended.stdout.splitlines()] == [COMPLETIONS[typed].split()[-1]]


def completed(shell: list[str], script: str, typed: str, environment: dict[str, str]) -> bool:
    """Whether an interactive shell shows the completed line after `backprop`, what is typed, and Tab."""
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe(shell[0], shell, environment)

    def shows(text: str) -> bool:
        shown, end = "", time.monotonic() + 60
        while time.monotonic() < end:
            if select.select([terminal], [], [], 1)[0]:
                shown += os.read(terminal, 4096).decode(errors="replace")
            if text in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[\x07\r\x08]", "", shown):
                return True
        return False

    try:
        os.write(terminal, f"{script}; echo rea''dy\n".encode())
        assert shows("ready\n")
        os.write(terminal, f"backprop {typed}\t".encode())
        return shows(f"backprop {COMPLETIONS[typed]}")
    finally:
        os.close(terminal)
        os.waitpid(process, 0)
