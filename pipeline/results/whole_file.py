"""A file that is written whole or not at all: a draft beside it, which gets its name when it is complete and on the disk."""

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

LONGEST = 50  # characters of a name in its draft's, so that the file system takes that too
DRAFT = r"\.%s\.[0-9a-f]{16}\.draft"  # of a file whose name matches %s


@contextmanager
def whole_file(path: Path, final: Callable[[], Path] | None = None) -> Iterator[IO[bytes]]:
    """A file to be written, in place of the one that is there; `final` gives its path where the content decides it.

    Raises OSError, which names the file; what was there is then as it was.
    """
    draft = path.parent / f".{path.name[:LONGEST]}.{secrets.token_hex(8)}.draft"
    try:
        with open(draft, "xb") as file:
            with suppress(OSError):  # a new file has the mode that every new file has
                os.fchmod(file.fileno(), stat.S_IMODE(os.lstat(path).st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, final() if final else path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
    finally:
        draft.unlink(missing_ok=True)


def write_output(path: Path, content: bytes) -> None:
    """Writes a file that somebody asked for, whole; a link, a device or a pipe stays what it is and is written to.

    Raises OSError.
    """
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        path.write_bytes(content)
        return
    with whole_file(path) as file:
        file.write(content)
