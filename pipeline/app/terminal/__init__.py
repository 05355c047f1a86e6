"""What is printed: how wide it may be, and which of it is bold, on a terminal alone and not with NO_COLOR."""

import os
import shutil
import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

WIDTH = 80  # where nobody says how wide


def width() -> int:
    """The columns of lines that are printed: COLUMNS, or else those of the terminal, or else 80."""
    return max(40, shutil.get_terminal_size((WIDTH, 24)).columns)


def show(parts: Iterable[tuple[str, str]]) -> None:
    """Prints parts, each a title (or "") and a text, with an empty line between; titles stand out on a terminal."""
    console = Console(file=sys.stdout, markup=False, emoji=False, highlight=False)
    plain = not console.is_terminal or console.color_system is None or bool(os.environ.get("NO_COLOR"))
    for number, (title, text) in enumerate(parts):
        if number:
            print()
        if title and plain:
            print(title)
        elif title:
            console.print(Text(title, style="bold cyan"), soft_wrap=True)
        print(text)
