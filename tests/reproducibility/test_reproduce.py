"""What was recorded comes out again to the last bit; what does not is found, named and marked, on any processor."""

import csv
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from pipeline.app import composition
from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.engines import ENGINES
from pipeline.backprop.trainer import train
from pipeline.reproducibility import baselines, check, drift
from pipeline.trials.batching import make_batch
from pipeline.trials.fingerprint import digests
from tests import ROOT
from tests.reproducibility.elsewhere import elsewhere
from tests.stores import runs_of

ROWS = {path: baselines.read(path) for path in baselines.files(baselines.FOLDER)}
SHORT = [row for rows in ROWS.values() for row in rows if int(row["epochs"]) <= 300]
SWEEP = ("-m", "initial=uniform", "learning_rate=0.5,5", "seed=range(2)", "threshold=1e-2,1e-3", "max_epochs=300")


def write(folder, *rows):
    """A folder with one file of baselines; a row is a dictionary, or overrides that are yet to be filled in."""
    folder.mkdir(exist_ok=True)
    empty = dict.fromkeys(baselines.COLUMNS, "")
    baselines.write(folder / "some.csv", [row if isinstance(row, dict) else {**empty, "overrides": row} for row in rows])
    return folder


def the_check(store):
    """The client and the one run of the experiment `reproducibility`."""
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("reproducibility")
    [run] = client.search_runs([experiment.experiment_id])
    return client, run


def flipped(digest):
    return ("1" if digest[0] == "0" else "0") + digest[1:]


def plant(monkeypatch, after=0):
    """Makes the sigmoid one unit in the last place larger, but not in its first `after` calls."""
    real, calls = ACTIVATIONS["sigmoid"], iter(range(10**9))

    def sigmoid(z):
        result = real.function(z)
        return result if next(calls) < after else np.nextafter(result, 2.0)

    monkeypatch.setitem(ACTIVATIONS, "sigmoid", replace(real, function=sigmoid))


# Baselines


@pytest.mark.slow
def test_every_baseline_is_reproduced_by_every_engine(store, command):
    ended = command("reproduce")
    count = sum(map(len, ROWS.values()))
    assert ended.code == 0, ended.out
    assert f"reproduced {count} of {count}, trained by {' and '.join(ENGINES)}" in ended.out


def test_short_baselines_are_reproduced_and_the_check_is_recorded(store, command, folder):
    ended = command("reproduce", f"folder={write(folder / 'b', *SHORT)}")
    assert ended.code == 0, ended.out
    assert f"reproduced {len(SHORT)} of {len(SHORT)}" in ended.out
    client, run = the_check(store)
    assert run.info.status == "FINISHED"
    metrics = dict(run.data.metrics)
    assert metrics.pop("seconds") > 0
    assert metrics == {"checked": len(SHORT), "reproduced": len(SHORT), "share_reproduced": 1.0}
    assert run.data.params == {"checked": "baselines", "engines": " ".join(ENGINES)}
    assert {"version.numpy", "cpu", "cpu.features"} <= set(run.data.tags)
    table = pd.read_csv(client.download_artifacts(run.info.run_id, check.TABLE, str(folder)))
    assert len(table) == len(SHORT) * len(ENGINES)
    assert table["reproduced"].all()
    assert (table["digest"] == table["recorded_digest"]).all()


def test_one_digit_of_one_digest_is_found_and_the_run_named(store, command, folder):
    rows = [dict(row) for row in SHORT]
    rows[3]["digest"] = flipped(rows[3]["digest"])
    ended = command("reproduce", f"folder={write(folder / 'b', *rows)}", "engines=numpy")
    assert ended.code == 1
    assert f"b/some.csv:5: {rows[3]['overrides']}" in ended.out
    assert f"reproduced {len(rows) - 1} of {len(rows)} (1 drifted)" in ended.out
    client, run = the_check(store)
    assert run.info.status == "FAILED"
    assert run.data.metrics["share_reproduced"] == (len(rows) - 1) / len(rows)
    table = pd.read_csv(client.download_artifacts(run.info.run_id, check.TABLE, str(folder)))
    assert list(table.index[~table["reproduced"]]) == [3]
    assert "(1 drifted)" in run.data.tags["mlflow.note.content"]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("status", "exhausted", "status exhausted → converged"),
        ("epochs", "1089", "epochs 1,089 → 1,088"),
        ("final_error", None, "1 ulp"),
        ("key", "0" * 64, "the trial itself"),
    ],
)
def test_what_has_changed_is_told(store, command, folder, column, value, said):
    row = dict(ROWS[baselines.FOLDER / "worked_example.csv"][0])
    row[column] = value or float(np.nextafter(float.fromhex(row[column]), 1.0)).hex()
    ended = command("reproduce", f"folder={write(folder / 'b', row)}", "engines=[numpy]")
    assert ended.code == 1
    assert said in ended.out
    assert "reproduced 0 of 1 (1 drifted)" in ended.out


