"""The weekly check: units that systemd takes, an installer that changes nothing unasked, a workflow that GitHub takes."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from pipeline.app.composition import compose
from pipeline.reproducibility.notification import read_recipient
from tests import ROOT

INSTALL = ROOT / "schedule" / "install.py"
WORKFLOW = ROOT / ".github" / "workflows" / "reproduce.yml"
UNITS = ["backpropagation-reproduce.service", "backpropagation-reproduce.timer"]


PROGRAM = """
import os, runpy, sys
os.geteuid = lambda: {user}
sys.executable = {python!r}
sys.argv = [{script!r}, *{words!r}]
runpy.run_path({script!r}, run_name="__main__")
"""


@pytest.fixture
def home(tmp_path):
    """A home with a `systemctl` that keeps what it is asked."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program(programs / "systemctl", f'echo "$*" >> {shlex.quote(str(tmp_path))}/asked')
    return tmp_path


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def install(home, *words, script=INSTALL, user=1000, python=sys.executable, **environment):
    """Calls the installer as a user whose home this is, without a word for `install`."""
    variables = {"HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}", "LANG": "C.UTF-8", **environment}
    text = PROGRAM.format(user=user, python=python, script=str(script), words=list(words or ["install"]))
    return subprocess.run([sys.executable, "-c", text], env=variables, capture_output=True, text=True, check=False)


def command_of(service):
    """The words that systemd makes of a unit's command: its rules for quotes and %, and none for $ after a colon."""
    [line] = re.findall(r"^ExecStart=:(.*)$", service, re.M)
    words = re.findall(r'"((?:[^"\\]|\\.)*)"(?: |$)', line)
    assert " ".join(f'"{word}"' for word in words) == line
    return [re.sub(r"\\(.)", r"\1", word).replace("%%", "%") for word in words]


def asked(home):
    return (home / "asked").read_text().splitlines() if (home / "asked").exists() else []


def test_a_user_gets_the_units_and_loses_them_again(home):
    ended = install(home)
    assert ended.returncode == 0, ended.stderr
    units = home / ".config" / "systemd" / "user"
    assert sorted(path.name for path in units.iterdir()) == UNITS
    service = (units / UNITS[0]).read_text()
    assert f"WorkingDirectory={ROOT}\n" in service
    assert command_of(service) == [sys.executable, "-m", "pipeline.reproduce"]
    assert "somebody would be with: make schedule NOTIFY=" in ended.stdout
    assert "@" not in "".join((units / name).read_text() for name in UNITS)
    assert asked(home)[1:] == ["--user daemon-reload", "--user enable --now backpropagation-reproduce.timer"]

    ended = install(home, "remove")
    assert ended.returncode == 0, ended.stderr
    assert list(units.iterdir()) == []
    assert asked(home)[4:] == ["--user disable --now backpropagation-reproduce.timer", "--user daemon-reload"]


def test_removing_what_is_not_there_is_no_error(home):
    assert install(home, "remove").returncode == 0


def test_units_go_where_xdg_says(home):
    assert install(home, XDG_CONFIG_HOME=f"{home}/elsewhere").returncode == 0
    assert (home / "elsewhere" / "systemd" / "user" / UNITS[1]).exists()
    assert install(home, XDG_CONFIG_HOME="relative").returncode == 2


@pytest.mark.parametrize("what", ["install", "remove"])
def test_a_dry_run_prints_all_and_changes_nothing(home, what):
    before = sorted(home.rglob("*"))
    ended = install(home, what, DRY_RUN="1")
    assert ended.returncode == 0
    assert sorted(home.rglob("*")) == before
    assert "nothing was changed" in ended.stdout
    if what == "install":
        for line in ("OnCalendar=weekly", "Persistent=true", "RandomizedDelaySec=", "Type=oneshot", "enable --now"):
            assert line in ended.stdout
        assert re.search(r"^@weekly cd .* && .* -m pipeline.reproduce$", ended.stdout, re.M)


@pytest.mark.parametrize("what", ["install", "remove"])
def test_root_is_refused_in_one_line(home, what):
    ended = install(home, what, user=0)
    assert (ended.returncode, ended.stderr.count("\n"), ended.stdout) == (2, 1, "")
    assert "not for root" in ended.stderr
    assert not (home / ".config").exists()
    assert install(home, what, user=0, DRY_RUN="1").returncode == 0


def test_what_cannot_be_installed_is_refused_in_one_line(home):
    def refused(ended):
        assert (ended.returncode, ended.stderr.count("\n"), ended.stdout) == (2, 1, "")
        assert not (home / ".config").exists()
        return ended.stderr

    assert "must be install or remove" in refused(install(home, "update"))
    assert "units can't name that" in refused(install(home, python="/bin/a\nExecStart=b"))
    assert "units can't name that" in refused(install(home, python="/bin/\udcff"))
    assert "units can't name that" in refused(install(home, python='/bin/"'))
    assert "there is no program nosuch" in refused(install(home, NOTIFY="nosuch program"))
    (home / "bin" / "systemctl").write_text("#!/bin/sh\nexit 1\n")
    assert "does not run for this user" in refused(install(home))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize("folder", ["with a blank", "jürgen müller 100% $HOME %h ${HOME}"])
def test_systemd_takes_the_units(home, folder):
    project = home / folder
    shutil.copytree(ROOT / "schedule", project / "schedule")
    python = project / "python"
    python.symlink_to(sys.executable)
    teller = program(project / "tell me", "cat")
    ended = install(
        home, script=project / "schedule" / "install.py", python=str(python), NOTIFY=f"{shlex.quote(str(teller))} 'ü %s'"
    )
    assert ended.returncode == 0, ended.stderr
    units = [str(home / ".config" / "systemd" / "user" / name) for name in UNITS]
    verified = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    service = Path(units[0]).read_text()
    assert f"WorkingDirectory={project}\n" in service.replace("%%", "%")
    *command, told = command_of(service)
    assert command == [str(python), "-m", "pipeline.reproduce"]
    settings = compose([told], "reproduce")
    assert read_recipient(settings["notify"]).words == [str(teller), "ü %s"]


# The workflow


@pytest.fixture(scope="module")
def workflow():
    return yaml.safe_load(WORKFLOW.read_text())


def test_the_workflow_fits_githubs_schema():
    pytest.importorskip("check_jsonschema")
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(WORKFLOW)]
    ended = subprocess.run(check, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.skipif(not shutil.which("actionlint"), reason="needs actionlint")
def test_actionlint_has_nothing_to_say():
    ended = subprocess.run(["actionlint", str(WORKFLOW)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_the_workflow_runs_weekly_and_by_hand_everywhere(workflow):
    on = workflow[True]  # YAML's word for `on`
    assert set(on) == {"schedule", "workflow_dispatch"}
    assert re.fullmatch(r"\d+ \d+ \* \* \d", on["schedule"][0]["cron"])
    matrix = workflow["jobs"]["reproduce"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert any("arm" in runner for runner in matrix["runner"])
    assert any("arm" not in runner for runner in matrix["runner"])
    assert matrix["dependencies"] == ["newest", "oldest"]


def test_the_workflow_may_read_and_nothing_else_and_trusts_github_alone(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    uses = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert uses
    for action in uses:
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", action)


def test_the_oldest_dependencies_are_the_lower_bounds():
    ended = subprocess.run([sys.executable, str(ROOT / "schedule" / "oldest.py")], capture_output=True, text=True, check=True)
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert ended.stdout.splitlines() == [text.replace(">=", "==") for text in wanted]
    assert all("==" in line for line in ended.stdout.splitlines())
