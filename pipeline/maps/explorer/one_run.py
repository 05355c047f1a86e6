"""One pixel of the map, trained again by itself: its curve, its weights, its cause, and the command that makes it."""

import math
import shlex
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.causes.of_batch import causes
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.engines import engine as engine_named
from pipeline.backprop.status import Status
from pipeline.maps.explorer.newest import Check
from pipeline.maps.grid import Grid
from pipeline.report.causes import why
from pipeline.results.run_result import RunResult
from pipeline.trials.batching import make_batch

MOST_WEIGHTS = 200  # that are shown


@dataclass(frozen=True)
class OneRun:
    """A pixel's run.

    curve: epochs and errors, (K,) each; weights: name, first and last value, of the first of all `parameters`.
    """

    values: tuple[str, str]
    status: str
    words: str
    epochs: int
    final_error: float
    curve: tuple[Array, Array]
    threshold: float | None
    weights: list[tuple[str, str, str]]
    parameters: int
    command: str
    digest: str

    def as_data(self) -> dict[str, Any]:
        """What the page writes out."""
        epochs = f"{self.epochs:,} {'epoch' if self.epochs == 1 else 'epochs'}"
        return {
            "x": self.values[0],
            "y": self.values[1],
            "status": f"{self.status} after {epochs}, with a total error of {self.final_error:.6g}",
            "words": self.words,
            "weights": self.weights,
            "left_out": self.parameters - len(self.weights),
            "command": self.command,
            "digest": self.digest,
        }


def train_pixel(grid: Grid, y: int, x: int, engine: str, check: Check) -> OneRun:
    """Trains a pixel's trial; what `check` raises ends it."""
    trial = grid.trial(y, x)
    result = engine_named(engine)(make_batch([trial]), lambda ended, epochs: check())
    [run] = RunResult.of_batch(result)
    found = causes(result, engine)
    cause, status = Cause(int(found.code[0])), Status(int(result.status[0]))
    numbers = (float(found.number[0]), run.final_error, float(found.goal[0]), float(found.k_star[0]))
    named = weights(run)
    epochs, errors = run.curve
    can_be_drawn = (epochs > 0) & np.isfinite(errors) & (errors > 0)
    return OneRun(
        values=(grid.across.text(x), grid.down.text(y)),
        status=run.status,
        words=status.meaning if cause is Cause.NONE else why(cause, *numbers),
        epochs=run.epochs,
        final_error=run.final_error,
        curve=(epochs[can_be_drawn].astype(float), errors[can_be_drawn]),
        threshold=trial.threshold if trial.batch_key.criterion == "total_error" else None,
        weights=named[:MOST_WEIGHTS],
        parameters=len(named),
        command=shlex.join(["python", "-m", "pipeline.train", *grid.overrides(y, x)]),
        digest=run.digest,
    )


def weights(run: RunResult) -> list[tuple[str, str, str]]:
    """Each weight and bias by its address, such as `weights_1[0,1]`: how it began and how it ended."""
    arrays, table = run.weights, []
    for name in (name for name in arrays if not name.startswith("initial_")):
        for index in np.ndindex(arrays[name].shape):
            first, last = (float(arrays[key][index]) for key in (f"initial_{name}", name))
            table.append((f"{name}[{','.join(map(str, index))}]", written(first), written(last)))
    return table


def written(number: float) -> str:
    """A number to nine digits."""
    return f"{number:.9g}" if math.isfinite(number) else str(number)
