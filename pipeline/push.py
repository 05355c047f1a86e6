"""`python -m pipeline.push` records results that sweeps have kept because the store was full, locked or unreachable.

With `sweep=` it brings a finished sweep into another store (`to=`) or to a zip file (`export=`); `import=` reads that file.
"""

import sys
from pathlib import Path
from typing import Any

from pipeline.app.application import run
from pipeline.errors import HIDDEN, ConfigError, masked, printable
from pipeline.results.spool import SpoolInUseError
from pipeline.trials.checks import refuse_unknown, section, text

COPY_KEYS = {
    "sweep": "a parent run's id, or latest",
    "to": "a store, such as sqlite:///other.db or http://…",
    "export": "the name of a new zip file",
    "import": "the name of a zip file that export= wrote",
}


def main(config: dict[str, Any]) -> int:
    """Records one folder of kept results, or all; gives 2 if one cannot be read, 1 if a store has not taken everything."""
    refuse_unknown(config, ("folder", *COPY_KEYS, "tracking"))
    elsewhere = {
        key: text(f"tracking.{key}", value, "as for pipeline.train, or null")
        for key, value in section(config, "tracking", ("uri", "experiment")).items()
        if value is not None
    }
    if any(config[key] is not None for key in COPY_KEYS):
        return copy(config, elsewhere)
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


def copy(config: dict[str, Any], elsewhere: dict[str, str]) -> int:
    """Brings a finished sweep into another store or to a zip file, or one from a zip file into a store; gives the exit code."""
    given = {key: text(key, config[key], f"{what}, or null") for key, what in COPY_KEYS.items() if config[key] is not None}
    if config["folder"] is not None:
        raise ConfigError("folder", config["folder"], f"cannot be given together with {', '.join(given)}")
    if set(given) not in ({"sweep", "to"}, {"sweep", "export"}, {"import"}, {"import", "to"}):
        key = next(iter(given))
        raise ConfigError(key, given[key], "needs sweep= with to= or with export=, or import= alone or with to=")
    source = elsewhere.get("uri")
    for key, uri in (("to", given.get("to")), ("tracking.uri", source)):
        if uri and "://" in uri and HIDDEN not in uri and masked(uri) != uri:
            raise ConfigError(key, uri, "must hold no password, which others could see: use MLflow's environment variables")
    from pipeline.app.interrupts import Interrupts
    from pipeline.store.addresses import address
    from pipeline.store.copies.archive import sweep_in_archive, write_archive
    from pipeline.store.copies.reading import sweep_in_store
    from pipeline.store.copies.writing import IncompleteError, copy_in, same_store, write_sweep
    from pipeline.store.failures import reason, store_errors
    from pipeline.store.write import Store

    if "import" not in given and "to" in given and same_store(address(source), address(given["to"])):
        raise ConfigError("to", given["to"], "is the store that the sweep is in")
    with (
        Interrupts() as interrupts,
        sweep_in_archive(Path(given["import"])) if "import" in given else sweep_in_store(source, given["sweep"]) as sweep,
    ):
        what = f"sweep {sweep.parent.run_id}"
        if "export" in given:
            runs = write_archive(sweep, Path(given["export"]), interrupts.raise_if_requested)
            print(f"{what}: written to {given['export']}, with {runs:,} runs")
            return 0
        store = Store(given.get("to", source), elsewhere.get("experiment", sweep.parent.experiment))
        try:
            if there := copy_in(store, sweep.parent.run_id):
                print(f"{what}: is there already as run {there} in {store.uri}")
                return 0
            run_id = write_sweep(sweep, store, interrupts.raise_if_requested)
        except store_errors(IncompleteError) as error:
            print(
                f"{what}: {store.uri} has not taken everything ({reason(error)}); the same command goes on from there",
                file=sys.stderr,
            )
            return 1
        print(f"{what}: recorded as run {run_id} in {store.uri}; {store.address.how_to_look(store.experiment_id, run_id)}")
        return 0


if __name__ == "__main__":
    run(main, "push")
