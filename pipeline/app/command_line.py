"""The words of a command line: flags in any place, `--help` and `--version` of ours, an unknown flag refused in one line."""

import argparse
import re
import sys
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser

from pipeline.app.composition import with_dots
from pipeline.app.help import help_of
from pipeline.errors import ConfigError, as_override

QUOTED = re.compile(r"""(\w+=)('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|null)?""")  # what Hydra reads as it is
SECTIONS = {("reproduce", "map"): "map.run"}
WORDS = {("reproduce", "status"): "status=true"}
CONDITIONS = "where="  # keys of text that Hydra's grammar has no words for


def flags_first(arguments: Sequence[str], command: str) -> list[str]:
    """The words with flags before overrides, as Hydra wants them; `--help` and `--version` are answered here.

    Raises ConfigError for a flag that there is not, or that has a wrong value.
    """
    if "--version" in arguments:
        print(f"backprop {resolve_name('pipeline:__version__')}")
        sys.exit(0)
    parser = get_args_parser()
    parser.error = refuse_flag  # type: ignore[method-assign]
    words, after = list(arguments), []
    if "--" in words:  # what follows are overrides, whatever they look like
        after = words[words.index("--") + 1 :]
        words = words[: words.index("--")]
    known, unknown = parser.parse_known_intermixed_args(words)
    for number, word in enumerate(unknown):
        if word.startswith("-"):
            refuse_unknown_flag(word, [*unknown[number + 1 :], *known.overrides], words)
    if known.help:
        print(help_of(command))
        sys.exit(0)
    flags = flag_words(parser, known)
    overrides = [as_text(spelled_out(word, command)) for word in (*known.overrides, *unknown, *after)]
    return [*flags, *(["--"] if any(word.startswith("-") for word in overrides) else []), *overrides]


def spelled_out(word: str, command: str) -> str:
    """A command's own word as the override it is short for; a key that is a group's name, too, which Hydra would choose by."""
    if (command, word) in WORDS:
        return WORDS[command, word]
    key, equals, value = word.partition("=")
    return with_dots(f"{SECTIONS.get((command, key), key)}{equals}{value}")


def as_text(word: str) -> str:
    """An override whose value is a condition, quoted as Hydra wants it; any other as it is."""
    if not word.startswith(CONDITIONS) or QUOTED.fullmatch(word):
        return word
    key, _, value = word.partition("=")
    return f"{key}={as_override(f'{value} ', quoted=True)}"  # the blank: no plain word, which would stay without quotes


def flag_words(parser: argparse.ArgumentParser, known: argparse.Namespace) -> list[str]:
    """The flags that were given, written out."""
    words: list[str] = []
    for action in parser._actions:
        value = getattr(known, action.dest, None)
        if action.dest != "overrides" and value not in (None, False):
            words += [action.option_strings[0]] if value is True else [f"{action.option_strings[0]}={value}"]
    return words


def refuse_flag(message: str) -> NoReturn:
    """What argparse has against a flag, without its usage."""
    name, _, reason = message.removeprefix("argument ").partition(": ")
    raise ConfigError("flag", name, reason or "is not known; --help lists all")


def refuse_unknown_flag(word: str, after: Sequence[str], words: Sequence[Any]) -> NoReturn:
    """Says how a flag that there is not is written as an override."""
    name, _, value = word.lstrip("-").partition("=")
    follows = words.index(word) + 1 if word in words else len(words)
    if not value and follows < len(words) and words[follows] in after and "=" not in words[follows]:
        value = str(words[follows])
    key = name.replace("-", "_")
    written = f"write {key}={value or '…'}" if len(key) > 1 and key.replace(".", "_").isidentifier() else "--help lists all"
    raise ConfigError("flag", word, f"is not known; {written}")
