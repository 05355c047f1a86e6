"""The files of trials, tables and weights: read once by a command, and by each call from Python."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, cast

Read = TypeVar("Read", bound=Callable[..., Any])
_readers: list[Any] = []


def read_once(read: Read) -> Read:
    """What is read with the same arguments is kept, until `read_anew`."""
    keeping = lru_cache(maxsize=1000)(read)
    _readers.append(keeping)
    return cast(Read, keeping)


def read_anew() -> None:
    """Forgets what was read: in a notebook files change between two calls."""
    for reader in _readers:
        reader.cache_clear()
