"""An Arm machine in a folder: Debian's Python for arm64 and the engine's two libraries, run by qemu's user emulation."""

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

EMULATOR = "qemu-aarch64-static"  # of Debian's qemu-user-static
LIBRARIES = ("numpy", "llvmlite")  # of the same versions as here
OLDEST_LIBC, NEWEST_LIBC = 17, 28  # 2.17 and 2.28: those that wheels are built for
LAUNCHER = """#!/bin/sh
PYTHONPATH="$PYTHONPATH:{folder}/site" exec {emulator} -L {folder}/root -E LD_LIBRARY_PATH=/usr/lib/aarch64-linux-gnu \\
    {folder}/root/usr/bin/{python} "$@"
"""


class UnavailableError(Exception):
    """Why there can be no such machine here."""


def make_machine(folder: Path) -> Path:
    """The machine's Python, a program to be started. Takes about 30 s and 350 MB; raises UnavailableError."""
    if platform.machine() == "aarch64":
        raise UnavailableError("this machine is one: nothing is to be emulated")
    for program, package in ((EMULATOR, "qemu-user-static"), ("apt-get", "apt"), ("dpkg", "dpkg")):
        if not shutil.which(program):
            raise UnavailableError(f"{program} is missing: Debian's {package} has it")
    unpack_python(folder)
    [python] = [path.name for path in (folder / "root/usr/bin").glob("python3.*")]
    install_libraries(folder / "site", python.removeprefix("python"))
    launcher = folder / "python"
    launcher.write_text(LAUNCHER.format(folder=folder, emulator=EMULATOR, python=python))
    launcher.chmod(0o755)
    return launcher


def unpack_python(folder: Path) -> None:
    """Debian's Python and all that it depends on, in folder/root."""
    for name in ("state/lists/partial", "cache/archives/partial", "root"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()  # nothing is installed on this machine yet
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "root",
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
    }
    apt = ["apt-get", "-q", "-y", *(f"-o{key}={value}" for key, value in options.items())]
    done(*apt, "update")
    done(*apt, "install", "--download-only", "--no-install-recommends", "python3", "libstdc++6")
    for package in (folder / "cache/archives").glob("*.deb"):
        done("dpkg", "--extract", str(package), str(folder / "root"))


def install_libraries(site: Path, python: str) -> None:
    """NumPy and llvmlite for this version of Python on Arm."""
    wanted = [f"{name}=={version(name)}" for name in LIBRARIES]
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in range(NEWEST_LIBC, OLDEST_LIBC - 1, -1)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]
    kind = ["--only-binary=:all:", "--no-deps", "--no-compile", f"--python-version={python}", "--implementation=cp"]
    done(*pip, *kind, *(f"--platform={name}" for name in platforms), f"--target={site}", *wanted)


def done(*command: str) -> None:
    """Runs a command; raises UnavailableError with its last line if it fails."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    if ended.returncode:
        lines = (ended.stdout + ended.stderr).strip().splitlines()
        raise UnavailableError(f"{' '.join(command[:3])} fails: {lines[-1] if lines else 'without a word'}")
