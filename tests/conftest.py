"""What all tests share: the commands in this process, in an empty folder, and stores made quickly."""

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from hypothesis import settings

from tests.amounts import FULL

# the same examples at each run of CI, so that a change is judged by itself; new ones everywhere else
number = 100 if FULL else 50
settings.register_profile("tests", max_examples=number, deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """Compiled code goes to a folder of this session's, which all its processes share and which is gone afterwards."""
    if "PYTEST_XDIST_WORKER" not in os.environ and "BACKPROP_CACHE_DIR" not in os.environ:
        cache = tempfile.mkdtemp(prefix="compiled-")
        os.environ["BACKPROP_CACHE_DIR"] = cache
        config.add_cleanup(lambda: shutil.rmtree(cache, ignore_errors=True))


Command = Callable[..., SimpleNamespace]
DRAWN_IN = ("report", "maps", "walkthrough")  # the rooms whose tests look at figures
NOTICE = "runs are recorded by MLflow's client, one by one"  # where the schema is not known, which many tests pretend


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("pipeline.app.progress.SECONDS_BETWEEN_LINES", 1e6)  # what is printed must not depend on the machine
    with patch.dict(os.environ, HYDRA_FULL_ERROR=""):  # what a test sets, or has a library set, is gone after it
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        yield
    GlobalHydra.instance().clear()


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps that draw nothing, which takes most of the time of a small one."""
    monkeypatch.setattr("pipeline.report.figures.files.write_figures", lambda *_, **__: {})


@pytest.fixture(autouse=True)
def _figures_only_where_they_are_looked_at(request: pytest.FixtureRequest) -> None:
    room = request.path.relative_to(Path(__file__).parent).parts[0]
    if room not in DRAWN_IN and not any(map(request.node.get_closest_marker, ("slow", "figures"))):
        request.getfixturevalue("without_figures")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with MLflow's schema and nothing in it: copied, because making one takes a second or two."""
    from pipeline.store.addresses import address
    from pipeline.store.sqlite import prepare_sqlite

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    prepare_sqlite(address(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def multirun(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple]:
    """What Hydra gives its sweeper: its loader, the configuration of the multirun, the arguments."""
    from pipeline.app.composition import CONF

    sweeps = [f"hydra.sweep.dir={tmp_path_factory.mktemp('multirun')}", "hydra.output_subdir=null"]
    composed = {}

    def start(arguments=(), params=None, folder=None, name="train"):
        folder = folder or CONF
        own = [argument for argument in arguments if argument.lstrip("+").startswith(("hydra", "study"))]
        key = (folder, name, *own)
        if key not in composed:
            with initialize_config_dir(version_base="1.3", config_dir=str(folder)):
                hydra = GlobalHydra.instance().hydra
                master = hydra.compose_config(name, [*sweeps, *own], run_mode=RunMode.MULTIRUN, with_log_configuration=False)
            composed[key] = hydra.config_loader, master
        loader, master = composed[key]
        if params:
            master = deepcopy(master)
            master.hydra.sweeper.params = params
        return loader, master, [argument for argument in arguments if not argument.lstrip("+").startswith("hydra")]

    return start


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """Chromium, for the tests of one file: while it is open, nothing else of this process may be asynchronous."""
    from tests.browsers import chromium

    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core."""
    from tests.browsers import axe_core

    return axe_core(tmp_path_factory.mktemp("npm"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def store(folder: Path, empty_store: Path) -> Path:
    """A folder to work in with an empty store where the commands look for it; gives the store's file."""
    path = folder / "mlruns" / "mlflow.db"
    path.parent.mkdir()
    shutil.copy(empty_store, path)
    return path


@pytest.fixture
def disk_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that says only in the end that it has not taken a file."""

    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs `python -m pipeline.<name> arguments…` in this process; gives exit code, output and error output."""

    def run(name: str, *arguments: str) -> SimpleNamespace:
        from pipeline.app.application import run as run_application
        from pipeline.trials.files import read_anew

        read_anew()
        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", [f"pipeline.{name}", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run_application(import_module(f"pipeline.{name}").main, name)
        out, err = capfd.readouterr()
        lines = err.splitlines(keepends=True)
        notices = [line for line in lines if line.startswith(NOTICE)]
        err = "".join(line for line in lines if line not in notices)
        return SimpleNamespace(code=ended.value.code, out=out, err=err, notices=notices)

    return run
