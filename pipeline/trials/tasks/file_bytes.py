"""The bytes of a table's file: a plain file of a size that can be held, inflated if it is compressed."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from typing import IO, Any

from pipeline.errors import ConfigError
from pipeline.trials.tasks.wording import listed, refused

MOST_BYTES = 128 * 2**20  # of a file, and of what it inflates to
PIECE = 2**20
COMPRESSED: dict[bytes, Callable[[Any], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
ZIP = b"PK\x03\x04"
WORKBOOKS = ("[Content_Types].xml", "mimetype")  # in the zip files of Excel and of OpenDocument
BROKEN = (OSError, EOFError, ValueError, RuntimeError, KeyError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def file_bytes(path: str) -> tuple[bytes, str]:
    """What is in the file, inflated, and the SHA-256 of the file itself. Raises ConfigError where it cannot be read."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise refused(path, f"is {'a folder' if stat.S_ISDIR(status.st_mode) else 'no plain file'}; must be a file")
        if status.st_size > MOST_BYTES:
            raise too_large(path)
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except ConfigError:
        raise
    except OSError as error:
        raise refused(path, f"cannot be read: {error.strerror}") from None
    except ValueError as error:  # a path that no file can have
        raise refused(path, f"cannot be read: {error}") from None
    if len(data) > MOST_BYTES:
        raise too_large(path)
    return inflated(path, data), hashlib.sha256(data).hexdigest()


def too_large(path: str) -> ConfigError:
    """The error that a file, or what it inflates to, is too large."""
    return refused(path, f"is too large: at most {MOST_BYTES // 2**20} MiB of a table are read, uncompressed")


def inflated(path: str, data: bytes) -> bytes:
    """The content of compressed data; other data as they are."""
    try:
        for magic, opened in COMPRESSED.items():
            if data.startswith(magic):
                return bounded(path, lambda opened=opened: opened(io.BytesIO(data)))  # type: ignore[misc]
        if data.startswith(ZIP):
            return unzipped(path, data)
    except ConfigError:
        raise
    except BROKEN as error:
        reason = " ".join(str(error).split()) or "it ends too early"
        raise refused(path, f"is compressed, but cannot be inflated: {reason}") from None
    return data


def unzipped(path: str, data: bytes) -> bytes:
    """The content of the one file in a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
        if names and names[0] in WORKBOOKS:
            raise refused(path, "is a spreadsheet, not a table as text: save it as CSV")
        if len(names) != 1:
            raise refused(path, f"must hold one file, and holds {listed(names) if names else 'none'}")
        return bounded(path, partial(archive.open, names[0]))


def bounded(path: str, opened: Callable[[], IO[bytes]]) -> bytes:
    """All of a stream; it is measured first, piece by piece, so that nothing larger than allowed is ever held."""
    size = 0
    with opened() as stream:
        while piece := stream.read(PIECE):
            size += len(piece)
            if size > MOST_BYTES:
                raise too_large(path)
    with opened() as stream:
        return stream.read()
