"""`python -m pipeline.explain` walks through one iteration of backpropagation with all its numbers, in three steps."""

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.app.application import run
from pipeline.errors import ConfigError
from pipeline.results.whole_file import write_output
from pipeline.trials.batching import make_batch
from pipeline.trials.checks import choice, integer, refuse_unknown, section, text
from pipeline.trials.configuration import TRIAL_KEYS, read_trial
from pipeline.trials.settings import RUN_KEYS
from pipeline.walkthrough import numbers as walkthrough
from pipeline.walkthrough.text import FORMATS, Block, lesson, with_pictures


def main(config: dict[str, Any]) -> None:
    """Prints the walk, or writes it to a file."""
    refuse_unknown(config, (*TRIAL_KEYS, *RUN_KEYS, "explain"))
    settings = section(config, "explain", ("weight", "pattern", "iteration", "format", "output"))
    trial = read_trial({key: config[key] for key in TRIAL_KEYS})
    batch = make_batch([trial])
    layers, weight = batch.network.layers, settings["weight"]
    first, last = (walkthrough.weights_before(batch.network, layer) for layer in (layers, layers + 1))
    if weight is None:
        weight = f"w{first + 1}"
    elif not re.fullmatch("w[1-9][0-9]{0,11}", str(weight)) or int(weight[1:]) > last:
        raise ConfigError("explain.weight", weight, f"must be w1 to w{last}")
    pattern = integer("explain.pattern", settings["pattern"], 1, len(batch.inputs))
    iteration = integer("explain.iteration", settings["iteration"], 1, max(1, batch.max_epochs))
    style = choice("explain.format", settings["format"], FORMATS)
    output = settings["output"] and text("explain.output", settings["output"], "the name of a file, or null")
    ended, epochs = walkthrough.ended_before(batch, iteration)
    if ended and iteration > 1:
        raise ConfigError("explain.iteration", iteration, f"must be 1 to {max(1, epochs)}: training has {ended}")
    walk = walkthrough.walk(batch, weight, iteration, pattern)
    blocks = lesson(walk, trial, ended)
    if not output:
        print("\n\n".join(map(FORMATS[style], blocks)))
        return
    try:
        write_page(Path(output), style, blocks, walk)
    except OSError as error:
        raise ConfigError("explain.output", output, f"cannot be written: {error.strerror}") from None
    print(f"written to {output}")


def write_page(path: Path, style: str, blocks: Iterable[Block], walk: walkthrough.Walkthrough) -> None:
    """Writes the walk to a file, in Markdown with pictures beside it, each file whole. Raises OSError."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with TemporaryDirectory() as folder:
        page = with_pictures(blocks, walk, Path(folder, path.name)) if style == "markdown" else blocks
        content = "\n\n".join(map(FORMATS[style], page)) + "\n"
        for picture in sorted(Path(folder).iterdir()):
            write_output(path.with_name(picture.name), picture.read_bytes())
    write_output(path, content.encode())


if __name__ == "__main__":
    run(main, "explain")
