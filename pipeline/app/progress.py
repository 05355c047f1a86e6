"""What is being done: on a terminal the phase with a bar or its time, elsewhere a line every ten seconds; all on stderr.

Rich is imported when there is something to show: what is refused comes sooner without it.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

SECONDS_BETWEEN_LINES = 10.0  # where there is no terminal


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Names what is being done: on a terminal in a line that goes away, elsewhere in a line if it takes long."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr)
    if console.is_terminal and not console.is_dumb_terminal:
        columns = SpinnerColumn(), TextColumn("{task.description:10}"), TimeElapsedColumn()
        with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as progress:
            progress.add_task(name, total=None)
            yield
        return
    done, begun = Event(), time.monotonic()

    def lines() -> None:
        while not done.wait(SECONDS_BETWEEN_LINES):
            print(f"{name}: {time.monotonic() - begun:,.0f} s", file=sys.stderr, flush=True)

    thread = Thread(target=lines, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()


@contextmanager
def progress_bar() -> Iterator[Any]:
    """A bar on the terminal, or a line every ten seconds: a function that adds a task and returns its `advance`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(file=sys.stderr)
    columns = [TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}")]
    times = [TimeElapsedColumn(), TimeRemainingColumn()]
    disable = not console.is_terminal
    with Progress(*columns, *times, console=console, disable=disable, redirect_stdout=sys.stdout.isatty()) as progress:

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
                elif now - printed >= SECONDS_BETWEEN_LINES:
                    printed = now
                    left = f"{(total - done - runs) * (now - started) / runs:,.0f} s left" if runs else ""
                    told = [f"{description}: {done + runs:,} of {total:,} runs", speed, left]
                    print(", ".join(filter(None, told)), file=sys.stderr, flush=True)

            return advance

        yield add
