"""Where a store is."""

import os
from pathlib import Path

DEFAULT_URI = "sqlite:///mlruns/mlflow.db"


def store_uri(uri: str | None) -> str:
    """The store's address: as given, or from the environment, or the default; a SQLite file's path made absolute."""
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    path = sqlite_path(uri)
    return f"sqlite:///{path.absolute()}" if path else uri


def sqlite_path(uri: str) -> Path | None:
    """The file of a SQLite store; None for any other store."""
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix)) if uri.startswith(prefix) else None
