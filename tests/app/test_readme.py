"""Every command in the README works."""

import re
import shlex
import subprocess

import pytest

from tests import ROOT
from tests.readme import README, SECTIONS

TESTED_ELSEWHERE = ("More than one machine",)  # in test_dask_cluster.py and test_deployments.py, with schedulers
BLOCKS = [
    block
    for title, section in SECTIONS.items()
    if title not in TESTED_ELSEWHERE
    for block in re.findall(r"^```\n(.*?)^```", section, re.M | re.S)
]
LINES = [line.partition("   #")[0].strip() for block in BLOCKS for line in block.splitlines()]
COMMANDS = [line for line in LINES if line.startswith("python -m pipeline.")]
TARGETS = sorted({line for line in LINES if line.startswith("make ")})


def test_the_readme_has_commands():
    assert len(COMMANDS) >= 5
    assert {"make sweep", "make test"} <= set(TARGETS)


@pytest.mark.parametrize("line", TARGETS)
def test_make_knows_its_targets(line):
    asked = subprocess.run(["make", "-n", *shlex.split(line)[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr


def test_every_python_command_works(store, folder, command):
    (folder / "table.csv").write_text("length,width,kind\n1,2,red\n2,1,blue\n3,3,red\n")
    command("train", "-m", "learning_rate=1,2", "max_epochs=3")
    for line in COMMANDS:
        _, _, module, *arguments = shlex.split(line)
        if "sweep=<run id>" not in line:
            ended = command(module.removeprefix("pipeline."), *arguments)
            assert (ended.code, ended.err.count("Traceback")) == (0, 0), f"{line}\n{ended.err}"
            assert ended.out


def test_the_python_in_the_readme_works(store, folder, command):
    command("train", "-m", "initial=uniform", "learning_rate=1,2", "initial.range=1,2", "seed=range(2)", "max_epochs=3")
    [block] = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    names = {}
    exec(block, names)
    assert names["run"].status == "converged"
    assert names["sweep"].axes == ("learning_rate", "initial.range", "seed")


def test_the_architecture_names_files_that_are_there():
    page = (ROOT / "docs" / "architecture.md").read_text()
    for path in re.findall(r"`([\w/]+\.(?:py|yaml)|[\w/]+/)`", page):
        assert any((ROOT / top / path).exists() for top in ("", "pipeline")) or list((ROOT / "pipeline").rglob(path)), path


def test_the_readme_links_to_what_is_there():
    for path in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / path).exists(), path
