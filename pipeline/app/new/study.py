"""`backprop new study NAME`: a commented study that runs as it is, in `conf/study/` or in a folder for `--config-dir`."""

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from pipeline.errors import ConfigError, unknown_key

TEMPLATE = Path(__file__).with_name("study.yaml")
KINDS = ("study",)
FOLDER = "conf"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,59}")
WORDS = ("null", "true", "false", "inf", "nan")  # which Hydra reads as values
HELP = f"""Writes a study of your own to begin with, a sweep in a file: commented, runs as it is. No file is ever overwritten.
Examples:
  backprop new study mine
  backprop new study mine --config-dir studies
  backprop new study learning_rates --config-dir ~/experiments

usage: backprop new study NAME [--config-dir DIR]

NAME              letters, digits, _ and -, a letter first: it is run by study=NAME
--config-dir DIR  the study is DIR/study/NAME.yaml; without it {FOLDER}/study/NAME.yaml"""


def new(arguments: Sequence[str], conf: Path) -> int:
    """Writes a study, and prints how it is run; gives the exit code. `conf`: the folder of the program's own configuration."""
    if {"--help", "-h"} & set(arguments):
        print(HELP)
        return 0
    try:
        name, folder = read(arguments)
        for line in write(name, folder, conf):
            print(line)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def read(arguments: Sequence[str]) -> tuple[str, Path | None]:
    """The name, and the folder if one is given. Raises ConfigError."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.error = refuse  # type: ignore[method-assign]
    parser.add_argument("words", nargs="*")
    parser.add_argument("--config-dir", "-cd")
    given = parser.parse_intermixed_args(list(arguments))
    kind, *names = given.words or ["study"]
    if kind not in KINDS:
        raise ConfigError("new", kind, f"{unknown_key(kind, KINDS, 'kind')}: backprop new study NAME")
    if len(names) != 1:
        raise ConfigError("new study", " ".join(names), "must have one NAME: backprop new study NAME")
    if not NAME.fullmatch(names[0]) or names[0].lower() in WORDS:
        allowed = "must be a name of at most 60 letters, digits, _ and -, a letter first, and no word such as null"
        raise ConfigError("new study", names[0], allowed)
    if given.config_dir == "":
        raise ConfigError("--config-dir", "", "must be a folder")
    return names[0], Path(given.config_dir).expanduser() if given.config_dir else None


def refuse(message: str) -> NoReturn:
    """What argparse has against an argument."""
    raise ConfigError("new", "study", f"{message}; see backprop new --help")


def write(name: str, folder: Path | None, conf: Path) -> list[str]:
    """Writes the file; gives what to tell. Raises ConfigError where there is such a study, or none can be written."""
    top = Path(FOLDER) if folder is None else folder
    path, own = top / "study" / f"{name}.yaml", conf / "study" / f"{name}.yaml"
    if own.exists():
        raise ConfigError("new study", name, "is a study already: choose another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.read_text(encoding="utf-8").replace("NAME", name, 1))
    except FileExistsError:
        raise ConfigError("new study", name, f"{path} is there already: it is not overwritten") from None
    except OSError as error:
        raise ConfigError("new study", name, f"{path} cannot be written: {error.strerror or error}") from None
    found = path.absolute() == own.absolute()
    flag = "" if found else f"--config-dir {shlex.quote(str(top))} "
    return [f"written to {path}", f"run it with: python -m pipeline.train {flag}-m study={name}"]
