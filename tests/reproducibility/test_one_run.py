"""The story of a recorded run: found by its id, trained again, held against its record."""

import re
import shlex
import sqlite3

import numpy as np
import pytest
from mlflow import MlflowClient

from pipeline.app.composition import compose
from pipeline.backprop.engines import engine
from pipeline.backprop.status import Status
from pipeline.errors import ConfigError
from pipeline.reproducibility.one_run import one_run
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from tests.stores import runs_of


def parts(text):
    return [" ".join(part.split()) for part in text.split("\n\n")]


def test_a_recorded_run_is_told_like_its_trial_and_a_false_digest_is_found(store, command):
    command("train", "max_epochs=50", "curve_points=7")
    client, [run], _ = runs_of(store)
    run_id, digest = run.info.run_id, run.data.tags["result.digest"]
    told = command("explain", f"run={run_id}")
    assert (told.code, told.err) == (0, "")
    direct = parts(command("explain", "explain.at=end", "max_epochs=50", "curve_points=7").out)
    assert [part for part in parts(told.out) if part not in direct] == [
        f"Recorded as seed_example learning_rate=0.5 (run {run_id}); trained again, it has the same bits "
        f"(digest {digest[:12]}…)."
    ]
    client.set_tag(run_id, "cause.digest", "0" * 64)
    other = command("explain", f"run={run_id[:15]}g"[:-1])
    assert (other.code, "its numbers, was recorded otherwise." in " ".join(other.out.split())) == (0, True)
    client.set_tag(run_id, "result.digest", "0" * 64)
    false = command("explain", f"run={run_id}")
    assert (false.code, false.out, false.err.count("\n")) == (1, "", 1)
    assert false.err.startswith(f"run={run_id}: trained again, it is not what was recorded: ")
    assert "the recorded digest itself: the weights are equal" in false.err


@pytest.mark.slow
def test_a_trial_of_a_sweep_is_named_by_its_place_with_and_without_a_run_of_its_own(store, command):
    sweep = ("initial=uniform", "learning_rate=0.5,5", "seed=range(2)", "threshold=1e-3", "max_epochs=60", "curve_points=20")
    command("train", "-m", *sweep, "tracking.runs=1")
    _, [parent], [child] = runs_of(store)
    own, run_id = int(child.data.tags["trial.place"]), parent.info.run_id
    for place in range(4):
        told = command("explain", f"run={run_id[:20]}:{place}")
        assert told.code == 0, told.err
        text = " ".join(told.out.replace("\\\n", " ").split())
        rate, seed = ("0.5", "5")[place // 2], place % 2
        where = f"(run {child.info.run_id})" if place == own else f"(row {place} of results.parquet)"
        assert f"{where}; trained again, it has the same bits" in text
        assert "recorded otherwise" not in text
        assert f"learning rate {rate}." in text
        assert ("seed=1" in text.partition("trained again")[2]) == (seed == 1)
    for place, said in {
        "": f"is a sweep: name one of its trials, {run_id}:0 to {run_id}:3",
        ":4": "must end in one of :0 to :3, the places of its trials",
        ":": "must end in one of :0 to :3, the places of its trials",
        ":²": "must end in one of :0 to :3, the places of its trials",
    }.items():
        with pytest.raises(ConfigError, match=re.escape(f"run={run_id}{place}: {said}")):
            one_run(f"sqlite:///{store}", f"{run_id}{place}")


@pytest.mark.slow
def test_initial_weights_of_a_file_are_read_from_the_record(store, command, folder):
    np.savez(folder / "start.npz", weights_1=np.eye(2), weights_2=np.ones((2, 2)), bias_1=[0.1], bias_2=[0.2])
    command("train", "initial=file", "initial.path=start.npz", "max_epochs=900")
    (folder / "start.npz").unlink()
    _, [run], _ = runs_of(store)
    told = command("explain", f"run={run.info.run_id}").out
    words = shlex.split(re.search(r"python -m pipeline\.train(.*)$", told.replace("\\\n", " "), re.S)[1])
    assert "initial=explicit" in words
    trial, _ = read_run(compose(words))
    assert engine("compiled")(make_batch([trial])).status[0] == Status.CONVERGED


def test_what_is_no_recorded_run_is_refused_in_one_line(store, command):
    command("train", "max_epochs=3")
    client, [run], _ = runs_of(store)
    other = client.create_experiment("another")
    foreign = client.create_run(other).info.run_id
    unfinished = client.create_run(other, tags=run.data.tags).info.run_id
    hole = client.create_run(other, tags={**run.data.tags, "status": "asleep"}).info.run_id
    for key, value in run.data.params.items():
        client.log_param(hole, key, value)
    for key, value in run.data.metrics.items():
        client.log_metric(hole, key, value)
    client.set_terminated(hole)
    for which, said in {
        "0" * 32: "no such run in sqlite:///",
        "abc": "must be a run's id, or the first characters of one, at least 4 of 0 to 9 and a to f",
        "%%%%": "must be a run's id",
        foreign: "is a run, but not that of a trial",
        f"{foreign}:0": "is no sweep, so that it has no places",
        unfinished: "is not finished, but RUNNING",
        hole: "has status asleep, which must be one of",
    }.items():
        with pytest.raises(ConfigError, match=re.escape(f"run={which}: ")) as refused:
            one_run(f"sqlite:///{store}", which)
        assert said in str(refused.value)
    for arguments, said in {
        (f"run={foreign}",): f"run={foreign}: is a run, but not that of a trial\n",
        (f"run={run.info.run_id}", "learning_rate=2", "task=xor"): (
            f"run={run.info.run_id}: has a trial of its own: leave out task, learning_rate\n"
        ),
        ("run=12e4",): """run=120000: was read as a number: write it as text, 'run="<id>"'\n""",
    }.items():
        ended = command("explain", *arguments)
        assert (ended.code, ended.out, ended.err) == (2, "", said)


def test_ids_with_the_same_beginning_are_told_apart(store):
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    ids = [f"abcdef{end:026d}" for end in (1, 2)]
    for run_id in ids:
        made = client.create_run(client.create_experiment(run_id)).info.run_id
        with sqlite3.connect(store) as database:
            database.execute("UPDATE runs SET run_uuid = ? WHERE run_uuid = ?", (run_id, made))
    with pytest.raises(ConfigError, match="run=abcdef: is the beginning of several ids, such as abcdef0") as refused:
        one_run(f"sqlite:///{store}", "abcdef")
    assert all(run_id in str(refused.value) for run_id in ids)
    with pytest.raises(ConfigError, match="is a run, but not that of a trial"):
        one_run(f"sqlite:///{store}", ids[0])
