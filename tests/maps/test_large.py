"""Maps too large for memory: in files while they are trained, in tiles when they are recorded. Here, large is small."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.app.composition import compose
from pipeline.maps import large, training
from pipeline.maps.digest import map_digest, map_key
from pipeline.maps.recording import artifacts, session, stripes, tiles
from pipeline.maps.recording.request import read_map
from pipeline.maps.training import MapResult, train
from tests.stores import runs_of

WORDS = ("map.size=[25,18]", "max_epochs=200", "engine=numpy", "executor.chunk=70")
NAMES = "status", "epochs", "final_error"


@pytest.fixture
def small_is_large(monkeypatch) -> None:
    monkeypatch.setattr(large, "MOST_IN_MEMORY", 100)
    monkeypatch.setattr(training, "BAND", 60)
    monkeypatch.setattr(large, "BAND", 60)
    monkeypatch.setattr(stripes, "MOST_LISTED", 130)
    monkeypatch.setattr(tiles, "TILE", 10)


def equal(one: MapResult, other: MapResult) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in NAMES)


def in_files(result: MapResult) -> MapResult:
    """The same result, as that of a large map."""
    copied = large.empty_result(result.status.shape)
    assert isinstance(copied, large.LargeResult)
    for name in NAMES:
        getattr(copied, name)[:] = getattr(result, name)
    copied.release()
    return copied


def random_result(height: int, width: int) -> MapResult:
    random = np.random.default_rng(3)
    error = random.normal(size=(height, width))
    error[0, 0] = np.nan
    return MapResult(random.integers(0, 4, error.shape).astype(np.int8), random.integers(0, 10**6, error.shape), error)


@pytest.fixture
def whole() -> MapResult:
    """The map of WORDS, in memory."""
    return train(read_map(compose(WORDS, "map")).grid, "numpy")


def test_a_large_map_is_in_tiles_with_the_digest_that_it_has_in_memory(
    store, command, folder, monkeypatch, small_is_large, whole
):
    inserted = session.insert

    def interrupting(result: MapResult, rows) -> int:
        if (result.status >= 0).sum() == 200:
            signal.raise_signal(signal.SIGINT)
        return inserted(result, rows)

    monkeypatch.setattr(session, "insert", interrupting)
    assert command("map", *WORDS).code == 130
    monkeypatch.setattr(session, "insert", inserted)
    ended = command("map", *WORDS)
    assert ended.code == 0
    grid = read_map(compose(WORDS, "map")).grid
    assert "resuming run" in ended.out
    assert f"digest {map_digest(map_key(grid), whole)}\n" in ended.out
    assert "(of the 10 × 10 runs in the middle of the map)" in ended.out
    _, [run], _ = runs_of(store)
    files = store.parent / "artifacts" / run.info.run_id / "artifacts"
    assert {path.name for path in files.iterdir()} >= {"tiles", "axes.npz", "picture.png", "pixels.png"}
    assert not (files / "map.npz").exists()
    assert sorted(path.name for path in (files / "tiles").iterdir()) == [f"{y}-{x}.npz" for y in (0, 1) for x in (0, 1, 2)]
    with np.load(files / "tiles" / "1-2.npz") as tile, np.load(files / "axes.npz") as axes:
        for name in NAMES:
            assert np.array_equal(tile[name], getattr(whole, name)[10:, 20:], equal_nan=True)
        assert (axes["across"].tolist(), axes["tile"].tolist()) == (grid.across.values.tolist(), [10])
    assert not list(folder.glob("outputs/*/*/kept*"))


@pytest.mark.slow
def test_a_large_map_is_reproduced_from_its_tiles(store, command, small_is_large):
    assert command("map", *WORDS).code == 0
    for words, number in (((), 450), (("sample=20",), 20)):
        ended = command("reproduce", "map=latest", *words)
        assert (ended.code, ended.err) == (0, "")
        assert f"reproduced {number} of {number} pixels, trained by compiled and numpy" in ended.out
    _, [run, *_], _ = runs_of(store)
    tile = store.parent / "artifacts" / run.info.run_id / "artifacts" / "tiles" / "1-0.npz"
    with np.load(tile) as arrays:
        altered = {name: arrays[name].copy() for name in arrays}
    altered["epochs"][3, 5] += 1
    np.savez(tile, **altered)
    ended = command("reproduce", f"map={run.info.run_id}", "sample=1")
    assert (ended.code, ended.err) == (2, f"map={run.info.run_id}: tiles has another digest than its tag says\n")
    tile.unlink()
    ended = command("reproduce", f"map={run.info.run_id}", "sample=1")
    assert (ended.code, ended.err) == (2, f"map={run.info.run_id}: has no artifact tiles/1-0.npz\n")


def test_a_result_in_files_is_as_one_in_memory(small_is_large):
    result = random_result(23, 31)
    copied = in_files(result)
    assert equal(copied, result)
    assert map_digest("key", copied) == map_digest("key", result)
    assert artifacts.metrics(copied) == artifacts.metrics(result)
    for pixels in ([], [7], [700, 3, 3, 59, 60, 712, 0], range(713)):
        found = copied.of(np.array(pixels, np.int64))
        assert equal(found, result.of(np.array(pixels, np.int64)))
        assert np.array_equal(found.epochs, result.epochs.ravel()[list(pixels)])
    assert equal(large.thinned(copied, 3), MapResult(*(getattr(result, name)[1::3, 1::3] for name in NAMES)))
    assert equal(large.thinned(copied, 4), MapResult(*(getattr(result, name)[2::4, 2::4] for name in NAMES)))


def test_nothing_of_a_large_map_is_trained_before_it_is():
    result = large.empty_result((5, 4))
    result.status[1, 2] = result.status[4, 3] = 0
    assert np.concatenate(list(stripes.missing_pixels(result))).tolist() == [i for i in range(20) if i not in (6, 19)]


def test_the_pixels_that_are_missing_are_found_a_part_at_a_time(small_is_large):
    result = in_files(random_result(20, 20))
    assert list(stripes.missing_pixels(result)) == []
    result.status[3, 4:6] = result.status[19, 19] = -1
    assert [part.tolist() for part in stripes.missing_pixels(result)] == [[64, 65], [399]]


@pytest.mark.parametrize("bins", [2, 5, 2**16])
@pytest.mark.parametrize("width", [1, 2, 20, 21])
def test_the_median_is_that_of_numpy(bins, width, monkeypatch):
    monkeypatch.setattr(artifacts, "BINS", bins)
    result = random_result(7, width)
    result.status[0, 0] = 0
    assert artifacts.metrics(result)["median_epochs"] == np.median(result.epochs[result.status == 0])


@pytest.mark.parametrize(
    ("shape", "middle"), [((9, 11), (9, 11)), ((40, 30), (10, 10)), ((4, 300), (4, 25)), ((300, 4), (25, 4))]
)
def test_the_middle_of_a_map(shape, middle, small_is_large):
    status = np.arange(shape[0] * shape[1]).reshape(shape)
    found = large.central(status)
    assert found.shape == middle
    y, x = ((whole - part) // 2 for whole, part in zip(shape, middle, strict=True))
    assert found[0, 0] == status[y, x]


def test_files_have_room_or_are_refused(monkeypatch, small_is_large, tmp_path):
    large.empty_result((20, 20), tmp_path)
    assert list(tmp_path.iterdir()) == []  # no names
    monkeypatch.setattr(os, "posix_fallocate", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        large.empty_result((20, 20), tmp_path)


def test_what_a_large_map_takes_of_memory_does_not_grow_with_it():
    small, medium, huge = (read_map(compose([f"map.size={size}"], "map")) for size in (4096, 8192, 16384))
    assert small.memory == medium.memory == huge.memory < 1.5 * 2**30
    assert medium.disk > 4 * small.disk


@pytest.mark.slow
def test_a_large_result_does_not_stay_in_memory(tmp_path: Path):
    """17 bytes a pixel of 5,000², 405 MiB, of which no more than some bands are ever in memory together."""
    code = """
import resource, sys
from pathlib import Path
import numpy as np
from pipeline.maps.digest import map_digest
from pipeline.maps.large import empty_result
from pipeline.maps.recording.artifacts import metrics
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = empty_result((5000, 5000), Path(sys.argv[1]))
for rows in result.bands():
    result.status[rows], result.epochs[rows], result.final_error[rows] = 0, 7, 0.5
map_digest("key", result)
metrics(result)
result.of(np.random.default_rng(0).integers(0, 5000**2, 4096))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(ended.stdout) < 150 * 1024
