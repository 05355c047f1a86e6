"""Who runs this, from which sources, and on what: tags of a recorded run."""

import getpass
import platform
import shutil
import subprocess
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np


@cache
def source_tags() -> dict[str, str]:
    """The tags by which MLflow's UI says who ran what."""
    tags = {"mlflow.user": user(), "mlflow.source.name": "pipeline.train", "mlflow.source.type": "LOCAL"}
    commit, branch = git("rev-parse", "HEAD"), git("rev-parse", "--abbrev-ref", "HEAD")
    if commit:
        tags["mlflow.source.git.commit"] = commit
    if branch:
        tags["mlflow.source.git.branch"] = branch
    return tags


def user() -> str:
    """The name of who runs this, where the system knows it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def git(*arguments: str) -> str:
    """What git says of the project's checkout; nothing where there is none."""
    here = Path(__file__).parents[2]
    if not shutil.which("git") or not (here / ".git").exists():
        return ""
    return subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True, check=False).stdout.strip()


@cache
def environment_tags() -> dict[str, str]:
    """Versions and processor: what a later run of the same trial may differ in."""
    packages = ("numpy", "llvmlite", "hydra-core", "mlflow", "pandas", "scikit-learn")
    return {
        "version.python": platform.python_version(),
        **{f"version.{package}": version(package) for package in packages},
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "cpu.features": " ".join(cpu_features()),
    }


def cpu_name() -> str:
    """The processor's name."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cpu_features() -> list[str]:
    """The vector features that NumPy found and uses."""
    found = np.show_config(mode="dicts")
    simd = found.get("SIMD Extensions", {}) if isinstance(found, dict) else {}
    return [*simd.get("baseline", []), *simd.get("found", [])]
