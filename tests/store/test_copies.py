"""A finished sweep goes to another store or into one zip file whole; what comes in from such a file is right, or refused."""

import hashlib
import json
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from mlflow import MlflowClient

from pipeline.errors import ConfigError
from pipeline.push import COPY_KEYS, main
from pipeline.store import bulk
from pipeline.store.copies import archive, children
from tests.stores import SWEEP, TRIALS, runs_of, sweeps_in, sweeps_with_runs

INFINITE = (
    "-m", "initial=uniform", "network.output_activation=identity", "network.activation=identity", "max_epochs=40",
    "learning_rate=0.5,1e100,1e308", "seed=range(2)",
)  # fmt: skip
SWEEPS: dict[str, tuple[str, ...]] = {
    "with curves and weights": SWEEP,
    "with infinite errors": INFINITE,
    "of which five have runs": (*SWEEP, "tracking.runs=5"),
    "without runs": (*SWEEP, "tracking.runs=none"),
}


@pytest.fixture
def other(folder: Path, empty_store: Path) -> Path:
    """Another empty store, in a folder of its own."""
    path = folder / "elsewhere" / "other.db"
    path.parent.mkdir()
    shutil.copy(empty_store, path)
    return path


def told(store: Path, folder: Path) -> list[dict]:
    """What a store tells of its sweeps, but where it is and that they are copies."""
    place = folder / f"told-{len(list(folder.glob('told-*')))}"
    place.mkdir()
    sweeps = sweeps_in(f"sqlite:///{store}", place)
    for sweep in sweeps:
        sweep["tags"].pop("sweep.source", None)
        for child in sweep["children"]:
            del child["place"]
    return sweeps


def only_sweep(store: Path):
    """The parent run of the one sweep in a store."""
    _, [parent], _ = runs_of(store)
    return parent


@pytest.mark.parametrize("by_the_client", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["in bulk", "by the client"])
@pytest.mark.parametrize("which", SWEEPS)
def test_a_copy_equals_the_original(which, by_the_client, store, other, command, folder, monkeypatch):
    assert command("train", *SWEEPS[which]).code == 0
    source = only_sweep(store).info.run_id
    if by_the_client:
        monkeypatch.setattr(bulk, "KNOWN_SCHEMAS", ())
    ended = command("push", "sweep=latest", f"to=sqlite:///{other}")
    assert (ended.code, ended.err.replace("runs are recorded by MLflow's client, one by one", "")[:2]) in ((0, ""), (0, ": "))
    assert told(other, folder) == told(store, folder)
    copy = only_sweep(other)
    assert copy.data.tags["sweep.source"] == source
    assert copy.info.run_id != source
    assert (copy.info.start_time, copy.info.end_time) == (
        only_sweep(store).info.start_time,
        only_sweep(store).info.end_time,
    )
    assert f"recorded as run {copy.info.run_id} in sqlite:///{other}" in ended.out


def test_a_zip_file_is_the_sweep(store, other, command, folder):
    """Also where its errors are infinite; and two files of one sweep are the same bytes, also by way of another store."""
    assert command("train", *SWEEPS["with infinite errors"]).code == 0
    ended = command("push", "sweep=latest", "export=sweep.zip")
    assert (ended.code, ended.err) == (0, "")
    assert "written to sweep.zip, with 6 runs" in ended.out
    finals = {repr(run.data.metrics["final_error"]) for run in runs_of(store)[2]}
    assert finals > {"nan", "1.7976931348623157e+308"}  # as MLflow has an infinite one
    assert command("push", "sweep=latest", "export=again.zip").code == 0
    assert Path("again.zip").read_bytes() == Path("sweep.zip").read_bytes()
    assert command("push", "import=sweep.zip", f"to=sqlite:///{other}").code == 0
    assert told(other, folder) == told(store, folder)
    taken = command("push", "sweep=latest", "export=sweep.zip")
    assert (taken.code, taken.err) == (2, "export=sweep.zip: is there already: give the name of a new file\n")
    assert not list(folder.glob("*.draft"))


