"""MLflow's client, and its connections to databases: they wait briefly for a lock, and are closed at the end."""

import atexit
from functools import partial
from typing import Any
from weakref import WeakSet

from mlflow import MlflowClient
from sqlalchemy import Connection, Engine, event

from pipeline.store.addresses import Address
from pipeline.store.client.server import ServerClient
from pipeline.store.failures import SQLITE_SECONDS, retry_while_locked

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


class RetryingClient:
    """MLflow's client with `retry_while_locked` around each call."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return partial(retry_while_locked, getattr(self.client, name))


def client_of(place: Address) -> ServerClient | RetryingClient:
    """MLflow's client for a store, which repeats what may succeed a moment later."""
    return ServerClient(place.uri) if place.is_server else RetryingClient(MlflowClient(tracking_uri=place.uri))
