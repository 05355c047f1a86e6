"""A shared server: MLflow's own, on SQLite and on PostgreSQL, with passwords and without, near, away, silent and forgetful."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient

from pipeline.store.client import server as client
from pipeline.ui import free_port
from tests import ROOT
from tests.amounts import amount
from tests.servers import (
    AS_USER,
    ENVIRONMENT,
    Postgres,
    Proxy,
    Server,
    postgres_program,
    proxy,
    running,
    silent_server,
    wait_for_port,
)
from tests.stores import EXPERIMENT, SWEEP, TRIALS, run_told

PASSWORD = "Wq7-not-to-be-seen"
LONG_SWEEP = (
    "-m",
    "initial=uniform",
    f"seed=range({amount(90)})",
    "learning_rate=0.5,5",
    "threshold=1e-1,1e-2,1e-3,1e-4",
    "max_epochs=200",
)
LONG = 8 * amount(90)  # its trials


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """MLflow's server on SQLite."""
    with running(Server(tmp_path_factory.mktemp("server"))) as started:
        yield started


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL."""
    if not postgres_program("postgres"):
        pytest.skip("PostgreSQL is not installed")
    database = Postgres(PASSWORD)
    yield database
    database.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Server]:
    """MLflow's server on PostgreSQL."""
    with running(Server(tmp_path_factory.mktemp("shared"), postgres.uri, PGPASSWORD=PASSWORD)) as started:
        yield started


@pytest.fixture
def hasty(command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SimpleNamespace]:
    """Runs commands whose requests end after two seconds, and are repeated soon."""

    def run(*line: str) -> SimpleNamespace:
        with monkeypatch.context() as patch:
            patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
            patch.setattr(client, "LONGEST_PAUSE", 0.1)
            return command(*line)

    return run


def start(*command: str, **environment: str) -> subprocess.Popen:
    """A command in a process of its own, not waited for."""
    return subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip


def messages(err: str) -> list[str]:
    """The lines that are printed on stderr, but those that tell on a slow machine how long something takes already."""
    return [line for line in err.splitlines() if not re.fullmatch(r"[a-z ]+: .*\d (s|s left)", line)]


def parents_in(uri: str, experiment: str) -> list:
    """The parent runs of an experiment."""
    mlflow = MlflowClient(uri)
    number = mlflow.get_experiment_by_name(experiment).experiment_id
    return list(mlflow.search_runs([number], "tags.kind = 'sweep'"))


def children_of(uri: str, experiment: str, parent: str) -> list:
    """The children of a run, whole or not."""
    mlflow = MlflowClient(uri)
    number = mlflow.get_experiment_by_name(experiment).experiment_id
    return list(mlflow.search_runs([number], f"tags.`mlflow.parentRunId` = '{parent}'", max_results=5000))


def told(uri: str, experiment: str, parent: str, folder: Path, step: int = 1) -> list[dict]:
    """All that a store tells of a sweep's runs, or of each step-th of them, without what differs between stores."""
    place = folder / f"told-{time.monotonic_ns()}"
    place.mkdir()
    children = children_of(uri, experiment, parent)
    found = [run_told(MlflowClient(uri), run, place) for run in children if not int(run.data.tags["trial.place"]) % step]
    for run in found:
        del run["place"]
        run["info"] = run["info"][:4]
    return sorted(found, key=lambda run: int(run["tags"]["trial.place"]))


def is_whole(uri: str, experiment: str, trials: int) -> str:
    """Asserts that a sweep has one finished run for each trial and nothing else; gives its parent run."""
    [parent] = [run.info.run_id for run in parents_in(uri, experiment) if run.info.status == "FINISHED"]
    children = children_of(uri, experiment, parent)
    assert Counter(int(run.data.tags["trial.place"]) for run in children) == Counter(range(trials))
    assert {run.info.status for run in children} == {"FINISHED"}
    from pipeline.store.sweeps import read_sweep
    from pipeline.trials.settings import Tracking

    table = read_sweep(Tracking(uri, experiment), parent).table
    assert dict(table["run_id"]) == {int(run.data.tags["trial.place"]): run.info.run_id for run in children}
    return parent