def test_one_ulp_in_the_sigmoid_is_found_with_the_epoch_of_departure(store, command, folder, monkeypatch):
    row = ROWS[baselines.FOLDER / "worked_example.csv"][0]
    kept = [int(point.split(":")[0]) for point in row["curve"].split()]
    assert kept[:4] == [0, 1, 3, 7]
    plant(monkeypatch, after=2 * 5)  # two layers, epochs 0 to 4
    ended = command("reproduce", f"folder={write(folder / 'b', row)}", "engines=numpy")
    assert ended.code == 1
    assert "the curves part at epoch 7 (equal up to epoch 3)" in ended.out
    assert "Baselines keep no environment; this one is:\n  version.python" in ended.out


def test_one_ulp_in_the_sigmoid_is_found_in_most_baselines(store, command, folder, monkeypatch):
    plant(monkeypatch)
    ended = command("reproduce", f"folder={write(folder / 'b', *SHORT)}", "engines=numpy")
    assert ended.code == 1
    assert int(re.search(r"\((\d+) drifted\)", ended.out)[1]) > len(SHORT) / 2
    assert "more: see reproduced.csv" in ended.out


def test_the_baselines_cover_the_traps():
    rows = [row for rows in ROWS.values() for row in rows]
    trials = [baselines.trial_of("", row) for row in rows]
    assert {row["status"] for row in rows} == {"converged", "stationary", "exhausted", "diverged"}
    assert {"nan", "inf"} <= {row["final_error"] for row in rows}
    assert max(int(row["epochs"]) for row in rows) == 100_000
    assert {trial.batch_key.activation for trial in trials} == {"sigmoid", "tanh", "relu", "identity"}
    assert {trial.batch_key.update for trial in trials} == {"batch", "online"}
    assert {trial.batch_key.criterion for trial in trials} == {"total_error", "worst_output"}
    assert {(trial.batch_key.bias, trial.batch_key.train_bias) for trial in trials} >= {("shared", True), ("per_unit", False)}
    assert {trial.batch_key.task.name for trial in trials} == {
        "seed_example", "xor", "parity", "encoder", "symmetry", "iris", "digits",
    }  # fmt: skip
    assert max(len(trial.batch_key.hidden) for trial in trials) >= 3
    assert max(len(trial.learning_rate) for trial in trials) == 2
    assert len({row["key"] for row in rows}) == len(rows)
    shapes = [trial.batch_key for trial in trials]
    alone = [make_batch([trial]) for trial in trials if shapes.count(trial.batch_key) == 1]  # one run, one unit, many patterns
    assert any(batch.network.units[1:] == (1,) and len(batch.inputs) > 100 for batch in alone)


def test_the_chaotic_traps_are_chaotic():
    """One unit in the last place of one initial weight, and another answer comes out."""
    rows = [row for row in ROWS[baselines.FOLDER / "traps.csv"] if "threshold=1e-5 max_epochs=800" in row["overrides"]]
    trials = [baselines.trial_of("", row) for row in rows]
    assert any(trial.momentum > 0 for trial in trials)
    for trial in trials:
        batch = make_batch([trial])
        start = batch.initial_parameters.copy()
        start[0] = np.nextafter(start[0], 9.0)
        errors = [train(one).final_error[0] for one in (batch, replace(batch, initial_parameters=start))]
        assert abs(errors[0] - errors[1]) > 0.1 * min(errors)


def test_every_study_of_the_project_has_baselines():
    """One's own, in the same folder, need none."""
    for file in map(baselines.studies().get, ("convergence", "failures", "xor")):
        assert baselines.FOLDER / file in ROWS, f"no {file}: python -m pipeline.reproduce baseline=update makes it"


@pytest.mark.parametrize("study", ["convergence", "xor"])
def test_the_sample_of_a_study_is_always_the_same(study):
    kept = [row["overrides"] for row in ROWS[baselines.FOLDER / baselines.studies()[study]]]
    assert [row["overrides"] for row in baselines.sample_of_study(study)] == kept


