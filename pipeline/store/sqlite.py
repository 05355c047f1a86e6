"""The local store: a SQLite file, made without races, opened without long waits, closed at the end."""

import atexit
import os
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

from mlflow import MlflowClient
from sqlalchemy import Connection, Engine, event

from pipeline.store.addresses import sqlite_path
from pipeline.store.failures import unusable

SQLITE_SECONDS = 0.5

ENGINES: WeakSet[Engine] = WeakSet()


@event.listens_for(Engine, "engine_connect")
def remember(connection: Connection) -> None:
    """Remembers which databases are connected to, by MLflow too."""
    ENGINES.add(connection.engine)


@atexit.register
def disconnect() -> None:
    """Closes their connections, so that SQLite moves its write-ahead log into the store's file."""
    for engine in ENGINES:
        engine.dispose()


@event.listens_for(Engine, "before_cursor_execute", retval=True)
def shorten_waiting(_1: Any, _2: Any, statement: str, parameters: Any, _3: Any, _4: Any) -> tuple[str, Any]:
    """Shortens SQLite's wait for a lock, which MLflow sets to 20 s deaf to Ctrl-C; `retry_while_locked` waits instead."""
    if statement.startswith("PRAGMA busy_timeout"):
        statement = f"PRAGMA busy_timeout = {SQLITE_SECONDS * 1000:.0f}"
    return statement, parameters


def prepare_sqlite(uri: str) -> Path | None:
    """Makes a SQLite store if it does not exist yet; gives its folder, or None for another kind of store.

    MLflow's migrations fail when two processes run them on one new file. So the schema is made in another file, which gets the
    store's name in one step, unless another process was faster. WAL lets the UI read while a sweep writes.
    """
    path = sqlite_path(uri)
    if path is None:
        return None
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with tempfile.TemporaryDirectory(prefix=".new-store-", dir=path.parent) as folder:
                draft, copy = Path(folder, "draft.db"), Path(folder, "copy.db")
                MlflowClient(tracking_uri=f"sqlite:///{draft}").search_experiments(max_results=1)
                with sqlite3.connect(draft) as source, sqlite3.connect(copy) as target:
                    source.backup(target)
                source.close()
                target.execute("PRAGMA journal_mode = WAL")
                target.close()
                with suppress(FileExistsError):
                    os.link(copy, path)
        with open(path, "r+b"):
            pass
        connection = sqlite3.connect(path)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("SELECT count(*) FROM sqlite_master")
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        raise unusable(uri, error) from None
    return path.parent
