"""Where a store is: as MLflow takes its address, and as it may be printed and recorded, which is without a password."""

import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from pipeline.errors import HIDDEN, ConfigError, as_override, masked
from pipeline.store.pages.links import run_page

DEFAULT_URI = "sqlite:///mlruns/mlflow.db"
SQLITE = re.compile(r"sqlite(\+\w+)?:")
OPTIONS = re.compile(r"\?\w+=[^/]*$")


@dataclass(frozen=True, slots=True)
class Address:
    """A store's address.

    uri: as MLflow takes it; it may hold a password, so it is not printed and not recorded. shown: without a password.
    path: the file of a SQLite store, absolute; None for any other store.
    """

    uri: str
    shown: str
    path: Path | None = None

    @property
    def artifacts(self) -> Path | None:
        """The folder of the artifacts, beside the file of a SQLite store."""
        return self.path and self.path.parent / "artifacts"

    @property
    def is_server(self) -> bool:
        """Whether it is a tracking server, by HTTP."""
        return self.uri.startswith(("http://", "https://"))

    def how_to_look(self, experiment_id: str, run_id: str) -> str:
        """What a person does to see that run in the UI, from the current folder."""
        if self.is_server:
            return f"look at it at {self.shown.rstrip('/')}{run_page(experiment_id, run_id)}"
        if self.path == sqlite_file(DEFAULT_URI) and Path("Makefile").exists() and Path("pipeline").is_dir():
            return "look at it with: make ui"
        python = os.path.relpath(sys.executable) if Path(sys.executable).is_relative_to(Path.cwd()) else sys.executable
        words = [python, "-m", "pipeline.ui"]
        if self != address(None):
            words.append("tracking.uri=" + as_override(self.shown, quoted=True))
        return f"look at it with: {shlex.join(words)}"


def address(uri: str | None) -> Address:
    """The store's address: as given, or from the environment, or the default. Raises ConfigError.

    The path of a SQLite file is taken as it is written, or, where only that has a folder, with %20 for a space and so on.
    """
    environment = os.environ.get("MLFLOW_TRACKING_URI")
    if environment and uri in (None, masked(environment)):
        uri = environment
    uri = uri or DEFAULT_URI
    shown = masked(uri)
    if HIDDEN in uri:
        raise ConfigError("tracking.uri", shown, "lacks its password: give the whole address by MLFLOW_TRACKING_URI")
    if not SQLITE.match(uri):
        return Address(uri, shown)
    path = sqlite_file(uri)
    return Address(f"sqlite+pysqlite:///{quote(str(path))}", f"sqlite:///{path}", path)


def sqlite_file(uri: str) -> Path:
    """The file that a SQLite address names. Raises ConfigError where it names none."""
    _, separator, name = uri.partition(":///")
    if not separator or name in ("", ":memory:") or name.startswith("file:") or "\0" in name:
        raise ConfigError("tracking.uri", uri, "must be sqlite:/// and the path of a file")
    written, decoded = Path(name).absolute(), Path(unquote(name)).absolute()
    if written.exists() or (written == decoded and "?" not in name):
        return written
    if OPTIONS.search(name):
        raise ConfigError("tracking.uri", uri, "must be sqlite:/// and the path of a file, without options")
    return decoded if decoded.parent.is_dir() and not written.parent.is_dir() else written
