"""A store is where its address says, whatever that place is called, and wherever its folder is moved or copied."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from mlflow import MlflowClient

from pipeline.store.addresses import address
from tests import ROOT
from tests.stores import sweeps_in

SWEEP = ("-m", "initial=uniform", "seed=range(3)", "max_epochs=5")
ODD = ["100%", "a%20b", "who?", "c# ü", "a?b=c", "it's $HOME"]

SLOW = pytest.mark.slow


def locations(store: Path) -> list[str]:
    """All paths of artifacts that the database has."""
    connection = sqlite3.connect(store)
    try:
        queries = "SELECT artifact_location FROM experiments", "SELECT artifact_uri FROM runs"
        return [path for query in queries for (path,) in connection.execute(query)]
    finally:
        connection.close()


def snapshot(folder: Path) -> dict[str, tuple]:
    """Every file with its content, but the one that SQLite writes to whoever reads."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm")}


@pytest.mark.parametrize("way", ["moved", pytest.param("copied", marks=SLOW), pytest.param("linked", marks=SLOW)])
def test_a_store_is_whole_wherever_its_folder_is(way, store, folder, command):
    assert command("train", *SWEEP).code == 0
    before = sweeps_in(f"sqlite:///{store}", (folder / "a").mkdir() or folder / "a")
    old, new = folder / "mlruns", folder / "another project" / "mlruns"
    new.parent.mkdir()
    {"moved": old.rename, "copied": lambda to: shutil.copytree(old, to), "linked": lambda to: to.symlink_to(old)}[way](new)
    content = snapshot(old) if way == "copied" else {}

    os.chdir(new.parent)
    shown = command("summary", "sweep=latest")
    assert shown.code == 0, shown.err
    assert "3 runs" in shown.out
    assert command("reproduce", "sweep=latest").code == 0
    assert command("train", "-m", "initial=uniform", "seed=3,4", "max_epochs=5").code == 0

    after = sweeps_in(f"sqlite:///{new}/mlflow.db", (folder / "b").mkdir() or folder / "b")
    assert len(after) == 2
    told = [(run["tags"]["result.digest"], run["weights"]) for run in before[0]["children"]]
    assert told == [(run["tags"]["result.digest"], run["weights"]) for run in after[0]["children"]]
    paths = [Path(unquote(path.removeprefix("file://"))) for path in locations(new / "mlflow.db")]
    assert all(path.exists() and (new / "artifacts").resolve() in (path.resolve(), *path.resolve().parents) for path in paths)
    if way == "copied":
        assert snapshot(old) == content
    if way == "moved":
        assert not old.exists()


def test_a_store_of_before_is_moved_too(store, folder, command):
    """Stores had no tag on their experiments that says that the artifacts are beside."""
    assert command("train", *SWEEP).code == 0
    with sqlite3.connect(store) as connection:
        connection.execute("DELETE FROM experiment_tags WHERE key = 'artifacts'")
    connection.close()
    (folder / "mlruns").rename(folder / "elsewhere")
    moved = command("summary", f"tracking.uri=sqlite:///{folder}/elsewhere/mlflow.db")
    assert moved.code == 0, moved.err
    paths = locations(folder / "elsewhere" / "mlflow.db")
    assert sum(f"{folder}/elsewhere/artifacts" in path for path in paths) == 5


def test_artifacts_that_were_put_elsewhere_stay_there(store, folder, command):
    place = folder / "data" / "artifacts"
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    client.create_experiment("mine", artifact_location=place.as_uri())
    assert command("train", "max_epochs=3", "tracking.experiment=mine").code == 0
    assert command("train", "max_epochs=3", "tracking.experiment=new", "tracking.artifacts=data/other").code == 0
    (folder / "mlruns").rename(folder / "moved")
    ended = command("train", "max_epochs=4", "tracking.experiment=mine", "tracking.uri=sqlite:///moved/mlflow.db")
    assert ended.code == 0, ended.err
    assert len(list(place.rglob("weights.npz"))) == 2
    assert len(list((folder / "data/other").rglob("weights.npz"))) == 1
    assert not list((folder / "moved").rglob("weights.npz"))


