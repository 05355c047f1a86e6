"""A spool has every result that was added, whole, whatever happens; one process at a time; and nobody else's files."""

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.backprop.trainer import train
from pipeline.results.rows import run_table, write
from pipeline.results.spool import Spool, SpoolInUseError
from pipeline.results.verification import DamagedError
from pipeline.trials.batching import make_batch
from tests.configurations import trial_of, uniform

PRECIOUS = "nobody may lose this"


def tables():
    batch = make_batch([trial_of(initial=uniform(), seed=seed, max_epochs=9) for seed in range(6)])
    table = run_table(np.arange(6), train(batch), "numpy")
    return [table.slice(start, 2) for start in (4, 0)]


def spool_of_two(folder: Path) -> tuple[Path, list[Path]]:
    """A spool with two files that no process works on; gives the files, in the order of their trials."""
    spool = Spool.new(folder)
    for table in tables():
        spool.add(table)
    spool.close()
    return spool.path, sorted(spool.path.glob("*.arrow"))


@pytest.fixture
def precious(tmp_path):
    """A folder of somebody else's files that have this program's names, and what tells whether they are as they were."""
    folder = tmp_path / "precious"
    for name in ("lock", "sweep.json", "results.parquet", "summary/best.csv", f"0000000000-{'0' * 32}.arrow", "own.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(PRECIOUS)
    before = sorted(folder.rglob("*"))

    def untouched() -> bool:
        files = [path for path in before if path.name != "summary"]
        return sorted(folder.rglob("*")) == before and all(path.read_text() == PRECIOUS for path in files)

    return folder, untouched


def test_what_is_added_is_there_when_it_is_opened_again(tmp_path):
    spool = Spool.new(tmp_path / "sweep")
    added = tables()
    for table in added:
        assert spool.add(table).table.equals(table)
    assert spool.missing(6).tolist() == [False, False, True, True, False, False]
    spool.close()
    again = Spool(spool.path)
    assert (again.done, again.missing(6).tolist()) == (4, [False, False, True, True, False, False])
    assert [rows.table for rows in again.rows] == added[::-1]
    again.remove()
    assert not spool.path.exists()


def flipped(content: bytes, at: float) -> bytes:
    """The content with one bit turned, `at` a fraction of its length."""
    byte = int(at * len(content))
    return content[:byte] + bytes([content[byte] ^ 1]) + content[byte + 1 :]


DAMAGE = {
    "empty": lambda content: b"",
    "another file": lambda content: b"no table at all",
    "zeros": lambda content: bytes(len(content)),
    "longer": lambda content: content + b"\0",
    **{
        f"the first {share:.0%}": lambda content, share=share: content[: int(share * len(content))]
        for share in (0.01, 0.3, 0.7)
    },
    "all but a byte": lambda content: content[:-1],
    **{f"a bit at {at:.0%}": lambda content, at=at: flipped(content, at) for at in np.linspace(0, 0.999, 12)},
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_kept_and_its_results_are_missing_again(damage, tmp_path, capsys):
    path, (file, _) = spool_of_two(tmp_path)
    content = DAMAGE[damage](file.read_bytes())
    file.write_bytes(content)
    again = Spool(path)
    assert (again.done, np.flatnonzero(again.missing(6)).tolist()) == (2, [0, 1, 2, 3])
    assert file.with_name(f"{file.name}.damaged").read_bytes() == content
    assert not file.exists()
    err = capsys.readouterr().err
    assert err.startswith(f"{file}: ")
    assert err.count("\n") == 1
    assert again.add(tables()[1]).source == file  # and it is there again
    again.close()
    assert Spool(path).done == 4


@pytest.mark.parametrize("name", ["0000000000.arrow", f"0000000002-{'0' * 32}.arrow", "mine.arrow", "\x1b[2J.arrow"])
def test_a_file_without_its_checksum_in_its_name_is_not_believed(name, tmp_path, capsys):
    path, (file, _) = spool_of_two(tmp_path)
    file.rename(path / name)
    assert Spool(path).done == 2
    assert (path / f"{name}.damaged").exists()
    assert "\x1b" not in capsys.readouterr().err


def altered(table: pa.Table, name: str, values: object) -> pa.Table:
    number = table.column_names.index(name)
    return table.set_column(number, table.schema.field(name).name, pa.array(values, table.schema.field(name).type))


def put(table: pa.Table, file: Path) -> Path:
    """The table in place of a file, with its checksum."""
    content = io.BytesIO()
    write(table, content)
    file.unlink()
    file = file.with_name(f"{file.name[:10]}-{hashlib.sha256(content.getvalue()).hexdigest()[:32]}.arrow")
    file.write_bytes(content.getvalue())
    return file


FORMS = {
    "another column": lambda table: table.append_column("more", pa.array([1, 2])),
    "a column less": lambda table: table.drop_columns(["digest"]),
    "another order": lambda table: table.select(table.column_names[::-1]),
    "another type": lambda table: table.set_column(2, "epochs", table.column("epochs").cast(pa.int32())),
    "no metadata": lambda table: table.replace_schema_metadata(),
    "other metadata": lambda table: table.replace_schema_metadata({"network": "{}"}),
    "a place twice": lambda table: altered(table, "place", [0, 0]),
    "a negative place": lambda table: altered(table, "place", [-1, 0]),
    "no status": lambda table: altered(table, "status", ["converged", None]),
    "no error": lambda table: altered(table, "final_error", [None, 1.0]),
    "a parameter less": lambda table: altered(table, "parameters", [[1.0] * 9 + [None], [1.0] * 10]),
    "no parameters": lambda table: altered(table, "parameters", [None, [1.0] * 10]),
    "a hole in a curve": lambda table: altered(table, "curve", [[None], []]),
    "no rows": lambda table: table.slice(0, 0),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_table_of_another_form_is_not_believed_though_it_has_its_checksum(form, tmp_path):
    path, (file, _) = spool_of_two(tmp_path)
    table = tables()[1]
    file = put(table, file)
    spool = Spool(path)
    assert spool.done == 4
    spool.close()
    wrong = put(FORMS[form](table), file)
    assert Spool(path).done == 2
    assert [wrong.name + ".damaged"] == [file.name for file in path.glob("*.damaged")]


def test_what_fails_a_check_is_set_aside(tmp_path):
    path, (file, other) = spool_of_two(tmp_path)
    spool = Spool(path)

    def check(rows):
        if rows.source == file:
            raise DamagedError("is wrong")

    spool.set_aside(spool.faults(check))
    assert (spool.done, np.flatnonzero(spool.missing(6)).tolist()) == (2, [0, 1, 2, 3])
    assert sorted(path.glob("*.arrow*")) == [file.with_name(f"{file.name}.damaged"), other]


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "broken link", "link to a device"])
def test_what_is_no_file_is_neither_waited_for_nor_followed(kind, tmp_path):
    path, (file, _) = spool_of_two(tmp_path)
    target = file.rename(tmp_path / "target")
    match kind:
        case "pipe":
            os.mkfifo(file)
        case "folder":
            file.mkdir()
        case "link":
            file.symlink_to(target)
        case "broken link":
            file.symlink_to(tmp_path / "nothing")
        case "link to a device":
            file.symlink_to("/dev/zero")
    again = Spool(path)
    assert again.done == 2
    assert target.exists()
    again.close()


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_a_lock_that_is_no_file_is_an_error(kind, tmp_path):
    path, _ = spool_of_two(tmp_path)
    lock = path / "lock"
    lock.unlink()
    {"pipe": os.mkfifo, "folder": os.mkdir, "link": lambda lock: os.symlink(tmp_path / "made", lock)}[kind](lock)
    with pytest.raises(OSError, match="lock"):
        Spool(path)
    assert not (tmp_path / "made").exists()


def test_a_spool_has_a_folder_and_a_process_of_its_own(tmp_path):
    one, other = Spool.new(tmp_path), Spool.new(tmp_path)
    assert [one.path.name, other.path.name] == ["kept", "kept-2"]
    with pytest.raises(SpoolInUseError):
        Spool(one.path)
    one.close()
    Spool(one.path).close()


def full_spool(folder: Path) -> Spool:
    """A spool with all that this program may have written there."""
    path, _ = spool_of_two(folder)
    spool = Spool(path)
    spool.describe("{}")
    artifacts = spool.artifacts()
    names = ("results.parquet", "curves.parquet", "report.html", "jobs.json", "config.yaml", "overrides.yaml")
    more = ("summary/by_network.hidden.csv", "summary/best.csv", "summary/summary.txt", "figures/heat_maps.svg")
    for name in (*names, *more, "figures/heat_maps.png", "weights/0000000000.npz"):
        (artifacts / name).parent.mkdir(exist_ok=True)
        (artifacts / name).write_text("x")
    for name in (".sweep.json.0123456789abcdef.draft", ".0000000000.arrow.0123456789abcdef.draft"):
        (path / name).write_text("half of")
    return spool


def test_all_that_this_program_wrote_is_removed(tmp_path, capsys):
    spool = full_spool(tmp_path)
    spool.remove()
    assert not spool.path.exists()
    assert capsys.readouterr().err == ""


def test_a_removal_that_is_cut_short_can_be_made_up_for(tmp_path, monkeypatch):
    """Whatever is removed last, the description is there as long as anything else is but the lock."""
    spool = full_spool(tmp_path)
    real, order = os.unlink, []

    def unlink(name, **options):
        order.append(name)
        real(name, **options)

    monkeypatch.setattr(os, "unlink", unlink)
    spool.remove()
    assert order[-2:] == ["sweep.json", "lock"]
    assert not spool.path.exists()


FOREIGN = (
    "own.txt", "0.arrow.damaged", "sweep.json.bak", "sub/results.parquet", "artifacts/own.csv", "artifacts/summary/own.txt",
    "artifacts/figures/own.gif", "artifacts/weights/own.npz", "artifacts/sub/lock", "artifacts/lock", "artifacts-x/report.html",
)  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_this_program_did_not_write_stays_and_is_named(name, tmp_path, capsys):
    spool = full_spool(tmp_path)
    (spool.path / name).parent.mkdir(exist_ok=True)
    (spool.path / name).write_text(PRECIOUS)
    spool.remove()
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith(f"{spool.path}: not removed: it has {name.split('/')[0]}")
    assert [path.read_text() for path in spool.path.rglob("*") if path.is_file()] == [PRECIOUS]


@pytest.mark.parametrize(
    "name", ["sweep.json", "artifacts", "artifacts/summary", "artifacts/report.html", "artifacts-2", "sub"]
)
def test_nothing_behind_a_link_is_removed(name, precious, tmp_path):
    folder, untouched = precious
    spool = full_spool(tmp_path)
    link = spool.path / name
    if os.path.lexists(link):
        link.rename(tmp_path / "moved")
    link.symlink_to(folder / "own.txt" if "." in name else folder)
    spool.remove()
    assert untouched()
    assert link.is_symlink()
    assert not list(spool.path.glob("*.arrow"))


def test_a_folder_that_was_exchanged_for_a_link_is_not_followed(precious, tmp_path):
    folder, untouched = precious
    spool = full_spool(tmp_path)
    spool.path.rename(tmp_path / "moved")
    spool.path.symlink_to(folder)
    spool.remove()
    assert untouched()
    assert (tmp_path / "moved" / "sweep.json").exists()


def test_a_link_is_no_spool(tmp_path):
    path, _ = spool_of_two(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(NotADirectoryError):
        Spool(link)


@pytest.mark.parametrize("what", ["nothing", "own", "foreign", "link"])
def test_artifacts_are_made_in_an_empty_folder(what, precious, tmp_path):
    folder, untouched = precious
    spool = Spool.new(tmp_path)
    left = spool.path / "artifacts"
    if what == "link":
        left.symlink_to(folder)
    elif what != "nothing":
        (left / "figures").mkdir(parents=True)
        (left / "figures" / ("own.gif" if what == "foreign" else "cost.svg")).write_text(PRECIOUS)
    made = spool.artifacts()
    assert made.name == ("artifacts" if what in ("nothing", "own") else "artifacts-2")
    assert not list(made.iterdir())
    assert untouched()
    assert what != "foreign" or (left / "figures" / "own.gif").read_text() == PRECIOUS
