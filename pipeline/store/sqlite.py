"""The local store: a SQLite file with its artifacts beside it, wherever that folder is.

It is made without races, opened without long waits, and closed at the end. Its file is opened by SQLite only: any other opening
and closing in the process drops the locks that SQLite holds on it ("How To Corrupt An SQLite Database File", 2.2).
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.errors import ConfigError
from pipeline.store.addresses import Address, address
from pipeline.store.failures import SQLITE_SECONDS, reason, retry_while_locked
from pipeline.store.local.leftovers import DRAFTS, one_at_a_time, remove_drafts, remove_unrecorded
from pipeline.store.schema import check_schema

BESIDE_TAG = "artifacts"  # of an experiment: they are beside the store's file
DEFAULT_EXPERIMENT = 0


def prepare_sqlite(place: Address) -> None:
    """Makes the store if there is none, and has it know its folder. WAL lets the UI read while a sweep writes.

    Raises ConfigError where it can't be used.
    """
    assert place.path
    with refused(place):
        place.path.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(place.path.parent):
            remove_drafts(place.path.parent)
            if not has_content(place.path):
                make(place.path)
        if not os.access(place.path, os.W_OK) or not os.access(place.path.parent, os.W_OK):
            raise PermissionError("it is read-only")
        with closing(connect(place.path)) as connection:
            check_schema(place.shown, retry_while_locked(schema_of, connection))
            retry_while_locked(connection.execute, "PRAGMA journal_mode = WAL")
            retry_while_locked(settle, connection, place.path.with_name("artifacts"))
            with one_at_a_time(place.path.parent):
                remove_unrecorded(place.path.with_name("artifacts"), connection)


def readable_sqlite(place: Address) -> str:
    """The address by which MLflow reads an existing store. Raises ConfigError where there is none that can be read."""
    assert place.path
    with refused(place):
        if not has_content(place.path):
            raise ConfigError("tracking.uri", place.shown, "no such store; `make sweep` makes one")
        if os.access(place.path, os.W_OK) and os.access(place.path.parent, os.W_OK):
            prepare_sqlite(place)
            return place.uri
        # nothing can be written: where there is no write-ahead log, SQLite must not try to make one
        options = "mode=ro" if place.path.with_name(place.path.name + "-wal").exists() else "immutable=1"
        with closing(sqlite3.connect(f"{place.path.as_uri()}?{options}", uri=True)) as connection:
            check_schema(place.shown, schema_of(connection))
        scheme, _, path = place.uri.partition(":///")
        # decoded once by SQLAlchemy, once by SQLite
        return f"{scheme}:///file:{path.replace('%', '%25')}?{options}&uri=true"


@contextmanager
def refused(place: Address) -> Iterator[None]:
    """What the system and SQLite say against a store, as ConfigError."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise ConfigError("tracking.uri", place.shown, f"cannot be opened: {reason(error)}") from None


def has_content(path: Path) -> bool:
    """Whether there is a file and something in it. Raises OSError for what can't be a store's file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is a folder" if stat.S_ISDIR(status.st_mode) else "it is no file")
    return status.st_size > 0


def make(path: Path) -> None:
    """Makes the store's file: with the schema, or not at all."""
    from pipeline.store.client.connections import client_of

    folder = path.with_name(f"{DRAFTS}{os.getpid()}")
    folder.mkdir()
    draft, copy = folder / "draft.db", folder / "copy.db"
    client_of(address(f"sqlite:///{draft}")).search_experiments(max_results=1)
    with closing(sqlite3.connect(draft)) as source, closing(sqlite3.connect(copy, isolation_level=None)) as target:
        source.backup(target)
        move(target, DEFAULT_EXPERIMENT, path.with_name("artifacts").as_uri())
        target.execute("PRAGMA journal_mode = WAL")
    os.replace(copy, path)
    remove_drafts(path.parent)


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the store's file, which must exist; each statement is a transaction."""
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=SQLITE_SECONDS, isolation_level=None)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing of what is written within.

    It has the write lock from its first statement on: waiting for one half-way would fail at once.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has ended it itself where the disk is full
            connection.execute("ROLLBACK")
        raise


def schema_of(connection: sqlite3.Connection) -> str | None:
    """The schema of MLflow that a database has. Raises OSError for a database of something else."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "alembic_version" in tables and "experiments" in tables:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    if tables:
        raise OSError("it is a database, but none of MLflow's")
    return None


def settle(connection: sqlite3.Connection, artifacts: Path) -> None:
    """Has the store know where its artifacts are: beside its file, also when both were moved or copied to where they are now.

    MLflow keeps whole paths, of experiments and of runs. Changed are experiments whose artifacts were put beside the file.
    """
    found = connection.execute(
        "SELECT experiments.experiment_id, artifact_location, value IS NOT NULL FROM experiments LEFT JOIN experiment_tags "
        "ON experiment_tags.experiment_id = experiments.experiment_id AND key = ?",
        [BESIDE_TAG],
    )
    for number, location, tagged in found.fetchall():
        here = is_same(location, artifacts)
        if tagged or here or came_along(connection, number, location, artifacts):
            wanted = location if here else artifacts.as_uri()
            if not (tagged and here) or elsewhere(connection, number, wanted):
                retry_while_locked(move, connection, number, wanted)


def is_same(location: str, artifacts: Path) -> bool:
    """Whether a location is this folder, by this name or another one, such as that of a link."""
    path = local_path(location)
    return path == artifacts or (path is not None and path.exists() and artifacts.exists() and path.samefile(artifacts))


def came_along(connection: sqlite3.Connection, number: int, location: str, artifacts: Path) -> bool:
    """Whether artifacts that are said to be in another folder of that name are in this one."""
    path = local_path(location)
    runs = connection.execute("SELECT run_uuid FROM runs WHERE experiment_id = ? LIMIT 100", [number])
    return path is not None and path.name == artifacts.name and any((artifacts / run).is_dir() for (run,) in runs)


def local_path(location: str) -> Path | None:
    """The folder of this machine that a location is; None for any other location."""
    parts = urlsplit(location)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None if parts.scheme else Path(location)


def elsewhere(connection: sqlite3.Connection, number: int, location: str) -> bool:
    """Whether a run of an experiment has its artifacts at another location."""
    condition = "experiment_id = ? AND artifact_uri != ? || '/' || run_uuid || '/artifacts'"
    [(found,)] = connection.execute(f"SELECT EXISTS (SELECT 1 FROM runs WHERE {condition})", [number, location])
    return bool(found)


def move(connection: sqlite3.Connection, number: int, location: str) -> None:
    """Sets where the artifacts of an experiment and of its runs are, and the tag that says that they are beside the store."""
    with transaction(connection):
        connection.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", [location, number])
        where = "artifact_uri = ? || '/' || run_uuid || '/artifacts'"
        connection.execute(f"UPDATE runs SET {where} WHERE experiment_id = ? AND NOT {where}", [location, number, location])
        tag = "INSERT OR REPLACE INTO experiment_tags (key, value, experiment_id) VALUES (?, 'beside the store', ?)"
        connection.execute(tag, [BESIDE_TAG, number])
