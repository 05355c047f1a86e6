"""How a table's path, names and cells are written in one line: short, and with nothing that a terminal obeys."""

import shlex
from collections.abc import Sequence

from pipeline.errors import ConfigError, as_override

MOST_PATH, MOST_REASON, MOST_CELL, MOST_LIST = 90, 190, 40, 90  # characters
PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/%")


def refused(path: str, reason: str) -> ConfigError:
    """The error that a table cannot be read, for a reason."""
    return ConfigError("task.path", shown_path(path), cut(reason, MOST_REASON))


def wrong_column(key: str, name: object, reason: str) -> ConfigError:
    """The error that a key names a wrong column."""
    return ConfigError(key, shown(str(name)), cut(reason, MOST_REASON))


def cut(text: str, most: int) -> str:
    """At most that many characters of a text, and only those that can be printed."""
    if not text.isprintable():
        text = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
    return text if len(text) <= most else text[: most - 1] + "…"


def shown_path(path: str) -> str:
    """The end of a path, printable."""
    short = path if len(path) <= MOST_PATH else "…" + path[1 - MOST_PATH :]
    return cut(short, 2 * MOST_PATH)


def quoted(cell: str) -> str:
    """A cell in quotes, shortened, with what is not printable escaped."""
    return repr(cell) if len(cell) <= MOST_CELL else repr(cell[:MOST_CELL]) + "…"


def shown(name: str) -> str:
    """A name; in quotes where it could be misread."""
    if name and len(name) <= MOST_CELL and name.isprintable() and name == name.strip() and not set(name) & set("\"',"):
        return name
    return quoted(name)


def listed(names: Sequence[str], most: int = MOST_LIST) -> str:
    """Names, separated by commas; the first and the last of a list that is too long."""
    texts = [shown(name) for name in names[:most]]
    if len(texts) == len(names) and len(", ".join(texts)) <= most:
        return ", ".join(texts)
    end = f"…, {shown(names[-1])} ({len(names):,} in all)"
    first: list[str] = []
    while len(first) < len(texts) and len(", ".join([*first, texts[len(first)], end])) <= most:
        first.append(texts[len(first)])
    return ", ".join([*first, end])


def override(key: str, value: str) -> str:
    """What to write on a shell's command line to set a key to a text."""
    written = f"{key}={as_override(cut(value, MOST_CELL), quoted=not set(value) <= PLAIN or value[:1].isdigit())}"
    return written if set(value) <= PLAIN else shlex.quote(written)
