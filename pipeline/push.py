"""`python -m pipeline.push` records results that sweeps have kept because the store was full, locked or unreachable."""

from pathlib import Path
from typing import Any

from pipeline.app.application import run
from pipeline.errors import ConfigError
from pipeline.results.spool import SpoolInUseError
from pipeline.trials.checks import refuse_unknown, section, text

KEYS = ("folder", "tracking")


def main(config: dict[str, Any]) -> int:
    """Records one folder of kept results, or all; gives 1 if a store has not taken everything."""
    refuse_unknown(config, KEYS)
    elsewhere = {
        key: text(f"tracking.{key}", value, "as for pipeline.train, or null")
        for key, value in section(config, "tracking", ("uri", "experiment")).items()
        if value is not None
    }
    from pipeline.sweeps.pushing import EVERYWHERE, push, waiting  # with MLflow, which takes long to import

    if config["folder"] is not None:
        path = Path(text("folder", config["folder"], "a sweep's folder of kept results, or null"))
        try:
            return push(path.absolute(), elsewhere)
        except SpoolInUseError:
            raise ConfigError("folder", str(path), "is in use: a process works on this sweep") from None
    codes = [0]
    for path in waiting():
        try:
            codes.append(push(path, elsewhere))
        except SpoolInUseError:
            print(f"{path}: in use, a process works on this sweep")
    if len(codes) == 1:
        print(f"nothing waits under {EVERYWHERE}/")
    return max(codes)


if __name__ == "__main__":
    run(main, "push")
