"""The progress of training: a bar on a terminal, lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextmanager
def progress_bar() -> Iterator[Any]:
    """A bar on the terminal, or a line every ten seconds: a function that adds a task and returns its `advance`."""
    console = Console(file=sys.stderr)
    columns = [TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}")]
    times = [TimeElapsedColumn(), TimeRemainingColumn()]
    with Progress(*columns, *times, console=console, disable=not console.is_terminal) as progress:

        def add(description: str, total: int, done: int = 0) -> Any:
            task = progress.add_task(description, total=total, completed=done, speed="")
            started = printed = time.monotonic()
            runs = epochs = 0

            def advance(more_runs: int, more_epochs: int) -> None:
                nonlocal runs, epochs, printed
                runs, epochs = runs + more_runs, epochs + more_epochs
                now = time.monotonic()
                speed = f"{epochs / (now - started):.3g} epochs/s" if epochs and now > started else ""
                if not progress.disable:
                    progress.update(task, advance=more_runs, speed=speed)
                elif now - printed >= 10.0:
                    printed = now
                    left = f"{(total - done - runs) * (now - started) / runs:,.0f} s left" if runs else ""
                    told = [f"{description}: {done + runs:,} of {total:,} runs", speed, left]
                    print(", ".join(filter(None, told)), file=sys.stderr, flush=True)

            return advance

        yield add
