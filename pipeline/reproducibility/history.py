"""What the checks made in a folder have found, in `mlruns/checks.json`; and what was told of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, printable
from pipeline.results.whole_file import whole_file
from pipeline.store.local.leftovers import one_at_a_time

FILE = Path("mlruns", "checks.json")
FORMAT = "checks 1"
MOST_ENTRIES = 100  # of one kind of check
MOST_SHOWN = 5  # earlier ones


@dataclass(frozen=True, slots=True)
class Entry:
    """One check: when (UTC), its exit code, what it found; `failure`: a digest of what was wrong, empty for nothing."""

    when: str
    code: int
    summary: str
    failure: str = ""
    details: str = ""
    share: float | None = None  # reproduced, of the runs checked
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The checks of one kind, oldest first; `told`: the failure that somebody was told of last, empty for none or its end."""

    entries: Sequence[Entry] = ()
    told: str = ""

    def with_entry(self, entry: Entry) -> "History":
        """And one more; details are kept of the last one only."""
        earlier = [replace(one, details="") for one in self.entries]
        return replace(self, entries=[*earlier, entry][-MOST_ENTRIES:])

    def since(self) -> Entry:
        """The first of the last checks that all ended alike: in the same failure, or in none."""
        first = self.entries[-1]
        for entry in reversed(self.entries):
            if entry.failure != first.failure:
                break
            first = entry
        return first


def now() -> str:
    """The time, as entries have it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def damaged(reason: str) -> ConfigError:
    """The file is not one that this program wrote."""
    return ConfigError("the file of checks", FILE, f"cannot be read: {reason}; move it away")


def read_all(path: Path = FILE) -> dict[str, History]:
    """The history of each kind of check. Raises ConfigError for a file that is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(getattr(error, "strerror", None) or "it is not JSON") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("checks"), dict):
        raise damaged(f"its format is not {FORMAT}")
    return {str(name): read_history(history) for name, history in content["checks"].items()}


def earlier(name: str) -> Sequence[Entry]:
    """The earlier checks of one kind, oldest first; none where the file is damaged, which is told where it is written."""
    try:
        return read_all().get(name, History()).entries
    except ConfigError:
        return ()


def read_history(value: Any) -> History:
    """One kind's history from JSON. Raises ConfigError."""
    try:
        history = History([read_entry(entry) for entry in value["entries"]], value["told"])
    except (TypeError, KeyError) as error:
        raise damaged(f"{error} in it") from None
    if not history.entries or not isinstance(history.told, str):
        raise damaged("a kind of check has no entries")
    return history


def read_entry(value: Mapping[str, Any]) -> Entry:
    """One check from JSON. Raises TypeError."""
    entry = Entry(**value)
    kinds: dict[str, Any] = {"code": int, "share": (int, float, type(None)), "run_id": (str, type(None))}
    for field in fields(entry):
        if not isinstance(getattr(entry, field.name), kinds.get(field.name, str)):
            raise TypeError(f"a wrong {field.name}")
    return entry


def keep(name: str, history: History, path: Path = FILE) -> None:
    """Puts one kind's history into the file. Raises ConfigError for a damaged file, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(path.parent):  # a check of another kind may end at the same time
        histories = read_all(path) | {name: history}
        content = {"format": FORMAT, "checks": {key: asdict(value) for key, value in histories.items()}}
        with whole_file(path) as file:
            file.write(json.dumps(content, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace"))


def show(path: Path = FILE) -> int:
    """Prints when the last check of each kind ran and what it found; gives the largest of their exit codes.

    Raises ConfigError where there was none.
    """
    histories = read_all(path)
    if not histories:
        raise ConfigError("status", "true", f"no check was made in this folder yet ({path} is not there)")
    print("\n\n".join(printable(in_words(name, history), lines=True) for name, history in histories.items()))
    return max(history.entries[-1].code for history in histories.values())


def in_words(name: str, history: History) -> str:
    """One kind's history, in a few lines."""
    last, first = history.entries[-1], history.since()
    lines = [name, f"  last: {line_of(last)}"]
    if last.run_id:
        lines.append(f"  recorded as run {last.run_id}")
    if first is not last:
        lines.append(f"  {'the same' if last.failure else 'all reproduced'} since {first.when}")
    if last.failure:
        lines.append(f"  {'a message was sent' if history.told == last.failure else 'no message was sent'}")
    if last.details:
        lines += ["", last.details, ""]
    lines += [f"  earlier: {line_of(entry)}" for entry in reversed(history.entries[-1 - MOST_SHOWN : -1])]
    return "\n".join(lines).rstrip()


def line_of(entry: Entry) -> str:
    """A check in one line."""
    return f"{entry.when}: {entry.summary}"
