"""The ways to have a cluster in docs/cluster.md, by their commands, with a real SSH server and a real Slurm, both its own."""

import inspect
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import distributed
import pytest

from pipeline.ui import free_port
from tests.clusters import BIN, ENVIRONMENT, PAGE, SWEEP, digests, running, until
from tests.pages import commands

LINES = commands(PAGE)


def the_line(start: str, **changes: str) -> str:
    """The page's command that starts so, with what holds for this machine."""
    [line] = [line for line in LINES if line.startswith(start)]
    for old, new in changes.items():
        assert old in line
        line = line.replace(old, new)
    return line


def program(name: str) -> str:
    """Where a program is; the test is skipped where it is not installed."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") or pytest.skip(f"needs {name}")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of workers and schedulers that leave nothing behind."""
    return {**ENVIRONMENT, "DASK_TEMPORARY_DIRECTORY": str(tmp_path / "dask"), "DASK_CONFIG": str(tmp_path / "dask-config")}


def sweeps_the_same(address: str, workers: int, command, store: Path, folder: Path) -> None:
    """A sweep on these workers gives what it gives here."""
    with distributed.Client(address, set_as_default=False) as client:
        until(lambda: len(client.nthreads()) == workers)
    found = []
    for where in ("executor=local", f"executor=dask executor.address={address}"):
        ended = command("train", *SWEEP, *where.split(), "executor.chunk=5")
        assert ended.code == 0, ended.err
        found.append(digests(store, folder))
    assert found[0] == found[1]


@pytest.fixture
def ssh(tmp_path: Path, environment: dict[str, str]) -> Iterator[list[str]]:
    """An SSH server on this machine; gives the options of `dask ssh` for it."""
    server, port = program("sshd"), free_port()
    for name in ("host", "mine"):
        subprocess.run([program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    options = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": tmp_path / "host",
        "AuthorizedKeysFile": tmp_path / "mine.pub",
        "PermitRootLogin": "prohibit-password",
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
        "SetEnv": " ".join(f"{name}={environment[name]}" for name in ("PYTHONPATH", "DASK_TEMPORARY_DIRECTORY", "DASK_CONFIG")),
    }
    (tmp_path / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in options.items()))
    with ExitStack() as stack:
        if os.geteuid() == 0 and not Path("/run/sshd").exists():  # it asks for this empty folder
            Path("/run/sshd").mkdir(0o755)
            stack.callback(Path("/run/sshd").rmdir)
        stack.enter_context(running(f"{server} -D -e -f {tmp_path / 'sshd_config'}"))
        yield ["--ssh-port", str(port), "--ssh-private-key", str(tmp_path / "mine")]


@pytest.mark.slow
def test_over_ssh(ssh, environment, folder, store, command):
    hosts = {"10.0.0.1 10.0.0.2": "127.0.0.1 127.0.0.1", "/path/to/here/.venv/bin/python": sys.executable}
    line, port = the_line(".venv/bin/dask ssh", **hosts, **{"--nthreads 8": "--nthreads 1"}), free_port()
    with running(line, *ssh, "--scheduler-port", str(port), env=environment, stdout=subprocess.DEVNULL) as process:
        address = f"tcp://127.0.0.1:{port}"
        sweeps_the_same(address, 2, command, store, folder)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


@contextmanager
def slurm(folder: Path, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Slurm with this machine as its one node, of 16 processors as it believes; gives the environment for its commands."""
    munged, controller, node = (program(name) for name in ("munged", "slurmctld", "slurmd"))
    if os.geteuid():
        pytest.skip("Slurm's nodes run as root")
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    name = os.uname().nodename.partition(".")[0]
    options = {
        "ClusterName": "test",
        "SlurmctldHost": f"{name}(127.0.0.1)",
        "SlurmctldPort": free_port(),
        "SlurmdPort": free_port(),
        "SlurmUser": "root",
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={folder}/munge.socket",
        "StateSaveLocation": folder / "state",
        "SlurmdSpoolDir": folder / "spool",
        "SlurmctldPidFile": folder / "slurmctld.pid",
        "SlurmdPidFile": folder / "slurmd.pid",
        "SlurmctldLogFile": folder / "slurmctld.log",
        "SlurmdLogFile": folder / "slurmd.log",
        "SelectType": "select/cons_tres",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "SlurmdParameters": "config_overrides",
        "NodeName": f"{name} NodeAddr=127.0.0.1 CPUs=16 RealMemory=64000",
        "PartitionName": "all Nodes=ALL Default=YES",
    }
    (folder / "slurm.conf").write_text("".join(f"{key}={value}\n" for key, value in options.items()))
    (folder / "state").mkdir()
    files = {key: folder / f"munge.{key}" for key in ("socket", "pid", "log", "seed")}
    with (
        running(
            f"{munged} --foreground --force --key-file={folder}/munge.key --socket={files['socket']} "
            f"--pid-file={files['pid']} --log-file={files['log']} --seed-file={files['seed']}"
        ),
        running(f"{controller} -c -D -f {folder}/slurm.conf"),
        running(f"{node} -D -N {name} -f {folder}/slurm.conf"),
    ):
        environment = {**environment, "SLURM_CONF": f"{folder}/slurm.conf"}
        until(lambda: asked("sinfo", "-h", "-o", "%t", env=environment) == "idle")
        try:
            yield environment
        finally:
            asked("scancel", "--user", "root", env=environment)
            until(lambda: asked("squeue", "-h", env=environment) == "")


def asked(*command: str, **options: object) -> str:
    """What a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=False, **options).stdout.strip()


@pytest.mark.slow
def test_on_slurm(environment, folder, store, command, tmp_path):
    less = {"cores=8": "cores=1", "16GB": "2GB", "jobs=10": "jobs=2"}
    line = the_line("python -ic 'from dask_jobqueue", **less)
    with slurm(tmp_path, environment) as its:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with running(line, folder=tmp_path, env=its, **pipes) as process:
            address = process.stdout.readline().strip()
            assert address.startswith("tcp://")
            until(lambda: asked("squeue", "-h", "-o", "%T", env=its).split() == ["RUNNING"] * 2)
            sweeps_the_same(address, 2, command, store, folder)
            process.stdin.close()  # as by Ctrl-D: its jobs end with it
            process.wait(timeout=60)
        until(lambda: asked("squeue", "-h", env=its) == "")


@pytest.mark.parametrize("name", ["ssh", "scheduler", "worker"])
def test_dask_knows_the_options_of_the_page(name):
    known = subprocess.run([BIN / "dask", name, "--help"], capture_output=True, text=True, check=True).stdout
    for line in LINES:
        if line.startswith(f".venv/bin/dask {name} "):
            for option in re.findall(r"--[\w-]+", line):
                assert option in known, line


def test_on_kubernetes_its_options_exist():
    """Where it is installed; a Kubernetes to try it with is more than a test can bring along."""
    made = pytest.importorskip("dask_kubernetes.operator").KubeCluster
    [call] = re.findall(r"KubeCluster\((.+?)\)", PAGE)
    known = {key for kind in made.__mro__ for key in inspect.signature(kind.__init__).parameters}
    assert set(re.findall(r"(\w+)=", call)) <= known
