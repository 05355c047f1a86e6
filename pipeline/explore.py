"""`python -m pipeline.explore`: a map trained while one moves over it, on a page of this machine, whose address it prints."""

from typing import Any

from pipeline.app.application import run
from pipeline.trials.checks import integer, section, text

SIZE = [640, 480]  # pixels, until the page says how much room it has


def main(config: dict[str, Any]) -> None:
    """Serves the page until it is interrupted."""
    settings = section(config, "explore", ("host", "port"))
    host = text("explore.host", settings["host"], "an address of this machine, such as 127.0.0.1 or 0.0.0.0")
    port = integer("explore.port", settings["port"], 0, 65535)
    config = {key: value for key, value in config.items() if key != "explore"}
    from pipeline.maps.recording.request import read_map

    request = read_map({**config, "map": {**section(config, "map", tuple(config["map"])), "size": SIZE, "pixel": None}})
    from pipeline.maps.explorer.server import LOOPBACK, Explorer

    explorer = Explorer(request, host, port)
    print(f"the map is at {explorer.link} (Ctrl-C ends it)", flush=True)
    if host not in LOOPBACK:
        print("everybody who has this address can train on this machine and read its tables; it is not encrypted", flush=True)
    explorer.run()


if __name__ == "__main__":
    run(main, "explore")
