"""A recorded map trained again: its status, epochs and final errors compared to the last bit."""

import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.app.progress import progress_bar
from pipeline.backprop.status import STATUSES, Status
from pipeline.errors import ConfigError, printable
from pipeline.maps.digest import map_digest, map_key
from pipeline.maps.grid import Grid, Pixels
from pipeline.maps.recording.artifacts import ARRAYS, CONFIGURATION
from pipeline.maps.recording.request import read_map
from pipeline.maps.recording.session import DIGEST_TAG, KEY_TAG
from pipeline.maps.training import MapResult, train_pixels
from pipeline.reproducibility.check import MOST_DRIFTS, NOTE, TABLE, Settings, fenced, sample
from pipeline.reproducibility.drift import ENVIRONMENT, environment_changes
from pipeline.results.csv_tables import write_csv
from pipeline.store.environment import environment_tags, source_tags
from pipeline.store.files import read_arrays, read_yaml
from pipeline.store.read import contents, find_run
from pipeline.store.write import Store

MOST_ROWS = 100_000  # of the table of drifted pixels


def check_map(settings: Settings) -> int:
    """Trains a map, or a sample of its pixels, again by each engine, and prints and records the result; gives the exit code."""
    assert settings.map is not None
    tracking, engines = settings.tracking, settings.engines
    client, run = find_run(tracking.uri, settings.map, "map", "that of a map")
    grid, recorded = recorded_map(client, run)
    pixels = np.array(sample(recorded.status.size, settings.sample, settings.seed))
    store = Store(tracking.uri, tracking.experiment, tracking.artifacts)
    store.set_experiment_note(NOTE)
    name = printable(f"map {run.info.run_name}")
    params = {"checked": name, "engines": " ".join(engines), "map": run.info.run_id}
    if settings.sample is not None:
        params |= {"sample": str(settings.sample), "seed": str(settings.seed)}
    run_id = store.begin("check", name, params, {"mlflow.source.name": "pipeline.reproduce"})
    ended, started = "FAILED", time.monotonic()
    try:
        drifts = drifted(grid, recorded, pixels, engines)
        wrong = drifts["pixel"].nunique()
        reproduced = len(pixels) - wrong
        parts = in_words(grid, drifts, run.data.tags) if wrong else []
        more = f" ({wrong:,} drifted)" if wrong else ""
        summary = f"reproduced {reproduced:,} of {len(pixels):,} pixels{more}, trained by {' and '.join(engines)}"
        metrics = {"checked": len(pixels), "reproduced": reproduced, "share_reproduced": reproduced / len(pixels)}
        store.log_metrics(run_id, metrics | {"seconds": time.monotonic() - started})
        with tempfile.TemporaryDirectory() as folder:
            write_csv(drifts.head(MOST_ROWS), Path(folder, TABLE))
            store.log_files(run_id, Path(folder))
        store.set_note(run_id, "\n\n".join([summary, *map(fenced, parts)]))
        if not wrong:
            ended = "FINISHED"
    except KeyboardInterrupt:
        ended = "KILLED"
        raise
    finally:
        store.end(run_id, ended)
    for part in parts:
        print(part, end="\n\n")
    print(f"{name}: {summary}")
    print(printable(f"recorded as run {run_id} in {store.uri}, experiment {tracking.experiment}"))
    return 1 if wrong else 0


