"""A second process that saves figures while the next ones are made.

It is this file, run with pickled figures on its standard input; for each one saved it writes a byte to its standard output.
It ends when its input ends: where that does not say that all was given, this process is gone, and it ends at once.
"""

import gc
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from subprocess import PIPE
from threading import Thread
from typing import BinaryIO

import matplotlib
from matplotlib.figure import Figure

from pipeline.report.figures.saving import save

LENGTH = 8  # bytes of the length that is written before each figure
MADE = 100_000  # objects between two looks for those that can be freed, as in the process that trains: 0.1 s less
ALL_GIVEN, SAVED = b"", b"."


class SavingProcess:
    """Has figures saved; where the process cannot be started, or ends too early, this one saves what is missing."""

    def __init__(self) -> None:
        self._process = started()
        self._given: list[bytes] = []

    def save(self, figure: Figure, path: Path, widest: float) -> None:
        """Has a figure saved, as it is now, as `saving.save` does it."""
        self._given.append(pickle.dumps((figure, path, widest), pickle.HIGHEST_PROTOCOL))
        self._send(self._given[-1])

    def finish(self) -> None:
        """Waits until all figures are saved."""
        self._send(ALL_GIVEN)
        saved = len(self._process.stdout.read()) if self._process and self._process.stdout else 0
        for message in self._given[saved:]:
            save_given(message)
        self._given.clear()

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        if self._process:
            self._process.kill()
            with suppress(OSError), self._process:  # what was not written to it goes nowhere
                self._process.wait()

    def _send(self, message: bytes) -> None:
        if self._process and self._process.stdin:
            with suppress(OSError):  # it has ended
                self._process.stdin.write(len(message).to_bytes(LENGTH, "big") + message)
                self._process.stdin.flush()


def started() -> subprocess.Popen[bytes] | None:
    """The process, which the keyboard does not interrupt; None where it cannot be started.

    It has the modules of this one, and the list of fonts that matplotlib has made for it.
    """
    command = [sys.executable, "-P", "-m", __name__]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "MPLCONFIGDIR": matplotlib.get_cachedir(),
    }
    try:
        return subprocess.Popen(
            command, env=environment, stdin=PIPE, stdout=PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except OSError:
        return None


def save_given(message: bytes) -> None:
    """Saves the figure of a message."""
    figure, path, widest = pickle.loads(message)
    save(figure, path, widest=widest)


def read(source: BinaryIO, messages: "SimpleQueue[bytes]") -> None:
    """Takes messages as they come, so that nobody waits with them; ends the process where they break off."""
    while True:
        head = source.read(LENGTH)
        size = int.from_bytes(head, "big")
        message = source.read(size)
        if len(head) < LENGTH or len(message) < size:
            os._exit(1)
        messages.put(message)
        if message == ALL_GIVEN:
            return


def main() -> None:
    """Saves the figures that come, in their order."""
    gc.set_threshold(MADE)
    sys.stdout = sys.stderr  # nothing but SAVED is written there
    messages: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=read, args=(sys.stdin.buffer, messages), daemon=True).start()
    while (message := messages.get()) != ALL_GIVEN:
        save_given(message)
        os.write(1, SAVED)


if __name__ == "__main__":
    main()
