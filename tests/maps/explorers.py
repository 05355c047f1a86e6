"""The explorer as a program of its own, and what its tests begin with."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.maps.axis import Axis

RATE = Axis("learning_rate", "0.1", "10000", "log", 600)
WEIGHT = Axis("initial.set.w5", "-20", "20", "linear", 600)


def never() -> None:
    """No newer job waits."""


@contextmanager
def explorer(*arguments: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """`python -m pipeline.explore` in this folder, on a free port: the address that it prints, and the program."""
    program = subprocess.Popen(
        [sys.executable, "-m", "pipeline.explore", "explore.port=0", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        line = program.stdout.readline()
        found = re.fullmatch(r"the map is at (http://127\.0\.0\.1:\d+/\?token=[\w-]{32}) \(Ctrl-C ends it\)\n", line)
        assert found, line + program.stderr.read()
        yield found[1], program
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
        program.stdout.close()
        program.stderr.close()
