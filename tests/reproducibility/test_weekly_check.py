"""Somebody is told what a check found, once: when it fails, when something else fails, when it is over; under systemd, too."""

import email
import email.policy
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pipeline.errors import ConfigError
from pipeline.reproducibility import baselines, history
from pipeline.reproducibility.check import Finding, read_settings
from pipeline.reproducibility.notification import read_recipient
from pipeline.reproducibility.watch import watched
from tests import ROOT

GOOD = Finding(0, "reproduced 2 of 2", share=1.0, run_id="a1")
BAD = Finding(
    1, "reproduced 1 of 2 (1 drifted)", "d1", ["x.csv:3: seed=1, trained by numpy\n  changed: epochs 7 → 8"], 0.5, "b2"
)
WORSE = replace(BAD, summary="reproduced 0 of 2 (2 drifted)", failure="d2", share=0.0)
PLAIN = {
    "baseline": "check", "folder": None, "sweep": None, "map": {"run": None}, "sample": None, "seed": 0, "engines": None,
    "status": False, "notify": None,
    "tracking": {"uri": None, "experiment": "e", "artifacts": None, "runs": None, "curves": False, "weights": False},
}  # fmt: skip


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def teller(folder: Path) -> Path:
    """A program with a blank in its name that keeps what it is told, with its arguments."""
    return program(folder / "tell me", 'cat >> told; echo "[$*]" >> told')


def told(folder: Path) -> str:
    """What was told since this was asked last."""
    file = folder / "told"
    text = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)
    return text


def checked(notify: object, finding: Finding | Exception) -> int:
    def work(_: object) -> Finding:
        if isinstance(finding, Exception):
            raise finding
        return finding

    return watched(read_settings(PLAIN | {"notify": notify}), work)


def test_a_failure_is_told_once_another_one_again_and_its_end_once(teller, folder):
    codes, messages = [], []
    for finding in (GOOD, GOOD, BAD, BAD, WORSE, WORSE, BAD, GOOD, GOOD, BAD):
        codes.append(checked([str(teller), "; rm $HOME"], finding))
        messages.append(told(folder))
    assert codes == [0, 0, 1, 1, 1, 1, 1, 0, 0, 1]
    first = [message.partition("\n")[0] for message in messages]
    other = "baselines: drifted, otherwise than before"
    assert first == [
        "",
        "",
        "baselines: drifted",
        "",
        other,
        "",
        other,
        "baselines: reproduced again",
        "",
        "baselines: drifted",
    ]
    assert BAD.parts[0] in messages[2]
    assert BAD.summary in messages[2]
    assert "recorded as run b2" in messages[2]
    assert messages[2].endswith("[; rm $HOME]\n")  # an argument, which no shell has seen


def test_a_check_that_cannot_be_made_is_told_and_ends_as_it_did_before(teller, folder):
    for expected in ("baselines: the check could not be made\n\nthe check could not be made: folder=b: no such folder", ""):
        with pytest.raises(ConfigError):
            checked([str(teller)], ConfigError("folder", "b", "no such folder"))
        assert told(folder).startswith(expected)
        assert history.read_all()["baselines"].entries[-1].code == 2
    checked([str(teller)], GOOD)
    assert told(folder).startswith("baselines: reproduced again")
    with pytest.raises(ConfigError):  # by hand it is refused, and nothing is written
        checked(None, ConfigError("folder", "b", "no such folder"))
    assert history.read_all()["baselines"].entries[-1].code == 0


def test_who_could_not_be_told_is_told_at_the_next_check(teller, folder, capfd):
    program(teller, "exit 3")
    assert checked([str(teller)], BAD) == 1
    assert "nobody could be told: " in capfd.readouterr().err
    program(teller, "cat > told")
    assert checked([str(teller)], BAD) == 1
    assert told(folder).startswith("baselines: drifted\n")