def test_overrides_mean_what_hydra_makes_of_them():
    """Composed once for all rows with the same choices, or anew: the same configuration."""
    from hydra import compose, initialize_config_dir

    from pipeline.app.composition import CONF, plain

    for rows in ROWS.values():
        for row in rows[:: len(rows) // 4]:
            overrides = baselines.shlex.split(row["overrides"])
            with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
                assert composition.compose(overrides) == plain(compose("train", overrides))


# Updating


def test_a_trial_written_three_ways_has_one_key_and_one_digest(store, command, folder):
    ways = ["max_epochs=50", "learning_rate=5e-1 max_epochs=5e1 momentum=0", "seed=9 'learning_rate=[0.5,0.5]' max_epochs=50"]
    ended = command("reproduce", "baseline=update", f"folder={write(folder / 'b', *ways)}")
    assert (ended.code, "b/some.csv: 3 of 3 changed" in ended.out) == (0, True)
    rows = baselines.read(folder / "b" / "some.csv")
    assert [row["overrides"] for row in rows] == ways
    assert len({(row["key"], row["digest"]) for row in rows}) == 1
    assert command("reproduce", f"folder={folder / 'b'}").code == 0


def test_a_failed_update_leaves_the_baselines_as_they_were(command, folder, disk_full):
    rows = [{**SHORT[0], "epochs": "7"}]
    written = folder / "b" / "some.csv"
    with pytest.raises(OSError, match="No space left"):
        write(folder / "b", *rows)
    assert not list(written.parent.iterdir())


def test_an_update_says_what_has_changed_and_only_that(command, folder):
    rows = [dict(row) for row in SHORT[:4]]
    before = rows[2]["epochs"]
    rows[2].update(epochs="7", digest=flipped(rows[2]["digest"]))
    ended = command("reproduce", "baseline=update", f"folder={write(folder / 'b', *rows)}")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        f"b/some.csv:4: {rows[2]['overrides']}: epochs 7 → {before}, digest",
        "b/some.csv: 1 of 4 changed",
    ]
    assert baselines.read(folder / "b" / "some.csv") == SHORT[:4]
    assert not (folder / "mlruns").exists()


# ExpectedRun sweeps


def test_a_recorded_sweep_is_reproduced(store, command, folder):
    command("train", *SWEEP)
    ended = command("reproduce", "sweep=latest")
    assert ended.code == 0, ended.out + ended.err
    assert "sweep learning_rate × seed × threshold, 8 trials: reproduced 8 of 8" in ended.out
    _, run = the_check(store)
    assert run.info.status == "FINISHED"
    assert command("reproduce", f"sweep={run.data.params['sweep']}").code == 0
    assert "reproduced 8 of 8" in command("reproduce", "sweep=latest").out, "a check is no sweep"


@pytest.mark.parametrize(
    "overrides",
    [
        ("task=xor,parity", "network=trained", "network.hidden=[2],[3]", "initial=uniform", "learning_rate=[2,1],[1,2]"),
        ("network.bias=none,per_unit", "initial=uniform", "initial.range=[-1,2],[0,1e-5]", "momentum=0.5", "update=online"),
        ("initial=file", "initial.path=start.npz", "learning_rate=1,2", "criterion=worst_output", "gradient_tolerance=0.1"),
        (
            "initial=explicit", "learning_rate=1,2",
            "initial.values={weights_1: [[1,2],[3,4]], weights_2: [[-1,2],[3,4]], bias_1: [0], bias_2: [1]}",
        ),
        (
            "task=csv", "task.path=table.csv", "task.targets=[kind,size],[kind]", "network=trained", "initial=uniform",
            "on_unreachable=warn",
        ),
        ("initial=perturbed", "initial.start=start.npz", "initial.set.weights_1.0.1=3,4"),
        ("network.activation=identity", "network.output_activation=identity", "learning_rate=1e-9,1e3,1e300"),
    ],
)  # fmt: skip
def test_any_kind_of_trial_is_trained_again_from_its_record(store, command, folder, overrides):
    (folder / "table.csv").write_text("length,size,kind\n1,2,red\n2,1,blue\n3,3,red\n")
    np.savez(folder / "start.npz", weights_1=np.eye(2), weights_2=np.ones((2, 2)), bias_1=[0.1], bias_2=[0.2])
    ended = command("train", "-m", *overrides, "max_epochs=20")
    assert ended.code == 0, ended.err
    for file in folder.glob("*.npz"):
        file.unlink()
    ended = command("reproduce", "sweep=latest")
    assert ended.code == 0, ended.out + ended.err


