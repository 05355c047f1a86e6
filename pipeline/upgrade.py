"""`python -m pipeline.upgrade` brings a store of an older MLflow to the schema of the installed one, and keeps a copy."""

from typing import Any

from pipeline.app.application import run
from pipeline.trials.checks import refuse_unknown
from pipeline.trials.settings import read_tracking


def main(config: dict[str, Any]) -> int:
    """Upgrades one store."""
    refuse_unknown(config, ("tracking",))
    uri = read_tracking(config).uri
    from pipeline.store.addresses import address
    from pipeline.store.schema import upgrade

    place = address(uri)
    print(f"{place.shown} is upgraded; as it was before it is kept as {upgrade(place)}")
    return 0


if __name__ == "__main__":
    run(main, "upgrade")
