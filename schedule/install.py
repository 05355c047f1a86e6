#!/usr/bin/env python3
"""Installs (or removes) a weekly check of the baselines for the user who calls it, by systemd.

    .venv/bin/python schedule/install.py install|remove

It asks nothing: it says each step and does it; with DRY_RUN=1 it only says. NOTIFY is who is told when the check fails and when
it is over: a mail address, or a command that gets the message on its standard input.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

NAME = "backpropagation-reproduce"
UNITS = (f"{NAME}.service", f"{NAME}.timer")
HERE = Path(__file__).absolute().parent
ROOT = HERE.parent
DRY = os.environ.get("DRY_RUN", "") not in ("", "0")


def refuse(text: str) -> NoReturn:
    """Ends with the reason in one line."""
    print(f"schedule: {text}", file=sys.stderr)
    sys.exit(2)


def run(*command: str) -> None:
    """Says a command, and carries it out unless this is a dry run."""
    print("+", *command, flush=True)
    if not DRY and subprocess.run(command, check=False).returncode:
        refuse(f"failed: {' '.join(command)}")


def whole(text: str) -> str:
    """A path for a setting that is one path: systemd reads % there and takes the rest as it is."""
    return text.replace("%", "%%")


def word(text: str) -> str:
    r"""A word of a command line as systemd reads it, whose own marks are " \ and %; $ has none after `ExecStart=:`."""
    return '"' + whole(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def in_cron(text: str) -> str:
    """A command as crontab reads it: % ends a line there."""
    return text.replace("%", "\\%")


def arguments() -> list[str]:
    """The command that makes the check, in words. Refuses a NOTIFY that could not be told."""
    command = [sys.executable, "-m", "pipeline.reproduce"]
    if notify := os.environ.get("NOTIFY"):
        sys.path.insert(0, str(ROOT))
        from pipeline.errors import ConfigError, as_override
        from pipeline.reproducibility.notification import read_recipient

        try:
            recipient = read_recipient(notify)
        except ConfigError as error:
            refuse(str(error))
        if recipient is not None and recipient.address is None:  # systemd has another PATH and another folder
            program, *rest = recipient.words
            notify = shlex.join([os.path.abspath(str(shutil.which(program))), *rest])
        text = as_override(f"{notify} ", quoted=True)  # the blank: never a word without quotes
        command.append(f"notify={text}".replace("${", "\\${"))  # no interpolation
    return command


def units_folder() -> Path:
    """Where systemd looks for a user's units."""
    given = os.environ.get("XDG_CONFIG_HOME") or f"{os.environ.get('HOME', '')}/.config"
    if not given.startswith("/") or given == "/.config":
        refuse(f"XDG_CONFIG_HOME={os.environ.get('XDG_CONFIG_HOME', '')}: must be an absolute path, or HOME must be set")
    return Path(given, "systemd", "user")


def check_names(names: Sequence[str]) -> None:
    """Refuses what no unit can say: systemd takes no program whose path has quotes."""
    for name in names:
        if not name.isprintable() or name != name.strip() or set(name) & set("\"'\\"):
            refuse(f"{ascii(name)[1:-1]}: units can't name that; it must be UTF-8 without control characters, quotes and \\")


def check_systemd(command: Sequence[str]) -> None:
    """Refuses where there is no systemd of this user."""
    line = in_cron(f"cd {shlex.quote(str(ROOT))} && {shlex.join(command)}")
    if os.geteuid() == 0:
        refuse("is for a user, not for root; DRY_RUN=1 shows what it would do")
    if not shutil.which("systemctl"):
        refuse(f"systemctl is not here; by cron: @weekly {line}")
    if subprocess.run(["systemctl", "--user", "show-environment"], capture_output=True, check=False).returncode:
        refuse("systemd does not run for this user (log in on the machine itself, not by su)")


def install(units: Path, command: Sequence[str]) -> None:
    """Writes the units and starts the timer."""
    print("A check of the baselines, every week, by systemd, for this user:", flush=True)
    run("mkdir", "-p", str(units))
    filled = {"@ROOT@": whole(str(ROOT)), "@COMMAND@": " ".join(map(word, command))}
    for name in UNITS:
        text = (HERE / name).read_text(encoding="utf-8")
        for mark, value in filled.items():
            text = text.replace(mark, value)
        print(f"+ write {units / name}:", *(f"    {line}" for line in text.splitlines()), sep="\n")
        if not DRY:
            (units / name).write_text(text, encoding="utf-8")
    run("systemctl", "--user", "daemon-reload")
    run("systemctl", "--user", "enable", "--now", UNITS[1])
    told = "Nobody is told what it finds; somebody would be with: make schedule NOTIFY=me@example.org"
    if len(command) > 3:
        told = f"Told once when it fails, and once when that is over: {os.environ['NOTIFY']}"
    print(
        f"\n{told}",
        "What it found last: .venv/bin/python -m pipeline.reproduce status",
        f"Its output: journalctl --user -u {NAME}; a failing check: systemctl --user --failed",
        "To have it run while you are not logged in: loginctl enable-linger",
        "Or, by cron instead (crontab -e), in one line:",
        f"@weekly {in_cron(f'cd {shlex.quote(str(ROOT))} && {shlex.join(command)}')}",
        sep="\n",
    )


def remove(units: Path) -> None:
    """Stops the timer and removes the units."""
    if DRY or (units / UNITS[1]).exists():
        run("systemctl", "--user", "disable", "--now", UNITS[1])
    run("rm", "-f", *(str(units / name) for name in UNITS))
    run("systemctl", "--user", "daemon-reload")


def main() -> None:
    """Does what the one argument says."""
    what = sys.argv[1] if len(sys.argv) == 2 else ""
    if what not in ("install", "remove"):
        refuse(f"{what or 'no word'}: must be install or remove")
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    units = units_folder()
    command = arguments() if what == "install" else []
    check_names([str(ROOT), str(units), sys.executable])
    if not DRY:
        check_systemd(command)
    if what == "install":
        install(units, command)
    else:
        remove(units)
    if DRY:
        print("DRY_RUN: nothing was changed")


if __name__ == "__main__":
    main()
