"""`python -m pipeline.ui` opens MLflow's pages for the local store, on this machine, and prints where to look in them."""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

from pipeline.app.application import run
from pipeline.errors import ConfigError, printable
from pipeline.trials.checks import integer, section
from pipeline.trials.settings import read_tracking

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that no server listens on."""
    with socket.socket() as server:
        server.bind((HOST, 0))
        return int(server.getsockname()[1])


def read_port(config: dict[str, Any]) -> int:
    """The port to serve on. Raises ConfigError where there cannot be a server."""
    port = integer("ui.port", section(config, "ui", ("port",))["port"], 0, 65535) or free_port()
    try:
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as of a server that has just ended
            server.bind((HOST, port))
    except OSError as error:
        if error.errno == errno.EACCES:
            raise ConfigError("ui.port", port, "needs more rights: choose one from 1024 on") from None
        other = f"is taken: look at http://{HOST}:{port}, end what listens there, or take another port: ui.port={free_port()}"
        raise ConfigError("ui.port", port, other) from None
    return port


def main(config: dict[str, Any]) -> int:
    """Becomes MLflow's server."""
    tracking = read_tracking(config)
    port = read_port(config)
    from pipeline.store.addresses import address
    from pipeline.store.client.connections import disconnect
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
    print(f"MLflow starts at http://{HOST}:{port} in a few seconds; Ctrl-C ends it", flush=True)
    for line in where_to_look(tracking.uri, f"http://{HOST}:{port}"):
        print(line, flush=True)
    disconnect()
    artifacts = ["--default-artifact-root", place.artifacts.as_uri()] if place.artifacts else []
    command = [sys.executable, "-m", "mlflow", "server", *artifacts]
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri  # and no argument, which others would see: it may hold a password
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # no background workers: there is no work for them
    os.execv(sys.executable, [*command, "--host", HOST, "--port", str(port), "--workers", "1"])


def where_to_look(uri: str | None, server: str) -> Iterator[str]:
    """The latest sweep of the store, and the addresses of its pages on the server; nothing where there is none."""
    from pipeline.store.pages.links import run_page, runs_page
    from pipeline.store.pages.views import write_views
    from pipeline.store.read import find_sweep

    try:
        client, sweep = find_sweep(uri, "latest")
    except ConfigError:
        yield "there is no finished sweep yet; make sweep makes one"
        return
    experiment, run_id = sweep.info.experiment_id, sweep.info.run_id
    yield f"the latest sweep, {printable(sweep.info.run_name or run_id)}:"
    yield f"  its page     {server}{run_page(experiment, run_id)}"
    yield f"  its report   {server}{run_page(experiment, run_id, 'report.html')}"
    views = write_views(client, sweep)
    if views is None:
        yield f"  all runs     {server}{runs_page(experiment)}"
        return
    sweeps, runs = views
    yield f"  its runs     {server}{runs_page(experiment, runs)}"
    yield f"  all sweeps   {server}{runs_page(experiment, sweeps)}"


if __name__ == "__main__":
    run(main, "ui")
