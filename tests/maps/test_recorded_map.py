"""`python -m pipeline.map`: a map is one run of the store, whatever stops it on the way; it can be trained again."""

import json
import re
import shlex
import signal
import subprocess
import sys

import numpy as np
import pytest

from pipeline.app.composition import compose
from pipeline.backprop.engines.compiled import train as train_compiled
from pipeline.backprop.trainer import train as train_trials
from pipeline.maps.digest import map_digest, map_key
from pipeline.maps.recording import reproduction, session
from pipeline.maps.recording.request import read_map
from pipeline.maps.training import MapResult, train
from pipeline.trials.batching import make_batch
from pipeline.trials.configuration import configuration_from_params
from pipeline.trials.fingerprint import digests, keys
from pipeline.trials.settings import read_run
from tests import ROOT
from tests.clusters import ENVIRONMENT
from tests.maps.grids import maps_in

SMALL = ("map.size=[12,9]", "max_epochs=200", "engine=numpy")


def grid_of(*words):
    return read_map(compose(words, "map")).grid


def digest_of(*words) -> str:
    grid = grid_of(*words)
    return map_digest(map_key(grid), train(grid, "numpy"))


def test_a_map_is_one_run_with_its_arrays_pictures_and_numbers(store, command, folder):
    ended = command("map", *SMALL)
    assert (ended.code, ended.err) == (0, "")
    [run] = maps_in(store)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "worked_example")
    grid = grid_of(*SMALL)
    result = train(grid, "numpy")
    files = {path.name: path for path in (store.parent / "artifacts" / run.info.run_id / "artifacts").iterdir()}
    assert {"map.npz", "config.yaml", "picture.png", "pixels.png", "cause.png"} <= set(files)
    with np.load(files["map.npz"]) as arrays:
        assert arrays["status"].dtype == np.int8
        for name in ("status", "epochs", "final_error"):
            assert np.array_equal(arrays[name], getattr(result, name), equal_nan=True)
        assert arrays["across"].tolist() == grid.across.values.tolist()
        assert arrays["down"].tolist() == grid.down.values.tolist()
    tags, params, metrics = run.data.tags, run.data.params, run.data.metrics
    assert (tags["kind"], tags["map.key"]) == ("map", map_key(grid))
    assert tags["map.digest"] == map_digest(map_key(grid), result)
    assert params["across"] == "learning_rate"
    assert (params["down.from"], params["down.scale"], params["width"]) == ("-20", "linear", "12")
    assert configuration_from_params(params)["max_epochs"] == 200
    assert metrics["pixels"] == 108
    assert metrics["share_converged"] == (result.status == 0).mean()
    assert metrics["median_epochs"] == np.median(result.epochs[result.status == 0])
    assert "For which learning_rate and initial.set.w5" in tags["mlflow.note.content"]
    assert f"get-artifact?path=picture.png&run_uuid={run.info.run_id}" in tags["mlflow.note.content"]
    assert not list(folder.glob("outputs/*/*/kept*"))
    assert tags["command"] == shlex.join(["python", "-m", "pipeline.map", *SMALL])


def test_an_interrupted_map_is_resumed_by_the_same_command(store, command, folder, monkeypatch):
    inserted = session.insert

    def interrupting(result: MapResult, rows) -> int:
        if (result.status >= 0).sum() == 40:
            signal.raise_signal(signal.SIGINT)
        return inserted(result, rows)

    words = (*SMALL, "executor.chunk=20", "causes=none")
    monkeypatch.setattr(session, "insert", interrupting)
    ended = command("map", *words)
    assert ended.code == 130
    assert ended.err.startswith("causes=none: has no effect on a map\n\n60 of 108")
    assert re.search(r"60 of 108 pixels are kept in \S+/kept; the same command resumes from there", ended.err)
    [run] = maps_in(store)
    assert run.info.status == "KILLED"
    _, second, _ = sorted(folder.glob("outputs/*/*/kept/*.arrow"))
    second.write_bytes(second.read_bytes()[:-1])  # a file that was damaged meanwhile is not believed
    monkeypatch.setattr(session, "insert", inserted)

    ended = command("map", *words)
    assert ended.code == 0
    assert f"resuming run {run.info.run_id}: 40 of 108 pixels are trained" in ended.out
    assert "does not have its checksum" in ended.err
    [again] = maps_in(store)
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    assert again.data.tags["map.digest"] == digest_of(*SMALL)


