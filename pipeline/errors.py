"""A configuration that cannot run, in one line; how a value is written there, and on Hydra's command line."""

import os
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from urllib.parse import unquote, urlsplit

HIDDEN = ":***@"
PASSWORDS = (re.compile(r"(://[^/?#@\s:]*):[^/?#\s]*@"), re.compile(r"((?<!http)(?<!https)://[^/?#@\s:]*):[^@\s]*@"))
PASSWORD_OPTION = re.compile(r"(?i)([?&][^=&\s]*(?:pass|secret|token)[^=&\s]*=)[^&\s]*")
SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "PGPASSWORD")
PLAIN_WORD = re.compile(r"[A-Za-z_][\w./-]*")
ADDRESS = re.compile(r"\b((?:weights|bias)_[0-9]+)\[ *([0-9]+(?: *, *[0-9]+)*) *\]")
# Controls (C0, C1), what ends a line or turns its direction, and halves of characters, which no encoding has.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class ConfigError(ValueError):
    """A configuration that cannot run, in one line: the key, the value, what is allowed."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(printable(masked(f"{key}={as_override(value)}: {allowed}")))
        self.key, self.value, self.allowed = key, value, allowed


def printable(text: str, lines: bool = False) -> str:
    r"""The text with its control characters shown, not sent to a terminal: `\x1b[2J`, `\u202e`; `lines`: line ends are kept."""
    if lines:
        return "\n".join(map(printable, text.split("\n")))
    return UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def as_override(value: object, quoted: bool = False) -> str:
    """A value as Hydra's command line has it; `quoted`: with quotes around texts that Hydra might read as something else."""
    if hasattr(value, "tolist"):  # of NumPy
        value = value.tolist()
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float():
            return repr(value).removesuffix(".0")
        case list() | tuple():
            return "[" + ",".join(as_override(entry, quoted) for entry in value) + "]"
        case Mapping():
            return "{" + ",".join(f"{key}:{as_override(entry, quoted)}" for key, entry in value.items()) + "}"
        case str() if quoted and not PLAIN_WORD.fullmatch(value):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case _:
            return str(value)


def dotted(text: str) -> str:
    """A text with the addresses of weights as Hydra's grammar, and every key and column, has them: weights_1.0.1 for [0,1]."""
    return ADDRESS.sub(lambda match: ".".join([match[1], *re.findall("[0-9]+", match[2])]), text)


def as_overrides(values: Iterable[object]) -> list[str]:
    """Each of the values as Hydra's command line has it."""
    return [str(value) if type(value) is int else as_override(value) for value in values]


def unknown_key(key: str, known: tuple[str, ...], kind: str = "key") -> str:
    """Says that a key (or another kind of word) is unknown, with the nearest known one."""
    near = get_close_matches(key, known, n=1)
    return f"unknown {kind}; did you mean {near[0]}?" if near else f"unknown {kind}; known are {', '.join(known)}"


def masked(text: str) -> str:
    """A text without the passwords of addresses, and without those that MLflow's environment variables hold."""
    for password in PASSWORDS:
        text = password.sub(rf"\1{HIDDEN}", text)
    text = PASSWORD_OPTION.sub(r"\1***", text)
    environment = urlsplit(os.environ.get("MLFLOW_TRACKING_URI", "")).netloc.rpartition("@")[0].partition(":")[2]
    for secret in {environment, unquote(environment), *(os.environ.get(name, "") for name in SECRETS)}:
        if len(secret) > 3:
            text = text.replace(secret, "***")
    return text
