"""What a sweep leaves in MLflow is complete, reads as DESIGN's layout says, and never lies about its end."""

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from omegaconf import OmegaConf

from pipeline.backprop import trainer
from pipeline.errors import ConfigError
from pipeline.results.rows import RunRows, run_table
from pipeline.store import bulk, failures, sqlite
from pipeline.store.addresses import address
from pipeline.store.local import runs
from pipeline.store.records import records
from pipeline.store.sqlite import prepare_sqlite
from pipeline.store.write import Store
from pipeline.trials import fingerprint
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from tests.configurations import composed
from tests.stores import EXPERIMENT, run_told, runs_of, sweeps_in

SWEEP = ("-m", "initial=uniform", "learning_rate=0.5,5", "seed=range(2)", "threshold=1e-2,1e-3", "max_epochs=500")


def test_a_sweep_has_a_parent_and_a_complete_child_for_each_trial(store, command):
    ended = command("train", *SWEEP)
    assert ended.code == 0, ended.err
    client, [parent], children = runs_of(store)
    assert len(children) == 8
    assert Counter(run.info.status for run in [parent, *children]) == {"FINISHED": 9}
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    for run in children:
        assert {"status", "trial.key", "result.digest", "mlflow.user", "mlflow.source.name"} <= set(run.data.tags)
        assert run.data.params["initial"] == "uniform"
        of_a_cause = {"cause.number", "rho", "lambda_min", "k_star"} if run.data.tags["status"] == "exhausted" else set()
        assert set(run.data.metrics) == {"error", "epochs", "final_error", "gradient_norm", *of_a_cause}
        curve = client.get_metric_history(run.info.run_id, "error")
        steps = [point.step for point in curve]
        assert steps == sorted(set(steps))
        assert (steps[0], steps[-1]) == (0, run.data.metrics["epochs"])
        assert curve[-1].value == run.data.metrics["final_error"]


def test_names_say_what_varies_and_nothing_else(store, command):
    command("train", *SWEEP)
    names = {run.info.run_name for run in runs_of(store)[2]}
    assert "learning_rate=5 seed=1 threshold=0.001" in names
    assert len(names) == 8


def test_a_run_can_be_trained_again_from_what_was_recorded(store, command, folder):
    """weights.npz holds the initial weights; from them, the recorded digest and final weights come out again."""
    command("train", *SWEEP)
    client, _, children = runs_of(store)
    run = next(run for run in children if run.data.tags["status"] == "converged")
    path = client.download_artifacts(run.info.run_id, "weights.npz", str(folder))
    recorded = dict(np.load(path))
    np.savez(folder / "initial.npz", **{k.removeprefix("initial_"): v for k, v in recorded.items() if "initial_" in k})
    command(
        "train", "initial=file", f"initial.path={folder}/initial.npz", "max_epochs=500",
        *(f"{key}={run.data.params[key]}" for key in ("learning_rate", "threshold")),
    )  # fmt: skip
    again = next(one for one in runs_of(store)[1] if one.data.params.get("initial") == "file")
    for tag in ("trial.key", "result.digest", "status"):
        assert again.data.tags[tag] == run.data.tags[tag]
    final = dict(np.load(client.download_artifacts(again.info.run_id, "weights.npz", str(folder))))
    for name, array in recorded.items():
        assert (final[name] == array).all()


@pytest.mark.figures
def test_the_parent_keeps_results_tables_configuration_and_versions(store, command, folder):
    command("train", *SWEEP)
    client, [parent], children = runs_of(store)
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"results.parquet", "summary", "figures", "config.yaml", "overrides.yaml"} <= files
    results = pd.read_parquet(client.download_artifacts(parent.info.run_id, "results.parquet", str(folder)))
    assert list(results.columns[:3]) == ["learning_rate", "seed", "threshold"]
    assert set(results["run_id"]) == {run.info.run_id for run in children}
    by_id = {run.info.run_id: run for run in children}
    for row in results.to_dict("records"):
        run = by_id[row["run_id"]]
        assert float(run.data.params["learning_rate"]) == row["learning_rate"]
        assert (run.data.tags["trial.key"], run.data.tags["result.digest"]) == (row["key"], row["digest"])
        assert (run.data.tags["status"], run.data.metrics["epochs"]) == (row["status"], row["epochs"])
    assert {"version.numpy", "version.mlflow", "version.python", "cpu", "mlflow.note.content"} <= set(parent.data.tags)
    assert parent.data.params["learning_rate"] == "[0.5,5]"


