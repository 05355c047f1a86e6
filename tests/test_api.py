"""The front door for Python: the words of the command line, the same bits, tables and figures."""

import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import pipeline as bp
from pipeline.api import as_axis
from pipeline.backprop.causes.of_batch import causes
from pipeline.errors import as_override
from tests import ROOT

XOR = ("task=xor", "network=trained", "initial=uniform", "max_epochs=500", "threshold=1e-1")


def test_importing_the_pipeline_imports_nothing_else():
    code = "import sys, time; t = time.perf_counter(); import pipeline; print(time.perf_counter() - t); print(*sys.modules)"
    seconds, modules = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()
    assert not {"hydra", "mlflow", "numpy", "pandas", "omegaconf"} & set(modules.split())
    assert float(seconds) < 0.1


def test_all_names_of_the_api_are_there_and_train_stays_the_function():
    command = import_module("pipeline.train")
    for name in bp.API:
        assert getattr(bp, name).__name__ == name
        assert name in dir(bp)
    assert callable(command.main)
    assert bp.train is not command
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        bp.trian  # noqa: B018


def test_a_run_is_the_worked_example():
    run = bp.train()
    assert (run.status, run.epochs) == ("converged", 1088)
    assert run.curve["error"].iloc[0] == pytest.approx(0.298371109, abs=1e-9)
    assert list(run.curve["epoch"].iloc[[0, 1, -1]]) == [0, 1, 1088]
    assert run.weights["initial_weights_1"].tolist() == [[0.15, 0.2], [0.25, 0.3]]
    assert run.final_error == run.curve["error"].iloc[-1] <= 1e-3


def test_a_run_is_asked_for_its_cause_when_somebody_wants_it(monkeypatch):
    asked = []
    monkeypatch.setattr("pipeline.api.causes", lambda result: asked.append(result) or causes(result))
    run = bp.train(max_epochs=1000)
    assert repr(run).startswith("exhausted")
    assert asked == []
    assert (run.cause, round(run.cause_number)) == ("descending", 88)
    epochs, way = "about 88 more epochs to the threshold", "by its gradient, between exponential and 1/k"
    assert run.why == f"descending: {epochs} ({way}); what helps: more epochs"
    assert len(asked) == 1
    converged = bp.train(learning_rate=2)
    assert (converged.cause, converged.why, np.isnan(converged.cause_number)) == ("none", "", True)


@pytest.mark.parametrize("train", [bp.train, lambda *overrides: bp.sweep(*overrides).results.iloc[0]])
def test_files_are_read_anew_at_each_call(train, folder):
    first = bp.train("max_epochs=0").weights
    digests = set()
    for target, shift in ((0, 0.0), (1, 0.0), (1, 0.5)):
        (folder / "t.csv").write_text(f"x,z,y,v\n1,0,0,1\n0,1,{target},0\n")
        np.savez(folder / "w.npz", **{name: array + shift for name, array in first.items() if not name.startswith("initial")})
        table = ("task=csv", "task.path=t.csv", "task.targets=[y,v]", "initial=file", "initial.path=w.npz", "max_epochs=3")
        digests.add(train(*table).digest)
    assert len(digests) == 3


def test_a_run_has_the_digest_that_the_command_records(store, command):
    command("train", "learning_rate=2", "threshold=1e-4", "engine=numpy")
    recorded = bp.load("runs", uri=f"sqlite:///{store}")
    run = bp.train(learning_rate=2, threshold=1e-4)
    assert recorded.results["digest"].tolist() == [run.digest]
    pd.testing.assert_frame_equal(recorded.curves()[["epoch", "error"]], run.curve)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (np.float64(0.25), "0.25"),
        (np.array([0.25, 2.0]), "[0.25,2]"),
        (True, "true"),
        (None, "null"),
        ("xor", "xor"),
        ("a, b", '"a, b"'),
        ([0.5, 0.1], "[0.5,0.1]"),
        ({"weights_1": [[1, 2]]}, "{weights_1:[[1,2]]}"),
    ],
)
def test_values_are_written_as_on_the_command_line(value, text):
    assert as_override(value, quoted=True) == text


