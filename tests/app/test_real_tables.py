"""Ten real tables, each with the command that docs/data.md has for it: read as scikit-learn has them, trained, recorded."""

import sqlite3
import zipfile
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

import pipeline as bp
from docs.examples.make import write
from pipeline.trials.configuration import TRIAL_KEYS, read_trial
from pipeline.trials.files import read_anew
from pipeline.trials.tasks import load
from pipeline.trials.tasks.scaling import one_hot, scaled
from tests import ROOT
from tests.configurations import composed
from tests.real_tables import BY_FILE, COMMANDS
from tests.strategies import same_bits

NOT_SCALED = {"diabetes.tab.txt": (1, 2)}  # inputs that are a class each


@pytest.fixture
def tables(folder):
    read_anew()
    return write(folder)


def test_ten_tables_are_documented(tables):
    assert len(COMMANDS) == len(BY_FILE) == 10
    assert set(BY_FILE) == set(tables)


def test_the_files_that_the_page_names_are_there_and_are_those(tables, folder):
    for name in tables:
        one, other = folder / name, ROOT / "docs" / "examples" / name
        match one.suffix:
            case ".parquet":
                assert pd.read_parquet(one).equals(pd.read_parquet(other))
            case ".zip":
                assert len({zipfile.ZipFile(path).read("linnerud.csv") for path in (one, other)}) == 1
            case _:
                assert one.read_bytes() == other.read_bytes()


def test_each_is_read_as_scikit_learn_has_it(tables):
    for name, (inputs, targets) in tables.items():
        config = composed(*BY_FILE[name])
        task = load(read_trial({key: value for key, value in config.items() if key in TRIAL_KEYS}).batch_key.task)
        options = config["task"]
        expected = scaled(inputs, options["scaling"])
        for column in NOT_SCALED.get(name, ()):
            expected[:, column] = inputs[:, column]
        assert same_bits(task.inputs, expected + 0.0), name
        if options["scale_targets"] == "soft":
            expected = 0.1 + (0.9 - 0.1) * scaled(targets.reshape(len(targets), -1), "minmax")
        elif options["outputs_of_two_classes"] == 1:
            expected = targets[:, None]
        else:
            expected = one_hot(targets)
        assert np.array_equal(task.targets, expected), name


def test_each_command_trains_and_records_what_it_read(tables, store, command):
    for name, arguments in BY_FILE.items():
        ended = command("train", *arguments, "max_epochs=2")
        assert ended.code == 0, f"{name}: {ended.err}"
        assert ended.out.startswith(f"{len(tables[name][0]):,} patterns"), ended.out
        assert "targets from" not in ended.err
    tags = dict(sqlite3.connect(store).execute("select key, value from tags where key like 'table.%' order by run_uuid"))
    assert {f"table.{key}" for key in ("sha256", "rows", "patterns", "inputs", "targets", "classes")} == set(tags)


@pytest.mark.slow
def test_each_command_converges(tables):
    ends = {name: bp.train(*arguments).status for name, arguments in BY_FILE.items()}
    assert set(ends.values()) == {"converged"}, ends


def test_a_sweep_says_and_records_what_its_tables_are(store, folder, command):
    (folder / "table.csv").write_text("a,b,kind\n1,2,no\n2,1,Yes\n3,3,yes\n")
    sweep = ("-m", "task=csv", "task.path=table.csv", "task.targets=kind", "initial=uniform", "seed=0,1", "max_epochs=2")
    ended = command("train", *sweep)
    assert ended.out.startswith("3 patterns, inputs a, b, target kind → Yes, no, yes\n")
    assert ended.err.startswith("table.csv: classes of kind that differ only in case or spaces: Yes, yes\n")
    ended = command("train", *sweep, "task.inputs=[a],[a,b]")
    assert ended.out.startswith("3 patterns, input a, target kind → Yes, no, yes\n3 patterns, inputs a, b, target")
    tags = sqlite3.connect(store).execute("select key, value from tags where key like 'table.%inputs'").fetchall()
    assert Counter(tags) == {
        ("table.inputs", '["a", "b"]'): 1 + 2 + 2,  # a parent run and its runs, and runs of the other sweep
        ("table.inputs", '["a"]'): 2,
        ("table.1.inputs", '["a"]'): 1,
        ("table.2.inputs", '["a", "b"]'): 1,
    }


def test_a_built_in_task_says_and_records_nothing_of_it(store, command):
    ended = command("train", "max_epochs=2")
    assert ended.out.startswith("task seed_example")
    assert not sqlite3.connect(store).execute("select key from tags where key like 'table.%'").fetchall()


MARGIN = {"share right": 0.02, "R²": 0.05}  # by which scikit-learn's median may be better
SEEDS = range(5)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BY_FILE))
def test_held_out_patterns_are_told_as_well_as_by_scikit_learn(tables, name):
    arguments = [*BY_FILE[name], "task.test=0.25"]
    config = composed(*arguments)
    task = load(read_trial({key: value for key, value in config.items() if key in TRIAL_KEYS}).batch_key.task)
    results, out = bp.sweep(*arguments, seed=SEEDS).results, task.held_out
    assert len(out.targets) == pytest.approx(0.25 * len(tables[name][0]), abs=2)
    options = {"hidden_layer_sizes": config["network"]["hidden"], "activation": "logistic", "max_iter": 2000}
    if out.classes:
        measure, ours = "share right", results["test_accuracy"]
        label = (lambda targets: targets.argmax(axis=1)) if task.targets.shape[1] > 1 else np.ravel
        models = [MLPClassifier(random_state=seed, **options).fit(task.inputs, label(task.targets)) for seed in SEEDS]
        theirs = [model.score(out.inputs, label(out.targets)) for model in models]
        assert ours.median() > 0.94
        assert results["train_accuracy"].median() > 0.97
    else:
        measure, spread = "R²", np.sum((out.targets - out.targets.mean(axis=0)) ** 2)
        wanted = task.targets if task.targets.shape[1] > 1 else task.targets[:, 0]
        models = [MLPRegressor(random_state=seed, **options).fit(task.inputs, wanted) for seed in SEEDS]
        errors = [np.sum((model.predict(out.inputs).reshape(out.targets.shape) - out.targets) ** 2) for model in models]
        ours, theirs = 1 - 2 * results["test_error"] / spread, 1 - np.array(errors) / spread
    assert ours.median() >= np.median(theirs) - MARGIN[measure], (ours.tolist(), theirs)
