"""Removes what this program wrote, known by its names, and nothing else: no other file, and nothing behind a link."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path


def remove_own(folder: Path, own: re.Pattern[str], order: Callable[[str], int] = lambda name: 0) -> list[str]:
    """Removes the regular files below a folder whose relative paths match, and folders (`name/`) that match and get empty.

    The folder itself stays. Those of a lower `order` are removed first. Gives the paths that are left. Raises OSError, also
    where the folder is a link.
    """
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        return _remove(number, own, order, "")
    finally:
        os.close(number)


def _remove(folder: int, own: re.Pattern[str], order: Callable[[str], int], above: str) -> list[str]:
    left: list[str] = []
    for name in sorted(os.listdir(folder), key=lambda name: (order(name), name)):
        path, mode = above + name, os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISREG(mode) and own.fullmatch(path):
            os.unlink(name, dir_fd=folder)
        elif stat.S_ISDIR(mode) and own.fullmatch(f"{path}/"):
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            try:
                more = _remove(inner, own, order, f"{path}/")
            finally:
                os.close(inner)
            if not more:
                os.rmdir(name, dir_fd=folder)
            left += more
        else:
            left.append(path)
    return left
