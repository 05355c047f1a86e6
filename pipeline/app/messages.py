"""Any error in one line, and which errors are refusals of a configuration."""

import re

from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from pipeline.errors import ConfigError, unknown_key

COMPOSITION_ERRORS = (ConfigError, HydraException, OmegaConfBaseException)  # what a wrong configuration raises

NO_SUCH_CHOICE = re.compile(
    r"Could not (?:find|load) '(?:.*/)?(?P<choice>[^'/]+)'\s+"
    r"Available options in '(?P<group>[^']+)':\s+(?P<options>[^:]*?)\s*(?:Config search path:|$)"
)


def one_line(error: Exception) -> str:
    """The error in one line."""
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, OverrideParseException):
        return f"{error.override}: {(error.message or '').splitlines()[0]}"
    text = str(error)
    if match := re.match(r"Could not override '(.+)'\.", text):
        key = match[1]
        override = re.search(r"use \+(.+)", text)
        known = getattr(error.__cause__, "parent_node", None)
        names = tuple(str(name) for name in known if name != "hydra") if isinstance(known, DictConfig) else ()
        return f"{override[1] if override else key}: {unknown_key(key.rpartition('.')[2], names)}"
    if match := NO_SUCH_CHOICE.search(text):
        return f"{match['group']}={match['choice']}: must be one of {', '.join(match['options'].split())}"
    cause = error.__cause__
    lines = [*text.splitlines(), *(str(cause).splitlines() if isinstance(cause, OmegaConfBaseException) else [])]
    rest = [line.strip() for line in lines if line.strip() and not re.match(r"\s*(object_type|full_key|reference_type)", line)]
    return " ".join(rest)