def test_what_is_recorded_is_what_the_trainer_gave(store, command, folder):
    command("train", *SWEEP, "momentum=0.5")
    client, _, children = runs_of(store)
    for run in children[:3]:
        hydra = {key: run.data.params[key] for key in ("learning_rate", "threshold", "seed", "max_epochs", "momentum")}
        config = OmegaConf.to_container(OmegaConf.load(client.download_artifacts(
            run.data.tags["mlflow.parentRunId"], "config.yaml", str(folder))))  # fmt: skip
        trial, _ = read_run({**config, **{key: json.loads(value) for key, value in hydra.items()}})
        outcome = trainer.train(make_batch([trial]))
        assert fingerprint.digests(outcome) == [run.data.tags["result.digest"]]
        epochs, errors = outcome.curve(0)
        history = client.get_metric_history(run.info.run_id, "error")
        assert [(point.step, point.value) for point in history] == list(zip(epochs, errors, strict=True))


def test_diverged_and_exhausted_runs_are_recorded_as_such(store, command):
    ended = command(
        "train", "-m", "network.output_activation=identity", "network.activation=identity", "learning_rate=1e-9,0.5,1e3",
        "max_epochs=50",
    )  # fmt: skip
    assert ended.code == 0
    statuses = Counter(run.data.tags["status"] for run in runs_of(store)[2])
    assert statuses == {"exhausted": 1, "converged": 1, "diverged": 1}
    assert "1 exhausted, 1 diverged" in ended.out


def test_a_run_with_an_infinite_number_says_so_and_no_other(store, command):
    """MLflow keeps 1.8e308 for infinite and 0 for NaN, if a tag and a metric don't tell."""
    ended = command(
        "train", "-m", "network.output_activation=identity", "network.activation=identity", "learning_rate=0.5,1e100,1e308",
        "max_epochs=50", "initial=uniform",
    )  # fmt: skip
    assert ended.code == 0
    said = {}
    for run in runs_of(store)[2]:
        tags, metrics = run.data.tags, run.data.metrics
        said[run.data.params["learning_rate"]] = tags.get("final_error"), tags.get("gradient_norm"), metrics.get("finite")
    assert said == {"0.5": (None, None, None), "1e+100": ("inf", None, 0.0), "1e+308": ("nan", "nan", 0.0)}


def test_a_sweeps_page_has_the_numbers_that_matter_and_the_run_length_distribution(store, command):
    command("train", *SWEEP)
    client, [parent], children = runs_of(store)
    ends = np.array([run.data.metrics["epochs"] for run in children if run.data.tags["status"] == "converged"])
    metrics = dict(parent.data.metrics)
    assert (metrics["runs"], metrics["converged"], metrics["rate"]) == (8, len(ends), len(ends) / 8)
    assert metrics["ert"] == sum(run.data.metrics["epochs"] for run in children) / len(ends)
    middle = np.sort(ends)[3:5]
    assert metrics["median_epochs"] == pytest.approx(np.sqrt(middle[0] * middle[1]), rel=1e-12)
    curve = client.get_metric_history(parent.info.run_id, "share_converged")
    assert {point.step for point in curve} >= {0, *ends, 500}
    for point in curve:
        assert point.value == pytest.approx((ends <= point.step).sum() / 8, abs=1e-15)


def test_a_sweep_without_success_has_no_running_time(store, command):
    command("train", "-m", "seed=0,1", "initial=uniform", "max_epochs=3", "threshold=1e-9")
    _, [parent], _ = runs_of(store)
    assert set(parent.data.metrics) == {"runs", "converged", "rate", "share_converged"}


def test_a_child_says_its_sweep(store, command):
    command("train", *SWEEP)
    _, [parent], children = runs_of(store)
    assert {run.data.tags["sweep"] for run in children} == {f"{parent.info.run_id[:8]} {parent.info.run_name}"}
    assert "sweep" not in parent.data.tags


def test_axes_that_mix_lists_and_numbers_are_kept_as_text(store, command, folder):
    ended = command("train", "-m", "learning_rate=[2,1],1", "max_epochs=3", "momentum=null,0.5")
    assert ended.code == 2
    ended = command("train", "-m", "learning_rate=[2,1],1", "max_epochs=3,4", "network.hidden=[2],[2]")
    assert ended.code == 0, ended.err
    client, [parent], _ = runs_of(store)
    results = pd.read_parquet(client.download_artifacts(parent.info.run_id, "results.parquet", str(folder)))
    assert results["learning_rate"].tolist() == ["[2,1]"] * 4 + ["1"] * 4
    assert results["max_epochs"].tolist() == [3, 3, 4, 4] * 2


