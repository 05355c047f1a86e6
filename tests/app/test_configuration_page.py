"""`docs/configuration.md` is what `python -m docs.configuration` makes of `conf/` and of the program, and has every key."""

import re

import pytest

from docs.configuration import PAGE, text
from pipeline.app.composition import CONF, compose

COMMANDS = ("train", "map", "explore", "explain", "summary", "reproduce", "push", "ui", "upgrade")


def keys_of(config: dict, above: str = "") -> set[str]:
    """The dotted keys of a configuration."""
    found = set()
    for key, value in config.items():
        path = f"{above}{key}"
        found |= keys_of(value, f"{path}.") if isinstance(value, dict) and value else {path}
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_has_every_key_that_hydra_composes(command):
    page = PAGE.read_text()
    named = {*re.findall(r"^\| `([\w.]+)` ", page, re.M), "task.name", "initial.kind", "executor.name", "map.name"}
    missing = {key for key in keys_of(compose([], command)) if key.replace("map.down", "map.across") not in named}
    assert not {key for key in missing if key not in ("lesson", "study")}


def test_the_page_names_every_file_of_the_configuration():
    page = PAGE.read_text()
    for path in CONF.glob("*/*.yaml"):
        assert f"`{path.parent.name}={path.stem}`" in page
    for path in CONF.glob("*.yaml"):
        assert f"pipeline.{path.stem}`" in page or path.stem == "changes_of_weights"


@pytest.mark.parametrize(
    "line",
    [
        "| `momentum` | `0.0` | a number, at least 0 and below 1 | 0 up to (not including) 1 |",
        "| `update` | `batch` | batch, online | batch, online (after every pattern, in order) |",
        "| `executor.workers` | dask | `2` | a whole number, at least 1 | of that cluster: processes of one thread each |",
        "| `ui.port` | `5005` | a whole number, 0 to 65535 | of this machine, 127.0.0.1; 0: any free one |",
    ],
)
def test_a_row_says_what_the_program_does(line):
    assert line in PAGE.read_text().splitlines()


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == text(), "python -m docs.configuration makes it again"
