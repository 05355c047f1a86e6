"""`backprop`: all commands under one name. `backprop train …` is the same as `python -m pipeline.train …`."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from pipeline import __doc__ as purpose
from pipeline import __version__

COMMANDS = {
    "train": "train one network, or with -m a sweep of them",
    "summary": "print the tables of recorded sweeps, or write them to a file",
    "map": "a picture of two continuous axes, a run for each pixel",
    "explain": "one iteration of backpropagation by hand, with all its numbers; or why a run did not converge",
    "explore": "a map of runs, trained while one moves over it, on a page of this machine",
    "reproduce": "train recorded results again and compare them to the last bit",
    "push": "record what sweeps have kept because the store did not take it",
    "ui": "open MLflow's pages for the local store",
    "upgrade": "bring a store of an older MLflow to the schema of this one; a copy is kept",
}
OTHERS = {
    "new": "write a study of your own to begin with: backprop new study NAME",
    "completion": 'of commands, keys and values in a shell: eval "$(backprop completion bash)", or zsh; … fish | source',
}
HELP = f"""{purpose}

usage: backprop COMMAND [key=value …]

{{commands}}

backprop COMMAND --help says what a command does and has its keys and examples; docs/configuration.md has all keys."""


def weights(overrides: Sequence[str]) -> list[str]:
    """The names, then the addresses of the weights of the network that these overrides describe, if they have one value."""
    from pipeline.app.composition import compose
    from pipeline.trials.batching import network_of
    from pipeline.trials.configuration import TRIAL_KEYS, read_batch_key
    from pipeline.trials.starts.weight_names import addresses, names

    shape = [one for one in overrides if one.startswith(("task", "network"))]
    config = compose(shape)
    network = network_of(read_batch_key({key: config[key] for key in TRIAL_KEYS}))
    return [*names(network), *addresses(network)]


def main() -> NoReturn:
    """Runs the command that the first argument names; exits with its code, or with 2 if there is no such command."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in COMMANDS:
        from pipeline.app.application import run

        sys.argv = [f"backprop {name}", *arguments]
        run(import_module(f"pipeline.{name}").main, name)
    if name == "completion":
        from pipeline.app.completion import completion

        sys.exit(completion(arguments, tuple(COMMANDS), weights))
    if name == "new":
        from pipeline.app.composition import project_folder
        from pipeline.app.new.study import new

        sys.exit(new(arguments, project_folder("conf")))
    if name in ("--help", "-h"):
        print(HELP.format(commands="\n".join(f"  {name:12}{what}" for name, what in (COMMANDS | OTHERS).items())))
        sys.exit(0)
    if name == "--version":
        print(f"backprop {__version__}")
        sys.exit(0)
    from pipeline.errors import unknown_key

    print(f"{name}: {unknown_key(name, (*COMMANDS, *OTHERS), 'command')}", file=sys.stderr)
    sys.exit(2)
