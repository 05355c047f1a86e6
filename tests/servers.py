"""Real servers on this machine: PostgreSQL, MLflow's server with and without passwords, and a proxy that loses answers."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from pipeline.ui import free_port
from tests.stores import wait_for

ENVIRONMENT = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
FAULTS = ("lost", "delayed", "refused", "503", "cut")
AS_USER = {"user": "nobody"} if os.geteuid() == 0 else {}  # PostgreSQL's server refuses to be root's


def postgres_program(name: str) -> str | None:
    """The path of one of PostgreSQL's programs; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def wait_for_port(port: int) -> None:
    """Waits until a server on this machine listens."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("no server listens")


class Postgres:
    """A PostgreSQL server in a temporary folder, with the user and the database `mlflow`."""

    def __init__(self, password: str) -> None:
        self.password, self.port = password, free_port()
        self.uri = f"postgresql+psycopg://mlflow@127.0.0.1:{self.port}/mlflow"
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.environment = {**os.environ, "PGPASSWORD": password}
        secret = self.folder / "password"
        secret.write_text(password)
        if AS_USER:
            for path in (self.folder, secret):
                shutil.chown(path, "nobody")
        self.run("initdb", "-D", "data", "--no-sync", "--auth=scram-sha-256", "--username=mlflow", "--pwfile=password")
        options = ["-D", "data", "-k", str(self.folder), "-p", str(self.port), "-c", "listen_addresses=127.0.0.1"]
        self.process = subprocess.Popen(
            [str(postgres_program("postgres")), *options, "-c", "fsync=off"],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **AS_USER,
        )  # fmt: skip
        try:
            wait_for_port(self.port)
            self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "mlflow", "mlflow")
        except BaseException:
            self.close()
            raise

    def run(self, program: str, *arguments: str) -> str:
        """What one of PostgreSQL's programs prints."""
        command = [str(postgres_program(program)), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, **AS_USER
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def new_database(self, name: str) -> str:
        """Makes an empty database; gives its address."""
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "mlflow", name)
        return f"postgresql+psycopg://mlflow@127.0.0.1:{self.port}/{name}"

    def dump(self, name: str = "mlflow") -> str:
        """All that a database holds."""
        return self.run("pg_dump", "-h", "127.0.0.1", "-p", str(self.port), "-U", "mlflow", name)

    def close(self) -> None:
        """Ends the server and removes all that it holds."""
        self.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Server:
    """An MLflow server on a port of its own; of a SQLite store in its folder, or of a database at `store`."""

    def __init__(self, folder: Path, store: str | None = None, *options: str, **environment: str) -> None:
        self.folder, self.port = folder, free_port()
        self.store = store or f"sqlite:///{folder}/server.db"
        self.options, self.environment = options, {**ENVIRONMENT, **environment}
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Starts it and waits until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "2"]
        stores = ["--backend-store-uri", self.store, "--artifacts-destination", f"{self.folder}/files", "--serve-artifacts"]
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [*command, *stores, *self.options], cwd=self.folder, stdout=log, stderr=log, env=self.environment,
                start_new_session=True,
            )  # fmt: skip
        wait_for(self.uri, self.process)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Ends it with all its processes, or does something else to them."""
        if self.process:
            os.killpg(self.process.pid, how)
            if how == signal.SIGKILL:
                self.process.wait()
                self.process = None


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """A server, started, and ended afterwards."""
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def pages_of_mlflow() -> Iterator[tuple[str, str]]:
    """MLflow's pages of the local store: their address, and all that `python -m pipeline.ui` has printed."""
    with tempfile.TemporaryFile("w+") as printed:
        server = subprocess.Popen(
            [sys.executable, "-m", "pipeline.ui", "ui.port=0"], stdout=printed, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

        def so_far() -> str:
            return os.pread(printed.fileno(), 100_000, 0).decode()

        try:
            while not (found := re.search(r"http://127\.0\.0\.1:\d+", so_far())) and server.poll() is None:
                time.sleep(0.1)
            assert found, so_far()
            wait_for(found[0], server)
            yield found[0], so_far()
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)


class Proxy(ThreadingHTTPServer):
    """Forwards requests to a server; with `chance` one of FAULTS happens to a request, by a seeded choice.

    lost: the server does the work, the answer is dropped. delayed: the answer comes after `delay` seconds. refused: nothing
    is forwarded. 503: so is answered. cut: half of the answer comes. From the `hang` on, where that is set, a request that it
    is found in and all after it are never answered.
    """

    daemon_threads, request_queue_size = True, 100

    def __init__(self, server: str, chance: float, seed: int, delay: float = 2.5, faults: tuple[str, ...] = FAULTS) -> None:
        super().__init__(("127.0.0.1", 0), Forward)
        self.server_uri, self.chance, self.delay, self.faults = server, chance, delay, faults
        self.uri = f"http://127.0.0.1:{self.server_port}"
        self.random, self.lock = random.Random(seed), threading.Lock()
        self.counts = dict.fromkeys((*FAULTS, "passed"), 0)
        self.asked: list[str] = []
        self.hang, self.hangs, self.ended = "", threading.Event(), threading.Event()
        self.connections = threading.local()

    def fault(self, path: str) -> str:
        """What happens to the next request."""
        with self.lock:
            happens = self.random.choice(self.faults) if self.random.random() < self.chance else "passed"
            self.counts[happens] += 1
            self.asked.append(path)
            return happens

    def handle_error(self, *_: object) -> None:
        """Clients that have gone are no news here."""


class Forward(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def forward(self) -> None:
        """Forwards a request, or what the proxy makes of it."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.fault(f"{self.command} {self.path}")
        if self.server.hang and self.server.hang in f"{self.command} {self.path} {body[:5000]!r}":
            self.server.hangs.set()
        if self.server.hangs.is_set():
            self.server.ended.wait(60)
            return self.drop()
        if fault == "refused":
            return self.drop()
        if fault == "503":
            return self.answer(503, {}, b"not now")
        headers = {key: value for key, value in self.headers.items() if key.lower() not in ("host", "accept-encoding")}
        session = self.session()
        answer = session.request(
            self.command, self.server.server_uri + self.path, data=body, headers=headers, allow_redirects=False
        )
        if fault == "lost":
            return self.drop()
        if fault == "delayed":
            time.sleep(self.server.delay)
        self.answer(answer.status_code, answer.headers, answer.content, cut=fault == "cut")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward  # noqa: N815

    def session(self) -> requests.Session:
        """This thread's connection to the server."""
        if not hasattr(self.server.connections, "session"):
            self.server.connections.session = requests.Session()
        return self.server.connections.session

    def answer(self, status: int, headers, body: bytes, cut: bool = False) -> None:
        """Answers."""
        self.send_response(status)
        for key in ("Content-Type", "WWW-Authenticate"):
            if key in headers:
                self.send_header(key, headers[key])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.drop()

    def drop(self) -> None:
        """Ends the connection."""
        self.close_connection = True
        self.wfile.flush()
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def proxy(server: str, chance: float, seed: int = 0, **options) -> Iterator[Proxy]:
    """A proxy at work."""
    made = Proxy(server, chance, seed, **options)
    thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.ended.set()
        made.shutdown()
        made.server_close()
        thread.join()


@contextmanager
def silent_server() -> Iterator[str]:
    """A server that takes connections and never answers; gives its address."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
