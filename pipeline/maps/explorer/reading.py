"""The fields of the page ↔ a configuration and two axes: read as the command line is."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.app.composition import CONF, compose
from pipeline.app.refusals import is_refusal, one_line
from pipeline.errors import ConfigError, as_override, printable
from pipeline.maps.axis import Axis
from pipeline.maps.command import differences, words_of
from pipeline.maps.explorer.view import centre_and_width, first_axis, shown_ends
from pipeline.maps.grid import Grid
from pipeline.maps.recording.request import read_axis as axis_of
from pipeline.trials.configuration import TRIAL_KEYS
from pipeline.trials.settings import read_engine, read_run

CHOICES = ("task", "network", "initial")
NUMBERS = ("learning_rate", "momentum", "threshold", "max_epochs")
TRIAL_FIELDS = (*CHOICES, *NUMBERS, "more")
RUN_KEYS = ("engine", "tracking")  # of those that decide no result, what the explorer needs
AXIS_FIELDS = ("key", "scale", "from", "to", "centre", "width")
SIDES = ("across", "down")

Fields = dict[str, str]


@dataclass(frozen=True)
class Asked:
    """What the page shows: a map, and the configuration that it belongs to, with the engine that trains it."""

    grid: Grid
    config: Mapping[str, Any]

    @property
    def engine(self) -> str:
        """The engine's name."""
        return read_engine("engine", self.config["engine"])


def refusal(error: Exception) -> str | None:
    """The one line that a request is refused with, None for a fault of the program."""
    return printable(one_line(error)) if is_refusal(error) else None


def offered(group: str) -> list[str]:
    """The names that a group of the configuration has files for."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def configuration(fields: Mapping[str, str]) -> dict[str, Any]:
    """The configuration that the fields of the trial make. Raises ConfigError, or what Hydra raises."""
    words = [f"{key}={fields[key].strip()}" for key in (*CHOICES, *NUMBERS) if fields.get(key, "").strip()]
    try:
        words += shlex.split(fields.get("more", ""))
    except ValueError as error:
        raise ConfigError("overrides", fields["more"], f"cannot be read: {error}") from None
    return compose(words)


def fields_of(config: Mapping[str, Any]) -> Fields:
    """The fields of the trial that make this configuration."""
    fields = {"task": config["task"]["name"], "network": "example", "initial": config["initial"]["kind"]}
    fields |= {key: as_override(config[key]) for key in NUMBERS}
    more = []
    for word in (*words_of(config), *run_words(config)):
        key, _, value = word.partition("=")
        if key in fields:
            fields[key] = value
        else:
            more.append(word)
    return {**fields, "more": shlex.join(more)}


def run_words(config: Mapping[str, Any]) -> list[str]:
    """The words that say where and by which engine, as far as they are not the usual ones."""
    usual = compose([])
    found = [value for key in RUN_KEYS for value in differences(key, config[key], usual[key])]
    return [f"{key}={as_override(value, quoted=True)}" for key, value in found]


def fields_of_axis(side: str, axis: Axis) -> Fields:
    """The fields of an axis, such as `across.from`."""
    values = (axis.name, axis.scale, *shown_ends(axis), *centre_and_width(axis))
    return {f"{side}.{key}": value for key, value in zip(AXIS_FIELDS, values, strict=True)}


def read_axis(side: str, fields: Mapping[str, str], shown: Mapping[str, str], now: Axis) -> Axis:
    """The axis that the fields ask for. Against those that were shown, what has been changed counts: ends, or centre and width.

    An end that is left as it is shown `now` keeps all its digits. Raises ConfigError.
    """
    exact = dict(zip(("from", "to"), zip(shown_ends(now), (now.low, now.high), strict=True), strict=True))
    given = {key: fields.get(f"{side}.{key}", "").strip() for key in AXIS_FIELDS}
    changed = {key for key in AXIS_FIELDS if given[key] != shown.get(f"{side}.{key}")}
    numbers: Fields = {key: end if given[key] == text else given[key] for key, (text, end) in exact.items()}
    if changed & {"centre", "width"} and not changed & {"from", "to"}:
        numbers = {key: given[key] for key in ("centre", "width")}
    if "key" in changed and not changed & {"from", "to", "centre", "width"}:
        first = first_axis(given["key"], now.size)
        numbers, given["scale"] = {"from": first.low, "to": first.high}, first.scale
    return axis_of(side, {"key": given["key"], "scale": given["scale"], **numbers}, now.size)


def read(config: Mapping[str, Any], across: Axis, down: Axis) -> Asked:
    """The map of a configuration over two axes. Raises ConfigError."""
    read_run(config)
    return Asked(Grid({key: config[key] for key in TRIAL_KEYS}, across, down), config)