def test_tampered_records_are_found_and_named(store, command):
    command("train", *SWEEP, "engine=numpy")
    client, _, children = runs_of(store)
    cause = next(run.info.run_id for run in children if "cause.digest" in run.data.tags)
    digest, status, metric = [run.info.run_id for run in children if run.info.run_id != cause][:3]
    client.set_tag(cause, "cause.digest", "0" * 64)
    client.set_tag(digest, "result.digest", flipped(client.get_run(digest).data.tags["result.digest"]))
    client.set_tag(status, "status", "diverged")
    client.log_metric(metric, "final_error", 0.125)
    ended = command("reproduce", "sweep=latest", "engines=numpy")
    assert ended.code == 1
    said = {re.search(r"run (\w+)", part)[1]: part for part in ended.out.split("\n\n") if "changed:" in part}
    assert set(said) == {digest, status, metric, cause}
    assert "the recorded digest itself: the weights are equal" in said[digest]
    assert "status diverged → " in said[status]
    assert "final error 0.125 → " in said[metric]
    assert "the cause, or its numbers, and nothing else" in said[cause]
    assert "The environments do not differ" in ended.out
    assert "reproduced 4 of 8 (4 drifted)" in ended.out


def test_a_drift_of_a_sweep_names_weights_epoch_and_environment(store, command, monkeypatch):
    command("train", *SWEEP, f"engine={ENGINES[0]}")
    client, _, children = runs_of(store)
    parent = children[0].data.tags["mlflow.parentRunId"]
    client.set_tag(parent, "version.numpy", "1.0")
    client.set_tag(parent, "cpu.features", "X86_V2 ABACUS")
    plant(monkeypatch, after=2 * 100)
    ended = command("reproduce", "sweep=latest", "engines=numpy")
    assert ended.code == 1
    assert re.search(r"weights_2 in \d of 4 numbers by up to [\d.]+e-1\d", ended.out)
    epoch, before = map(int, re.search(r"part at epoch (\d+) \(equal up to epoch (\d+)\)", ended.out).groups())
    assert before < epoch
    assert epoch >= 100
    assert f"version.numpy 1.0 → {np.__version__}" in ended.out
    assert (f"engine {ENGINES[0]} → numpy" in ended.out) == (ENGINES[0] != "numpy")
    assert re.search(r"cpu.features only then: ABACUS.*; only now: ", ended.out)


def test_a_trial_whose_task_has_changed_is_no_longer_that_trial(store, command, folder):
    (folder / "table.csv").write_text("length,kind\n1,0\n2,1\n")
    command(
        "train", "-m", "task=csv", "task.path=table.csv", "task.targets=kind", "initial=uniform", "seed=0,1", "max_epochs=3"
    )
    (folder / "table.csv").write_text("length,kind\n1,0\n2,2\n")
    ended = command("reproduce", "sweep=latest")
    assert (ended.code, ended.out.count("the trial itself: its key was")) == (1, 2 * len(ENGINES))


def test_a_sample_is_drawn_by_its_seed(store, command, folder):
    command("train", *SWEEP)
    names = []
    for seed in (0, 0, 1):
        ended = command("reproduce", "sweep=latest", "sample=3", f"seed={seed}")
        assert (ended.code, "reproduced 3 of 3" in ended.out) == (0, True)
        client = MlflowClient(tracking_uri=f"sqlite:///{store}")
        table = client.download_artifacts(re.search(r"as run (\w+)", ended.out)[1], check.TABLE, str(folder))
        names.append(set(pd.read_csv(table)["run"]))
    assert names[0] == names[1] != names[2]
    assert "reproduced 8 of 8" in command("reproduce", "sweep=latest", "sample=100").out


