"""`python -m pipeline.ui` opens MLflow's pages for the local store: a free port on 127.0.0.1, whose address it prints."""

import os
import socket
import sys
from typing import Any

from pipeline.app.application import run
from pipeline.errors import ConfigError
from pipeline.trials.checks import integer
from pipeline.trials.settings import read_tracking


def free_port() -> int:
    """A port that no server listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def main(config: dict[str, Any]) -> int:
    """Becomes MLflow's server."""
    tracking = read_tracking(config)
    port = integer("port", config["port"], 0, 65535) or free_port()
    from pipeline.store.addresses import address
    from pipeline.store.failures import store_errors_as_config_errors
    from pipeline.store.schema import check_database
    from pipeline.store.sqlite import readable_sqlite

    place = address(tracking.uri)
    if place.is_server:
        raise ConfigError("tracking.uri", place.shown, "is a server: open that address in a browser")
    with store_errors_as_config_errors(place.shown):
        uri = readable_sqlite(place) if place.path else place.uri
        if not place.path:
            check_database(place)
    print(f"MLflow at http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    artifacts = ["--default-artifact-root", place.artifacts.as_uri()] if place.artifacts else []
    command = [sys.executable, "-m", "mlflow", "server", *artifacts]
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri  # and no argument, which others would see: it may hold a password
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # no background workers: there is no work for them
    os.execv(sys.executable, [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"])


if __name__ == "__main__":
    run(main, "ui")