def recorded_map(client: Any, run: Any) -> tuple[Grid, MapResult]:
    """The grid and the result of a recorded map. Raises ConfigError where they cannot be read, or are not what its tags say."""
    run_id, tags = run.info.run_id, run.data.tags
    arrays = contents(client, run, ARRAYS, partial(read_arrays, kinds="fi"))
    config = contents(client, run, CONFIGURATION, read_yaml)
    try:
        grid = read_map(config if isinstance(config, dict) else {}).grid
    except ConfigError as error:
        raise ConfigError("map", run_id, f"cannot be trained again: {error}") from None
    if (key := map_key(grid)) != tags.get(KEY_TAG):
        what = "has another key than its tag says: a file that it is made from has changed"
        raise ConfigError("map", run_id, f"cannot be trained again: its configuration {what}")
    kinds = {"status": "i", "epochs": "i", "final_error": "f"}
    if any(name not in arrays or arrays[name].shape != grid.shape or arrays[name].dtype.kind != kinds[name] for name in kinds):
        raise ConfigError("map", run_id, f"{ARRAYS} has not the arrays {', '.join(kinds)} of {grid.shape} pixels")
    status, epochs = arrays["status"].astype(np.int8), arrays["epochs"].astype(np.int64)
    result = MapResult(status, epochs, arrays["final_error"])
    if (arrays["status"] != status).any() or not ((status >= 0) & (status < len(Status))).all():
        raise ConfigError("map", run_id, f"{ARRAYS} has a pixel that ended in no possible way")
    if map_digest(key, result) != tags.get(DIGEST_TAG):
        raise ConfigError("map", run_id, f"{ARRAYS} has another digest than its tag says")
    return grid, result


def drifted(grid: Grid, recorded: MapResult, pixels: Pixels, engines: Sequence[str]) -> pd.DataFrame:
    """The pixels that an engine does not reproduce: engine, pixel, x, y, and what was and is, each in a row."""
    tables = []
    with progress_bar() as bar:
        for engine in engines:
            again = MapResult.empty(grid.shape)
            train_pixels(grid, pixels, again, engine, bar(engine, len(pixels)))
            tables.append(differing(recorded, again, pixels).assign(engine=engine))
    return pd.concat(tables, ignore_index=True)


def differing(recorded: MapResult, again: MapResult, pixels: Pixels) -> pd.DataFrame:
    """The pixels in which two results differ in a bit; any NaN is as any other."""
    pairs = {
        name: (getattr(recorded, name).reshape(-1)[pixels], getattr(again, name).reshape(-1)[pixels])
        for name in ("status", "epochs", "final_error")
    }
    then, now = pairs["final_error"]
    same_bits = (then.view(np.int64) == now.view(np.int64)) | (np.isnan(then) & np.isnan(now))
    wrong = ~same_bits | (pairs["status"][0] != pairs["status"][1]) | (pairs["epochs"][0] != pairs["epochs"][1])
    y, x = np.divmod(pixels[wrong], recorded.status.shape[1])
    table = {"engine": "", "pixel": pixels[wrong], "x": x, "y": y}
    for name, (old, new) in pairs.items():
        table |= {f"{name}_then": old[wrong], f"{name}_now": new[wrong]}
    return pd.DataFrame(table)


def in_words(grid: Grid, drifts: pd.DataFrame, then: Any) -> list[str]:
    """The drifted pixels, each with what was and is, and the command that trains its run; what differs in the environments."""
    parts = []
    for row in drifts.head(MOST_DRIFTS).to_dict("records"):
        old, new = (
            f"{STATUSES[row[f'status_{when}']]} after {row[f'epochs_{when}']:,} epochs, "
            f"final error {float(row[f'final_error_{when}']).hex()}"
            for when in ("then", "now")
        )
        x, y = row["x"], row["y"]
        place = f"{grid.across.name}={grid.across.text(x)} {grid.down.name}={grid.down.text(y)}"
        parts.append(f"pixel [{x},{y}], {place}, by {row['engine']}:\n  then: {old}\n  now:  {new}")
    if len(drifts) > MOST_DRIFTS:
        parts.append(f"… and {len(drifts) - MOST_DRIFTS:,} more: see {TABLE} of this check's run in MLflow")
    recorded = {name: value for name, value in then.items() if name.startswith(ENVIRONMENT)}
    changes = list(map(printable, environment_changes(recorded, {**environment_tags(), **source_tags()})))
    return [*parts, "\n  ".join(["Between the environments differ:", *changes])] if changes else parts