# What cannot be checked


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sweep=latest",), "sweep=latest: there is no finished sweep"),
        (("sweep=abc",), "sweep=abc: no such run"),
        (("sample=0",), "sample=0: must be a whole number, at least 1"),
        (("sample=few",), "sample=few: must be a whole number"),
        (("seed=-1",), "seed=-1: must be"),
        (("baseline=forget",), "baseline=forget: must be one of check, update"),
        (("baseline=update", "sample=3"), "sample=3: must be null"),
        (("baseline=update", "sweep=latest"), "sweep=latest: must be null"),
        (("engines=abacus",), "engines=abacus: must be one of"),
        (("engines=[]",), "engines=[]: must be some of"),
        (("folder=nowhere",), "folder=nowhere: no such folder"),
        (("folder=mlruns",), "folder=mlruns: has no CSV files"),
        (("folder=nowhere", "baseline=update"), "folder=nowhere: no such folder"),
        (("threads=3",), "threads=3: unknown key"),
    ],
)
def test_what_cannot_be_checked_is_said_in_one_line(store, command, arguments, said):
    ended = command("reproduce", *arguments)
    assert (ended.code, ended.err.count("\n"), ended.out) == (2, 1, "")
    assert said in ended.err


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("key", "", "some.csv:3: key=: is empty; fill the row in with baseline=update"),
        ("key", "abc", "some.csv:3: key=abc: must be 64 hexadecimal digits"),
        ("digest", "Z" * 64, "must be 64 hexadecimal digits"),
        ("status", "lost", "some.csv:3: status=lost: must be one of converged"),
        ("epochs", "-1", "some.csv:3: epochs=-1: must be a whole number"),
        ("final_error", "none", "some.csv:3: final_error=none: must be a number"),
        ("final_error", "0x1p99999", "must be a number"),
        ("curve", "1:0x1p-1 1:0x1p-1", "must have epochs that increase"),
        ("curve", "3", "must be epoch:error"),
        ("overrides", "learning_rate=-1", "some.csv:3: overrides=learning_rate=-1: learning_rate=-1: must be greater than 0"),
        ("overrides", "learning_rat=1", "learning_rat"),
        ("overrides", "task=nothing", "must be one of csv, digits"),
        ("overrides", "learning_rate=1,2", "must be key=value, with one value"),
        ("overrides", "'", "No closing quotation"),
        ("overrides", "learning_rate=[1,2,3]", "one per layer"),
    ],
)
def test_a_broken_row_is_named_by_its_line(store, command, folder, column, value, said):
    row = {**SHORT[0], column: value}
    ended = command("reproduce", f"folder={write(folder / 'b', SHORT[0], row)}")
    assert (ended.code, ended.err.count("\n"), ended.out) == (2, 1, ""), ended.err
    assert said in ended.err


def test_a_file_that_is_no_table_of_baselines_is_refused(store, command, folder):
    (folder / "b").mkdir()
    (folder / "b" / "x.csv").write_text("key,digest\n1,2\n")
    assert command("reproduce", "folder=b").err.startswith("b/x.csv:1=key,digest: must be key,overrides")
    with open(folder / "b" / "x.csv", "w") as file:
        csv.writer(file).writerows([baselines.COLUMNS, ["1", "2"]])
    assert command("reproduce", "folder=b").err == "b/x.csv:2=…: must have 7 columns\n"
    (folder / "b" / "x.csv").write_bytes(b"\xff\xfe")
    ended = command("reproduce", "folder=b")
    assert (ended.code, "is not a CSV file" in ended.err) == (2, True)


def test_a_sweep_without_a_store_is_refused(folder, command):
    ended = command("reproduce", "sweep=latest")
    assert (ended.code, "no such store" in ended.err) == (2, True)
    assert list(folder.iterdir()) == []


def test_a_record_with_a_hole_is_refused(store, command):
    command("train", *SWEEP)
    client, _, children = runs_of(store)
    client.delete_tag(children[0].info.run_id, "result.digest")
    ended = command("reproduce", "sweep=latest")
    assert (ended.code, ended.err) == (
        2, f"sweep={children[0].info.run_id}: has no result.digest, so that it cannot be checked\n",
    )  # fmt: skip


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (MemoryError, "FAILED")])
def test_a_check_that_breaks_off_is_marked_so(store, command, folder, monkeypatch, error, status):
    def broken(*_):
        raise error

    monkeypatch.setattr(drift, "make_batches", broken)
    arguments = ("reproduce", f"folder={write(folder / 'b', SHORT[0])}")
    if error is KeyboardInterrupt:
        assert command(*arguments).code == 130
    else:
        with pytest.raises(error):
            command(*arguments)
    assert the_check(store)[1].info.status == status


# Parts


def test_the_same_numbers_are_the_same():
    nan, inf = np.nan, np.inf
    assert drift.same(np.array([1.0, nan, inf, 0.0]), np.array([1.0, -nan, np.finfo(float).max, -0.0])).all()
    assert not drift.same(np.array([1.0, nan, inf]), np.array([np.nextafter(1.0, 2.0), 1.0, nan])).any()