def test_axes_are_lists_and_ranges():
    assert as_axis([0.5, 2]) == "0.5,2"
    assert as_axis(range(20)) == "range(0,20,1)"
    assert as_axis([[2], [4, 4]]) == "[2],[4,4]"
    assert as_axis(7) == "7"


def test_a_sweep_in_this_process_is_the_sweep_of_the_command(store, command, folder):
    here = bp.sweep(*XOR, learning_rate=[0.5, 8], seed=range(4))
    command("train", "-m", *XOR, "learning_rate=0.5,8", "seed=range(4)")
    recorded = bp.load("latest", uri=f"sqlite:///{store}")
    assert here.axes == recorded.axes
    unlike = ["run_id"]
    pd.testing.assert_frame_equal(here.results.drop(columns=unlike), recorded.results.drop(columns=unlike), check_dtype=False)
    pd.testing.assert_frame_equal(here.curves(), recorded.curves())
    pd.testing.assert_frame_equal(here.by("learning_rate"), recorded.by("learning_rate"))


def test_a_sweep_leaves_nothing_behind_unless_it_is_recorded(folder):
    assert bp.sweep(*XOR, seed=range(2)).run_id is None
    assert not list(folder.iterdir())


def test_a_recorded_sweep_is_in_the_store(store, folder):
    sweep = bp.sweep(*XOR, learning_rate=[0.5, 8], seed=range(3), record=True)
    assert sweep.results["run_id"].notna().all()
    assert bp.load(sweep.run_id).results["digest"].tolist() == sweep.results["digest"].tolist()
    both = bp.load([sweep.run_id, "latest"])
    assert both.axes[0] == "sweep"
    assert len(both) == 12


def test_curves_of_the_worst_runs(folder):
    sweep = bp.sweep(*XOR, learning_rate=[0.01, 8], seed=range(3))
    worst = sweep.curves(worst=2)
    assert worst["run"].nunique() == 2
    assert set(worst["learning_rate"]) == {0.01}
    rows = sweep.results.loc[worst["run"].unique()]
    assert (rows["status"] != "converged").all()
    assert rows["final_error"].tolist() == sorted(sweep.results["final_error"])[-1:-3:-1]


def test_tables_have_every_key_of_the_trials(folder):
    sweep = bp.sweep(*XOR, learning_rate=[0.5, 8], seed=range(2))
    assert (sweep.results["task"] == "xor").all()
    assert (sweep.results["initial.range"] == 1).all()
    one_below_the_other = pd.concat([sweep.results, bp.sweep("initial=uniform", seed=range(2), max_epochs=5).results])
    assert set(one_below_the_other["task"]) == {"xor", "seed_example"}
    assert one_below_the_other["learning_rate"].notna().all()


def test_a_sweep_of_some_runs_is_a_sweep_with_their_curves(folder):
    sweep = bp.sweep(*XOR, learning_rate=[0.5, 8], seed=range(3), max_epochs=20)
    some = sweep.where("learning_rate=8 and seed>=1 and network.activation=sigmoid")
    assert len(some) == 2
    assert some.axes == sweep.axes
    assert some.by()["runs"].tolist() == [2]
    rows = sweep.results.index[(sweep.results["learning_rate"] == 8) & (sweep.results["seed"] >= 1)]
    whole = sweep.curves()
    for curve, (_, same) in zip(some.curves().groupby("run"), whole[whole["run"].isin(rows)].groupby("run"), strict=True):
        assert curve[1]["error"].tolist() == same["error"].tolist()
    assert some.where("seed=2").results["seed"].tolist() == [2]
    with pytest.raises(bp.ConfigError, match=r"^where=seed>9: holds for none of the 6 runs of "):
        sweep.where("seed>9")


FIGURES = (
    "rate_map", "heat_maps", "main_causes", "start_outcomes", "cost", "error_curves", "fixed_target", "fixed_budget",
    "survival", "run_lengths", "restart_cutoffs", "profiles", "partial_dependence", "weights",
)  # fmt: skip


