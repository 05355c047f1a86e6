"""`backprop new study NAME` writes a commented study that runs as it is, where a checkout or `--config-dir` finds it."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.app.composition import CONF, Multirun
from pipeline.app.new.study import new
from pipeline.sweeps.request import read_sweep
from tests import ROOT

SMALL = ("engine=numpy", "max_epochs=20", "seed=0,1", "threshold=1e-2", "tracking.runs=none")
REFUSED = {
    (): "new study=: must have one NAME: backprop new study NAME",
    ("study",): "new study=: must have one NAME: backprop new study NAME",
    ("study", "a", "b"): "new study=a b: must have one NAME: backprop new study NAME",
    ("map", "a"): "new=map: unknown kind; known are study: backprop new study NAME",
    ("stduy", "a"): "new=stduy: unknown kind; did you mean study?: backprop new study NAME",
    ("study", "--folder", "x", "a"): "new=study: unrecognized arguments: --folder x a; see backprop new --help",
    ("study", "a", "--config-dir"): "new=study: argument --config-dir/-cd: expected one argument; see backprop new --help",
    ("study", "a", "--config-dir="): "--config-dir=: must be a folder",
    ("study", "xor"): "new study=xor: is a study already: choose another name",
}
BAD_NAMES = ["", "1st", "a b", "../a", "a/b", "a.yaml", "null", "True", "a=b", "a,b", "ü", "-", "x" * 61, "a\x1b[2J", "a\n"]


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_wrong_words_are_refused_in_one_line(arguments, folder, capsys):
    assert new(arguments, CONF) == 2
    assert capsys.readouterr() == ("", f"{REFUSED[arguments]}\n")
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_bad_names_are_refused_in_one_line(name, folder, capsys):
    assert new(["study", "--", name], CONF) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "must be a name of at most 60 letters" in err
    assert err.isprintable() or err.rstrip("\n").isprintable()
    assert not list(folder.iterdir())


def test_a_file_is_never_overwritten(folder, capsys):
    assert new(["study", "mine"], CONF) == 0
    [path] = folder.rglob("*.yaml")
    path.write_text("my work")
    capsys.readouterr()
    assert new(["study", "mine"], CONF) == 2
    assert capsys.readouterr().err == "new study=mine: conf/study/mine.yaml is there already: it is not overwritten\n"
    assert path.read_text() == "my work"


def test_a_folder_that_cannot_be_made_is_said_in_one_line(folder, capsys):
    (folder / "file").write_text("")
    assert new(["study", "mine", "--config-dir", "file/inside"], CONF) == 2
    assert capsys.readouterr().err == "new study=mine: file/inside/study/mine.yaml cannot be written: Not a directory\n"


def test_it_has_its_name_and_as_many_runs_as_it_says(folder, multirun):
    assert new(["study", "mine"], CONF) == 0
    text = Path("conf/study/mine.yaml").read_text()
    assert "\n# mine: " in text
    assert "NAME" not in text
    axes = yaml.safe_load(text)["hydra"]["sweeper"]["params"]
    loader, master, arguments = multirun(["task=xor", "network=trained", "initial=uniform"], params=axes)
    assert "= 240 runs." in text
    assert len(read_sweep(Multirun(loader, master, arguments)).plan) == 240


def test_help_has_examples_that_work(folder, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert new(["--help"], CONF) == 0
    examples = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  backprop new")]
    assert len(examples) == 3
    for line in examples:
        assert new(shlex.split(line)[2:], CONF) == 0
    assert len(list(folder.rglob("*.yaml"))) == 3


@pytest.mark.slow
@pytest.mark.parametrize("place", ["conf", "elsewhere"])
def test_it_runs_as_it_is_from_a_checkout_and_from_any_folder(place, folder, tmp_path):
    """As it says itself: in a copy of the checkout by `study=mine` alone, elsewhere by `--config-dir`, too."""
    for name in ("pipeline", "hydra_plugins", "conf"):
        shutil.copytree(ROOT / name, folder / "checkout" / name, ignore=shutil.ignore_patterns("__pycache__"))
    here = folder / "checkout" if place == "conf" else folder
    environment = {**os.environ, "PYTHONPATH": str(folder / "checkout"), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *words], cwd=here, env=environment, capture_output=True, text=True, check=False)

    more = [] if place == "conf" else ["--config-dir", "my studies"]
    written = run("-c", "from pipeline.console import main; main()", "new", "study", "mine", *more)
    assert (written.returncode, written.stderr) == (0, "")
    words = shlex.split(written.stdout.splitlines()[-1].partition("run it with: python ")[2])
    assert ("--config-dir" in words) == (place == "elsewhere")
    ended = run(*words, *SMALL)
    assert ended.returncode == 0, ended.stderr
    assert "12 runs" in ended.stdout
    assert "mine" in run("-m", "pipeline.train", "--help").stdout or place == "elsewhere"
