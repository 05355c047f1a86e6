"""The installed package needs no checkout: every command works from another folder, with what travels in the wheel."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
SOURCES = (
    "pipeline",
    "hydra_plugins",
    "conf",
    "baselines",
    "pyproject.toml",
    "setup.py",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
)
LIBRARIES = [path for path in sys.path if Path(path).name == "site-packages"]

# Writes down every file of the checkout that a process of the new environment opens.
GUARD = f"""
import sys
def audit(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith({f"{ROOT}/"!r}):
        if not arguments[0].startswith({tuple(LIBRARIES)!r}):
            with open({{log!r}}, "a") as file:
                file.write(arguments[0] + chr(10))
sys.addaudithook(audit)
"""

Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built by way of its source distribution, from a copy of the checkout."""
    pytest.importorskip("setuptools", minversion="77")
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "copy"
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy)
    build = f"from setuptools import build_meta; build_meta.build_sdist({str(folder)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True)
    [archive] = folder.glob("*.tar.gz")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", str(folder), str(archive)], check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, and with this one's libraries but not its editable install of the project."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    packages.joinpath("guard.py").write_text(GUARD.replace("{log!r}", repr(str(folder / "opened"))))
    packages.joinpath("libraries.pth").write_text("\n".join([*LIBRARIES, "import guard\n"]))
    pip = [sys.executable, "-m", "pip", "--python", f"{folder}/bin/python", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    return folder


@pytest.fixture
def run(environment: Path, folder: Path) -> Run:
    """Runs a program of the new environment in an empty folder, from which nothing of the checkout is opened."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        command = (f"{environment}/bin/{command[0]}", *command[1:])
        ended = subprocess.run(command, env=variables, cwd=folder, capture_output=True, text=True, check=False)
        opened = environment / "opened"
        assert not opened.exists(), opened.read_text()
        return ended

    return run


def test_the_wheel_carries_all_and_only_what_the_commands_need(wheel):
    carried = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {f"pipeline/{path.relative_to(ROOT)}" for name in ("conf", "baselines") for path in (ROOT / name).rglob("*.*")}
    for name in ("pipeline", "hydra_plugins"):
        files = (path for path in (ROOT / name).rglob("*.*") if path.is_file() and "__pycache__" not in path.parts)
        expected |= {str(path.relative_to(ROOT)) for path in files}
    assert carried == expected


def test_a_sweep_its_summary_and_the_other_commands_work(run, folder):
    sweep = run("backprop", "train", "-m", "study=convergence", "seed=0,1", "threshold=1e-1,1e-2", "max_epochs=300")
    assert sweep.returncode == 0, sweep.stderr
    [results] = folder.glob("mlruns/artifacts/**/results.parquet")
    assert len(pd.read_parquet(results)) == 7 * 4 * 2 * 2
    assert len(list(folder.glob("mlruns/artifacts/**/report.html"))) == 1
    assert list(folder.glob("multirun/*/*/multirun.yaml"))
    commands = {
        ("backprop", "summary"): "By learning_rate",
        ("backprop", "explain"): "One iteration of backpropagation",
        ("backprop", "explain", "explain.format=markdown", "explain.output=walk.md"): "written to walk.md",
        ("backprop", "reproduce", "sample=5"): "reproduced 5 of 5",
        ("backprop", "reproduce", "sweep=latest", "sample=2", "engines=numpy"): "reproduced 2 of 2",
        ("backprop", "push"): "nothing waits under multirun/",
        ("backprop", "train", "task=iris", "network=trained", "initial=uniform", "max_epochs=2"): "task iris",
        ("python", "-m", "pipeline.train", "max_epochs=2"): "exhausted after 2 epochs",
        ("backprop", "completion", "query", "backprop train task=x"): "task=xor",
        ("backprop", "--version"): "backprop ",
    }
    for command, output in commands.items():
        ended = run(*command)
        assert (ended.returncode, ended.stderr.count("Traceback")) == (0, 0), f"{command}\n{ended.stderr}"
        assert output in ended.stdout, command


def test_mlflows_pages_open(run, environment, folder):
    assert run("backprop", "train", "max_epochs=2").returncode == 0
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    server = subprocess.Popen(
        [f"{environment}/bin/backprop", "ui", "ui.port=0"], env=variables, cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        address = re.search(r"http://\S+", server.stdout.readline())[0]
        assert answer(f"{address}/health") == b"OK"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def answer(address: str) -> bytes:
    """What a server answers as soon as it does, within a minute."""
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address) as response:
                return response.read()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def test_wrong_input_is_refused_in_one_line(run):
    ended = run("backprop", "train", "task=foo")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("task=foo: must be one of csv, digits, encoder")
