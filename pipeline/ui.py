"""`python -m pipeline.ui` opens MLflow's pages for the local store: a free port on 127.0.0.1, whose address it prints."""

import os
import socket
import sys
from typing import Any

from pipeline.app.application import run
from pipeline.errors import ConfigError
from pipeline.trials.checks import integer


def free_port() -> int:
    """A port that no server listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def main(config: dict[str, Any]) -> int:
    """Becomes MLflow's server."""
    from pipeline.store.addresses import store_uri
    from pipeline.store.sqlite import prepare_sqlite

    uri = store_uri(config["tracking"]["uri"])
    if uri.startswith(("http://", "https://")):
        raise ConfigError("tracking.uri", uri, "is a server: open that address in a browser")
    folder = prepare_sqlite(uri)
    port = integer("port", config["port"], 0, 65535) or free_port()
    print(f"MLflow at http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    artifacts = [] if folder is None else ["--default-artifact-root", (folder / "artifacts").as_uri()]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, *artifacts]
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # no background workers: there is no work for them
    os.execv(sys.executable, [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"])


if __name__ == "__main__":
    run(main, "ui")
