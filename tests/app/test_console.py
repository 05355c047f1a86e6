"""`backprop` is one name for all commands: what `python -m pipeline.<command>` does, it does."""

import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import __version__, console
from tests import ROOT

SLOW_IMPORTS = {"hydra", "omegaconf", "mlflow", "numpy", "pandas", "llvmlite"}


def backprop(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """`backprop arguments…` in a process of its own, as the script that pip makes starts it."""
    code = f"{before}\nfrom pipeline.console import main\nmain()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def module(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m pipeline.name arguments…`."""
    return subprocess.run([sys.executable, "-m", f"pipeline.{name}", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]], ids=str)
def test_help_lists_every_command_in_a_line(arguments):
    ended = backprop(*arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    for name, purpose in (console.COMMANDS | console.OTHERS).items():
        assert re.search(rf"^  {name} +{re.escape(purpose)}$", ended.stdout, re.M)


def test_every_command_module_has_its_line():
    modules = {path.stem for path in Path(console.__file__).parent.glob("*.py") if 'run(main, "' in path.read_text()}
    assert modules == set(console.COMMANDS)


def test_the_version_is_ours():
    assert backprop("--version").stdout == f"backprop {__version__}\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tran", "tran: unknown command; did you mean train?"),
        ("complete", "complete: unknown command; did you mean completion?"),
        ("42", f"42: unknown command; known are {', '.join(console.COMMANDS)}, new, completion"),
    ],
)
def test_an_unknown_command_is_refused_in_one_line(name, message):
    ended = backprop(name, "learning_rate=1")
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"{message}\n")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["tran"], ["completion", "bash"],
                                       ["completion", "query", "backprop tr"]], ids=" ".join)  # fmt: skip
def test_nothing_slow_is_imported_before_a_command_is_known(arguments):
    tell = f"import atexit, sys; atexit.register(lambda: print({SLOW_IMPORTS!r} & set(sys.modules), file=sys.stderr))"
    assert backprop(*arguments, before=tell).stderr.splitlines()[-1] == "set()"


def seconds(*started: Callable[[], object]) -> list[float]:
    """The least time that the processor takes for each command, of three by turns: others disturb it less than a clock."""
    times = []
    for start in 3 * started:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return [min(times[which :: len(started)]) for which in range(len(started))]


def test_help_takes_less_than_a_fifth_of_a_second():
    assert seconds(lambda: backprop("--help"))[0] < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("words", ["--help", "nosuchkey=1"])
@pytest.mark.parametrize("name", ["summary", "map", "reproduce", "ui"])
def test_help_and_wrong_input_take_less_than_half_a_second(name, words):
    imports = [sys.executable, "-c", "import numpy, hydra"]  # 0.35 to 0.7 on a slow machine with busy neighbours
    least, taken = seconds(lambda: subprocess.run(imports, check=True), lambda: module(name, words))
    assert taken < max(0.5, 2 * least)  # 0.2 to 0.4 on a quick one; 0.5 to 1.5 times the imports


IMPORTED = """
import sys
from importlib import import_module
for name in sys.argv[1:]:
    import_module(f"pipeline.{name}")
heavy = {"jinja2", "matplotlib", "mlflow", "numba", "pandas", "pyarrow.compute", "pyarrow.parquet"}
print(*sorted((heavy | {"scipy", "sklearn", "sqlalchemy"}) & set(sys.modules)))
"""


def test_no_command_imports_anything_heavy_before_it_has_read_its_words_and_no_sweep_before_it_trains():
    modules = [*console.COMMANDS, "sweeps.multirun"]
    started = subprocess.run([sys.executable, "-c", IMPORTED, *modules], capture_output=True, text=True, check=True)
    assert started.stdout == "\n"


def test_make_help_lists_every_target_that_says_what_it_does_once_and_in_a_group():
    makefile = (ROOT / "Makefile").read_text()
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for group in re.findall("^##@ (.*)$", makefile, re.M):
        assert f"\n{group}\n  " in shown
    listed = re.findall("^  ([a-z-]+) ", shown, re.M)
    [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, re.M)
    assert sorted(listed) == sorted(phony.split())


OTHERS = ["push", "folder=nowhere"], ["reproduce", "engines=abacus"], ["ui", "tracking.uri=http://localhost:1"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--cfg", "all"],
        ["train", "-m", "--cfg", "hydra", "seed=1,2", "hydra.sweep.dir=out"],
        ["summary", "--cfg", "job"],
        ["explain", "explain.weight=w2"],
        ["train", "learning_rat=1"],
        ["train", "-m", "learning_rate=-1,1"],
        ["explain", "-m"],
        *(pytest.param(words, marks=pytest.mark.slow) for words in OTHERS),
    ],
    ids=" ".join,
)
def test_a_command_means_the_same_by_both_names(arguments, folder):
    ours, theirs = backprop(*arguments), module(*arguments)
    assert ours.returncode == theirs.returncode
    times = r"\d{4}-\d\d-\d\d/\d\d-\d\d-\d\d"
    assert re.sub(times, "", ours.stdout) == re.sub(times, "", theirs.stdout)
    assert ours.stderr == theirs.stderr


INTERRUPTED = """
from pipeline.app import application
def main(config):
    exec("raise KeyboardInterrupt")  # as within a library that is being imported
if __name__ == "__main__":
    application.run(main, "push")
"""


def test_an_interrupt_within_exec_ends_python_m_with_130(folder, monkeypatch):
    """Without `forget_interrupts`, Python before 3.14 dies of SIGINT there: -2."""
    (folder / "interrupted.py").write_text(INTERRUPTED)
    ended = subprocess.run([sys.executable, "-m", "interrupted"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")
