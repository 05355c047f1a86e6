"""The words on the command line that make a trial's configuration."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pipeline.app.composition import CONF, compose
from pipeline.errors import as_override
from pipeline.trials.configuration import NAMED_BY, TRIAL_KEYS


def words_of(config: Mapping[str, Any]) -> list[str]:
    """The `key=value` with which `python -m pipeline.train` has the trial of this configuration, as few as its groups allow."""
    usual = composed()
    named = [f"{group}={config[group][key]}" for group, key in NAMED_BY.items() if config[group][key] != usual[group][key]]
    found = []
    for network in (path.stem for path in sorted((CONF / "network").glob("*.yaml"))):
        choices = [*named, *([f"network={network}"] if composed(f"network={network}")["network"] != usual["network"] else [])]
        chosen = composed(*choices)
        values = [value for key in TRIAL_KEYS for value in differences(key, config[key], chosen.get(key))]
        found.append([*choices, *(f"{key}={as_override(value, quoted=True)}" for key, value in values)])
    return min(found, key=len)


@cache
def composed(*choices: str) -> Mapping[str, Any]:
    """The configuration with these choices of groups; not to be changed."""
    return compose(choices)


def differences(key: str, value: Any, usual: Any) -> Iterator[tuple[str, Any]]:
    """The values, by dotted keys, in which a configuration differs from the usual one."""
    if isinstance(value, Mapping) and isinstance(usual, Mapping):
        for name in value:
            yield from differences(f"{key}.{name}", value[name], usual.get(name))
    elif value != usual:
        yield key, value