def until_recorded(command, uri: str, experiment: str, sweep: tuple[str, ...], tries: int = 30) -> list[int]:
    """Runs a sweep, and `push` as long as something is kept, until all is in the store; gives the exit codes."""
    codes = []
    while not codes or codes[-1]:
        assert len(codes) < tries, codes
        kept = list(Path("multirun").rglob("sweep.json"))
        if kept and codes[-1] == 1:
            ended = command("push")
        else:
            ended = command("train", *sweep, f"tracking.uri={uri}", f"tracking.experiment={experiment}")
        assert "Traceback" not in ended.err, ended.err
        codes.append(ended.code)
        finished = [run for run in parents_in(direct(uri), experiment) if run.info.status == "FINISHED"]
        assert bool(finished) == (ended.code == 0), (codes, ended.err)
    assert not list(Path("multirun").rglob("sweep.json"))
    return codes


DIRECT: dict[str, str] = {}


def direct(uri: str) -> str:
    """The server behind a proxy."""
    return DIRECT.get(uri, uri)


def lossy(command, server: Server, chance: float, seed: int, experiment: str, sweep=SWEEP, **options) -> Proxy:
    """A sweep through a losing proxy, until it is recorded."""
    MlflowClient(server.uri).create_experiment(experiment)
    with proxy(server.uri, chance, seed, **options) as between:
        DIRECT[between.uri] = server.uri
        until_recorded(command, between.uri, experiment, sweep)
    assert set(between.counts) - {name for name, number in between.counts.items() if number} <= {"cut", "delayed"}
    return between


@pytest.mark.slow
def test_a_sweep_at_a_server_equals_that_of_a_local_store(server, store, folder, command):
    assert command("train", *SWEEP).code == 0
    with proxy(server.uri, 0.0) as counting:
        ended = command("train", *SWEEP, f"tracking.uri={counting.uri}", "tracking.experiment=equal")
    assert (ended.code, ended.err) == (0, "")
    assert "View run" not in ended.out
    local = f"sqlite:///{store}"
    [there] = [run.info.run_id for run in parents_in(local, EXPERIMENT)]
    at_server = told(server.uri, "equal", is_whole(server.uri, "equal", TRIALS), folder)
    assert at_server == told(local, EXPERIMENT, there, folder)
    asked = Counter(path.split("?")[0] for path in counting.asked)
    assert asked["POST /api/2.0/mlflow/runs/create"] == TRIALS + 1
    assert asked["POST /api/2.0/mlflow/runs/log-batch"] == TRIALS + 2
    assert asked["POST /api/2.0/mlflow/runs/update"] == TRIALS + 1
    assert len([path for path in counting.asked if path.endswith("/artifacts/weights.npz")]) == TRIALS
    assert asked["GET /api/2.0/mlflow/runs/get"] <= 6
    assert command("summary", f"tracking.uri={server.uri}").code == 0


@pytest.mark.slow
def test_answers_are_lost_and_nothing_else(server, store, folder, command, hasty):
    assert command("train", *SWEEP).code == 0
    local = f"sqlite:///{store}"
    [there] = [run.info.run_id for run in parents_in(local, EXPERIMENT)]
    lossy(hasty, server, 0.25, 1, "lossy")
    assert told(server.uri, "lossy", is_whole(server.uri, "lossy", TRIALS), folder) == told(local, EXPERIMENT, there, folder)


@pytest.mark.slow
def test_a_single_run_is_there_once_when_answers_are_lost(server, folder, hasty):
    with proxy(server.uri, 0.5, 3, faults=("lost", "503", "refused")) as between:
        codes = [
            hasty("train", "max_epochs=5", f"tracking.uri={between.uri}", "tracking.experiment=single").code for _ in range(4)
        ]
    mlflow = MlflowClient(server.uri)
    number = mlflow.get_experiment_by_name("single").experiment_id
    runs = list(mlflow.search_runs([number]))
    assert Counter(run.info.status for run in runs)["FINISHED"] == codes.count(0)
    assert "RUNNING" not in {run.info.status for run in runs}


def stopped(process: subprocess.Popen, how: signal.Signals) -> tuple[float, int, str]:
    """Interrupts a command; gives the seconds until it has ended, its exit code, its error output."""
    process.send_signal(how)
    asked = time.monotonic()
    _, err = process.communicate(timeout=150)
    return time.monotonic() - asked, process.returncode, err


