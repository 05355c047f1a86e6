"""A view recorded as a map in MLflow: by the command that makes maps, in a process of its own."""

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.errors import as_override, printable
from pipeline.maps.command import words_of
from pipeline.maps.explorer.reading import run_words
from pipeline.maps.grid import Grid
from pipeline.report.command import command_of

NAME = "view"
RECORDED = "recorded as run "


def map_words(grid: Grid, config: Mapping[str, Any], colours: str) -> list[str]:
    """The words after `python -m pipeline.map` that make this map."""
    words = [word for word in words_of(grid.config) if not word.startswith("max_epochs=")]  # of which map.yaml has its own
    words += [f"max_epochs={grid.batch_key.max_epochs}", *run_words(config), f"map.name={NAME}", f"map.colours={colours}"]
    for side, axis in zip(("across", "down"), grid.axes, strict=True):
        ends = {"key": axis.name, "from": axis.low, "to": axis.high, "scale": axis.scale}
        words += [f"map.{side}.{key}={as_override(text, quoted=True)}" for key, text in ends.items()]
    height, width = grid.shape
    return [*words, f"map.size=[{width},{height}]"]


def record(words: list[str], told: Callable[[str, bool], None]) -> str:
    """Makes a map in the background; `told` is then called with a line, and whether it is recorded. Gives the command."""

    def work() -> None:
        made = subprocess.run(
            [sys.executable, "-m", "pipeline.map", *words],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        lines = (made.stderr if made.returncode else made.stdout).strip().splitlines()
        line = next((line for line in lines if line.startswith(RECORDED)), lines[-1] if lines else "it has ended")
        told(printable(line), made.returncode == 0)

    threading.Thread(target=work, daemon=True).start()
    return command_of(words, ["pipeline.map"])