def test_a_single_run_prints_the_published_errors(store, command):
    ended = command("train", "threshold=1e-9", "max_epochs=10000")
    assert ended.code == 0
    for line in ("0  0.29837110876", "1  0.291027773694", "10,000  3.51018778"):
        assert line in ended.out
    assert "exhausted after 10,000 epochs" in ended.out
    _, [run], children = runs_of(store)
    assert not children
    assert run.data.tags["status"] == "exhausted"


def test_hydras_files_are_there_once_for_the_sweep(store, command, folder):
    command("train", *SWEEP, "hydra.sweep.dir=out")
    assert sorted(str(path.relative_to(folder / "out")) for path in (folder / "out").rglob("*.yaml")) == [
        ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", "multirun.yaml",
    ]  # fmt: skip
    assert OmegaConf.load(folder / "out/.hydra/overrides.yaml") == list(SWEEP[1:])


def test_hydras_own_sweeper_records_a_run_for_each_job(store, command):
    ended = command("train", "-m", "hydra/sweeper=basic", "learning_rate=0.5,5", "max_epochs=20", "hydra.sweep.dir=out")
    assert ended.code == 0, ended.err
    _, runs, children = runs_of(store)
    assert not children
    assert {run.data.params["learning_rate"] for run in runs} == {"0.5", "5"}
    assert len({run.data.tags["multirun"] for run in runs}) == 1


def test_the_summary_can_be_printed_again(store, command):
    first = command("train", *SWEEP)
    again = command("summary")
    _, [parent], _ = runs_of(store)
    assert again.code == 0
    assert again.out.split("\n\n", 1)[1].strip() in first.out
    assert command("summary", f"sweep={parent.info.run_id}").out == again.out
    assert command("summary", "sweep=abc").err.startswith("sweep=abc: no such run")


def test_a_summary_without_a_store_says_so(folder, command):
    ended = command("summary")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "no such store" in ended.err
    assert list(folder.iterdir()) == []


def test_an_interrupted_sweep_is_marked_killed(store, command, monkeypatch):
    calls = iter(range(100))

    def interrupted(self, records, tags):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return real(self, records, tags)

    real = bulk.BulkWriter.write
    monkeypatch.setattr(bulk.BulkWriter, "write", interrupted)
    monkeypatch.setattr(bulk.BulkWriter, "at_once", 3)
    ended = command("train", *SWEEP)
    assert ended.code == 130
    _, [parent], children = runs_of(store)
    assert parent.info.status == "KILLED"
    assert [run.info.status for run in children] == ["FINISHED"] * 6


