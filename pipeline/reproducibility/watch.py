"""A check whose finding is kept, and of whose change somebody is told: once when it fails, once when what fails differs, once
when all is reproduced again; what could not be told is tried again at the next check.
"""

import hashlib
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.app.refusals import one_line
from pipeline.errors import ConfigError, masked, printable
from pipeline.reproducibility import history
from pipeline.reproducibility.check import Finding, Settings
from pipeline.reproducibility.history import Entry, History
from pipeline.reproducibility.notification import send


def watched(settings: Settings, work: Callable[[Settings], Finding]) -> int:
    """Does a check; keeps and tells what it found; gives its exit code. Tells of one that cannot be made, too, and raises."""
    if settings.notify is None:
        finding = work(settings)
        conclude(settings, finding)
        return finding.code
    try:
        history.read_all()
        finding = work(settings)
    except Exception as error:
        conclude(settings, not_made(error))
        raise
    conclude(settings, finding)
    return finding.code


def not_made(error: Exception) -> Finding:
    """What is told of a check that could not be made."""
    reason = masked(one_line(error)) or type(error).__name__
    failure = hashlib.sha256(reason.encode("utf-8", "backslashreplace")).hexdigest()
    return Finding(2, f"the check could not be made: {reason}", failure)


def conclude(settings: Settings, finding: Finding) -> None:
    """Tells who is to be told, and keeps what was found. What fails here is said, and changes no exit code."""
    try:
        past = history.read_all().get(settings.name, History())
    except ConfigError as error:
        complain(str(error))
        past = None
    details = "\n\n".join(finding.parts)
    entry = Entry(history.now(), finding.code, finding.summary, finding.failure, details, finding.share, finding.run_id)
    told = past.told if past else ""
    if settings.notify is not None and finding.failure != told:
        subject = subject_of(settings.name, finding, told)
        trouble = send(settings.notify, subject, message(entry, past.entries if past else (), told))
        if trouble is None:
            told = finding.failure
        else:
            complain(f"nobody could be told: {trouble}")
    if past is None:
        return
    try:
        history.keep(settings.name, replace(past.with_entry(entry), told=told))
    except (OSError, ConfigError) as error:
        complain(f"the finding is not kept in {history.FILE}: {one_line(error)}")


def complain(text: str) -> None:
    """Says on the error output what went wrong beside the check."""
    sys.stdout.flush()
    print(printable(text), file=sys.stderr)


def subject_of(name: str, finding: Finding, told: str) -> str:
    """The first line of a message."""
    if not finding.failure:
        return f"{name}: reproduced again"
    what = "drifted" if finding.code == 1 else "the check could not be made"
    return f"{name}: {what}, otherwise than before" if told else f"{name}: {what}"


def message(entry: Entry, earlier: Sequence[Entry], told: str) -> str:
    """What is told: what was found, each drifted run with what changed, and what was before."""
    parts = [entry.summary]
    if entry.details:
        parts.append(entry.details)
    if earlier:
        parts.append(f"The check before: {history.line_of(earlier[-1])}")
    if entry.failure:
        parts.append("This is told once: again when something else fails, and when all is reproduced again.")
    recorded = f", recorded as run {entry.run_id}" if entry.run_id else ""
    parts.append(f"Checked on {platform.node()} in {Path.cwd()}, {entry.when}{recorded}.")
    return "\n\n".join(parts)
