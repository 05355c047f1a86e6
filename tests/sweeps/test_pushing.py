"""What a store has not taken waits in the sweep's folder, and `pipeline.push` brings it in as if nothing had been."""

import hashlib
import io
import json
import os
import random
import resource
import shutil
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from mlflow import MlflowClient
from sqlalchemy import event
from sqlalchemy.pool import Pool

from pipeline.results.rows import opened, write
from pipeline.results.spool import Spool
from pipeline.store import bulk, sqlite
from pipeline.store.client.writer import ClientWriter
from pipeline.store.local import runs
from pipeline.store.write import Store
from pipeline.sweeps.description import with_checksum, without_checksum
from tests.amounts import amount
from tests.stores import CHUNKS, SWEEP, TRIALS, after, kept_folder, sweeps_in, sweeps_with_runs

BROKEN = {"full": "max_page_count = 1", "read-only": "query_only = on"}
MENDED = {"full": "max_page_count = 4294967294", "read-only": "query_only = off"}


@pytest.fixture
def pragma(monkeypatch) -> Iterator[SimpleNamespace]:
    """`pragma.text` is set on each connection to a SQLite store before it is used."""
    asked = SimpleNamespace(text=None)

    def checkout(connection, *_):
        if asked.text:
            connection.execute(f"PRAGMA {asked.text}")

    def connect(path: Path):
        connection = sqlite.connect(path)
        checkout(connection)
        return connection

    for module in (bulk, runs):
        monkeypatch.setattr(module, "connect", connect)
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
@pytest.mark.parametrize("what", [pytest.param("full", marks=pytest.mark.slow), *(what for what in BROKEN if what != "full")])
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
    calls, real = count(1), ClientWriter._put_weights

    def put_weights(*arguments) -> None:
        if next(calls) == 6:
            pragma.text = BROKEN["read-only"]
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ClientWriter, "_put_weights", put_weights)
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


@pytest.mark.slow
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
    edit(path / "sweep.json", parent=None, **({} if found else {"key": "0" * 64}))
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


@pytest.fixture
def kept(store, command, monkeypatch) -> Path:
    """The folder of a sweep that was interrupted after half of its trials, 8 of them in 2 files."""
    with monkeypatch.context() as patch:
        after(patch, 2, interrupt)
        assert command("train", *SWEEP).code == 130
    return kept_folder()


def edit(file: Path, **changes) -> None:
    """Gives a description other values, and the checksum of them."""
    file.write_text(with_checksum(json.dumps({**json.loads(without_checksum(file.read_text())), **changes})))


def replaced(file: Path, old: str, new: str) -> None:
    """Gives a description another text in place of one that it has, and the checksum of that."""
    text = without_checksum(file.read_text())
    assert old in text
    file.write_text(with_checksum(text.replace(old, new)))


def copies(kept: Path, names: list[str]) -> dict[str, Path]:
    """Copies of a folder under multirun/, by name."""
    return {name: shutil.copytree(kept, Path("multirun", f"{number:03d}", "kept")) for number, name in enumerate(names)}


def flipped(file: Path, at: float) -> None:
    """Turns one bit, `at` a fraction of the file."""
    content = bytearray(file.read_bytes())
    content[int(at * len(content))] ^= 4
    file.write_bytes(content)


def recorded_digests(store: Path) -> dict[str, tuple[str, str]]:
    """Key and digest of each finished child, by its place."""
    [(_, children)] = sweeps_with_runs(MlflowClient(f"sqlite:///{store}"))
    assert len({run.data.tags["trial.place"] for run in children}) == len(children)
    return {run.data.tags["trial.place"]: (run.data.tags["trial.key"], run.data.tags["result.digest"]) for run in children}


UNREADABLE = {
    "missing": lambda file: file.unlink(),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "a pipe": lambda file: (file.unlink(), os.mkfifo(file)),
    "a link": lambda file: file.symlink_to(shutil.move(file, "elsewhere.json")),
    "empty": lambda file: file.write_text(""),
    "truncated": lambda file: file.write_text(file.read_text()[:-40]),
    "a character changed": lambda file: file.write_text(file.read_text().replace("0", "1", 1)),
    "not JSON": lambda file: file.write_text("results"),
    "another program's": lambda file: file.write_text('{"sweep": {"method": "grid"}}'),
    "of gigabytes": lambda file: os.truncate(file, 2**34),
    "a name outside": lambda file: replaced(file, '"config.yaml"', '"../config.yaml"'),
    "a name of another file": lambda file: replaced(file, '"config.yaml"', '"results.parquet"'),
    "controls in a name": lambda file: (
        file.parent.parent.rename("multirun/\x1b[2J") and (Path("multirun/\x1b[2J/kept/sweep.json").write_text(""))
    ),
    "a lock that is a pipe": lambda file: ((file.parent / "lock").unlink(), os.mkfifo(file.parent / "lock")),
    "trials that are none": lambda file: replaced(file, '"momentum": 0', '"momentum": 7'),
    "more trials than memory": lambda file: of_many_trials(file),
}


