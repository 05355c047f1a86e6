"""Files that are kept in the user's cache for later processes, as making them takes long; none is needed.

A file is written under another name and then moved into place, so any number of processes may share the folder.
"""

import hashlib
import logging
import os
import tempfile
from pathlib import Path

log = logging.getLogger("pipeline.cache")

NAME = "backpropagation-convergence"
CHECKSUM_BYTES = 32


def cache_folder() -> Path:
    """Where files are kept: BACKPROP_CACHE_DIR (NUMBA_CACHE_DIR, as it was called first), or the user's cache."""
    named = os.environ.get("BACKPROP_CACHE_DIR", os.environ.get("NUMBA_CACHE_DIR")) or os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(named or Path.home() / ".cache") / NAME
    except RuntimeError:  # no home at all
        return Path(tempfile.gettempdir()) / NAME


def read_kept(file: Path) -> bytes | None:
    """What is kept in this file, or None if it is not there or damaged."""
    try:
        whole = file.read_bytes()
    except OSError:
        return None
    content = whole[CHECKSUM_BYTES:]
    return content if hashlib.sha256(content).digest() == whole[:CHECKSUM_BYTES] else None


def write_kept(file: Path, content: bytes) -> None:
    """Writes this file, if that is possible."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as temporary:
            temporary.write(hashlib.sha256(content).digest() + content)
        os.replace(temporary.name, file)
    except OSError as error:
        log.debug("%s is not kept: %s", file.name, error)
