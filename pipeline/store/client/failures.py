"""What MLflow's client and the libraries below it raise: what it means, and whether it may pass."""

import re
import socket
import ssl
from collections.abc import Iterator

from mlflow.exceptions import MlflowException
from requests.exceptions import ChunkedEncodingError, HTTPError, RequestException, SSLError, Timeout
from requests.exceptions import ConnectionError as ConnectionLost
from sqlalchemy.exc import SQLAlchemyError

CLIENT_ERRORS = (MlflowException, SQLAlchemyError, RequestException)
HTTP = ("requests", "urllib3", "http")
FAILED_WITH = re.compile(r"failed with error code (\d{3}) != 200")
TOO_MANY = re.compile(r"too many (\d{3}) error responses")
NO_JSON = "not in a valid JSON format"


def of_server(error: BaseException) -> str | None:
    """What went wrong with a server; None for what is no server's."""
    chain = list(causes(error))
    words = [of_network(one) for one in reversed(chain)] if any(isinstance(one, RequestException) for one in chain) else []
    return next(filter(None, [*words, of_answer(error)]), None)


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
