"""What a store that is full, locked or away raises: said in one line, and waited for while another process locks it."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from textwrap import shorten
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import ConfigError, masked

STORE_ERRORS = (MlflowException, SQLAlchemyError, sqlite3.Error, OSError)
BUSY_SECONDS, BUSY_PAUSE = 60.0, 0.05
A_MOMENT = 0.3  # seconds, instead of BUSY_SECONDS


@contextmanager
def store_errors_as_config_errors(uri: str) -> Iterator[None]:
    """For work that needs the store from the start."""
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise unusable(uri, error, "used") from None


def unusable(uri: str, error: Exception, what: str = "opened") -> ConfigError:
    """The error for a store that cannot be opened, or used."""
    return ConfigError("tracking.uri", uri, f"cannot be {what}: {reason(error)}")


def reason(error: BaseException) -> str:
    """Why a store failed, in one line: the first cause, without what MLflow and SQLAlchemy add to it."""
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
        except STORE_ERRORS as error:
            if "database is locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(BUSY_PAUSE)


class RetryingClient:
    """MLflow's client with `retry_while_locked` around each call."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return partial(retry_while_locked, getattr(self.client, name))
