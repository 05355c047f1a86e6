"""A store that is full, locked or away: what it raises is said in one line, and a lock of another process is waited for.

What MLflow and the libraries below it raise is known in `client/failures.py`: nothing here imports them.
"""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import shorten
from typing import Any

from pipeline.errors import ConfigError, masked

SQLITE_SECONDS = 0.5  # for which SQLite itself waits for a lock, deaf to Ctrl-C
BUSY_SECONDS, BUSY_PAUSE = 60.0, 0.05
A_MOMENT = 0.3  # seconds, instead of BUSY_SECONDS


def client_is_used() -> bool:
    """Whether MLflow may have raised something."""
    return "mlflow" in sys.modules


def library_errors() -> tuple[type[Exception], ...]:
    """What SQLite raises, and MLflow with the libraries below it."""
    if not client_is_used():
        return (sqlite3.Error,)
    from pipeline.store.client.failures import CLIENT_ERRORS

    return (sqlite3.Error, *CLIENT_ERRORS)


def store_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """What a store raises, and others, for `except`, which asks when something is raised."""
    return (*library_errors(), OSError, *others)


@contextmanager
def store_errors_as_config_errors(uri: str) -> Iterator[None]:
    """For work that needs the store from the start."""
    try:
        yield
    except library_errors() as error:
        raise unusable(uri, error, "used") from None


def unusable(uri: str, error: Exception, what: str = "opened") -> ConfigError:
    """The error for a store that cannot be opened, or used."""
    return ConfigError("tracking.uri", uri, f"cannot be {what}: {reason(error)}")


def reason(error: BaseException) -> str:
    """Why a store failed, in one line: the first cause, without what MLflow and SQLAlchemy add to it."""
    if client_is_used():
        from pipeline.store.client.failures import of_server

        if told := of_server(error):
            return masked(shorten(told, 200))
    while error.__cause__:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return masked(shorten(lines[0], 200))


def retry_while_locked(call: Callable[..., Any], *arguments: Any, seconds: float | None = None, **options: Any) -> Any:
    """Repeats a call while other processes lock the SQLite store, for `seconds` (BUSY_SECONDS) at most."""
    deadline = time.monotonic() + (BUSY_SECONDS if seconds is None else seconds)
    while True:
        try:
            return call(*arguments, **options)
        except store_errors() as error:
            if "database is locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(BUSY_PAUSE)
