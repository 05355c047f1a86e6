"""A sweep goes on where it was interrupted, records as much as was asked for, and says what it will take before it starts."""

import errno
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipeline.app import interrupts as control
from pipeline.errors import as_override
from pipeline.results import rows
from pipeline.results.spool import Spool, SpoolInUseError
from pipeline.store.write import Store
from pipeline.sweeps import estimate, request
from pipeline.sweeps.artifacts.results import ResultsFile
from tests.torture import torture

SWEEP = ("-m", "initial=uniform", "learning_rate=0.5,5", "seed=range(4)", "threshold=1e-2,1e-3", "max_epochs=300")
TRIALS = 16


def parents_of(store: Path) -> list:
    """The parent runs in the store, first one first."""
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    return client.search_runs(["1"], "tags.kind = 'sweep'", order_by=["attributes.start_time ASC"])


def children_of(store: Path, parent) -> list:
    """The runs of a sweep."""
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    return list(client.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", max_results=1000))


def artifacts(run) -> Path:
    """The folder of a run's artifacts."""
    return Path(run.info.artifact_uri.removeprefix("file://"))


def results_of(run) -> pd.DataFrame:
    """results.parquet of a sweep."""
    return pd.read_parquet(artifacts(run) / "results.parquet")


def files_of(run) -> dict[str, bytes]:
    """The summary tables and figures of a sweep."""
    folder = artifacts(run)
    found = [path for name in ("summary", "figures") for path in (folder / name).glob("*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def assert_as_if_never_interrupted(store: Path, first, second) -> None:
    """The second sweep has the results, tables and figures of the first, and each of its trials once."""
    one, other = results_of(first), results_of(second)
    assert one.drop(columns="run_id").equals(other.drop(columns="run_id"))
    assert files_of(first) == files_of(second)
    children = children_of(store, second)
    assert {child.info.run_id for child in children} == set(other["run_id"])
    assert len(children) == len(one)
    assert {run.info.status for run in [second, *children]} == {"FINISHED"}


@pytest.fixture
def interrupted_after(monkeypatch):
    """Has a sweep interrupted as soon as this number of chunks is kept; gives the list of places trained since then."""
    add = Spool.add

    def interrupt(number: int) -> list[int]:
        trained = []

        def counted(self, table):
            results = add(self, table)
            trained.extend(results.indices.tolist())
            if len(trained) >= number and number:
                signal.raise_signal(signal.SIGINT)
            return results

        monkeypatch.setattr(Spool, "add", counted)
        return trained

    return interrupt


@pytest.mark.figures
@pytest.mark.parametrize("engine", ["compiled", pytest.param("numpy", marks=pytest.mark.slow)])
def test_the_same_command_goes_on_and_ends_as_if_never_interrupted(store, command, folder, interrupted_after, engine):
    sweep = (*SWEEP, f"engine={engine}", "executor.chunk=4")
    assert command("train", *sweep).code == 0
    trained = interrupted_after(8)
    ended = command("train", *sweep)
    assert ended.code == 130
    assert f"8 of {TRIALS} runs are kept in {folder}" in ended.err
    first, second = parents_of(store)
    assert second.info.status == "KILLED"
    before = set(trained)
    trained = interrupted_after(0)
    ended = command("train", *sweep)
    assert ended.code == 0, ended.err
    assert f"resuming run {second.info.run_id}: 8 of {TRIALS} trials are trained" in ended.out
    assert sorted(before | set(trained)) == list(range(TRIALS))
    assert not before & set(trained)
    first, second = parents_of(store)
    assert_as_if_never_interrupted(store, first, second)
    assert not list(folder.rglob("kept"))
    assert command("train", *sweep).code == 0
    assert len(parents_of(store)) == 3  # a finished sweep is begun anew


def test_what_has_ended_in_an_interrupted_chunk_is_kept(store, command, folder, monkeypatch):
    """Runs at learning rate 50 end at once, those at 1e-9 would take for ever."""
    sweep = ("-m", "initial=uniform", "learning_rate=50,1e-9", "seed=range(3)", "max_epochs=1000000000", "threshold=1e-2")
    looked = iter(range(1000))

    def look(self):
        if next(looked) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(control.Interrupts, "raise_if_requested", look)
    ended = command("train", *sweep)
    assert ended.code == 130, ended.err
    assert "3 of 6 runs are kept" in ended.err
    [file] = folder.rglob("*.arrow")
    table = rows.opened(file).to_pandas()
    assert set(table["status"]) == {"converged"}
    assert table["place"].tolist() == [0, 1, 2]


def test_a_sweep_can_be_begun_anew_or_gone_on_with_by_its_run_id(store, command, interrupted_after):
    sweep = (*SWEEP, "executor.chunk=4")
    interrupted_after(4)
    for _ in range(2):
        assert command("train", *sweep, "resume=never").code == 130
    interrupted_after(0)
    first, second = parents_of(store)
    refused = command("train", *SWEEP, "momentum=0.5", f"resume={first.info.run_id}")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "is not an interrupted sweep of this same command" in refused.err
    ended = command("train", *sweep, f"resume={first.info.run_id}")
    assert ended.code == 0, ended.err
    assert [run.info.status for run in parents_of(store)] == ["FINISHED", "KILLED"]
    assert f"resuming run {second.info.run_id}" in command("train", *sweep).out
    assert [run.info.status for run in parents_of(store)] == ["FINISHED", "FINISHED"]


def test_a_sweep_that_is_running_is_left_alone(store, command, interrupted_after, folder):
    interrupted_after(4)
    sweep = (*SWEEP, "executor.chunk=4")
    assert command("train", *sweep).code == 130
    interrupted_after(0)
    [path] = folder.rglob("kept")
    other = Spool(path)
    with pytest.raises(SpoolInUseError):
        Spool(path)
    [first] = parents_of(store)
    refused = command("train", *sweep, f"resume={first.info.run_id}")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "it is running, in another process" in refused.err
    assert command("train", *sweep).code == 0
    assert len(parents_of(store)) == 2
    other.close()


def test_a_sweep_whose_folder_is_gone_is_taken_over_where_it_is_named(store, command, folder, interrupted_after, monkeypatch):
    sweep = (*SWEEP, "executor.chunk=4")
    assert command("train", *sweep).code == 0
    interrupted_after(8)
    assert command("train", *sweep).code == 130
    first, second = parents_of(store)
    recorded = {run.info.run_id for run in children_of(store, second)}
    [path] = folder.rglob("kept")
    path.rename(folder / "elsewhere")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "begin_again", lambda *_: (_ for _ in ()).throw(MlflowException("it is full")))
        refused = command("train", *sweep, f"resume={second.info.run_id}")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert not list(folder.rglob("kept"))
    interrupted_after(12)
    taken = command("train", *sweep, f"resume={second.info.run_id}")
    assert taken.code == 130
    assert f"resuming run {second.info.run_id}: its folder {path} is not here" in taken.out
    interrupted_after(0)
    assert "12 of 16 trials are trained" in command("train", *sweep).out  # and goes on like any other
    first, second = parents_of(store)
    assert_as_if_never_interrupted(store, first, second)
    assert recorded <= {run.info.run_id for run in children_of(store, second)}
    assert command("train", *sweep, "resume=auto").code == 0
    assert len(parents_of(store)) == 3


def test_a_damaged_chunk_and_a_run_cut_short_are_made_again(store, command, folder, interrupted_after):
    sweep = (*SWEEP, "executor.chunk=4")
    assert command("train", *sweep).code == 0
    interrupted_after(8)
    assert command("train", *sweep).code == 130
    interrupted_after(0)
    first, second = parents_of(store)
    damaged = sorted(folder.rglob("*.arrow"))[0]
    damaged.write_bytes(damaged.read_bytes()[:700])
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    tags = {"mlflow.parentRunId": second.info.run_id, "trial.place": "9"}
    cut_short = client.create_run("1", tags=tags, run_name="cut short")
    assert command("train", *sweep).code == 0
    assert_as_if_never_interrupted(store, first, parents_of(store)[1])
    assert client.get_run(cut_short.info.run_id).info.lifecycle_stage == "deleted"
    assert client.get_run(cut_short.info.run_id).info.status == "KILLED"


def sweeps_of(store: Path) -> dict[str, set]:
    """The learning rates in the results of each finished sweep, by run id; each of its trials has a run of its own key."""
    found = {}
    for parent in parents_of(store):
        if parent.info.status != "FINISHED":
            continue
        results, children = results_of(parent), children_of(store, parent)
        assert {(run.info.run_id, run.data.tags["trial.key"]) for run in children} == set(
            results[["run_id", "key"]].itertuples(index=False, name=None)
        )
        assert {run.data.params["learning_rate"] for run in children} == {
            as_override(rate) for rate in results["learning_rate"]
        }
        found[parent.info.run_id] = set(results["learning_rate"])
    return found


@pytest.mark.parametrize("gone", ["moved away", "removed"])
def test_sweeps_that_use_one_folder_one_after_the_other_keep_their_own(store, command, folder, interrupted_after, gone):
    """The tags of both name the same folder, in which there are the results of the second."""
    common = ("-m", "initial=uniform", "seed=range(4)", "max_epochs=300", "executor.chunk=2", f"hydra.sweep.dir={folder}/one")
    first, second = (*common, "learning_rate=0.5,5"), (*common, "learning_rate=0.25,2.5")
    path = folder / "one" / "kept"
    interrupted_after(4)
    assert command("train", *first).code == 130
    path.rename(folder / "elsewhere") if gone == "moved away" else shutil.rmtree(path)
    interrupted_after(4)
    assert command("train", *second).code == 130
    one, other = parents_of(store)
    assert one.data.tags["sweep.folder"] == other.data.tags["sweep.folder"] == str(path)
    interrupted_after(0)
    named = command("train", *first, f"resume={one.info.run_id}")
    assert (named.code, named.err) == (0, "")
    assert "so all of it is trained again" in named.out
    assert path.exists()
    ended = command("train", *second)
    assert (ended.code, ended.err) == (0, "")
    assert f"resuming run {other.info.run_id}: 4 of 8 trials are trained" in ended.out
    assert sweeps_of(store) == {one.info.run_id: {0.5, 5.0}, other.info.run_id: {0.25, 2.5}}


def test_a_sweep_begun_anew_by_the_same_command_keeps_its_own(store, command, folder, interrupted_after):
    sweep = (*SWEEP, "executor.chunk=4", f"hydra.sweep.dir={folder}/one")
    interrupted_after(4)
    assert command("train", *sweep).code == 130
    shutil.rmtree(folder / "one" / "kept")
    interrupted_after(4)
    assert command("train", *sweep, "resume=never").code == 130
    first, second = parents_of(store)
    interrupted_after(0)
    assert command("train", *sweep, f"resume={first.info.run_id}").code == 0
    assert [run.info.status for run in parents_of(store)] == ["FINISHED", "KILLED"]
    assert f"resuming run {second.info.run_id}: 4 of {TRIALS}" in command("train", *sweep).out


def test_a_sweep_killed_before_its_folder_knows_its_run_is_resumed(store, command, folder, monkeypatch):
    """Its description has no parent yet, and it has no results."""
    real = Spool.describe

    def describe(self, text):
        if '"parent": null' not in text:
            raise KeyboardInterrupt
        real(self, text)

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "describe", describe)
        assert command("train", *SWEEP).code == 130
    [path] = folder.rglob("kept")
    [parent] = parents_of(store)
    assert '"parent": null' in (path / "sweep.json").read_text()
    ended = command("train", *SWEEP)
    assert (ended.code, ended.err) == (0, "")
    assert f"resuming run {parent.info.run_id}: 0 of {TRIALS}" in ended.out
    assert len(parents_of(store)) == 1
    assert not path.exists()


def precious_folder(folder: Path) -> dict[Path, str]:
    """A folder of somebody else's, with files that have this program's names; gives their contents."""
    contents = {folder / name: f"precious {name}" for name in ("lock", "sweep.json", "results.parquet", "figures/a.svg")}
    for path, text in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return contents


@pytest.mark.parametrize("what", ["precious", "link", "nothing", "/", "", "relative", "\0", "pipe"])
def test_a_folder_that_a_tag_names_is_not_believed(what, store, command, folder, interrupted_after):
    sweep = (*SWEEP, "executor.chunk=4")
    interrupted_after(4)
    assert command("train", *sweep).code == 130
    interrupted_after(0)
    [parent] = parents_of(store)
    [path] = folder.rglob("kept")
    contents = precious_folder(folder / "precious")
    named = {"precious": folder / "precious", "link": folder / "link", "nothing": folder / "nothing", "pipe": folder / "pipe"}
    (folder / "link").symlink_to(path)
    (folder / "pipe").mkdir()
    os.mkfifo(folder / "pipe" / "sweep.json")
    tag = str(named.get(what, path.relative_to(folder) if what == "relative" else what))
    MlflowClient(f"sqlite:///{store}").set_tag(parent.info.run_id, "sweep.folder", tag)
    before = sorted(path.iterdir())
    ended = command("train", *sweep)
    assert (ended.code, ended.err) == (0, "")
    assert "resuming" not in ended.out
    assert {path: path.read_text() for path in contents} == contents
    assert sorted(path.iterdir()) == before
    assert len(sweeps_of(store)) == 1


@pytest.mark.slow
def test_sweeps_that_are_killed_at_random_times_lose_nothing(folder):
    tally = torture(folder, kills=4)
    assert sum(tally.kills.values()) >= 4
    assert tally.resumed


@pytest.mark.parametrize(
    ("asked", "runs", "said"),
    [
        ((), TRIALS, "tracking.runs=all: a run in MLflow for each trial, as always up to 20,000 trials"),
        (("tracking.runs=none",), 0, "tracking.runs=none: one run in MLflow for the sweep; results.parquet has all trials"),
        (("tracking.runs=5",), 5, "tracking.runs=5: a run in MLflow for this number of trials, chosen at random"),
        (("tracking.runs=99",), TRIALS, "tracking.runs=all: a run in MLflow for each trial"),
    ],
)
def test_as_many_runs_are_recorded_as_asked_for(store, command, asked, runs, said):
    ended = command("train", *SWEEP, *asked)
    assert ended.code == 0, ended.err
    assert said in ended.out.splitlines()[1]
    [parent] = parents_of(store)
    children = children_of(store, parent)
    results = results_of(parent)
    assert len(children) == runs
    assert len(results) == TRIALS
    assert set(results["run_id"].dropna()) == {child.info.run_id for child in children}
    by_id = results.set_index("run_id")
    for child in children:
        assert by_id.loc[child.info.run_id, "digest"] == child.data.tags["result.digest"]


def test_above_a_number_of_trials_only_the_sweep_is_recorded(store, command, monkeypatch):
    for module in (estimate, request):
        monkeypatch.setattr(module, "RECORDED_BY_DEFAULT", TRIALS - 1)
    ended = command("train", *SWEEP)
    assert "tracking.runs=none: one run in MLflow for the sweep, as always above 15" in ended.out
    [parent] = parents_of(store)
    assert not children_of(store, parent)
    assert command("summary").code == 0


def test_trials_without_runs_can_be_trained_again_all_the_same(store, command, folder):
    """From the sweep's own artifacts; a result that was changed is found."""
    assert command("train", *SWEEP, "tracking.runs=3").code == 0
    [parent] = parents_of(store)
    again = command("reproduce", "sweep=latest")
    assert (again.code, again.err) == (0, "")
    assert f"reproduced {TRIALS} of {TRIALS}" in again.out
    path = artifacts(parent) / "results.parquet"
    results = pd.read_parquet(path)
    results.loc[5, "epochs"] -= 1
    results.to_parquet(path)
    again = command("reproduce", "sweep=latest", "engines=numpy")
    assert again.code == 1
    assert "learning_rate=0.5 seed=2 threshold=0.001 (row 5 of results.parquet)" in again.out
    assert f"reproduced {TRIALS - 1} of {TRIALS}" in again.out
    assert command("reproduce", "sweep=latest", "sample=2", "engines=numpy").code in (0, 1)


def test_curves_and_weights_are_in_files_if_asked_for(store, command):
    sweep = (*SWEEP, "network.hidden=[2],[3]", "tracking.curves=true", "tracking.weights=true", "executor.chunk=5")
    assert command("train", *sweep).code == 0
    [parent] = parents_of(store)
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    curves = pd.read_parquet(artifacts(parent) / "curves.parquet").set_index("place")
    weights = {}
    for path in (artifacts(parent) / "weights").iterdir():
        arrays = np.load(path)
        for row, place in enumerate(arrays["place"]):
            weights[place] = {name: arrays[name][row] for name in arrays.files if name != "place"}
    assert sorted(weights) == list(range(2 * TRIALS))
    for child in children_of(store, parent):
        place = int(child.data.tags["trial.place"])
        history = [(point.step, point.value) for point in client.get_metric_history(child.info.run_id, "error")]
        mine = curves.loc[[place]]
        assert list(zip(mine["epoch"], mine["error"], strict=True)) == history
        recorded = np.load(artifacts(child) / "weights.npz")
        assert set(recorded.files) == set(weights[place])
        for name in recorded.files:
            assert (recorded[name] == weights[place][name]).all()


@pytest.fixture
def without_curves(monkeypatch):
    """Sweeps of any size that keep no curves unless they are to be recorded."""
    monkeypatch.setattr(estimate, "MANY", 2)


@pytest.mark.figures
def test_a_sweep_that_keeps_no_curves_has_the_same_artifacts(store, command, without_curves, monkeypatch):
    sweep = (*SWEEP, "network.hidden=[2],[3]", "executor.chunk=3", "tracking.runs=none")
    columns = []
    add = Spool.add
    monkeypatch.setattr(Spool, "add", lambda self, table: columns.append(table.column_names) or add(self, table))
    assert command("train", *sweep).code == 0
    assert not any("curve" in names for names in columns)
    monkeypatch.setattr(estimate, "MANY", 10**9)
    columns.clear()
    assert command("train", *sweep).code == 0
    assert all("curve" in names for names in columns)
    first, second = parents_of(store)
    assert "figures/error_curves.svg" in files_of(first)
    assert files_of(first) == files_of(second)
    assert results_of(first).equals(results_of(second))
    assert (artifacts(first) / "report.html").read_bytes() == (artifacts(second) / "report.html").read_bytes()


@pytest.mark.usefixtures("without_curves")
def test_curves_that_were_not_kept_are_recorded_where_the_sweep_goes_on_with_runs(store, command, interrupted_after):
    sweep = (*SWEEP, "executor.chunk=4", "curve_points=20")
    assert command("train", *sweep).code == 0
    interrupted_after(8)
    assert command("train", *sweep, "tracking.runs=none").code == 130
    interrupted_after(0)
    ended = command("train", *sweep, "tracking.curves=true")
    assert f"8 of {TRIALS} trials are trained" in ended.out
    first, second = parents_of(store)
    assert_as_if_never_interrupted(store, first, second)
    client, kept = MlflowClient(tracking_uri=f"sqlite:///{store}"), pd.read_parquet(artifacts(second) / "curves.parquet")
    curves = [
        {
            int(run.data.tags["trial.place"]): client.get_metric_history(run.info.run_id, "error")
            for run in children_of(store, one)
        }
        for one in (first, second)
    ]
    for place in range(TRIALS):
        one, other = ([(point.step, point.value) for point in each[place]] for each in curves)
        mine = kept[kept["place"] == place]
        assert one == other == list(zip(mine["epoch"], mine["error"], strict=True))


@pytest.mark.parametrize("what", [(Spool, "artifacts"), (ResultsFile, "write")], ids=lambda what: what[1])
def test_a_disk_that_is_full_ends_the_sweep_as_failed_and_it_goes_on_later(store, command, folder, monkeypatch, what):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "there")

    sweep = (*SWEEP, "executor.chunk=4", "tracking.runs=none")
    with monkeypatch.context() as patch:
        patch.setattr(*what, full)
        ended = command("train", *sweep)
    assert ended.code == 1
    assert "No space left on device: 'there'; " in ended.err
    [parent] = parents_of(store)
    assert parent.info.status == "FAILED"
    assert not list(folder.rglob("results.parquet"))
    ended = command("train", *sweep)
    assert ended.code == 0
    assert f"resuming run {parent.info.run_id}" in ended.out
    assert len(results_of(parents_of(store)[0])) == TRIALS