def test_where_curves_part():
    epochs = np.array([0, 1, 3, 7])
    then = np.array([4.0, 3.0, 2.0, 1.0])
    now = np.array([4.0, 3.0, 2.5, 1.5])
    assert drift.part((epochs, then), (epochs, now)) == (1, 3, (2.0, 2.5))
    assert drift.part((epochs, then), (epochs, now + 1)) == (None, 0, (4.0, 5.0))
    assert drift.part((epochs, then), (epochs[:2], then[:2])) == (1, None, None)
    assert drift.part((epochs, then), (np.array([0, 2, 7]), np.array([4.0, 9.0, 8.0]))) == (0, 7, (1.0, 8.0))


def test_what_differs_between_environments():
    then = {"version.numpy": "2.1.0", "cpu": "A", "cpu.features": "V2 V3", "status": "x", "mlflow.source.git.commit": "1"}
    now = {"version.numpy": "2.4.0", "cpu": "A", "cpu.features": "V2 V4", "status": "y", "version.llvmlite": "1"}
    assert drift.environment_changes(then, now) == [
        "version.numpy 2.1.0 → 2.4.0",
        "cpu.features only then: V3; only now: V4",
        "mlflow.source.git.commit 1 → unknown",
        "version.llvmlite unknown → 1",
    ]


# Other processors, threads and versions: the same trials in other processes


def feature_sets():
    """Which of this processor's vector features to switch off: none, the topmost, the two topmost, …, all; at most five."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    counts = range(len(found) + 1) if len(found) < 5 else [0, 1, 2, len(found) // 2, len(found)]
    return [" ".join(found[len(found) - count :][::-1]) for count in counts]


OTHERS = [row for row in SHORT if "task=digits" not in row["overrides"]]
needs_features = pytest.mark.skipif(len(feature_sets()) < 2, reason="NumPy uses no optional vector feature of this processor")


@pytest.mark.slow
@needs_features
@pytest.mark.parametrize("off", feature_sets())
def test_vector_features_do_not_change_a_bit(off):
    assert elsewhere(OTHERS, NPY_DISABLE_CPU_FEATURES=off) == [row["digest"] for row in OTHERS]


@pytest.mark.slow
@pytest.mark.skipif(not {"X86_V4", "AVX512F"} & set(feature_sets()[-1].split()), reason="without AVX-512 NumPy has one exp")
def test_with_numpys_exp_they_would():
    """Why the project has its own: the same sample, trained with np.exp, depends on the processor."""
    sets = feature_sets()
    found = [elsewhere(OTHERS, numpys_exp=True, NPY_DISABLE_CPU_FEATURES=off) for off in (sets[0], sets[-1])]
    assert sum(one != other for one, other in zip(*found, strict=True)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["generic", ""])
@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine != "numpy"])
def test_compiled_engines_do_not_depend_on_features(engine, cpu, tmp_path):
    environment = {"BACKPROP_CACHE_DIR": str(tmp_path)}
    if cpu:
        environment |= {"BACKPROP_CPU_NAME": cpu, "BACKPROP_CPU_FEATURES": ""}
    rows = OTHERS[::4]
    assert elsewhere(rows, engine=engine, **environment) == [row["digest"] for row in rows]


@pytest.mark.slow
def test_the_oldest_supported_numpy_gives_the_same_bits(tmp_path):
    """In an environment of its own, which holds nothing but that NumPy."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    [oldest] = [text.replace(">=", "==") for text in dependencies if text.startswith("numpy>=")]
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "v")], check=True)
    python = str(tmp_path / "v" / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", oldest]
    installed = subprocess.run(install, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"{oldest} cannot be installed here: {installed.stderr.strip().splitlines()[-1]}")
    rows = [row for row in OTHERS if "task=iris" not in row["overrides"]]  # whose data are scikit-learn's
    assert elsewhere(rows, python=python) == [row["digest"] for row in rows]


def test_a_batch_and_a_run_alone_have_the_same_digests():
    rows = [row for row in SHORT if row["overrides"].startswith("study=")]
    trials = [baselines.trial_of("", row) for row in rows]
    alone = [digests(train(make_batch([trial])))[0] for trial in trials]
    assert alone == [result.digest for result in drift.train_again(trials, "numpy", 12)] == [row["digest"] for row in rows]


def test_nothing_is_left_behind(store, command, folder):
    shutil.rmtree(folder / "outputs", ignore_errors=True)
    command("reproduce", f"folder={write(folder / 'b', SHORT[0])}")
    assert {path.name for path in folder.iterdir()} == {"b", "mlruns"}
