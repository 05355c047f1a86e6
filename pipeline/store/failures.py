"""What a store that is full, locked or away raises: said in one line, and waited for while another process locks it."""

import re
import socket
import sqlite3
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from textwrap import shorten
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from requests.exceptions import ChunkedEncodingError, HTTPError, RequestException, SSLError, Timeout
from requests.exceptions import ConnectionError as ConnectionLost
from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import ConfigError, masked

STORE_ERRORS = (MlflowException, SQLAlchemyError, sqlite3.Error, OSError)
BUSY_SECONDS, BUSY_PAUSE = 60.0, 0.05
A_MOMENT = 0.3  # seconds, instead of BUSY_SECONDS
HTTP = ("requests", "urllib3", "http")
FAILED_WITH = re.compile(r"failed with error code (\d{3}) != 200")
TOO_MANY = re.compile(r"too many (\d{3}) error responses")
NO_JSON = "not in a valid JSON format"


@contextmanager
def store_errors_as_config_errors(uri: str) -> Iterator[None]:
    """For work that needs the store from the start."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, RequestException) as error:
        raise unusable(uri, error, "used") from None


def unusable(uri: str, error: Exception, what: str = "opened") -> ConfigError:
    """The error for a store that cannot be opened, or used."""
    return ConfigError("tracking.uri", uri, f"cannot be {what}: {reason(error)}")


def reason(error: BaseException) -> str:
    """Why a store failed, in one line: the first cause, without what MLflow and SQLAlchemy add to it."""
    chain = list(causes(error))
    words = [of_network(one) for one in reversed(chain)] if any(isinstance(one, RequestException) for one in chain) else []
    if told := next(filter(None, [*words, of_answer(error)]), None):
        return masked(shorten(told, 200))
    while error.__cause__:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return masked(shorten(lines[0], 200))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, its cause, the cause of that, and so on; of libraries for HTTP, too, which keep it in other places."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = [getattr(error, "reason", None), *error.args] if type(error).__module__.startswith(HTTP) else []
        within = [one for one in inner if isinstance(one, BaseException)]
        error = error.__cause__ or next(iter(within), None) or error.__context__


def of_network(error: BaseException) -> str | None:
    """What went wrong on the way to a server."""
    match error:
        case socket.gaierror():
            return "the name of the server is not known"
        case ssl.SSLError() | SSLError():
            return f"TLS: {error}"
        case ConnectionRefusedError():
            return "Connection refused"
        case TimeoutError() | Timeout():
            return "it does not answer in time"
        case ConnectionError() | ConnectionLost() | ChunkedEncodingError():
            return "the connection was cut"
        case OSError() if error.errno and not isinstance(error, RequestException):
            return error.strerror
        case RequestException() if found := TOO_MANY.search(str(error)):
            return f"it answers with {found[1]}"
    return None


def of_answer(error: BaseException) -> str | None:
    """What a server's answer means that is not one of MLflow's."""
    status, text = status_of(error), str(error)
    if status == 401:
        return "the server wants a user name and password: MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD"
    if status == 403:
        return "this user may not do that there: MLFLOW_TRACKING_USERNAME"
    if type(error) is MlflowException and (status in (404, 405, 501) or NO_JSON in text):
        return "there is no MLflow server"
    if " != 200. Response body" in text or isinstance(error, HTTPError):
        return f"it answers with {status}"
    return None


def status_of(error: BaseException) -> int:
    """The HTTP status of a server's answer; 500 where there was none."""
    if isinstance(error, RequestException):
        return error.response.status_code if error.response is not None else 500
    if found := FAILED_WITH.search(str(error)):
        return int(found[1])
    return int(error.get_http_status_code()) if isinstance(error, MlflowException) else 0  # type: ignore[no-untyped-call]


def is_passing(error: BaseException) -> bool:
    """Whether a server may do, a moment later, what it failed to do now."""
    for one in causes(error):
        if isinstance(one, (socket.gaierror, ssl.SSLError)) and not isinstance(one, ssl.SSLEOFError):
            return False
    status = status_of(error)
    return status in (408, 429) or (status >= 500 and status != 501)


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