@pytest.mark.parametrize("more", [(), ("-m",), ("-m", "hydra/sweeper=basic")])
def test_a_password_in_an_address_is_refused_before_anything_is_written(more, folder, command):
    ended = command("train", *more, "seed=1,2" if more else "seed=1", f"tracking.uri=http://user:{PASSWORD}@127.0.0.1:9")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "must hold no password" in ended.err
    assert PASSWORD not in ended.err
    assert not list(folder.iterdir())


@pytest.fixture
def guarded(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Server]:
    """MLflow's server on PostgreSQL, which wants a user and a password."""
    secrets = {"PGPASSWORD": PASSWORD, "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD, "MLFLOW_FLASK_SERVER_SECRET_KEY": "any"}
    store = postgres.new_database("guarded")
    with running(Server(tmp_path_factory.mktemp("guarded"), store, "--app-name", "basic-auth", **secrets)) as started:
        yield started


@pytest.mark.slow
def test_a_password_is_nowhere(guarded, postgres, folder):
    user = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": PASSWORD, "MLFLOW_TRACKING_URI": guarded.uri}
    in_address = {"MLFLOW_TRACKING_URI": guarded.uri.replace("://", f"://admin:{PASSWORD}@")}
    wrong = {**user, "MLFLOW_TRACKING_PASSWORD": f"{PASSWORD}-wrong"}
    nowhere = {**user, "MLFLOW_TRACKING_URI": f"http://admin:{PASSWORD}@127.0.0.1:9"}
    one, sweep = (
        ("pipeline.train", "max_epochs=5"),
        ("pipeline.train", "-m", "initial=uniform", "seed=range(3)", "max_epochs=5"),
    )
    said = []
    for line, environment, code in (
        (one, user, 0),
        (sweep, in_address, 0),
        (("pipeline.summary",), user, 0),
        (one, {**user, "MLFLOW_TRACKING_PASSWORD": ""}, 2),
        (sweep, wrong, 2),
        (sweep, nowhere, 2),
    ):
        process = start(*line, **environment)
        out, err = process.communicate(timeout=100)
        assert (process.returncode, "Traceback" in err) == (code, False), (line, err)
        assert code == 0 or (len(messages(err)) == 1 and "tracking.uri" in err), err
        said += [out, err]
    with proxy(guarded.uri, 0.0) as away:
        away.fault = lambda path: "refused" if "report.html" in path else "passed"
        for line in ((*sweep, "resume=never"), ("pipeline.push",)):
            environment = {**in_address, "MLFLOW_TRACKING_URI": away.uri.replace("://", f"://admin:{PASSWORD}@")}
            out, err = (process := start(*line, **environment)).communicate(timeout=100)
            assert (process.returncode, len(messages(err))) == (1, 1), (line, err)
            said += [out, err]
    [description] = Path("multirun").rglob("sweep.json")
    process = start("pipeline.push", f"folder={description.parent}", f"tracking.uri={guarded.uri}", **user)
    said += process.communicate(timeout=100)
    assert process.returncode == 0, said
    assert not any(PASSWORD in text for text in said)
    written = [path for top in (folder, guarded.folder) for path in top.rglob("*") if path.is_file()]
    assert len([path for path in written if path.suffix in (".npz", ".html", ".yaml")]) > 20
    for path in written:
        assert PASSWORD.encode() not in path.read_bytes(), path
    dump = postgres.dump("guarded")
    assert "trial.key" in dump
    assert PASSWORD not in dump


@pytest.mark.slow
def test_a_database_without_a_server(postgres, folder, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    uri = postgres.new_database("alone")
    sweep = ("pipeline.train", "-m", "initial=uniform", "seed=range(3)", "max_epochs=5", f"tracking.uri={uri}")

    def said(*line: str, seconds: float = 60.0, **environment: str) -> tuple[int, str]:
        begun = time.monotonic()
        out, err = (process := start(*line, **environment)).communicate(timeout=seconds)
        assert time.monotonic() - begun < seconds
        assert PASSWORD not in out + err
        return process.returncode, err

    refused = [
        (sweep, {}, "tracking.artifacts=null: must be s3://"),
        (sweep, {"PGPASSWORD": "no-password"}, "password authentication failed"),
        (("pipeline.summary", f"tracking.uri={uri}"), {"PGPASSWORD": "no-password"}, "password authentication failed"),
        ((*sweep[:-1], f"tracking.uri={uri.replace(str(postgres.port), '9')}"), {}, "Connection refused"),
        ((*sweep[:-1], f"tracking.uri={uri.replace('+psycopg:', '+pg8000:')}"), {}, "pip install pg8000"),
    ]
    for line, environment, words in refused:
        code, err = said(*line, seconds=20.0, **environment)
        assert (code, len(messages(err))) == (2, 1), err
        assert words in err
    assert not (folder / "multirun").exists()
    code, err = said(*sweep, f"tracking.artifacts={folder}/files")
    assert (code, messages(err)) == (0, []), err
    assert said("pipeline.train", "max_epochs=5", f"tracking.uri={uri}") == (0, "")
    assert said("pipeline.summary", f"tracking.uri={uri}") == (0, "")
    assert len(list(Path(folder, "files").rglob("weights.npz"))) == 4
    assert list(Path(folder, "files").rglob("report.html"))
    assert is_whole(uri, EXPERIMENT, 3)


@pytest.mark.slow
def test_most_answers_are_lost(server, folder, hasty):
    lossy(hasty, server, 0.65, 5, "most", (*SWEEP_OF_ONE[1:], "seed=range(6)"), faults=("lost", "refused", "503", "cut"))
    is_whole(server.uri, "most", 6)


@pytest.mark.slow
@pytest.mark.parametrize("chance", [0.3])
def test_hundreds_of_runs_through_a_server_on_postgresql_that_loses_answers(chance, shared, store, folder, command, hasty):
    experiment = f"lossy-{chance}"
    faults = ("lost", "refused", "503", "cut") * 4 + ("delayed",)
    between = lossy(hasty, shared, chance, 7, experiment, LONG_SWEEP, delay=2.5, faults=faults)
    is_whole(shared.uri, experiment, LONG)
    assert sum(between.counts.values()) > LONG * 4


@pytest.mark.slow
def test_hundreds_of_runs_at_a_server_on_postgresql_equal_those_of_a_local_store(shared, store, folder, command):
    begun = time.monotonic()
    ended = command("train", *LONG_SWEEP, f"tracking.uri={shared.uri}")
    print(f"{1000 * (time.monotonic() - begun) / LONG:.0f} ms a run")
    assert (ended.code, ended.out.count("View run")) == (0, 0), ended.err
    assert command("train", *LONG_SWEEP).code == 0
    local = f"sqlite:///{store}"
    [there] = [run.info.run_id for run in parents_in(local, EXPERIMENT)]
    here = is_whole(shared.uri, EXPERIMENT, LONG)
    assert told(shared.uri, EXPERIMENT, here, folder, 37) == told(local, EXPERIMENT, there, folder, 37)


@pytest.mark.slow
def test_what_is_wrong_with_a_server_is_said_in_a_line(server, folder, hasty, monkeypatch):
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.3)
    with silent_server() as silent:
        for uri, words in (
            ("http://127.0.0.1:9", "Connection refused"),
            ("http://no-such-host.invalid", "the name of the server is not known"),
            (server.uri.replace("http:", "https:"), "TLS: "),
            (server.uri + "/elsewhere", "there is no MLflow server"),
            (silent, "it does not answer in time"),
        ):
            for line in (("train", "max_epochs=5"), ("train", "-m", "max_epochs=5,6"), ("summary",)):
                ended = hasty(*line, f"tracking.uri={uri}")
                assert (ended.code, ended.err.count("\n"), uri in ended.err) == (2, 1, True), ended.err
                assert words in ended.err


SWEEP_OF_ONE = ("pipeline.train", "-m", "initial=uniform", "seed=range(2)", "max_epochs=5")
PHASES = {
    "opening": (SWEEP_OF_ONE, "experiments/get-by-name"),
    "looking for an interrupted sweep": (SWEEP_OF_ONE, "runs/search"),
    "beginning": (SWEEP_OF_ONE, "runs/create"),
    "recording": (SWEEP_OF_ONE, "trial.place"),
    "weights": (SWEEP_OF_ONE, "artifacts/weights.npz"),
    "artifacts": (SWEEP_OF_ONE, "artifacts/report.html"),
    "the end": (SWEEP_OF_ONE, "mlflow.note.content"),
    "one run, opening": (("pipeline.train", "max_epochs=5"), "experiments/get-by-name"),
    "one run, recording": (("pipeline.train", "max_epochs=5"), "runs/log-batch"),
    "summary": (("pipeline.summary",), "runs/search"),
    "summary, an artifact": (("pipeline.summary",), "artifacts/results.parquet"),
    "push": (("pipeline.push",), "experiments/get-by-name"),
    "push, artifacts": (("pipeline.push",), "artifacts/report.html"),
}


@pytest.mark.slow
@pytest.mark.parametrize("phase", PHASES)
def test_ctrl_c_is_heard_while_a_server_is_silent(phase, server, folder, command):
    line, hang = PHASES[phase]
    own = f"tracking.experiment={phase.replace(',', '')}"  # a sweep that another phase has interrupted is not gone on with
    how = (signal.SIGINT, signal.SIGTERM)[list(PHASES).index(phase) % 2]
    if line[0] != "pipeline.train":
        assert command("train", *SWEEP_OF_ONE[1:], own, f"tracking.uri={server.uri}").code == 0
    if line[0] == "pipeline.push":
        with proxy(server.uri, 0.0) as away:
            away.fault = lambda path: "refused" if "report.html" in path else "passed"
            assert command("train", *SWEEP_OF_ONE[1:], own, f"tracking.uri={away.uri}", "resume=never").code == 1
    with proxy(server.uri, 0.0) as between:
        between.hang = hang
        process = start(*line, own, f"tracking.uri={between.uri}")
        assert between.hangs.wait(60), process.communicate()
        time.sleep(0.3)
        taken, code, err = stopped(process, how)
    assert (code, "Traceback" in err) == (130, False), err
    assert taken < 2.0


HEALTHY = "python -c 'import urllib.request as r; r.urlopen(\"http://127.0.0.1:{port}/health\")' 2>/dev/null"


@pytest.mark.slow
def test_the_commands_of_the_page_on_servers(tmp_path):
    if not postgres_program("initdb"):
        pytest.skip("PostgreSQL is not installed")
    page = (ROOT / "docs" / "server.md").read_text()
    srv = Path(tempfile.mkdtemp(prefix="servers-"))
    database, port = str(free_port()), str(free_port())
    for name, value in (("/srv", str(srv)), ("5432", database), ("5000", port)):
        page = re.sub(rf"(?<![\w/]){re.escape(name)}\b", value, page)
    making, plain, guarded, recording = re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S)
    programs = f"{Path(str(postgres_program('initdb'))).parent}:{Path(sys.executable).parent}"
    environment = {
        **ENVIRONMENT,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "MLFLOW_AUTH_ADMIN_PASSWORD": "",
    }
    (srv / "password").write_text(PASSWORD)
    for path in (srv, srv / "password"):
        shutil.chown(path, **({"user": "nobody"} if AS_USER else {"user": os.geteuid()}))
    initdb, postgres = making.splitlines()
    subprocess.run(["bash", "-euc", initdb], env=environment, cwd=srv, check=True, capture_output=True, **AS_USER)
    running_postgres = subprocess.Popen(shlex.split(postgres), env=environment, cwd=srv, stderr=subprocess.DEVNULL, **AS_USER)
    try:
        wait_for_port(int(database))
        for block in (plain, guarded):
            ready = f" >{tmp_path}/log 2>&1 &\nuntil {HEALTHY.format(port=port)}; do sleep 0.2; done\n"
            script = block.rstrip() + ready + recording
            process = subprocess.Popen(
                ["bash", "-euc", script], env=environment, cwd=tmp_path, text=True, start_new_session=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            try:
                code = process.wait(timeout=120)
            finally:
                os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            assert code == 0, err
            assert f"http://127.0.0.1:{port}" in out
            assert PASSWORD not in out + err
    finally:
        running_postgres.send_signal(signal.SIGINT)
        running_postgres.wait(20)
        shutil.rmtree(srv, ignore_errors=True)