@pytest.mark.slow
def test_stripes_of_another_map_are_not_taken(store, command, folder, monkeypatch):
    words = (*SMALL, "executor.chunk=60")
    with monkeypatch.context() as context:
        context.setattr(session, "find", lambda *_: signal.raise_signal(signal.SIGINT))
        assert command("map", *words).code == 130
        assert command("map", *words, "momentum=0.5").code == 130
    kept = {json.loads((path / "map.json").read_text())["key"]: path for path in folder.glob("outputs/*/*/kept*")}
    mine = kept.pop(map_key(grid_of(*SMALL)))
    [theirs] = kept.values()
    assert any(theirs.glob("*.arrow"))
    for file in mine.glob("*.arrow"):
        file.unlink()
    for file in theirs.glob("*.arrow"):
        (mine / file.name).write_bytes(file.read_bytes())
    ended = command("map", *words)
    assert "is of another map" in ended.err, ended
    assert f"digest {digest_of(*SMALL)}" in ended.out


@pytest.mark.slow
def test_a_map_is_reproduced_by_both_engines_and_drifts_are_named(store, command, monkeypatch):
    assert command("map", *SMALL).code == 0
    ended = command("reproduce", "map=latest")
    assert ended.code == 0
    assert "reproduced 108 of 108 pixels, trained by compiled and numpy" in ended.out

    named = reproduction.engine_named

    def drifting(*given):
        result = named("numpy")(*given)
        result.final_error[3 * 12 + 5] = np.nextafter(result.final_error[3 * 12 + 5], 1)
        return result

    monkeypatch.setattr(reproduction, "engine_named", lambda _: drifting)
    ended = command("reproduce", "map=latest", "engines=numpy")
    assert ended.code == 1
    assert "pixel [5,3], learning_rate=" in ended.out
    assert "reproduced 107 of 108 pixels (1 drifted)" in ended.out


@pytest.mark.slow
def test_an_altered_map_is_refused(store, command, folder):
    assert command("map", *SMALL).code == 0
    [run] = maps_in(store)
    file = store.parent / "artifacts" / run.info.run_id / "artifacts" / "map.npz"
    with np.load(file) as arrays:
        altered = {name: arrays[name].copy() for name in arrays}
    altered["epochs"][3, 5] += 1
    np.savez(file, **altered)
    ended = command("reproduce", f"map={run.info.run_id}")
    assert (ended.code, ended.err) == (2, f"map={run.info.run_id}: map.npz has another digest than its tag says\n")


def test_a_pixel_has_the_digest_of_its_command(folder, command):
    ended = command("map", *SMALL, "map.pixel=[2,1]")
    assert ended.code == 0
    line = next(line for line in ended.out.splitlines() if line.startswith("python -m pipeline.train"))
    trial, _ = read_run(compose(shlex.split(line)[3:]))
    assert f"digest {digests(train_trials(make_batch([trial])))[0]}\n" in ended.out
    assert "exhausted after 200 epochs" in ended.out
    assert not (folder / "mlruns").exists()


