"""`python -m pipeline.push` records results that sweeps have kept because the store was full, locked or unreachable."""

import sys
from pathlib import Path
from typing import Any

from pipeline.app.application import run
from pipeline.errors import ConfigError, printable
from pipeline.results.spool import SpoolInUseError
from pipeline.trials.checks import refuse_unknown, section, text


def main(config: dict[str, Any]) -> int:
    """Records one folder of kept results, or all; gives 2 if one cannot be read, 1 if a store has not taken everything."""
    refuse_unknown(config, ("folder", "tracking"))
    elsewhere = {
        key: text(f"tracking.{key}", value, "as for pipeline.train, or null")
        for key, value in section(config, "tracking", ("uri", "experiment")).items()
        if value is not None
    }
    from pipeline.sweeps.pushing import EVERYWHERE, push, waiting  # with MLflow, which takes long to import

    folder, code = config["folder"], 0
    paths = waiting() if folder is None else [Path(text("folder", folder, "a sweep's folder of kept results, or null"))]
    for path in paths:
        try:
            code = max(code, push(path.absolute(), elsewhere))
        except SpoolInUseError:
            if folder is not None:
                raise ConfigError("folder", folder, "is in use: a process works on this sweep") from None
            print(f"{printable(str(path))}: in use, a process works on this sweep")
        except ConfigError as error:
            if folder is not None:
                raise
            print(error, file=sys.stderr)
            code = 2
    if not paths:
        print(f"nothing waits under {EVERYWHERE}/")
    return code


if __name__ == "__main__":
    run(main, "push")
