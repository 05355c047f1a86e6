"""What a store that is full, locked or away raises, and how that is said in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import shorten

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import ConfigError

STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError)  # what a store that is full, locked or away raises


@contextmanager
def needed(uri: str) -> Iterator[None]:
    """Work that is not begun without the store. Raises ConfigError where the store does not take part."""
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise unopened(uri, error, "used") from None


def unopened(uri: str, error: Exception, what: str = "opened") -> ConfigError:
    """The error for a store that does not open."""
    return ConfigError("tracking.uri", uri, f"cannot be {what}: {reason(error)}")


def reason(error: BaseException) -> str:
    """Why a store failed, in one line: what was raised first, without what MLflow and SQLAlchemy say around it."""
    while error.__cause__:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return shorten(lines[0], 200)