def of_many_trials(file: Path) -> None:
    """Makes it a description of very many trials."""
    jobs = json.loads(file.read_text())["jobs"]
    free = [axis for axis in jobs["axes"] if axis["path"]]
    for axis in free:
        axis["values"], axis["texts"] = axis["values"][:1] * 10_000, axis["texts"][:1] * 10_000
    edit(file, jobs=jobs, trials=10_000 ** len(free))


def test_push_goes_on_with_the_next_folder_after_one_that_it_cannot_read(kept, store, command):
    folders = copies(kept, [*UNREADABLE, "good"])
    shutil.rmtree(kept.parent)
    for name, damage in UNREADABLE.items():
        damage(folders[name] / "sweep.json")
    ended = command("push")
    lines = ended.err.splitlines()
    assert ended.code == 2
    assert len(lines) == len(UNREADABLE), ended.err
    for name, line in zip(sorted(UNREADABLE, key=lambda name: name != "controls in a name"), lines, strict=True):
        where = f"folder={Path.cwd()}/multirun/" + (r"\x1b[2J" if name == "controls in a name" else folders[name].parent.name)
        assert line.startswith(f"{where}/kept: "), name
    assert "\x1b" not in ended.err
    assert ended.out.count("8 of 16 trials are trained, and recorded") == 1
    assert len(recorded_digests(store)) == 8
    assert len(list(Path("multirun").rglob("*.arrow"))) == 2 * len(folders)


FILES = {
    "empty": lambda file: file.write_bytes(b""),
    **{
        f"cut to {end:.0%}": lambda file, end=end: os.truncate(file, int(end * file.stat().st_size)) for end in (0.02, 0.5, 0.9)
    },
    "a byte less": lambda file: os.truncate(file, file.stat().st_size - 1),
    **{f"a bit at {at:.0%}": lambda file, at=at: flipped(file, at) for at in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999)},
    "no checksum": lambda file: file.rename(file.with_name("0000000000.arrow")),
    "the other's checksum": lambda file: file.rename(file.with_name("0000000000" + max(file.parent.glob("*.arrow")).name[10:])),
    "a pipe": lambda file: (file.unlink(), os.mkfifo(file)),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "another table": lambda file: rewritten(file, lambda table: pa.table({"a": [1]})),
    "another column": lambda file: rewritten(file, lambda table: table.append_column("more", table.column("place"))),
    "of another sweep": lambda file: rewritten(file, lambda table: shuffled(table, "place")),
    "another result": lambda file: rewritten(file, lambda table: shuffled(table, "epochs")),
    "beyond the sweep": lambda file: rewritten(file, lambda table: with_places(table, range(14, 18))),
    "of the other file": lambda file: rewritten(file, lambda table: opened(max(file.parent.glob("*.arrow")))),
    "no epochs": lambda file: rewritten(
        file, lambda table: table.replace_schema_metadata({**table.schema.metadata, b"curve_epochs": b"?"})
    ),
    "another network": lambda file: rewritten(
        file, lambda table: table.replace_schema_metadata({**table.schema.metadata, b"network": b"{}"})
    ),
}


def with_places(table: pa.Table, places) -> pa.Table:
    return table.set_column(0, table.schema.field("place"), [pa.array(places, pa.int64())])


def shuffled(table: pa.Table, name: str) -> pa.Table:
    """The table with the values of a column in another order, or with other indices."""
    if name == "place":
        return with_places(table, range(8, 12))
    number = table.column_names.index(name)
    return table.set_column(number, table.schema.field(name), table.column(name).take(pa.array([1, 2, 3, 0])))


def rewritten(file: Path, change) -> None:
    """Another table in place of a file, with its checksum."""
    content = io.BytesIO()
    write(change(opened(file)), content)
    file.unlink()
    checksum = hashlib.sha256(content.getvalue()).hexdigest()[:32]
    file.with_name(f"{file.name[:10]}-{checksum}.arrow").write_bytes(content.getvalue())