@pytest.mark.parametrize(("first", "then"), [("none", "all"), ("all", "none")])
def test_causes_are_those_that_were_looked_for(store, command, interrupted_after, monkeypatch, first, then):
    monkeypatch.setattr("pipeline.results.runs.ROWS_AT_ONCE", 3)
    sweep = (*SWEEP[:-1], "max_epochs=20", "executor.chunk=2", "tracking.runs=none")
    interrupted_after(8)
    assert command("train", *sweep, f"causes={first}").code == 130
    interrupted_after(0)
    ended = command("train", *sweep, f"causes={then}")
    assert ended.code == 0, ended.err
    assert f"8 of {TRIALS} trials are trained" in ended.out
    table = results_of(parents_of(store)[0])
    failed = table["status"] != "converged"
    known = table["cause"].notna()
    assert (known <= failed).all()
    assert 0 < known.sum() < failed.sum()


def test_results_are_written_in_pieces_in_the_order_of_the_trials(store, command, monkeypatch):
    assert command("train", *SWEEP).code == 0
    monkeypatch.setattr("pipeline.results.runs.ROWS_AT_ONCE", 3)
    assert command("train", *SWEEP, "executor.chunk=2").code == 0
    first, second = parents_of(store)
    assert_as_if_never_interrupted(store, first, second)
    assert pq.ParquetFile(artifacts(second) / "results.parquet").num_row_groups == 6


def test_what_it_takes_is_said_before_and_too_much_is_refused(store, command, folder):
    ended = command("train", *SWEEP)
    said = ended.out.splitlines()[0]
    assert said.startswith("16 trials in 8 trainings; trials that differ in the threshold alone share one; 1 chunk; up to ")
    before = sorted(path.name for path in folder.iterdir())
    for key in ("limits.memory", "limits.disk"):
        refused = command("train", *SWEEP, f"{key}=0.001")
        assert (refused.code, refused.err.count("\n"), refused.out) == (2, 1, "")
        assert refused.err.startswith(f"{key}=0.001: 16 trials may take ")
        assert "and the limit is 1.02 MiB" in refused.err
    axes = (f"{key}=range(1,1000)" for key in ("seed", "learning_rate", "threshold"))
    refused = command("train", "-m", "initial=uniform", *axes)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert refused.err.startswith("limits.memory=null: 997,002,999 trials may take ")
    assert sorted(path.name for path in folder.iterdir()) == before
