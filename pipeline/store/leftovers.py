"""What a killed process leaves beside a store, removed by the next one: drafts of stores, weights of runs without rows.

Only what this program writes is removed, by its names, and nothing through a link. Whoever makes or removes any of it has the
folder of the store locked (`pipeline.store.sqlite.one_at_a_time`).
"""

import fcntl
import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

DRAFTS, JOURNALS = ".new-store-", ".recording-"
DRAFT = re.compile(r"(draft|copy)\.db(-wal|-shm|-journal)?")
RUN_ID = re.compile(rb"[0-9a-f]{32}")
MOST_BYTES = 2**20  # of a journal


def remove_drafts(folder: Path) -> None:
    """Removes drafts of stores."""
    for draft in folder.glob(f"{DRAFTS}*"):
        if draft.is_dir() and not draft.is_symlink():
            for file in draft.iterdir():
                if DRAFT.fullmatch(file.name):
                    file.unlink()
            with suppress(OSError):
                draft.rmdir()


class Journal:
    """A file that names the runs whose weights are being written, locked by the process that writes them."""

    def __init__(self, artifacts: Path) -> None:
        artifacts.mkdir(exist_ok=True)
        self.path = artifacts / f"{JOURNALS}{uuid4().hex}"
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def note(self, ids: Sequence[str]) -> None:
        """Names these runs instead of those before."""
        os.ftruncate(self.file, 0)
        os.pwrite(self.file, " ".join(ids).encode(), 0)

    def close(self) -> None:
        """Removes the file: all runs have their rows, or their weights were removed."""
        self.path.unlink(missing_ok=True)
        os.close(self.file)


def remove_unrecorded(artifacts: Path, connection: sqlite3.Connection) -> None:
    """Removes the weights that killed processes have written for runs without rows."""
    for path in artifacts.glob(f"{JOURNALS}*"):
        with suppress(OSError):
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for run_id in RUN_ID.findall(os.read(file, MOST_BYTES)):
                    name = run_id.decode()
                    if not connection.execute("SELECT 1 FROM runs WHERE run_uuid = ?", [name]).fetchone():
                        remove_weights(artifacts / name)
                path.unlink()
            finally:
                os.close(file)


def remove_weights(folder: Path) -> None:
    """Removes the artifacts of a run without rows: the file of its weights."""
    inner = folder / "artifacts"
    if not (folder.is_symlink() or inner.is_symlink()):
        with suppress(OSError):
            (inner / "weights.npz").unlink(missing_ok=True)
            inner.rmdir()
        with suppress(OSError):
            folder.rmdir()