def test_a_damaged_file_is_told_kept_and_not_recorded(kept, store, command):
    folders = copies(kept, list(FILES))
    assert command("push", f"folder={kept}").code == 0
    right = recorded_digests(store)
    [(_, children)] = sweeps_with_runs(MlflowClient(f"sqlite:///{store}"))
    for run in children:
        MlflowClient(f"sqlite:///{store}").delete_run(run.info.run_id)
    for name, damage in FILES.items():
        file = min(folders[name].glob("*.arrow"))
        damage(file)
        pushed = command("push", f"folder={folders[name]}")
        assert (pushed.code, pushed.err.count("\n")) == (0, 1), (name, pushed.err)
        assert pushed.err.startswith(f"{folders[name].absolute()}/0000000000"), name
        assert "4 of 16 trials are trained" in pushed.out, name
        assert len(list(folders[name].glob("*.damaged"))) == 1
        assert len(list(folders[name].glob("*.arrow"))) == 1
        recorded = recorded_digests(store)
        assert len(recorded) == 4
        assert recorded.items() <= right.items()


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The content with a part cut off, overwritten, repeated, left out, or with bits turned."""
    start = chance.randrange(len(content))
    end = min(len(content), start + chance.choice((1, 8, 100, 5000)))
    match chance.randrange(5):
        case 0:
            return content[:start]
        case 1:
            return content[:start] + chance.randbytes(end - start) + content[end:]
        case 2:
            return content[:end] + content[start:]
        case 3:
            return content[:start] + content[end:]
    changed = bytearray(content)
    for _ in range(chance.choice((1, 3))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


@pytest.mark.slow
def test_of_hundreds_of_damaged_files_none_is_recorded(kept, command, monkeypatch):
    """Pushes of 200 folders with a damaged file each: what comes to the store is what comes from the good folder."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    given: dict[str, set[str]] = {}

    def record_all(self, records, parent, check):
        for record in records:
            given.setdefault(record.tags["trial.place"], set()).add(repr(record))
            yield "0" * 32

    monkeypatch.setattr(Store, "record_all", record_all)
    monkeypatch.setattr(Store, "recorded", lambda *_: {})
    assert command("push", f"folder={kept}").code == 0
    right, good = given.copy(), {file.name: file.read_bytes() for file in kept.iterdir()}
    assert len(right) == 8
    chance = random.Random(0)
    for _ in range(amount(5)):
        given.clear()
        shutil.rmtree("multirun")
        for number in range(200):
            folder = Path("multirun", f"{number:03d}", "kept")
            folder.mkdir(parents=True)
            for name, content in good.items():
                (folder / name).write_bytes(content)
            wrong = folder / chance.choice([name for name in good if name != "lock"])
            content = damaged(wrong.read_bytes(), chance)
            wrong.write_bytes(content[:-1] if content == good[wrong.name] else content)
        started = time.monotonic()
        pushed = command("push")
        assert pushed.code == 2
        assert "Traceback" not in pushed.err
        assert pushed.err.count("\n") == 200
        assert given == right
        assert time.monotonic() - started < 200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB


def test_what_was_damaged_is_trained_again_and_the_rest_is_not(kept, store, command):
    flipped(min(kept.glob("*.arrow")), 0.5)
    ended = command("train", *SWEEP)
    assert ended.code == 0
    assert "4 of 16 trials are trained" in ended.out
    [damaged] = kept.iterdir()
    first, second = ended.err.splitlines()
    assert first.startswith(f"{kept.absolute()}/{damaged.name.removesuffix('.damaged')}: does not have its checksum")
    assert second == f"{kept.absolute()}: not removed: it has {damaged.name}"
    assert len(recorded_digests(store)) == TRIALS
    assert command("push").out == "nothing waits under multirun/\n"


def test_results_are_left_alone_where_what_they_were_made_from_has_changed(kept, store, command):
    """The trials of the description are not those of the sweep any more: of a task that is a file, for instance."""
    file = kept / "sweep.json"
    text = file.read_text()
    before = sorted(kept.iterdir())
    replaced(file, '"range": 1', '"range": 2')
    pushed = command("push")
    assert (pushed.code, pushed.err.count("\n"), pushed.out) == (2, 1, "")
    assert "has results of other trials" in pushed.err
    assert sorted(kept.iterdir()) == before
    file.write_text(text)
    assert command("push").code == 0


@pytest.mark.parametrize("named", ["another sweep's", "a trial's", "no run", "'; drop", "of no text"])
def test_results_go_only_to_a_parent_run_of_their_own_sweep(named, kept, store, command):
    client = MlflowClient(f"sqlite:///{store}")
    [(parent, children)] = sweeps_with_runs(client)
    other = client.create_run(parent.info.experiment_id, tags={"kind": "sweep", "sweep.key": "0" * 64}).info.run_id
    names = {"another sweep's": other, "a trial's": children[0].info.run_id if children else other, "no run": "0" * 32}
    edit(kept / "sweep.json", parent=names.get(named, {"'; drop": "'; drop", "of no text": "\x00é"}.get(named)))
    pushed = command("push")
    assert (pushed.code, pushed.err) == (0, "")
    found = {run.info.run_id: children for run, children in sweeps_with_runs(client)}
    assert {run_id: len(children) for run_id, children in found.items()} == {parent.info.run_id: 8, other: 0}
    assert client.get_run(other).info.status == "RUNNING"


def test_a_folder_is_named_itself_and_not_by_a_link(kept, command):
    Path("link").symlink_to(kept)
    pushed = command("push", "folder=link")
    assert (pushed.code, pushed.err.count("\n"), pushed.out) == (2, 1, "")
    assert "is a link" in pushed.err


@pytest.mark.parametrize("arguments", [["folder=7"], ["tracking.uri=7"], ["tracking.runs=all"], ["other=1"]])
def test_wrong_settings_are_refused(arguments, folder, command):
    ended = command("push", *arguments)
    assert (ended.code, ended.err.count("\n"), ended.out) == (2, 1, "")
    assert not list(folder.iterdir())