BAD = {
    "map.size=1": "map.size=1: must be a whole number, 2 to 65536, or [width, height]",
    "map.size=[3]": "map.size=[3]: must be a whole number",
    "map.size=[20,1.5]": "map.size=[20,1.5]: must be a whole number",
    "map.across.centre=1": "map.across.from=0.1: must be null where map.across.centre is given",
    "map.across.from=null": "map.across.from=null: must be a number: from and to belong together",
    "map.across.from=1e5": "map.across.to=10000: must be greater than from=100000",
    "map.down.scale=log": "map.down.from=-20: must be greater than 0 on a logarithmic axis",
    "map.down.scale=cubic": "map.down.scale=cubic: must be one of linear, log",
    "map.down.key=momentum": "momentum=-19.9609375: must be at least 0 and below 1",
    "map.down.key=learning_rate": "map.across.key=learning_rate: must be another number",
    "map.down.key=seed": "map.down.key=seed: unknown axis",
    "map.down.key=initial.set.w99": "initial.set.w99=-19.9609375: unknown weight",
    "map.down.key=5": "map.down.key=5: must be a number of a trial",
    "map.down.from=true": "map.down.from=true: must be a number",
    "map.across=3": "map.across=3: must have the keys key, from",
    "map.pixel=[512,0]": "map.pixel=[512,0]: must be [x, y], x from 0 to 511",
    "map.pixel=3": "map.pixel=3: must be [x, y]",
    "map.colours=red": "map.colours=red: must be one of pretty, safe",
    "threshold=-1": "threshold=-1: must be greater than 0",
}


@pytest.mark.parametrize("word", BAD)
def test_a_map_that_cannot_be_is_refused(word):
    from pipeline.errors import ConfigError

    with pytest.raises(ConfigError) as refused:
        read_map(compose([word], "map"))
    assert str(refused.value).startswith(BAD[word])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["map.down.scale=log"], "map.down.from=-20: must be greater than 0 on a logarithmic axis"),
        (["map.size=100", "limits.memory=0.1"], "limits.memory=0.1: 10,000 trials may take "),
        (["map.size=100", "limits.disk=1e-3"], "limits.disk=0.001: 10,000 trials may take "),
    ],
)
def test_nothing_is_written_where_a_map_is_refused(words, message, folder, command):
    ended = command("map", *words)
    assert ended.code == 2
    assert ended.err.startswith(message)
    assert ended.err.count("\n") == 1
    assert list(folder.iterdir()) == []


def examples() -> list[list[str]]:
    """The maps in the documentation and in the help."""
    lines = [*(ROOT / "docs" / "maps.md").read_text().splitlines(), *(ROOT / "conf" / "map.yaml").read_text().splitlines()]
    return [shlex.split(line.removeprefix("#"))[3:] for line in lines if "python -m pipeline.map" in line.split("`")[0]]


def test_examples_are_maps():
    assert len(examples()) >= 7
    for words in examples():
        request = read_map(compose(words, "map"))
        assert request.grid.shape[0] > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "conf" / "map").glob("*.yaml")))
def test_random_pixels_of_a_map_have_the_digests_of_their_commands(name):
    grid = grid_of(f"map={name}")
    height, width = grid.shape
    pixels = np.random.default_rng(1).choice(height * width, 50, replace=False)
    result = train_compiled(grid.batch(pixels))
    for pixel, key, digest in zip(pixels.tolist(), keys(result.batch), digests(result), strict=True):
        trial, _ = read_run(compose(grid.overrides(*divmod(pixel, width))))
        alone = train_compiled(make_batch([trial]))
        assert (keys(alone.batch), digests(alone)) == ([key], [digest])


@pytest.mark.slow
def test_a_map_takes_no_more_memory_than_it_says(folder):
    code = (
        "import resource, subprocess, sys; subprocess.run([sys.executable, '-m', 'pipeline.map', *sys.argv[1:]], check=True); "
    )
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    ended = subprocess.run(
        [sys.executable, "-c", code, "map.size=1200"], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    measured = int(ended.stdout.splitlines()[-1]) * 1024
    assert 0.3 < measured / read_map(compose(["map.size=1200"], "map")).memory < 1
