"""What a store has not taken waits in the sweep's folder, and `pipeline.push` brings it in as if nothing had been."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from mlflow import MlflowClient
from sqlalchemy import event
from sqlalchemy.pool import Pool

from pipeline.results.spool import Spool
from pipeline.store import bulk
from tests.stores import CHUNKS, SWEEP, TRIALS, after, kept_folder, sweeps_in, sweeps_with_runs

BROKEN = {"full": "max_page_count = 1", "read-only": "query_only = on"}
MENDED = {"full": "max_page_count = 4294967294", "read-only": "query_only = off"}


@pytest.fixture
def pragma() -> Iterator[SimpleNamespace]:
    """`pragma.text` is set on each connection to a SQLite store before it is used."""
    asked = SimpleNamespace(text=None)

    def checkout(connection, *_):
        if asked.text:
            connection.execute(f"PRAGMA {asked.text}")

    event.listen(Pool, "checkout", checkout)
    yield asked
    event.remove(Pool, "checkout", checkout)


@pytest.fixture
def compared(folder: Path):
    """The sweeps in a store, each call with a new place for its downloads."""
    calls = iter(range(100))

    def sweeps(store: Path) -> list[dict]:
        place = folder / f"told-{next(calls)}"
        place.mkdir()
        return sweeps_in(f"sqlite:///{store}", place)

    return sweeps


def interrupt() -> None:
    raise KeyboardInterrupt


def left() -> list[Path]:
    return list(Path("multirun").rglob("kept*"))


@pytest.mark.parametrize(
    "schemas", [pytest.param(bulk.KNOWN_SCHEMAS, id="in bulk"), pytest.param((), id="by the client", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("what", BROKEN)
def test_a_store_that_refuses_gets_all_of_it_later(what, schemas, store, command, pragma, monkeypatch, compared):
    monkeypatch.setattr(bulk, "KNOWN_SCHEMAS", schemas)
    assert command("train", *SWEEP).code == 0
    with monkeypatch.context() as patch:
        after(patch, 2, lambda: setattr(pragma, "text", BROKEN[what]))
        ended = command("train", *SWEEP)
    all_is_pushed(ended, what, store, command, pragma, compared)


@pytest.mark.slow
def test_a_run_that_a_store_has_half_of_is_there_once_in_the_end(store, command, pragma, monkeypatch, compared):
    monkeypatch.setattr(bulk, "KNOWN_SCHEMAS", ())
    assert command("train", *SWEEP).code == 0
    calls, real = count(1), MlflowClient.log_artifact

    def log_artifact(*arguments) -> None:
        if next(calls) == 6:
            pragma.text = BROKEN["read-only"]
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifact", log_artifact)
        ended = command("train", *SWEEP)
    _, (_, runs) = sweeps_with_runs(MlflowClient(f"sqlite:///{store}"))
    assert [run.info.status for run in runs] == ["FINISHED"] * 5 + ["RUNNING"]
    all_is_pushed(ended, "read-only", store, command, pragma, compared)


def all_is_pushed(ended, what, store, command, pragma, compared) -> None:
    """What a sweep into a store that refuses must leave, and how it gets into the store when that takes it."""
    assert (ended.code, ended.err.count("\n")) == (1, 1), ended.err
    path = kept_folder()
    assert f"python -m pipeline.push folder={path.absolute()}" in ended.err
    tables = [pa.ipc.open_file(str(file)).read_all() for file in path.glob("*.arrow")]
    assert len(tables) == CHUNKS
    assert sorted(pa.concat_tables(tables).column("place").to_pylist()) == list(range(TRIALS))

    again = command("push")
    assert (again.code, again.err.count("\n"), again.out) == (1, 1, "")
    pragma.text = MENDED[what]
    _, (parent, children) = sweeps_with_runs(MlflowClient(f"sqlite:///{store}"))
    assert parent.info.status == ("FAILED" if what == "full" else "RUNNING")
    assert len(children) < TRIALS
    pushed = command("push")
    assert (pushed.code, pushed.err) == (0, "")
    assert str(store.absolute()) in pushed.out
    direct, later = compared(store)
    assert later == direct
    assert direct["status"] == "FINISHED"
    assert len(direct["children"]) == TRIALS
    assert not left()
    assert command("push").out == "nothing waits under multirun/\n"


def test_a_sweep_that_is_not_trained_to_its_end_is_recorded_so_far_and_goes_on(store, command, monkeypatch, compared):
    assert command("train", *SWEEP).code == 0
    with monkeypatch.context() as patch:
        after(patch, 2, interrupt)
        assert command("train", *SWEEP).code == 130
    for name in ("kept", "kept-moved"):
        path = kept_folder().rename(kept_folder().with_name(name))
        pushed = command("push", f"folder={path}")
        assert (pushed.code, pushed.err, pushed.out.count("\n")) == (0, "", 1)
        assert "8 of 16 trials are trained" in pushed.out
        assert "resume with: python -m pipeline.train -m" in pushed.out
        _, halfway = compared(store)
        assert (halfway["status"], len(halfway["children"])) == ("KILLED", 8)
        assert path.exists()
    ended = command("train", *SWEEP)
    assert ended.code == 0
    assert "resuming run" in ended.out
    direct, later = compared(store)
    assert later == direct
    assert not left()


def test_a_sweep_can_be_brought_into_another_store(store, command, monkeypatch, compared, empty_store, folder):
    assert command("train", *SWEEP).code == 0
    other = folder / "mlruns" / "other.db"
    other.write_bytes(empty_store.read_bytes())
    with monkeypatch.context() as patch:
        after(patch, 2, interrupt)
        command("train", *SWEEP)
    for _ in range(2):
        assert command("push", f"tracking.uri=sqlite:///{other}").code == 0
        [halfway] = compared(other)
        assert (halfway["status"], len(halfway["children"])) == ("KILLED", 8)
    assert command("train", *SWEEP, f"tracking.uri=sqlite:///{other}").code == 0
    direct, _ = compared(store)
    [later] = compared(other)
    assert {key for key in direct if later[key] != direct[key]} == {"files"}  # they name the store
    assert {name for name in direct["files"] if later["files"][name] != direct["files"][name]} == {
        "config.yaml",
        "overrides.yaml",
    }
    assert not left()


@pytest.mark.parametrize("asked", ["by its id", "of another"])
def test_a_sweep_to_go_on_with_can_be_named(asked, store, command, monkeypatch, compared):
    with monkeypatch.context() as patch:
        after(patch, 2, interrupt)
        command("train", *SWEEP)
    parent = json.loads((kept_folder() / "sweep.json").read_text())["parent"]
    ended = command("train", *SWEEP, f"resume={parent if asked == 'by its id' else 'x'}")
    assert ended.code == (0 if asked == "by its id" else 2), ended.err
    assert len(compared(store)) == 1


def test_a_sweep_may_go_to_another_experiment_of_the_same_store(store, command, monkeypatch):
    after(monkeypatch, 2, interrupt)
    command("train", *SWEEP)
    pushed = command("push", "tracking.experiment=other")
    assert pushed.code == 0
    run_id = pushed.out.partition("recorded as run ")[2].split()[0]
    assert run_id != json.loads((kept_folder() / "sweep.json").read_text())["parent"]


@pytest.mark.parametrize("found", [True, False], ids=["begun", "not begun"])
def test_a_sweep_whose_description_lacks_its_parent_is_found_or_begun(found, store, command, monkeypatch, compared):
    after(monkeypatch, 2, interrupt)
    command("train", *SWEEP)
    path = kept_folder()
    description = json.loads((path / "sweep.json").read_text())
    del description["parent"]
    if not found:
        description["key"] = "0" * 64
    (path / "sweep.json").write_text(json.dumps(description))
    assert command("push").code == 0
    before, *rest = [len(sweep["children"]) for sweep in compared(store)]
    assert (before, rest) == (8, []) if found else (before <= 8 and rest == [8])


def test_a_folder_that_was_only_not_removed_is_removed(store, command, monkeypatch, compared):
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "remove", lambda self: None)
        assert command("train", *SWEEP).code == 0
    before = compared(store)
    pushed = command("push")
    assert pushed.code == 0
    assert "recorded as run" in pushed.out
    assert compared(store) == before
    assert not left()


def test_a_store_that_cannot_be_opened_is_told_in_one_line(store, command, monkeypatch):
    after(monkeypatch, 2, interrupt)
    command("train", *SWEEP)
    store.write_bytes(b"no store")
    pushed = command("push")
    assert (pushed.code, pushed.err.count("\n"), pushed.out) == (1, 1, "")
    assert kept_folder().exists()


def test_a_sweep_at_work_is_left_alone(store, command, monkeypatch):
    with monkeypatch.context() as patch:
        after(patch, 2, interrupt)
        command("train", *SWEEP)
    path = kept_folder()
    other = Spool(path)
    one, all_of_them = command("push", f"folder={path}"), command("push")
    other.close()
    assert (one.code, one.err.count("\n")) == (2, 1)
    assert "is in use" in one.err
    assert (all_of_them.code, all_of_them.err) == (0, "")
    assert "in use" in all_of_them.out


@pytest.mark.parametrize("content", [None, "", "[]", "{", "7", '{"key": 1}', "\udcff"])
def test_what_is_no_folder_of_kept_results_is_refused(content, folder, command):
    if content is not None:
        (folder / "sweep.json").write_bytes(content.encode(errors="surrogateescape"))
    ended = command("push", "folder=.")
    assert (ended.code, ended.err.count("\n"), ended.out) == (2, 1, "")
    assert "is no folder of a sweep's results" in ended.err
    assert not (folder / "lock").exists()


@pytest.mark.parametrize("arguments", [["folder=7"], ["tracking.uri=7"], ["tracking.runs=all"], ["other=1"]])
def test_wrong_settings_are_refused(arguments, folder, command):
    ended = command("push", *arguments)
    assert (ended.code, ended.err.count("\n"), ended.out) == (2, 1, "")
    assert not list(folder.iterdir())
