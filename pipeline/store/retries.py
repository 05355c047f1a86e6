"""Calls that are made again while another process has the store."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from mlflow import MlflowClient

from pipeline.store.failures import STORE_ERRORS

BUSY_SECONDS, BUSY_PAUSE = 60.0, 0.05
A_MOMENT = 0.3


def retry_while_locked(call: Callable[..., Any], *arguments: Any, seconds: float | None = None, **options: Any) -> Any:
    """Makes a call again, for a minute or so many seconds, as long as it finds a SQLite store locked by others."""
    deadline = time.monotonic() + (BUSY_SECONDS if seconds is None else seconds)
    while True:
        try:
            return call(*arguments, **options)
        except STORE_ERRORS as error:
            if "database is locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(BUSY_PAUSE)


class RetryingClient:
    """MLflow's client, whose calls are made `retry_while_locked`."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return partial(retry_while_locked, getattr(self.client, name))