def test_a_run_that_breaks_while_it_is_written_is_marked_failed(store, monkeypatch):
    monkeypatch.setattr(bulk, "KNOWN_SCHEMAS", ())
    opened = Store(f"sqlite:///{store}", "backpropagation")
    trial, _ = read_run(composed(max_epochs=3))
    [record] = records([trial], RunRows(run_table(np.zeros(1, int), trainer.train(make_batch([trial])), "numpy")), ["x"])
    monkeypatch.setattr(np, "savez", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        opened.record(record)
    _, [run], _ = runs_of(store)
    assert run.info.status == "FAILED"


def test_what_is_recorded_reads_the_same_whichever_way_it_was_written(store, command, monkeypatch, folder):
    """By sqlite3 or by MLflow's client: a sweep, also with runs whose metrics are infinite or no number, and a run alone."""
    sweep = (*SWEEP[:-1], "learning_rate=0.5,1e308", "network.output_activation=identity", "max_epochs=40", "resume=never")
    ways = bulk.KNOWN_SCHEMAS, ()
    for schemas in ways:
        monkeypatch.setattr(bulk, "KNOWN_SCHEMAS", schemas)
        assert command("train", *sweep).code == 0
    first, second = sweeps_in(f"sqlite:///{store}", folder)
    assert first == second
    assert len(first["children"]) == 8
    assert any("1.797" in run["metrics"]["final_error"] or "nan" in run["metrics"]["final_error"] for run in first["children"])
    alone = []
    for schemas in ways:
        monkeypatch.setattr(bulk, "KNOWN_SCHEMAS", schemas)
        assert command("train", "max_epochs=40", "learning_rate=2", "momentum=0.5").code == 0
        client, runs, _ = runs_of(store)
        (folder / runs[-1].info.run_id).mkdir()
        alone.append(run_told(client, runs[-1], folder))
    assert alone[0] == alone[1]


def test_a_run_that_is_no_trials_is_what_mlflow_would_have_written(store, monkeypatch):
    """Begun, added to and ended: by a store that knows the rows, and by one that leaves it to the client."""
    points = {"rate": 0.5, "ert": float("inf"), "none": float("nan")}
    curve = np.array([0, 7, 3]), np.array([1.0, 0.25, 0.5])
    found = []
    for schemas in (bulk.KNOWN_SCHEMAS, ()):
        monkeypatch.setattr(bulk, "KNOWN_SCHEMAS", schemas)
        opened = Store(f"sqlite:///{store}", EXPERIMENT)
        assert (opened.local is None) == (not schemas)
        run_id = opened.begin("check", "its name", {"learning_rate": "[0.5,5]", "longest": "x" * 6000}, {"long": "x" * 7000})
        begun = opened.client.get_run(run_id)
        assert (begun.info.status, begun.info.end_time, opened.status(run_id)) == ("RUNNING", None, "RUNNING")
        opened.log_metrics(run_id, points, {"share": curve})
        opened.log_metrics(run_id, points, {"share": curve, "rate": (np.array([0, 0]), np.array([0.75, 0.25]))})
        for text in ("# Note", "# Another note", "x" * 9000):
            opened.set_note(run_id, text)
        assert opened.recorded(run_id) == {}
        opened.end(run_id, "FAILED")
        run = opened.client.get_run(run_id)
        start = run.info.start_time
        assert 0 <= run.info.end_time - start < 600_000
        history = {key: opened.client.get_metric_history(run_id, key) for key in run.data.metrics}
        assert {point.timestamp for points_of in history.values() for point in points_of} == {start}
        told = {key: sorted((point.step, repr(point.value)) for point in points_of) for key, points_of in history.items()}
        info = (run.info.run_name, run.info.status, run.info.user_id, run.info.lifecycle_stage, run.info.experiment_id)
        place = run.info.artifact_uri.replace(run_id, "id")
        found.append((info, place, run.data.params, run.data.tags, repr(sorted(run.data.metrics.items())), told))
        opened.client.delete_run(run_id)
        with pytest.raises(MlflowException, match="must be in the 'active' state"):
            opened.end(run_id, "FINISHED")
        with pytest.raises(MlflowException, match="not found"):
            opened.end("0" * 32, "FINISHED")
    assert found[0] == found[1]


@pytest.mark.parametrize("params", [{"odd key": "x"}, {"long": "x" * 6001}, {"../up": "x"}, {"": "x"}], ids=str)
def test_what_mlflow_may_change_or_refuse_is_left_to_its_client(params, store):
    opened = Store(f"sqlite:///{store}", EXPERIMENT)
    assert opened.local.begin("name", params, {"mlflow.user": "me"}) is None
    assert not runs_of(store)[1]
    assert opened.local.begin("name", {}, {"mlflow.user": "me"})
    opened.client.delete_experiment(opened.experiment_id)
    assert opened.local.begin("name", {}, {"mlflow.user": "me"}) is None


def test_an_experiment_is_what_mlflow_finds(store, monkeypatch):
    place = address(f"sqlite:///{store}")
    client = MlflowClient(tracking_uri=place.uri)
    for name in ("active", "deleted", "it's 100 %"):
        client.create_experiment(name, artifact_location=f"file:///somewhere/{name[:3]}")
    client.delete_experiment(client.get_experiment_by_name("deleted").experiment_id)
    for name in ("active", "deleted", "it's 100 %", "Default"):
        found = client.get_experiment_by_name(name)
        assert bulk.find_experiment(place, name) == (found.experiment_id, found.artifact_location, found.lifecycle_stage)
    assert bulk.find_experiment(place, "none") is None
    with pytest.raises(ConfigError, match="is deleted in this store"):
        Store(f"sqlite:///{store}", "deleted")
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
        assert bulk.find_experiment(place, "active") is None  # but MLflow is asked
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE experiments SET workspace = 'theirs' WHERE name = 'deleted'")
    connection.close()
    assert bulk.find_experiment(place, "active") is None


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt_leaves_all_of_a_run_or_nothing(when, store, monkeypatch):
    """Also one that comes when the rows are written, and the connection is being closed."""

    @contextmanager
    def interrupted(connection):
        with transaction(connection):
            yield
            if when == "before":
                raise KeyboardInterrupt
        raise KeyboardInterrupt

    transaction = sqlite.transaction
    opened = Store(f"sqlite:///{store}", EXPERIMENT)
    trial, _ = read_run(composed(max_epochs=3))
    [record] = records([trial], RunRows(run_table(np.zeros(1, int), trainer.train(make_batch([trial])), "numpy")), ["x"])
    monkeypatch.setattr(bulk, "transaction", interrupted)
    with pytest.raises(KeyboardInterrupt):
        opened.record(record)
    written = [path.parent.parent.name for path in store.parent.rglob("weights.npz")]
    assert [run.info.run_id for run in runs_of(store)[1]] == written
    assert len(written) == (when == "after")
    with monkeypatch.context() as patch:
        patch.setattr(runs, "transaction", interrupted)
        with pytest.raises(KeyboardInterrupt):
            opened.begin("check", "name", {}, {})
    assert [run.info.status for run in runs_of(store)[1] if run.info.run_id not in written] == ["KILLED"] * (when == "after")


def test_a_locked_store_takes_no_run_and_keeps_no_weights_of_it(store, command, monkeypatch):
    assert command("train", "max_epochs=3").code == 0
    monkeypatch.setattr(failures, "BUSY_SECONDS", 0.0)
    monkeypatch.setattr(sqlite, "SQLITE_SECONDS", 0.01)
    lock = sqlite3.connect(store, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    ended = command("train", "max_epochs=4")
    lock.execute("ROLLBACK")
    lock.close()
    assert (ended.code, ended.err) == (2, f"tracking.uri=sqlite:///{store}: cannot be used: database is locked\n")
    assert len(runs_of(store)[1]) == 1
    assert len(list((store.parent / "artifacts").iterdir())) == 1


def test_a_run_written_in_bulk_can_be_searched_changed_and_deleted(store, command):
    command("train", *SWEEP)
    client, [parent], children = runs_of(store)
    experiment = [parent.info.experiment_id]
    found = client.search_runs(experiment, "params.learning_rate = '5' and metrics.epochs > 0 and tags.status != 'x'")
    assert len(found) == 4
    best, *_ = client.search_runs(experiment, order_by=["metrics.epochs DESC"])
    assert best.data.metrics["epochs"] == max(run.data.metrics["epochs"] for run in children)
    run_id = children[0].info.run_id
    client.set_tag(run_id, "seen", "yes")
    client.log_metric(run_id, "epochs", 7.0, step=1)
    assert client.get_run(run_id).data.metrics["epochs"] == 7.0
    client.delete_run(run_id)
    assert len(client.search_runs(experiment)) == 8
    client.restore_run(run_id)
    assert client.get_run(run_id).data.tags["seen"] == "yes"


def test_what_cannot_be_written_leaves_neither_rows_nor_weights(store, command, monkeypatch, folder):
    monkeypatch.setattr(bulk.BulkWriter, "_insert", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    ended = command("train", *SWEEP)
    assert ended.code == 1
    assert "No space left on device" in ended.err.splitlines()[-1]
    _, [parent], children = runs_of(store)
    assert (parent.info.status, children) == ("FAILED", [])
    assert not list((folder / "mlruns/artifacts").rglob("weights.npz"))


def test_more_points_than_one_call_takes_are_all_recorded(store, command):
    command("train", "curve_points=1000", "max_epochs=20000", "threshold=1e-12")
    client, [run], _ = runs_of(store)
    points = client.get_metric_history(run.info.run_id, "error")
    assert len(points) == 1000


def test_the_store_is_in_wal_mode_with_artifacts_beside_it(store, command, folder):
    command("train", "max_epochs=2")
    assert sqlite3.connect(store).execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert len(list((folder / "mlruns/artifacts").rglob("weights.npz"))) == 1


def test_a_command_leaves_one_file_of_the_store_when_it_ends(store):
    subprocess.run([sys.executable, "-m", "pipeline.train", "max_epochs=2"], capture_output=True, check=True)
    assert sorted(path.name for path in store.parent.iterdir()) == ["artifacts", store.name]
    assert len(runs_of(store)[1]) == 1


@pytest.mark.slow
def test_several_processes_may_make_the_store_at_once(folder):
    code = "from pipeline.store.write import Store; Store('sqlite:///new/m.db', 'e')"
    started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, cwd=folder) for _ in range(3)]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert [file.name for file in (folder / "new").iterdir() if not file.name.startswith("m.db-")] == ["m.db"]
    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/new/m.db")
    assert client.get_experiment_by_name("e") is not None


def test_a_store_that_is_there_is_left_as_it_is(store):
    prepare_sqlite(address(f"sqlite:///{store}"))
    before = Path(store).read_bytes()
    prepare_sqlite(address(f"sqlite:///{store}"))
    assert Path(store).read_bytes() == before


def test_the_environment_names_the_store(folder, command, monkeypatch, empty_store):
    import shutil

    shutil.copy(empty_store, folder / "elsewhere.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/elsewhere.db")
    assert command("train", "max_epochs=2").code == 0
    assert len(runs_of(folder / "elsewhere.db")[1]) == 1
    assert not (folder / "mlruns").exists()