@pytest.mark.slow
def test_a_sweep_is_in_a_store_once(store, other, command):
    assert command("train", *INFINITE).code == 0
    source = only_sweep(store).info.run_id
    assert command("push", "sweep=latest", "export=sweep.zip").code == 0
    here = command("push", "import=sweep.zip")
    assert (here.code, here.out) == (0, f"sweep {source}: is there already as run {source} in sqlite:///{store}\n")
    assert command("push", f"sweep={source}", f"to=sqlite:///{other}").code == 0
    copy = only_sweep(other).info.run_id
    again = command("push", f"sweep={source}", f"to=sqlite:///{other}", "tracking.experiment=another")
    assert (again.code, again.out) == (0, f"sweep {source}: is there already as run {copy} in sqlite:///{other}\n")
    assert command("push", "import=sweep.zip", f"tracking.uri=sqlite:///{other}").out == again.out
    back = command("push", "sweep=latest", f"tracking.uri=sqlite:///{other}", f"to=sqlite:///{store}")
    assert back.out == here.out
    assert len(sweeps_with_runs(MlflowClient(f"sqlite:///{other}"))) == 1


def test_a_copy_is_summed_up_and_trained_again_as_the_original_is(store, other, command):
    assert command("train", *SWEEP).code == 0
    expected = command("summary").out
    elsewhere = f"tracking.uri=sqlite:///{other}"
    assert command("push", "sweep=latest", f"to=sqlite:///{other}").code == 0
    copy = only_sweep(other).info.run_id
    assert command("summary", f"sweep={copy}", elsewhere).out == expected.replace(only_sweep(store).info.run_id, copy)
    again = command("reproduce", f"sweep={copy}", "sample=4", "engines=[numpy]", elsewhere)
    assert again.code == 0, again.out + again.err


def test_the_experiment_is_the_sources_or_the_one_that_is_named(store, other, command):
    assert command("train", *INFINITE, "tracking.experiment=mine").code == 0
    assert command("push", "sweep=latest", f"to=sqlite:///{other}").code == 0
    client = MlflowClient(f"sqlite:///{other}")
    [mine] = [one for one in client.search_experiments() if one.name == "mine"]
    [parent] = client.search_runs([mine.experiment_id], "tags.kind = 'sweep'")
    for run in client.search_runs([mine.experiment_id]):
        client.delete_run(run.info.run_id)
    assert command("push", "sweep=latest", f"to=sqlite:///{other}", "tracking.experiment=yours").code == 0
    yours = client.get_experiment_by_name("yours")
    assert client.search_runs([yours.experiment_id], "tags.kind = 'sweep'")[0].info.run_name == parent.info.run_name


@pytest.mark.parametrize("by", ["copy", pytest.param("import", marks=pytest.mark.slow)])
def test_an_interrupted_copy_goes_on_and_is_not_finished_before(by, store, other, command, folder, monkeypatch):
    assert command("train", *SWEEP).code == 0
    assert command("push", "sweep=latest", "export=sweep.zip").code == 0
    arguments = ("sweep=latest" if by == "copy" else "import=sweep.zip", f"to=sqlite:///{other}")
    written: list[int] = []
    real = bulk.BulkWriter.write

    def write(self, records, tags):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(len(records))
        return real(self, records, tags)

    monkeypatch.setattr(bulk.BulkWriter, "at_once", 5)
    with monkeypatch.context() as patch:
        patch.setattr(bulk.BulkWriter, "write", write)
        assert command("push", *arguments).code == 130
    client = MlflowClient(f"sqlite:///{other}")
    [(parent, kept)] = sweeps_with_runs(client)
    assert (parent.info.status, len(kept)) == ("KILLED", 10)
    assert "sweep.key" not in parent.data.tags  # training would take it for a sweep of its own
    client.update_run(parent.info.run_id, "RUNNING")  # as a killed process leaves it

    assert command("push", *arguments).code == 0
    [(finished, all_of_it)] = sweeps_with_runs(client)
    assert finished.info.run_id == parent.info.run_id
    assert len(all_of_it) == TRIALS
    assert {run.info.run_id for run in kept} <= {run.info.run_id for run in all_of_it}
    assert told(other, folder) == told(store, folder)