def test_mail_goes_through_the_systems_mail_program(folder, monkeypatch):
    (folder / "bin").mkdir()
    program(folder / "bin" / "sendmail", 'echo "$*" > arguments; cat > mail')
    monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
    assert checked("mülller+x@example.org", BAD) == 1
    assert (folder / "arguments").read_text() == "-i -- mülller+x@example.org\n"
    message = email.message_from_bytes((folder / "mail").read_bytes(), policy=email.policy.default)
    assert message["Subject"] == "baselines: drifted"
    assert BAD.parts[0] in message.get_content()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "must be a mail address"),
        ("nosuch --word", "there is no program nosuch"),
        ("sh 'a", "no closing quotation"),
        ("me@example.org\nBcc: you@example.org", "there is no program me@example.org"),
        ("-oQ/tmp@example.org", "there is no program"),
        ("me@example.org", "needs the system's mail program"),
        ([], "must be a mail address"),
        (["sh", 1], "must be a mail address"),
        (7, "must be a mail address"),
    ],
)
def test_who_cannot_be_told_is_refused_before_any_work(value, reason, monkeypatch, tmp_path):
    monkeypatch.setattr("pipeline.reproducibility.notification.MAIL_FOLDERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=reason):
        read_recipient(value)


def test_a_damaged_file_of_checks_is_told_and_left_as_it_is(teller, folder):
    history.FILE.parent.mkdir()
    for content in (
        "{",
        '{"format": "other"}',
        '{"format": "checks 1", "checks": {"a": {"told": "", "entries": [{"code": "x"}]}}}',
        "[" * 9999,
    ):
        history.FILE.write_text(content)
        for expected in ("baselines: the check could not be made", "baselines: the check could not be made"):
            with pytest.raises(ConfigError, match=r"the file of checks=mlruns/checks\.json: cannot be read"):
                checked([str(teller)], GOOD)
            assert told(folder).startswith(expected)
        assert history.FILE.read_text() == content


def test_only_so_many_checks_are_kept(folder):
    past = history.History()
    for number in range(history.MOST_ENTRIES + 2):
        past = past.with_entry(history.Entry(f"{number}", 1, "drifted", "d", "details"))
    history.keep("baselines", past)
    entries = history.read_all()["baselines"].entries
    assert (entries[0].when, len(entries)) == ("2", history.MOST_ENTRIES)
    assert [one.details for one in entries[-2:]] == ["", "details"]
    assert past.since() is past.entries[0]


def test_status_says_what_the_last_check_found_and_mlflow_has_the_history(store, command, folder, teller):
    rows = [dict(row) for row in baselines.read(baselines.FOLDER / "worked_example.csv") if int(row["epochs"]) < 2000][:2]
    (folder / "b").mkdir()
    words = "folder=b", "engines=numpy", f"notify=[{teller}]"
    ended = command("reproduce", "status")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    for status in (rows[1]["status"], "diverged"):
        rows[1]["status"] = status
        baselines.write(folder / "b" / "x.csv", rows)
        command("reproduce", *words)
    assert f"b/x.csv:3: {rows[1]['overrides']}" in told(folder)
    ended = command("reproduce", "status")
    assert (ended.code, ended.err) == (1, "")
    for line in (
        "baselines folder=b engines=[numpy]\n",
        "reproduced 1 of 2 (1 drifted)",
        "  a message was sent\n",
        "earlier: ",
    ):
        assert line in ended.out
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    run = client.get_run(history.read_all()["baselines folder=b engines=[numpy]"].entries[-1].run_id)
    shares = client.get_metric_history(run.info.run_id, "share_reproduced")
    assert [(one.step, one.value) for one in shares] == [(0, 1.0), (1, 0.5)]
    assert "Earlier checks, latest first:" in run.data.tags["mlflow.note.content"]


# A week under a real systemd, which needs a place of its own: /run and a group of processes

SYSTEMD = "/usr/lib/systemd/systemd"
SESSION = """
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR"
for tree in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    [ -e $tree/cgroup.procs ] && mkdir -p $tree/weekly-check/user && echo $$ > $tree/weekly-check/user/cgroup.procs
done
%(systemd)s --user --log-target=null & manager=$!
for second in 1 2 3 4 5 6 7 8 9 10; do
    systemctl --user is-system-running 2>/dev/null | grep -qE 'running|degraded' && break
    sleep 1
done
systemctl --user show-environment >/dev/null 2>&1 || { echo "no systemd of a user"; kill $manager; exit 0; }
%(install)s || exit 1
systemctl --user list-timers --all
week() { systemctl --user start backpropagation-reproduce.service 2>/dev/null; echo "week ended $?"; echo "--- $1" >> told; }
cp falsified baselines/x.csv; week falsified; week again
cp true baselines/x.csv; week true; week again
kill $manager; wait
"""


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or not Path(SYSTEMD).exists() or not shutil.which("unshare"), reason="needs root, systemd and unshare"
)
def test_a_user_systemd_tells_of_a_falsified_baseline_once_and_of_its_end_once(tmp_path):
    home = tmp_path / "jürgen müller"
    project = home / "my project"
    project.mkdir(parents=True)
    for name in ("pipeline", "conf", "hydra_plugins"):
        (project / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "schedule", project / "schedule")
    (project / "baselines").mkdir()
    row = dict(baselines.read(baselines.FOLDER / "worked_example.csv")[0])
    baselines.write(project / "true", [row])
    baselines.write(project / "falsified", [row | {"epochs": str(int(row["epochs"]) + 1)}])
    teller = program(project / "tell me", f"cat >> {shlex.quote(str(project / 'told'))}")
    script = str(project / "schedule" / "install.py")
    called = f"sys.argv = [{script!r}, 'install']; runpy.run_path({script!r}, run_name='__main__')"
    as_user = f"import os, runpy, sys; os.geteuid = lambda: 1000; {called}"
    session = SESSION % {"systemd": SYSTEMD, "install": shlex.join([sys.executable, "-c", as_user])}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "DBUS_", "PYTHONPATH"))}
    environment |= {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": "/run/user/0",
        "NOTIFY": shlex.quote(str(teller)),
        "PYTHONPATH": str(project),
    }
    ended = subprocess.run(
        ["unshare", "--mount", "bash", "-c", session],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    for tree in Path("/sys/fs/cgroup").glob("**/weekly-check"):
        for group in sorted((path for path in [tree, *tree.rglob("*")] if path.is_dir()), reverse=True):
            group.rmdir()
    if "no systemd of a user" in ended.stdout or "unshare" in ended.stderr:
        pytest.skip("no systemd of a user here")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "backpropagation-reproduce.timer" in ended.stdout
    assert ended.stdout.count("week ended 1") == ended.stdout.count("week ended 0") == 2
    weeks = (project / "told").read_text().split("--- ")
    assert weeks[0].startswith("baselines: drifted\n")
    assert "baselines/x.csv:2: the worked example, trained by" in weeks[0]
    assert f"changed: epochs {int(row['epochs']) + 1:,} → {int(row['epochs']):,}" in weeks[0]
    assert weeks[1] == "falsified\n"
    assert weeks[2].startswith("again\nbaselines: reproduced again\n")
    assert weeks[3:] == ["true\n", "again\n"]
