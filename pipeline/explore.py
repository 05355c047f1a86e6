"""`python -m pipeline.explore`: a map trained while one moves over it, on a page of this machine, whose address it prints."""

from collections.abc import Mapping
from typing import Any

from pipeline.app.application import run
from pipeline.errors import as_override
from pipeline.maps.axis import Axis
from pipeline.maps.explorer.reading import read
from pipeline.maps.explorer.view import first_axis
from pipeline.trials.checks import integer, refuse_unknown, section, text
from pipeline.trials.configuration import TRIAL_KEYS
from pipeline.trials.settings import RUN_KEYS

SIZE = (640, 480)  # pixels, until the page says how much room it has


def main(config: dict[str, Any]) -> None:
    """Serves the page until it is interrupted."""
    refuse_unknown(config, (*TRIAL_KEYS, *RUN_KEYS, "explore"))
    settings = section(config, "explore", ("host", "port", "across", "down"))
    host = text("explore.host", settings["host"], "an address of this machine, such as 127.0.0.1 or 0.0.0.0")
    port = integer("explore.port", settings["port"], 0, 65535)
    axes = [read_axis(settings, side, size) for side, size in zip(("across", "down"), SIZE, strict=True)]
    start = read({key: value for key, value in config.items() if key != "explore"}, *axes)
    from pipeline.maps.explorer.server import LOOPBACK, Explorer

    explorer = Explorer(start, host, port)
    print(f"the map is at {explorer.link} (Ctrl-C ends it)", flush=True)
    if host not in LOOPBACK:
        print("everybody who has this address can train on this machine and read its tables; it is not encrypted", flush=True)
    explorer.run()


def read_axis(settings: Mapping[str, Any], side: str, size: int) -> Axis:
    """An axis to begin with. Raises ConfigError."""
    given = section(settings, side, ("key", "from", "to", "scale"))
    usual = first_axis(text(f"explore.{side}.key", given["key"], "a number of a trial, such as learning_rate"), size)
    low, high = (
        own if given[key] is None else as_override(given[key]) for key, own in (("from", usual.low), ("to", usual.high))
    )
    return Axis(usual.name, low, high, given["scale"] or usual.scale, size)


if __name__ == "__main__":
    run(main, "explore")