@pytest.mark.slow
def test_a_store_that_fails_keeps_the_copy_unfinished(store, other, command, monkeypatch):
    assert command("train", *INFINITE).code == 0
    arguments = ("push", "sweep=latest", f"to=sqlite:///{other}")
    with monkeypatch.context() as patch:
        patch.setattr(bulk.BulkWriter, "_insert", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        ended = command(*arguments)
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "No space left on device" in ended.err
    assert "the same command goes on from there" in ended.err
    assert only_sweep(other).info.status == "FAILED"
    assert command(*arguments).code == 0
    assert only_sweep(other).info.status == "FINISHED"


WRONG = {  # arguments, and what is said
    "no source": (("to=sqlite:///{other}",), "to=sqlite:///{other}: needs sweep="),
    "no target": (("sweep=latest",), "sweep=latest: needs sweep= with to="),
    "both targets": (("sweep=latest", "to=sqlite:///{other}", "export=a.zip"), "sweep=latest: needs"),
    "both sources": (("sweep=latest", "import=a.zip"), "sweep=latest: needs"),
    "a folder": (("sweep=latest", "export=a.zip", "folder=kept"), "folder=kept: cannot be given together with sweep, export"),
    "an unknown sweep": (("sweep=abc", "export=a.zip"), "sweep=abc: no such run"),
    "a child": (("sweep={child}", "export=a.zip"), "sweep={child}: is a run, but not the parent run"),
    "an unfinished sweep": (("sweep={killed}", "to=sqlite:///{other}"), "sweep={killed}: is not finished, but KILLED"),
    "a store that is not there": (
        ("sweep=latest", "to=sqlite:///{other}", "tracking.uri=sqlite:///no.db"),
        "tracking.uri=sqlite:///{folder}/no.db: no such store",
    ),
    "the same store": (("sweep=latest", "to=sqlite:///{store}"), "to=sqlite:///{store}: is the store that the sweep is in"),
    "the same store by a link": (("sweep=latest", "to=sqlite:///link/mlflow.db"), "to=sqlite:///link/mlflow.db: is the store"),
    "a password": (("sweep=latest", "to=postgresql://me:secret@host/db"), "to=postgresql://me:***@host/db: must hold no"),
    "no file": (("import=no.zip",), "import=no.zip: there is no such file"),
    "a folder as file": (("import=mlruns",), "import=mlruns: there is no such file"),
    "no folder for the file": (("sweep={whole}", "export=no/a.zip"), "export=no/a.zip: cannot be written: No such file"),
}


def test_what_cannot_be_copied_is_refused_before_anything_is_written(store, other, command, folder):
    assert command("train", *INFINITE).code == 0
    client, [parent], [child, *_] = runs_of(store)
    killed = client.create_run(parent.info.experiment_id, tags={"kind": "sweep"}).info.run_id
    client.set_terminated(killed, "KILLED")
    (folder / "link").symlink_to(store.parent)
    words = {
        "other": other, "store": store, "child": child.info.run_id, "killed": killed, "folder": folder,
        "whole": parent.info.run_id,
    }  # fmt: skip
    before = everything(folder)
    for arguments, message in WRONG.values():
        given = dict(argument.format(**words).split("=", 1) for argument in arguments)
        with pytest.raises(ConfigError) as error:
            pushed(**{key.removeprefix("tracking."): value for key, value in given.items()})
        assert message.format(**words) in str(error.value)
    assert everything(folder) == before
    ended = command("push", "sweep=latest")
    assert (ended.code, ended.err.count("\n"), ended.out) == (2, 1, "")


def everything(folder: Path) -> dict[str, int]:
    """The files below a folder, but those of SQLite, with their sizes."""
    return {str(path): path.stat().st_size for path in folder.rglob("*") if path.is_file() and ".db" not in path.name}


@pytest.mark.slow
def test_a_sweep_that_lacks_a_run_is_not_copied_as_a_whole_one(store, other, command):
    assert command("train", *INFINITE).code == 0
    client, _, [child, *_] = runs_of(store)
    client.delete_run(child.info.run_id)
    ended = command("push", "sweep=latest", "export=sweep.zip")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert f"run {child.info.run_id}, which results.parquet names, is not there or is deleted" in ended.err
    assert not list(Path().glob("*.zip*"))


def test_a_result_that_is_not_the_one_of_its_digest_is_not_copied(store, other, command):
    assert command("train", *INFINITE).code == 0
    client, _, children_ = runs_of(store)
    client.log_metric(children_[0].info.run_id, "final_error", 0.125, step=1)
    ended = command("push", "sweep=latest", f"to=sqlite:///{other}")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "has a result that is not the one of its digest" in ended.err
    assert only_sweep(other).info.status == "FAILED"


# Damaged zip files: members by name, changed, and written with a manifest that fits what was made of them.


EXPORTED: list[bytes] = []  # made once


@pytest.fixture
def exported(command, folder, empty_store) -> bytes:
    """A zip file of a small sweep."""
    if not EXPORTED:
        shutil.copy(empty_store, folder / "source.db")
        sweep = (argument for argument in SWEEP if not argument.startswith("tracking"))
        for name, *arguments in (("train", *sweep, "hydra.sweep.dir=out"), ("push", "sweep=latest", "export=s.zip")):
            assert command(name, *arguments, "tracking.uri=sqlite:///source.db").code == 0
        EXPORTED.append(Path("s.zip").read_bytes())
        for path in (folder / name for name in ("out", "artifacts")):
            shutil.rmtree(path)
        for path in (*folder.glob("source.db*"), folder / "s.zip"):
            path.unlink()
    return EXPORTED[0]


Members = dict[str, bytes]
CHILDREN = "children/0000000000.arrows"


def members_of(content: bytes, folder: Path) -> Members:
    (folder / "whole.zip").write_bytes(content)
    with zipfile.ZipFile(folder / "whole.zip") as file:
        return {name: file.read(name) for name in file.namelist()}


def write(path: Path, members: Members, fitting: bool = True) -> None:
    """A zip file of these members; with a manifest that fits them, or the one among them."""
    if fitting:
        listed = {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for name, content in members.items()
            if name != "manifest.json"
        }
        members = {**members, "manifest.json": json.dumps({"format": archive.FORMAT, "members": listed}).encode()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)


def parent_changed(**changes) -> Callable[[Members], Members]:
    def change(members: Members) -> Members:
        return {**members, "parent.json": json.dumps({**json.loads(members["parent.json"]), **changes}).encode()}

    return change


def batch_changed(change: Callable[[pa.RecordBatch], pa.RecordBatch], **options) -> Callable[[Members], Members]:
    """The runs, changed and written again."""

    def changed(members: Members) -> Members:
        batch = change(pa.ipc.open_stream(members[CHILDREN]).read_next_batch())
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
            writer.write_batch(batch)
        return {**members, CHILDREN: sink.getvalue().to_pybytes()}

    return changed


def column_changed(name: str, change: Callable[[list], list], **options) -> Callable[[Members], Members]:
    def changed(batch: pa.RecordBatch) -> pa.RecordBatch:
        values = change(batch.column(name).to_pylist())
        number = children.SCHEMA.get_field_index(name)
        return batch.set_column(number, name, pa.array(values, children.SCHEMA.field(name).type))

    return batch_changed(changed, **options)


def tags_changed(**changes) -> Callable[[Members], Members]:
    """The tags of the first run, with changes."""
    changes = {key.replace("_", "."): value for key, value in changes.items()}
    return column_changed("tags", lambda rows: [list({**dict(rows[0]), **changes}.items()), *rows[1:]])


def without(name: str) -> Callable[[Members], Members]:
    return lambda members: {key: content for key, content in members.items() if key != name}


def more(name: str, content: bytes = b"x") -> Callable[[Members], Members]:
    return lambda members: {**members, name: content}


FITTING: dict[str, tuple[Callable[[Members], Members], str]] = {  # a change that the manifest goes with; what is said
    **{
        f"the name {name!r}": (more(name), "which is none of a sweep's")
        for name in (
            "../x", "/etc/x", "artifacts/../../x", "artifacts/a\\..\\x", "artifacts/./x", "artifacts//x", "artifacts/C:/x",
            "artifacts/con", "artifacts/NUL.txt", "artifacts/a.", "artifacts/\x1b[2J", "artifacts/", "x.txt",
            "children/1.arrows", "children/0000000001.arrows/x", "artifacts/" + 300 * "a",
        )
    },
    "a name twice, but for its case": (more("artifacts/REPORT.html"), "twice"),
    "a file within a file": (more("artifacts/report.html/x"), "within another one"),
    "no parent": (without("parent.json"), "parent.json is not there"),
    "no results": (without("artifacts/results.parquet"), "artifacts/results.parquet is not there"),
    "no runs": (without(CHILDREN), "children lacks the run of row 0"),
    "the runs twice": (
        lambda members: {**members, "children/0000000001.arrows": members[CHILDREN]}, "children has more runs than"
    ),
    "a parent that is no JSON": (more("parent.json", b"{"), "parent.json is not JSON"),
    "a parent that is a list": (more("parent.json", b"[]"), "parent.json is no parent run"),
    "a parent nested deep": (more("parent.json", b"[" * 10_000), "parent.json is not JSON"),
    "a parent of another id": (parent_changed(run_id="' or 1"), "parent.json has no run id"),
    "a parent of no kind": (parent_changed(tags={}), "parent.json is not the parent run of a sweep"),
    "a tag that is a number": (parent_changed(tags={"kind": 1}), "parent.json is no parent run"),
    "a folder to be deleted": (parent_changed(tags={"kind": "sweep", "sweep.folder": "/"}), "tags that MLflow does not take"),
    "a metric of text": (parent_changed(metrics=[["rate", "much", 0, 0]]), "has a metric that is none"),
    "a metric at no step": (parent_changed(metrics=[["rate", 1.0, 0, 2**60]]), "has a metric that is none"),
    "another number of trials": (parent_changed(tags={"kind": "sweep", "sweep.trials": "17"}), "has 16 rows, but the tag"),
    "times that are none": (parent_changed(start=-1), "has times that are none"),
    "results of another kind": (more("artifacts/results.parquet", b"PAR1"), "artifacts/results.parquet is not a Parquet"),
    "runs of another kind": (more(CHILDREN, b"ARROW1"), f"{CHILDREN} is not an Arrow stream"),
    "runs that are compressed": (batch_changed(lambda batch: batch, compression="zstd"), "that is not compressed"),
    "another column": (batch_changed(lambda batch: batch.drop_columns(["name"])), "has other columns"),
    "a run without a name": (column_changed("name", lambda names: [None, *names[1:]]), "lacks a value"),
    "runs in another order": (batch_changed(lambda batch: batch.take(pa.array([1, 0, *range(2, 16)]))), "is not what row 0"),
    "a run less": (batch_changed(lambda batch: batch.slice(0, 15)), "lacks the run of row 15"),
    "a place twice": (tags_changed(trial_place="1"), "is not what row 0"),
    "a place out of range": (tags_changed(trial_place="99"), "is not what row 0"),
    "another status": (tags_changed(status="diverged"), "is not what row 0"),
    "another parent": (tags_changed(mlflow_parentRunId="0" * 32), "has tags that MLflow does not take"),
    "another number of epochs": (
        column_changed("metrics", lambda rows: [[("epochs", 1.0), *rows[0][1:]], *rows[1:]]), "not the one of its digest"
    ),
    "a metric twice": (column_changed("metrics", lambda rows: [rows[0] + rows[0], *rows[1:]]), "twice"),
    "another weight": (column_changed("numbers", lambda rows: [[rows[0][0] + 1, *rows[0][1:]], *rows[1:]]), "of its digest"),
    "a weight less": (column_changed("numbers", lambda rows: [rows[0][1:], *rows[1:]]), "other sizes than their shapes"),
    "a negative shape": (column_changed("shapes", lambda rows: [[[-1, -4], *rows[0][1:]], *rows[1:]]), "that weights don't"),
    "an array of another name": (column_changed("arrays", lambda rows: [["../x", *rows[0][1:]], *rows[1:]]), "no weights"),
    "a curve that ends elsewhere": (column_changed("errors", lambda rows: [[*rows[0][:-1], 9.0], *rows[1:]]), "to its end"),
    "a curve that goes back": (
        column_changed("epochs", lambda rows: [[rows[0][1], rows[0][0], *rows[0][2:]], *rows[1:]]), "to its end"
    ),
}  # fmt: skip


def pushed(**keys: str) -> int:
    """What `pipeline.push` does with these keys, without Hydra in front."""
    tracking = {"uri": keys.pop("uri", None), "experiment": None}
    return main({**dict.fromkeys(("folder", *COPY_KEYS)), **keys, "tracking": tracking})


def refused(path: Path, store: Path) -> str:
    """What is said to a file that is refused in one line, with nothing recorded."""
    before = store.read_bytes()
    with pytest.raises(ConfigError) as error:
        pushed(**{"import": path.name})
    message = str(error.value)
    assert message.startswith(f"import={path.name}: ")
    assert message.isprintable()
    assert store.read_bytes() == before
    return message


@pytest.mark.slow
def test_what_a_manifest_goes_with_is_checked_all_the_same(exported, store, folder):
    path, whole = folder / "sweep.zip", members_of(exported, folder)
    write(path, whole)
    for name, (change, message) in FITTING.items():
        path.unlink()
        write(path, change(whole))
        assert message in refused(path, store), name
    assert {file.name for file in folder.iterdir()} == {"sweep.zip", "whole.zip", "mlruns"}


@pytest.mark.slow
def test_what_a_manifest_does_not_go_with_is_refused(exported, store, command, folder):
    path, whole = folder / "sweep.zip", members_of(exported, folder)
    for name, content in whole.items():  # a bit of each, in the middle
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        write(path, {**whole, name: flipped}, fitting=False)
        refused(path, store)
    for changed in (without("parent.json")(whole), more("artifacts/x")(whole), without("manifest.json")(whole)):
        write(path, changed, fitting=False)
        assert "manifest.json" in refused(path, store)
    write(path, whole, fitting=False)
    assert command("push", f"import={path.name}").code == 0


def test_a_file_that_is_cut_off_or_none_is_refused(exported, store, folder):
    path = folder / "sweep.zip"
    for content in (b"", b"PK", b"no zip file" * 100, exported[: len(exported) // 2], exported[:-1], exported[100:]):
        path.write_bytes(content)
        assert "sweep.zip: " in refused(path, store)
    raw = bytearray(exported)  # the list of members, in the middle
    start = raw.rindex(b"PK\x01\x02")
    raw[start : start + 4] = b"PK\x07\x07"
    path.write_bytes(raw)
    assert "is not a zip file, or is damaged" in refused(path, store)


def test_links_and_encrypted_members_are_refused(exported, store, folder):
    path, whole = folder / "sweep.zip", members_of(exported, folder)
    for change in ({"external_attr": (stat.S_IFLNK | 0o777) << 16}, {"external_attr": (stat.S_IFDIR | 0o777) << 16}):
        write(path, whole)
        with zipfile.ZipFile(path, "a") as file:
            info = zipfile.ZipInfo("artifacts/link")
            for name, value in change.items():
                setattr(info, name, value)
            file.writestr(info, "/etc")
        assert "which is no plain file" in refused(path, store)
    write(path, whole)
    raw = bytearray(path.read_bytes())
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1  # says of the last member that it is encrypted
    path.write_bytes(raw)
    assert "which is no plain file" in refused(path, store)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("artifacts/x", "")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("artifacts/x", "")
    assert "twice" in refused(path, store)


BOMBS: dict[str, Callable[[Members], Members]] = {
    "artifact": more("artifacts/x", bytes(2**28)),
    "parent": more("parent.json", bytes(2**27)),
    "runs": more(CHILDREN, bytes(2**27)),
    "members": lambda whole: whole | {f"artifacts/{number}": b"" for number in range(20_000)},
    "compressed runs": column_changed("numbers", lambda rows: [[0.0] * 2_000_000] * len(rows), compression="zstd"),
}
MEASURED = """
import resource, sys, time
from pathlib import Path
from pipeline.errors import ConfigError
from pipeline.store.copies.archive import sweep_in_archive
from pipeline.store.copies.writing import write_sweep
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[1:]:
    begun = time.process_time()
    try:
        with sweep_in_archive(Path(name)):
            print("not refused")
    except ConfigError as error:
        print(time.process_time() - begun, error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.slow
def test_bombs_are_refused_at_once(exported, folder):
    whole = members_of(exported, folder)
    for name, change in BOMBS.items():
        write(folder / f"{name}.zip", change(whole))
    names = [f"{name}.zip" for name in BOMBS]
    ended = subprocess.run([sys.executable, "-c", MEASURED, *names], capture_output=True, text=True, check=True)
    *lines, mebibytes = ended.stdout.strip().splitlines()
    for name, line in zip(names, lines, strict=True):
        seconds, _, message = line.partition(" ")
        assert float(seconds) < 2, line
        assert message.startswith(f"import={name}: ")
    assert float(mebibytes) < 200
