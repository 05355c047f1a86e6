"""`python -m pipeline.explain` walks through one iteration of backpropagation with all its numbers, in three steps.

With `explain.at=end` it tells how a run ended, and why it did not converge; with `run=<id>`, of a recorded run. Exit code 1:
that run, trained again, is not what was recorded.
"""

import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipeline.app.application import run
from pipeline.app.composition import compose
from pipeline.app.progress import phase, progress_bar
from pipeline.backprop.batch import Batch
from pipeline.backprop.engines import engine
from pipeline.errors import ConfigError, printable
from pipeline.results.run_result import RunResult
from pipeline.trials.batching import make_batch, network_of
from pipeline.trials.checks import choice, integer, refuse_unknown, section, text
from pipeline.trials.configuration import TRIAL_KEYS, read_trial
from pipeline.trials.fingerprint import keys
from pipeline.trials.memory import check_size
from pipeline.trials.settings import RUN_KEYS, read_engine, read_tracking
from pipeline.trials.tasks import load
from pipeline.trials.trial import Trial
from pipeline.walkthrough import advice, story
from pipeline.walkthrough import numbers as walkthrough
from pipeline.walkthrough.end import RunEnd, end_of
from pipeline.walkthrough.text import FORMATS, Block, lesson, with_pictures

if TYPE_CHECKING:
    from pipeline.reproducibility.drift import ExpectedRun
    from pipeline.walkthrough.surface.plane import Plane

KEYS = ("at", "weight", "pattern", "iteration", "format", "output", "figure", "surface")
OF_START = {"weight": None, "pattern": 1, "iteration": 1}  # keys that belong to an iteration, and what they are by themselves
PICTURES = {"figure": (".svg", ".png"), "surface": (".png", ".svg", ".webp")}  # keys of a run's end, and what the files may be
PAGE = "html"  # a format that is one page, not a row of blocks
NETWORKS = ("example", "trained")


def main(config: dict[str, Any]) -> int:
    """Prints the walk or the story, or writes it to a file; gives the exit code."""
    refuse_unknown(config, (*TRIAL_KEYS, *RUN_KEYS, "explain", "run"))
    settings = section(config, "explain", KEYS)
    settings["at"] = read_place(settings, config["run"] is not None)
    style = choice("explain.format", settings["format"], (*FORMATS, PAGE))
    output = settings["output"] and text("explain.output", settings["output"], "the name of a file, or null")
    expected = None
    if config["run"] is None:
        trial = read_trial({key: config[key] for key in TRIAL_KEYS})
        points = integer("curve_points", config["curve_points"], 2, 1000)
    else:
        expected, points = recorded(config)
        trial = expected.trial
    check_size(network_of(trial.batch_key), len(load(trial.batch_key.task).inputs), config["limits"])
    batch = make_batch([trial], points)
    if settings["at"] == "start":
        if expected and expected.key != keys(batch)[0]:
            raise ConfigError("run", config["run"], "is of another trial: its task or its initial weights have changed")
        return at_start(batch, trial, settings, style, output)
    return at_end(batch, trial, expected, config, style, output)


def read_place(settings: dict[str, Any], is_recorded: bool) -> str:
    """Which of start and end is told, checked with the keys that belong to the other one."""
    at = settings["at"]
    if at is None:
        of_end = settings["surface"] is not None or (is_recorded and settings["format"] != PAGE)
        at = "end" if of_end else "start"
    at = choice("explain.at", at, ("start", "end"))
    for key, usual in OF_START.items():
        if at == "end" and settings[key] != usual:
            raise ConfigError(f"explain.{key}", settings[key], "belongs to an iteration: use explain.at=start")
    for key, suffixes in PICTURES.items():
        if (path := settings[key]) is None:
            continue
        if at == "start":
            raise ConfigError(f"explain.{key}", path, "belongs to the end of a run: use explain.at=end")
        if Path(text(f"explain.{key}", path, "the name of a file, or null")).suffix not in suffixes:
            raise ConfigError(f"explain.{key}", path, f"must end in {' or '.join(suffixes)}")
    return at


def recorded(config: dict[str, Any]) -> tuple["ExpectedRun", int]:
    """The recorded run of `run`, and its curve points. Raises ConfigError."""
    which, usual = config["run"], compose([], "explain")
    if isinstance(which, float):  # 12e45678
        raise ConfigError("run", which, """was read as a number: write it as text, 'run="<id>"'""")
    if given := [key for key in (*TRIAL_KEYS, "curve_points") if config[key] != usual[key]]:
        raise ConfigError("run", which, f"has a trial of its own: leave out {', '.join(given)}")
    tracking = read_tracking(config)
    from pipeline.reproducibility.one_run import one_run  # MLflow takes a second to import

    return one_run(tracking.uri, text("run", str(which), "a run's id, <sweep's id>:<place>, or null"))