@pytest.mark.parametrize(("name", "given"), [*((name, False) for name in ODD), ("a%20b ü#", True), ("who's?", True)])
def test_a_path_may_hold_any_character(name, given, folder, empty_store, command):
    place = folder / name / "mlruns"
    place.mkdir(parents=True)
    shutil.copy(empty_store, place / "mlflow.db")
    before = {path for path in folder.rglob("*") if path.is_dir()}
    where = [f"tracking.uri='sqlite:///{place}/mlflow.db'".replace("who's", "who\\'s")] if given else []
    os.chdir(folder if given else place.parent)
    ended = command("train", "max_epochs=3", "hydra.run.dir=.", "hydra.output_subdir=null", *where)
    assert ended.code == 0, ended.err
    assert str(place) in ended.out
    assert len(list(place.rglob("weights.npz"))) == 1
    shown = command("summary", "sweep=runs", *where)
    assert shown.code == 0, shown.err
    [run] = runs_of_any(place / "mlflow.db")
    assert Path(MlflowClient(address(f"sqlite:///{place}/mlflow.db").uri).download_artifacts(run, "weights.npz")).exists()
    beside = {path for path in folder.rglob("*") if path.is_dir()} - before
    assert all(place in path.parents for path in beside), beside


def runs_of_any(path: Path) -> list[str]:
    """The ids of all runs in a database whose path MLflow cannot be given as it is."""
    connection = sqlite3.connect(path)
    try:
        return [run for (run,) in connection.execute("SELECT run_uuid FROM runs")]
    finally:
        connection.close()


def test_an_address_of_other_programs_with_percent_signs_is_understood(folder, empty_store, command):
    (folder / "my store").mkdir()
    shutil.copy(empty_store, folder / "my store" / "m.db")
    assert command("train", "max_epochs=3", "tracking.uri=sqlite:///my%20store/m.db").code == 0
    assert len(runs_of_any(folder / "my store" / "m.db")) == 1
    assert not (folder / "my%20store").exists()


REFUSED = {
    "sqlite://": "must be sqlite:/// and the path of a file",
    "sqlite:///": "must be sqlite:/// and the path of a file",
    "sqlite:///:memory:": "must be sqlite:/// and the path of a file",
    "sqlite:x.db": "must be sqlite:/// and the path of a file",
    "sqlite://x.db": "must be sqlite:/// and the path of a file",
    "sqlite:///file:x.db?mode=memory": "must be sqlite:/// and the path of a file",
    "sqlite:///x.db?timeout=20": "without options",
    "sqlite:///folder": "cannot be opened: it is a folder",
    "sqlite:///fifo": "cannot be opened: it is no file",
    "sqlite:////dev/null": "cannot be opened: it is no file",
    "sqlite:///text": "cannot be opened: file is not a database",
    "sqlite:///text/m.db": "cannot be opened: [Errno 17] File exists",
    "sqlite:///other.db": "it is a database, but none of MLflow's",
}


@pytest.mark.parametrize("uri", REFUSED)
def test_what_can_be_no_store_is_refused_at_once(uri, folder, command):
    (folder / "folder").mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "text").write_text("so it is " * 100)
    with sqlite3.connect(folder / "other.db") as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before, content = sorted(folder.rglob("*")), snapshot(folder)
    for ended in command("train", "max_epochs=3", f"tracking.uri='{uri}'"), command("summary", f"tracking.uri='{uri}'"):
        assert ended.code == 2
        [line] = ended.err.splitlines()
        assert line.startswith(f"tracking.uri={uri}".split("?")[0].replace("=sqlite:///", "=sqlite:///").split("=sqlite")[0])
        assert REFUSED[uri] in line or "no such store" in line or "Not a directory" in line
    assert sorted(folder.rglob("*")) == before
    assert snapshot(folder) == content


