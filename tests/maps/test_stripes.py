"""A map cut into any stripes has one digest, here and on Dask's workers, whatever is killed on the way."""

import os
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import psutil
import pytest

from pipeline.app.composition import compose
from pipeline.app.interrupts import Interrupts
from pipeline.maps.digest import map_digest, map_key
from pipeline.maps.recording.request import read_map
from pipeline.maps.recording.stripes import SCHEMA, insert, stripe_pixels, stripes, verify_stripe
from pipeline.maps.training import MapResult, train
from pipeline.results.verification import DamagedError
from pipeline.sweeps.chunks import NO_PATTERNS
from pipeline.sweeps.executors.local import Local
from pipeline.trials.settings import ExecutorChoice
from tests.clusters import running, until
from tests.maps.grids import small_grid

LONG = (  # some seconds, in 16 stripes
    *("map=momentum", "map.size=[64,40]", "map.across.from=0.001", "map.across.to=0.02", "map.down.to=0.1", "threshold=1e-9"),
    *("max_epochs=150000", "executor.chunk=160", "hydra.run.dir=out"),
)
DASK = ("executor=dask", "executor.workers=2")


def trained(grid, choice: ExecutorChoice, pixels: np.ndarray) -> MapResult:
    result = MapResult.empty(grid.shape)
    with Interrupts() as interrupts:
        for rows in Local(interrupts).train(stripes(grid, "key", pixels, "numpy", choice), lambda runs, epochs: None):
            insert(result, rows)
    return result


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_a_map_has_one_digest_however_it_is_cut(chunk):
    grid, pixels = small_grid(), np.arange(108)
    if chunk == 1:
        pixels = pixels[:30]
    whole, cut = train(grid, "numpy"), trained(grid, ExecutorChoice(chunk=chunk), pixels)
    if chunk > 1:
        assert map_digest(map_key(grid), cut) == map_digest(map_key(grid), whole)
    assert cut.epochs.reshape(-1)[pixels].tolist() == whole.epochs.reshape(-1)[pixels].tolist()
    assert cut.final_error.reshape(-1)[pixels].tolist() == whole.final_error.reshape(-1)[pixels].tolist()


def test_a_digest_is_of_every_pixel_and_of_the_map():
    grid = small_grid()
    key, result = map_key(grid), train(grid, "numpy")
    digests = {map_digest(key, result), map_digest("0" * 64, result)}
    for name in ("status", "epochs", "final_error"):
        other = result.copy()
        getattr(other, name)[8, 11] += 1
        digests.add(map_digest(key, other))
    assert len(digests) == 5


def test_a_stripe_is_sent_without_patterns_and_without_a_number_for_each_pixel():
    import pickle

    grid = small_grid()
    [stripe] = stripes(grid, "key", np.arange(108), "numpy", ExecutorChoice())
    sent = pickle.loads(pickle.dumps(stripe.with_patterns(NO_PATTERNS))).with_patterns(stripe.patterns)
    assert len(pickle.dumps(stripe.with_patterns(NO_PATTERNS))) < 10_000
    assert sent.rows(sent.train()).table.equals(stripe.rows(stripe.train()).table)


def test_dask_gets_stripes_enough_for_all_its_workers():
    grid = small_grid()
    assert stripe_pixels(grid, 512 * 512, ExecutorChoice()) == 262_144
    assert stripe_pixels(grid, 512 * 512, ExecutorChoice("dask", workers=2)) == 16_384
    assert stripe_pixels(grid, 512 * 512, ExecutorChoice("dask", chunk=5, workers=2)) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["epochs"]), "has other columns"),
        (lambda table: table.slice(0, 0), "has other columns"),
        (lambda table: table.replace_schema_metadata({"map.key": "other"}), "is of another map"),
        (lambda table: table.take([1, 0]), "has a pixel twice"),
        (lambda table: column(table, "place", [3, 400]), "has a pixel twice, or one that the map has not"),
        (lambda table: column(table, "status", [0, 4]), "ended in no possible way"),
        (lambda table: column(table, "epochs", [0, 301]), "ended in no possible way"),
        (lambda table: column(table, "final_error", [0.5, None]), "lacks values"),
    ],
)
def test_what_is_no_stripe_of_the_map_is_not_believed(change, message):
    grid = small_grid()
    [stripe] = stripes(grid, "key", np.array([3, 7]), "numpy", ExecutorChoice())
    table = stripe.rows(stripe.train()).table
    verify_stripe(table, "key", grid.shape, 300)
    with pytest.raises(DamagedError, match=message):
        verify_stripe(change(table), "key", grid.shape, 300)


def column(table, name: str, values: list):
    """The table with other values in a column."""
    import pyarrow as pa

    return table.set_column(SCHEMA.get_field_index(name), SCHEMA.field(name), pa.array(values, SCHEMA.field(name).type))


def mapping(folder: Path, *words: str):
    """The long map at work."""
    return running("python -m pipeline.map", *LONG, *words, folder=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def kept(folder: Path) -> list[Path]:
    """The stripes that are kept so far."""
    return list(folder.glob("out/kept*/*.arrow"))


@pytest.mark.slow
def test_a_map_has_one_digest_on_dask_with_a_worker_killed_interrupted_and_resumed(folder):
    with mapping(folder, *DASK) as process:
        until(lambda: len(kept(folder)) >= 2, 180)
        workers = psutil.Process(process.pid).children(recursive=True)
        next(worker for worker in workers if "spawn_main" in " ".join(worker.cmdline())).kill()
        until(lambda: len(kept(folder)) >= 4, 180)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"of 2,560 pixels are kept in \S+; the same command resumes from there", err)
    with mapping(folder) as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert re.search(r"^resuming run \w+: [\d,]+ of 2,560 pixels are trained", out, re.M)
    grid = read_map(compose(LONG[:-2], "map")).grid
    assert f"digest {map_digest(map_key(grid), train(grid))}\n" in out
    assert not kept(folder)
