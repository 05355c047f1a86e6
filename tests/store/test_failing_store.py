"""Stores and disks that really fail: full, read-only, locked, away. A sweep trains on, keeps all and says one line."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipeline.store import bulk, failures
from pipeline.store.write import Store
from pipeline.ui import free_port
from tests.servers import Server
from tests.stores import CHUNKS, EXPERIMENT, SWEEP, TRIALS, after, kept_folder, sweeps_in, wait_for

BOTH_WAYS = ["in bulk", pytest.param("by the client", marks=pytest.mark.slow)]


def start(name: str, *arguments: str) -> subprocess.Popen:
    """A command in a process of its own, not waited for."""
    command = [sys.executable, "-m", f"pipeline.{name}", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(uri: str, folder: Path) -> list[dict]:
    """The sweeps in a store."""
    place = folder / f"told-{time.monotonic_ns()}"
    place.mkdir()
    return sweeps_in(uri, place)


def kept_places(path: Path) -> list[int]:
    """Which trials are kept in a folder, read as any program does."""
    tables = [pa.ipc.open_file(str(file)).read_all() for file in path.glob("*.arrow")]
    return sorted(place for table in tables for place in table.column("place").to_pylist())


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    path = folder / "small"
    path.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(path)], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting a disk is not permitted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def fill(path: Path) -> Path:
    """Fills a disk; gives the file that does."""
    ballast = path / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue
    return ballast


@pytest.mark.slow
def test_a_full_disk_under_the_store(small_disk, empty_store, folder, command, monkeypatch):
    store = small_disk / "mlflow.db"
    shutil.copy(empty_store, store)
    sweep = (*SWEEP, f"tracking.uri=sqlite:///{store}")
    assert command("train", *sweep).code == 0
    with monkeypatch.context() as patch:
        after(patch, 2, lambda: fill(small_disk))
        ended = command("train", *sweep)
    nothing_is_lost(command, ended, f"sqlite:///{store}", folder, (small_disk / "ballast").unlink)


def test_a_store_made_read_only(store, folder, command, monkeypatch):
    def immutable(sign: str) -> bool:
        """Not the -shm file, which SQLite writes by way of memory: that would end the process on the spot."""
        files = [str(file) for file in store.parent.rglob("*") if not file.name.endswith("-shm")]
        return not subprocess.run(["chattr", f"{sign}i", *files], capture_output=True, check=False).returncode

    if not shutil.which("chattr") or not (immutable("+") and immutable("-")):
        pytest.skip("files cannot be made immutable here")
    assert command("train", *SWEEP).code == 0
    try:
        with monkeypatch.context() as patch:
            after(patch, 2, lambda: immutable("+"))
            ended = command("train", *SWEEP)
        nothing_is_lost(command, ended, f"sqlite:///{store}", folder, lambda: immutable("-"))
    finally:
        immutable("-")


def nothing_is_lost(command, ended, uri: str, folder: Path, mend: Callable[[], object]) -> None:
    """What a sweep into a broken store must leave, and how it gets into a mended one."""
    assert (ended.code, ended.err.count("\n")) == (1, 1), ended.err
    assert kept_places(kept_folder()) == list(range(TRIALS))
    pushed = command("push")
    assert (pushed.code, pushed.err.count("\n")) == (1, 1), pushed.err
    mend()
    pushed = command("push")
    assert (pushed.code, pushed.err) == (0, "")
    direct, later = told(uri, folder)
    assert later == direct
    assert (direct["status"], len(direct["children"])) == ("FINISHED", TRIALS)


def test_a_full_disk_under_the_sweeps_own_folder(small_disk, store, folder, command, monkeypatch):
    with monkeypatch.context() as patch:
        after(patch, 2, lambda: fill(small_disk))
        ended = command("train", *SWEEP, f"hydra.sweep.dir={small_disk}/sweep")
    assert (ended.code, ended.err.count("\n")) == (1, 1), ended.err
    assert "No space left on device" in ended.err
    assert str(small_disk) in ended.err
    path = small_disk / "sweep" / "kept"
    assert not list(path.glob("*.draft"))
    assert len(kept_places(path)) == 2 * TRIALS // CHUNKS
    [sweep] = told(f"sqlite:///{store}", folder)
    assert sweep["status"] == "FAILED"
    assert len(sweep["children"]) <= 2 * TRIALS // CHUNKS
    (small_disk / "ballast").unlink()
    assert command("train", *SWEEP, f"hydra.sweep.dir={small_disk}/sweep").code == 0
    [sweep] = told(f"sqlite:///{store}", folder)
    assert (sweep["status"], len(sweep["children"])) == ("FINISHED", TRIALS)


def test_a_disk_that_is_full_before_a_sweep_begins(small_disk, empty_store, store, folder, command):
    shutil.copy(empty_store, small_disk / "mlflow.db")
    command("train", "max_epochs=2", f"tracking.uri=sqlite:///{small_disk}/mlflow.db")
    fill(small_disk)
    ended = command("train", *SWEEP, f"tracking.uri=sqlite:///{small_disk}/mlflow.db")
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert not list(folder.rglob("kept"))
    ended = command("train", *SWEEP, f"hydra.sweep.dir={small_disk}/sweep")
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err


@pytest.fixture
def lock(store: Path) -> Iterator[sqlite3.Connection]:
    """A connection that can lock the store."""
    connection = sqlite3.connect(store, isolation_level=None, check_same_thread=False)
    yield connection
    connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("schemas", BOTH_WAYS)
def test_a_store_that_others_lock_all_the_time(schemas, store, lock, folder, command, monkeypatch):
    if schemas == "by the client":
        monkeypatch.setattr(bulk, "KNOWN_SCHEMAS", ())
    assert command("train", *SWEEP).code == 0
    monkeypatch.setattr(failures, "BUSY_SECONDS", 1.0)
    with monkeypatch.context() as patch:
        after(patch, 2, lambda: lock.execute("BEGIN EXCLUSIVE"))
        ended = command("train", *SWEEP)
    assert "database is locked" in ended.err
    nothing_is_lost(command, ended, f"sqlite:///{store}", folder, lambda: lock.execute("ROLLBACK"))


def test_a_store_that_is_locked_before_a_sweep_begins(store, lock, folder, command, monkeypatch):
    monkeypatch.setattr(failures, "BUSY_SECONDS", 1.0)
    command("train", "max_epochs=2")
    lock.execute("BEGIN EXCLUSIVE")
    ended = command("train", *SWEEP)
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert not list(folder.rglob("kept"))


def test_a_store_that_fails_just_after_a_sweep_has_begun(store, folder, command, monkeypatch):
    def fail(*_):
        raise MlflowException("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "recorded", fail)
        ended = command("train", *SWEEP)
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert ended.err.endswith("cannot be used: no answer\n")
    ended = command("train", *SWEEP)
    assert (ended.code, "resuming run" in ended.out) == (0, True), ended.err


@pytest.mark.parametrize("schemas", BOTH_WAYS)
def test_a_short_lock_is_waited_out(schemas, store, lock, folder, command, monkeypatch):
    if schemas == "by the client":
        monkeypatch.setattr(bulk, "KNOWN_SCHEMAS", ())
    assert command("train", *SWEEP).code == 0

    def lock_shortly() -> None:
        lock.execute("BEGIN EXCLUSIVE")
        threading.Timer(2.0, lambda: lock.execute("ROLLBACK")).start()

    after(monkeypatch, 2, lock_shortly)
    ended = command("train", *SWEEP)
    assert (ended.code, ended.err) == (0, "")
    direct, later = told(f"sqlite:///{store}", folder)
    assert later == direct


@pytest.mark.slow
@pytest.mark.parametrize("schemas", BOTH_WAYS)
def test_ctrl_c_is_heard_while_a_lock_is_waited_for(schemas, store, lock, folder, command, monkeypatch):
    if schemas == "by the client":
        monkeypatch.setattr(bulk, "KNOWN_SCHEMAS", ())
    asked = []

    def interrupt() -> None:
        asked.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    def lock_and_interrupt() -> None:
        lock.execute("BEGIN EXCLUSIVE")
        threading.Timer(1.3, interrupt).start()

    with monkeypatch.context() as patch:
        after(patch, 2, lock_and_interrupt)
        ended = command("train", *SWEEP)
    taken = time.monotonic() - asked[0]
    assert ended.code == 130
    assert taken < 10.0, taken  # and not the minute for which a lock is waited for
    lock.execute("ROLLBACK")
    assert command("train", *SWEEP).code == 0
    [sweep] = told(f"sqlite:///{store}", folder)
    assert (sweep["status"], len(sweep["children"])) == ("FINISHED", TRIALS)


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    made = Server(folder)
    made.start()
    yield made
    made.kill()


@pytest.mark.slow
@pytest.mark.usefixtures("without_figures")
def test_a_server_that_dies_in_the_middle(server, folder, command, monkeypatch):
    sweep = (*SWEEP, f"tracking.uri={server.uri}")
    ended = command("train", *sweep)
    assert ended.code == 0, ended.err
    died = []

    def die() -> None:
        died.append(time.monotonic())
        server.kill()

    with monkeypatch.context() as patch:
        after(patch, 2, lambda: threading.Timer(0.1, die).start())  # while a run is being recorded
        ended = command("train", *sweep)
    taken = time.monotonic() - died[0]
    assert (ended.code, ended.err.count("\n")) == (1, 1), ended.err
    assert taken < 20
    nothing_is_lost(command, ended, server.uri, folder, server.start)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["the same", "two"])
def test_two_sweeps_at_once_into_a_store_that_is_looked_at(which, store, folder):
    sweep = ("-m", "initial=uniform", "seed=range(500)", "max_epochs=50", "executor.chunk=50")
    port = free_port()
    ui = start("ui", f"ui.port={port}")
    asked, stop = [], threading.Event()

    def poll() -> None:
        client = MlflowClient(f"http://127.0.0.1:{port}")
        while not stop.is_set():
            experiment = client.get_experiment_by_name(EXPERIMENT)
            if experiment:
                asked.append(len(client.search_runs([experiment.experiment_id], "metrics.epochs > 0", max_results=500)))
            stop.wait(0.05)

    try:
        wait_for(f"http://127.0.0.1:{port}", ui)
        polling = threading.Thread(target=poll)
        polling.start()
        rates = ("0.5", "0.5") if which == "the same" else ("0.5", "0.6")
        sweeps = [start("train", *sweep, f"learning_rate={rate}") for rate in rates]
        ended = [(*process.communicate(timeout=200), process.returncode) for process in sweeps]
        stop.set()
        polling.join()
    finally:
        stop.set()
        ui.terminate()
        ui.communicate(timeout=30)
    assert [(err, code) for _, err, code in ended] == [("", 0)] * 2
    client = MlflowClient(f"sqlite:///{store}")
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    runs = list(client.search_runs([experiment], max_results=5000))
    assert {run.info.status for run in runs} == {"FINISHED"}
    parents = {run.info.run_id for run in runs if "mlflow.parentRunId" not in run.data.tags}
    children = [run for run in runs if run.info.run_id not in parents]
    places = Counter((run.data.tags["mlflow.parentRunId"], int(run.data.tags["trial.place"])) for run in children)
    assert places == Counter((parent, place) for parent in parents for place in range(500))
    assert len(parents) == 2
    for run in children:
        of_a_cause = {"cause.number", "rho", "lambda_min", "k_star"} if "cause" in run.data.tags else set()
        assert set(run.data.metrics) - of_a_cause == {"error", "epochs", "final_error", "gradient_norm"}
        assert Path(unquote(urlparse(run.info.artifact_uri).path), "weights.npz").stat().st_size
    assert len(asked) > 3
    assert not list(Path("multirun").rglob("kept*"))