def test_an_empty_file_is_a_new_store(folder, command):
    (folder / "m.db").touch()
    where = "tracking.uri=sqlite:///m.db"
    assert "no such store" in command("summary", where).err
    assert command("train", "max_epochs=3", where).code == 0
    assert len(runs_of_any(folder / "m.db")) == 1


@pytest.mark.parametrize("mode", ["single", "basic", "batch"])
def test_paths_count_from_where_the_command_was_given(mode, store, folder, command):
    arguments = {
        "single": [],
        "basic": ["-m", "hydra/sweeper=basic", "seed=1,2"],
        "batch": ["-m", "seed=1,2", "initial=uniform"],
    }
    (folder / "t.csv").write_text("a,b\n0,1\n1,0\n")
    task = ["task=csv", "task.path=t.csv", "task.targets=b", "network=trained", "initial=uniform"]
    for where in [], ["tracking.uri=sqlite:///mlruns/mlflow.db"]:
        ended = command("train", *arguments[mode], *task, *where, "max_epochs=3", "hydra.job.chdir=true")
        assert ended.code == 0, ended.err
        assert str(store) in ended.out
    assert [path.relative_to(folder) for path in folder.rglob("*.db")] == [Path("mlruns/mlflow.db")]
    assert len(runs_of_any(store)) == {"single": 2, "basic": 4, "batch": 6}[mode]


@pytest.mark.parametrize("where", [pytest.param("", marks=SLOW), "sub"])
def test_the_command_that_is_told_to_look_works_from_here(where, store, folder, command):
    (folder / where).mkdir(exist_ok=True)
    os.chdir(folder / where)
    ended = command("train", "max_epochs=3", f"tracking.uri=sqlite:///{store}")
    told = ended.out.splitlines()[-1].partition("look at it with: ")[2]
    assert "pipeline.ui" in told
    checked = told.replace("pipeline.ui", "pipeline.summary") + " sweep=runs"
    shown = subprocess.run(
        checked, shell=True, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert shown.returncode == 0, shown.stderr
    assert "1 run" in shown.stdout


def test_in_a_checkout_it_is_make_ui(folder, store, command):
    (folder / "Makefile").touch()
    (folder / "pipeline").mkdir()
    assert command("train", "max_epochs=3").out.endswith("look at it with: make ui\n")
    assert "pipeline.ui" in command("train", "max_epochs=3", "tracking.uri=sqlite:///other.db").out


@pytest.mark.parametrize("log", [pytest.param(False, marks=SLOW), True], ids=["closed", "with its write-ahead log"])
def test_a_store_that_is_read_only_can_be_read(log, store, folder, command):
    # root without the right to write everywhere
    plain = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    if plain and subprocess.run([*plain, "true"], capture_output=True, check=False).returncode:
        pytest.skip("root's rights can't be dropped here")

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([*plain, sys.executable, "-m", *arguments], capture_output=True, text=True, check=False)

    assert run("pipeline.train", *SWEEP).returncode == 0
    writer = sqlite3.connect(store)
    try:
        if log:
            writer.execute("UPDATE runs SET name = name")
            writer.commit()
            assert store.with_name("mlflow.db-wal").exists()
        paths = [store.parent, *store.parent.rglob("*")]
        for path in paths:
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = snapshot(store.parent)
        shown = run("pipeline.summary")
        assert shown.returncode == 0, shown.stderr
        assert "3 runs" in shown.stdout
        refused = run("pipeline.train", "max_epochs=3")
        assert refused.returncode == 2
        assert refused.stderr == f"tracking.uri=sqlite:///{store}: cannot be opened: it is read-only\n"
        assert snapshot(store.parent) == before
        assert {path.name for path in folder.iterdir()} == {"mlruns", "multirun"}
    finally:
        for path in paths:
            path.chmod(0o777)
        writer.close()