def test_figures_are_matplotlib_figures(folder):
    sweep = bp.sweep(*XOR, learning_rate=[0.5, 8], seed=range(2), **{"initial.range": [1, 4]})
    for what in ("median", "rate"):
        assert isinstance(sweep.heat_map("initial.range", "learning_rate", what), Figure)
    steps = sweep.summary.first_steps  # K* of each start is in proportion to the learning rate
    assert steps["runs"].tolist() == [4, 4]
    assert steps["too_long"].is_monotonic_increasing
    for name in FIGURES:
        assert isinstance(sweep.figure(name), Figure)
    drawn = sweep.figure("cost", "initial.range").axes[-1]
    assert drawn.get_xlabel() == "initial.range"
    documented = bp.Sweep.figure.__doc__.partition("Names: ")[2]
    assert [documented.index(name) for name in FIGURES] == sorted(documented.index(name) for name in FIGURES)


def test_a_recorded_sweep_has_the_figures_whose_data_the_store_has(store, folder):
    sweep = bp.sweep(*XOR, learning_rate=[0.5, 8], seed=range(2), record=True)
    for name in FIGURES[3:-1]:
        if name != "partial_dependence":
            assert isinstance(sweep.figure(name), Figure)
    for name in ("partial_dependence", "start_effects"):  # there is one axis, and no initial weights in the store
        with pytest.raises(bp.ConfigError, match=f"^figure={name}: has nothing to show"):
            sweep.figure(name)
    with pytest.raises(bp.ConfigError, match=r"^figure=weights: must be one of rate_map, .*, partial_dependence$"):
        sweep.figure("weights")


def test_objects_show_themselves(folder):
    sweep = bp.sweep(*XOR, learning_rate=[0.5, 8], seed=range(2))
    assert "4 runs over learning_rate, seed" in repr(sweep)
    assert "<table" in sweep._repr_html_()
    assert "runs converged" in sweep._repr_html_()
    assert "By learning_rate" in str(sweep)
    run = bp.train()
    assert "converged after 1,088 epochs" in repr(run)
    assert "seed_example" in run._repr_html_()
    assert "<td>0.5</td>" in run._repr_html_()


WRONG = {
    "learning_rate=-1: must be greater than 0 and finite": lambda: bp.train(learning_rate=-1),
    "learning_rat=1: unknown key; did you mean learning_rate?": lambda: bp.train(learning_rat=1),
    "task=sine: must be one of": lambda: bp.train("task=sine"),
    "overrides=learning_rate=1,2: must be key=value, with one value": lambda: bp.train("learning_rate=1,2"),
    "seed=-1: must be a whole number": lambda: bp.sweep("initial=uniform", seed=[0, -1]),
    "engine=numpy,numba: cannot be swept": lambda: bp.sweep(engine=["numpy", "numba"]),
    "no such store": lambda: bp.load("latest", uri="sqlite:///nowhere/mlflow.db"),
    "axis=momentum: is no axis of this sweep; it has seed": lambda: bp.sweep(*XOR, seed=range(2)).by("momentum"),
    "figure=costs: must be one of rate_map, heat_maps, main_causes,": lambda: bp.sweep(*XOR, seed=range(2)).figure("costs"),
    "figure=rate_map: has nothing to show over seed": lambda: bp.sweep(*XOR, seed=range(2)).figure("rate_map"),
    "axis=momentum: is no axis of this sweep": lambda: bp.sweep(*XOR, seed=range(2)).figure("cost", "momentum"),
    "what=mean: must be one of": lambda: bp.sweep(*XOR, seed=[1, 2], momentum=[0, 0.5]).heat_map("seed", "momentum", "mean"),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_said_in_one_line(message, folder):
    with pytest.raises(bp.ConfigError) as refused:
        WRONG[message]()
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(folder.iterdir())


def test_the_notebook_runs(store, folder, capsys):
    runpy.run_path(str(ROOT / "docs" / "notebook.py"))
    for name in ("heat_map", "cost", "weights"):
        assert Path(f"{name}.png").stat().st_size > 1000
    assert "converged" in capsys.readouterr().out


def test_the_example_of_the_module_is_what_comes_out():
    run = bp.train(learning_rate=2, threshold=1e-4)
    assert f"('{run.status}', {run.epochs})" in import_module("pipeline.api").__doc__
