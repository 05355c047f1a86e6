"""What a killed process leaves beside a store, removed by the next one: drafts of stores, weights of runs without rows.

Only what this program writes is removed, by its names, and nothing through a link. Whoever makes or removes any of it has the
folder of the store locked (`one_at_a_time`).
"""

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

DRAFTS, JOURNALS = ".new-store-", ".recording-"
DRAFT = re.compile(r"(draft|copy)\.db(-wal|-shm|-journal)?")
RUN_ID = re.compile(rb"[0-9a-f]{32}")
MOST_BYTES = 2**20  # of a journal


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Keeps other processes from making or tidying the store in that folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def remove_drafts(folder: Path) -> None:
    """Removes drafts of stores."""
    for draft in folder.glob(f"{DRAFTS}*"):
        if draft.is_dir() and not draft.is_symlink():
            for file in draft.iterdir():
                if DRAFT.fullmatch(file.name):
                    file.unlink()
            with suppress(OSError):
                draft.rmdir()


@contextmanager
def journal(artifacts: Path, ids: Sequence[str]) -> Iterator[None]:
    """Meanwhile a locked file names the runs whose weights are written, for the case that the process is killed."""
    path = artifacts / f"{JOURNALS}{uuid4().hex}"
    with one_at_a_time(artifacts.parent):
        artifacts.mkdir(exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        os.write(file, " ".join(ids).encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


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