def at_start(batch: Batch, trial: Trial, settings: dict[str, Any], style: str, output: str | None) -> int:
    """One iteration by hand."""
    layers, weight = batch.network.layers, settings["weight"]
    first, last = (walkthrough.weights_before(batch.network, layer) for layer in (layers, layers + 1))
    if weight is None:
        weight = f"w{first + 1}"
    elif not re.fullmatch("w[1-9][0-9]{0,11}", str(weight)) or int(weight[1:]) > last:
        raise ConfigError("explain.weight", weight, f"must be w1 to w{last}")
    pattern = integer("explain.pattern", settings["pattern"], 1, len(batch.inputs))
    iteration = integer("explain.iteration", settings["iteration"], 1, max(1, batch.max_epochs))
    ended, epochs = walkthrough.ended_before(batch, iteration)
    if ended and iteration > 1:
        raise ConfigError("explain.iteration", iteration, f"must be 1 to {max(1, epochs)}: training has {ended}")
    walk = walkthrough.walk(batch, weight, iteration, pattern)
    if style == PAGE:
        from pipeline.walkthrough.page.document import iteration_page

        tell_page(iteration_page(walk, trial, ended), output)
        return 0
    draw = (lambda blocks, path: with_pictures(blocks, walk, path)) if style == "markdown" else None
    tell(list(lesson(walk, trial, ended)), FORMATS[style], output, draw)
    return 0


def at_end(
    batch: Batch, trial: Trial, expected: "ExpectedRun | None", config: dict[str, Any], style: str, output: str | None
) -> int:
    """How the run ended, and why."""
    plane = None
    if surface := config["explain"]["surface"]:
        from pipeline.walkthrough.surface.plane import Plane

        plane = Plane.of(load(trial.batch_key.task), surface)
    name = read_engine("engine", config["engine"])
    with progress_bar() as bar:
        result = engine(name)(batch, bar("training", 1))
    record = ""
    if expected:
        [again] = RunResult.of_batch(result, with_causes=expected.cause_digest is not None, engine=name)
        if differences(expected, again, config):
            return 1
        record = f"Recorded as {expected.name}; trained again, it has the same bits (digest {expected.digest[:12]}…)."
        if expected.cause_digest != again.cause_digest:
            record += " The cause, or one of its numbers, was recorded otherwise."
    end = end_of(result)
    blocks = list(story.told(end, trial, command_for(end, trial), record))
    pictures = draw_pictures(end, trial, plane, config["explain"])
    if style == PAGE:
        from pipeline.walkthrough.page.document import story_page

        tell_page(story_page(blocks, pictures), output)
        return 0
    if style == "markdown":
        blocks += [f"![{words}]({quote(os.path.relpath(path, Path(output or '').parent))})" for words, path in pictures]
    tell(blocks, story.STYLES[style], output)
    return 0


def draw_pictures(end: RunEnd, trial: Trial, plane: "Plane | None", settings: dict[str, Any]) -> list[tuple[str, Path]]:
    """Writes the pictures that are asked for; gives what each shows, and its path."""
    drawn = []
    setting = story.setting(end, trial)
    if figure := settings["figure"]:
        from pipeline.walkthrough.curve import draw
        from pipeline.walkthrough.files import write_figure

        write_figure("explain.figure", Path(figure), draw(end, setting))
        print(f"curve written to {printable(figure)}", file=sys.stderr)
        drawn.append(("The error curve", Path(figure)))
    if plane:
        from pipeline.walkthrough.surface.pictures import write_surface

        surface = settings["surface"]
        with phase("drawing the surface"):
            write_surface(Path(surface), plane, end, setting)
        print(f"surface written to {printable(surface)}", file=sys.stderr)
        drawn.append(("The output over the plane of the two inputs, on the way", Path(surface)))
    return drawn


def differences(expected: "ExpectedRun", again: RunResult, config: dict[str, Any]) -> bool:
    """Whether a run is not what was recorded; then a line says what differs."""
    from pipeline.reproducibility.drift import compare

    check = compare(replace(expected, cause_digest=None), config["engine"], again)
    if check.changes:
        said = f"run={config['run']}: trained again, it is not what was recorded: {'; '.join(check.changes)}"
        print(printable(said), file=sys.stderr)
    return bool(check.changes)


def command_for(end: RunEnd, trial: Trial) -> str:
    """What to try next, to paste: with the network of `conf/` by which it is shortest; or only the keys that change."""
    changed = advice.changes(end, trial)
    groups = [f"task={trial.batch_key.task.name}", f"initial={changed.get('initial', trial.initial.kind)}"]
    ways = []
    for network in NETWORKS:
        usual = compose([*groups, f"network={network}"])
        nested = [(key, value) for key, value in usual.items() if isinstance(value, dict)]
        default = usual | {f"{key}.{name}": value for key, group in nested for name, value in group.items()}
        ways.append(advice.overrides(trial, changed, default | {"network": network}))
    words = [way for way in ways if way is not None]
    return advice.command(min(words, key=len)) if words else " ".join(advice.assignments(changed))


def tell_page(page: str, output: str | None) -> None:
    """Prints a page, or writes it to a file. Raises ConfigError."""
    if not output:
        print(page, end="")
        return
    from pipeline.walkthrough.files import write_file

    write_file("explain.output", output, page.encode())
    print(f"written to {output}")


def tell(blocks: list[Block], style: Callable[[Block], str], output: str | None, draw: Any = None) -> None:
    """Prints the blocks, or writes them to a file; `draw`: with pictures beside it. Raises ConfigError."""
    if not output:
        print("\n\n".join(map(style, blocks)))
        return
    from pipeline.walkthrough.files import write_page

    write_page(output, blocks, style, draw)
    print(f"written to {output}")


if __name__ == "__main__":
    run(main, "explain")
