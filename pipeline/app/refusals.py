"""What is wrong with a request, in one line of at most 300 characters: what was given, why it cannot be, what to write."""

import re
import shlex
import sys
import traceback

import yaml
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from pipeline.app.composition import COMPOSITION_ERRORS, CONF, OPEN
from pipeline.errors import ConfigError, unknown_key

MOST_CHARACTERS = 300
SEQUENCES = ("logspace", "linspace")
READERS = ("hydra", "omegaconf", "antlr4", "yaml")  # of what a person has written
NO_SUCH_CHOICE = re.compile(
    r"Could not (?:find|load) '(?:.*/)?(?P<choice>[^'/]+)'\s+"
    r"Available options in '(?P<group>[^']+)':\s+(?P<options>[^:]*?)\s*(?:Config search path:|$)"
)
LEXER = "LexerNoViableAltException: "
LOOKALIKES = dict(zip("−–—“”„‘’，＝\u00a0", '---"""\'\',= ', strict=True))
KEY = re.compile(r"(\+\+?|~)?[A-Za-z_$][\w$/.:@-]*")


def is_refusal(error: BaseException) -> bool:
    """Whether the error is about the request and no fault in the program: so is what Hydra and its parsers raise."""
    if isinstance(error, (*COMPOSITION_ERRORS, OSError)):
        return True
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in sys.stdlib_module_names:
            return package in READERS
    return False


def one_line(error: BaseException) -> str:
    """The error in one line."""
    return shortened(" ".join(message(error).split()))


def shortened(line: str) -> str:
    """At most 300 characters of a line: what is in its middle, mostly a value, is left out."""
    if len(line) <= MOST_CHARACTERS:
        return line
    return f"{line[:100]} … {line[-(MOST_CHARACTERS - 103) :]}"


def message(error: BaseException) -> str:
    """What the error says, perhaps in several lines."""
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, OverrideParseException):
        return f"{error.override}: {misread(error.override, error.message or '')}"
    if file := file_in(error):
        return f"{file}: {in_file(error)}"
    text = str(error)
    if match := re.match(r"Could not override '(.+)'\.", text):
        given = re.search(r"use \+(.+)", text)
        return unknown(given[1] if given else match[1], match[1], getattr(error.__cause__, "parent_node", None))
    if match := NO_SUCH_CHOICE.search(text):
        return f"{match['group']}={match['choice']}: must be one of {', '.join(match['options'].split())}"
    if match := re.match(r"Ambiguous value for argument '(([^=\n]+)=(.*))'", text):
        return f"{match[1]}: several values: a sweep needs -m, a list is [{match[3]}], and a decimal point is written ."
    cause = error.__cause__
    lines = [*text.splitlines(), *(str(cause).splitlines() if isinstance(cause, OmegaConfBaseException) else [])]
    told = [line for line in lines if not re.match(r"\s*(object_type|full_key|reference_type|See https|$)", line)]
    where = getattr(error, "full_key", None) or override_in(error)
    said = " ".join(dict.fromkeys(told)) or type(error).__name__
    return f"{where}: {said}" if where and where not in said else said


def file_in(error: BaseException) -> str | None:
    """The file of a configuration that Hydra was reading, or parsing, when the error arose."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__") == "hydra._internal.core_plugins.file_config_source":
            return str(frame.f_locals.get("full_path") or "") or None
    return None


def in_file(error: BaseException) -> str:
    """What is wrong in a file, and in which line."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        hint = "; indent by spaces, not by tabs" if "'\\t'" in str(error.problem) else ""
        return f"line {mark.line + 1 if mark else '?'}: {error.problem or error.context}{hint}"
    if isinstance(error, UnicodeDecodeError):
        line = error.object[: error.start].count(b"\n") + 1
        return f"line {line}: is not UTF-8"
    return str(error) or str(error.__cause__ or "") or type(error).__name__


def override_in(error: BaseException) -> str | None:
    """The override that Hydra was at when the error arose."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        override = frame.f_locals.get("override")
        if isinstance(override, Override):
            return override.input_line
    return None


def unknown(given: str, key: str, parent: object) -> str:
    """That a key is unknown, and what is likely meant."""
    group, _, name = key.partition(".")
    owners = [file.stem for file in sorted((CONF / group).glob("*.yaml")) if name in (yaml.safe_load(file.read_text()) or {})]
    if name and owners:
        swept = any(word.startswith(f"{group}=") and "," in word for word in sys.argv)
        return f"{given}: belongs to {group}={', '.join(owners)}{f'; in a sweep over {group} write ++{given}' if swept else ''}"
    names = tuple(str(name) for name in parent if name != "hydra") if isinstance(parent, DictConfig) else ()
    said = unknown_key(key.rpartition(".")[2], names)
    return (
        f"{given}: {said if (names and 'did you mean' in said) or group != 'hydra' else f'unknown key; + adds one: +{given}'}"
    )


def misread(override: str, told: str) -> str:
    """Why a word is no override, in words for the one who wrote it. `told`: the message of Hydra's parser."""
    lines = [line for line in told.splitlines() if line.strip() and not line.startswith("See https")]
    reason = " ".join(lines[1:] if lines and lines[0].startswith("Error parsing override") else lines)
    key, equals, value = override.partition("=")
    for character in override:
        if character in LOOKALIKES:
            return f"{character!r} is not {LOOKALIKES[character]!r}: write it as the keyboard has it"
    if not (equals and key.strip()) and not key.startswith("~"):
        return "an override is written key=value, with no spaces around =; a value with spaces in quotes"
    if "[" in key and key.lstrip("+~").startswith(OPEN):
        return "a weight is written w5, b1, weights_1[0,1] or bias_1[0], its place counted from 0"
    if element := re.fullmatch(r"(.+)\[(\d+(?:, ?\d+)*)\]", key):
        indices = re.sub(", ?", ".", element[2])
        return f"an element of a list is written {element[1]}.{indices}={value}"
    if not KEY.fullmatch(key):
        return "a key is made of letters, digits, _ and dots"
    function = re.search(r"Unknown function '(\w+)'", told)
    if function and f"{function[1]}(" in value:
        if function[1] in SEQUENCES:
            inner = re.search(rf"{function[1]}\(([^()]*)\)", value)
            return f"is written '{key}=${{{function[1]}:{inner[1] if inner else '…'}}}'"
        return f"unknown function {function[1]}; known are {', '.join(re.findall(r'Available: (.*)', told))}"
    bare = re.sub(r"\"(?:\\.|[^\"])*\"|'(?:\\.|[^'])*'", "", value)
    if re.search(r",\s*,|[\[({]\s*,|^\s*,", bare):
        return "a value is missing between commas"
    if re.search(r",\s*([\])}]|$)", bare):
        return "a comma is left over"
    for opening, closing in ("[]", "()", "{}"):
        if bare.count(opening) != bare.count(closing):
            left, why = (opening, "open") if bare.count(opening) > bare.count(closing) else (closing, "left over")
            return f"a bracket is {why}: {left}"
    if re.search(r"['\"]", bare):
        return "a quote is open"
    if "empty choice" in reason:
        return "choice() needs values"
    if re.fullmatch(r"\s*[a-z]\w*\(.*\)\s*", value) and "while evaluating" in reason:
        return reason
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return "quote the value: " + shlex.quote(f'{key}="{quoted}"')
