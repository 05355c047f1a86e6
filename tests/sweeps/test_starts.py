"""Files and explicit values are starts, as seeds are: settings are repeated over them in every table; lists keep order."""

import numpy as np
import pytest

import pipeline as bp
from pipeline.stats.summary import Summary

SMALL = {"max_epochs": 20, "threshold": [1e-1, 1e-2]}


@pytest.fixture
def files(folder):
    numbers = np.random.default_rng(1)
    shapes = {"weights_1": (2, 2), "weights_2": (2, 2), "bias_1": (1,), "bias_2": (1,)}
    starts = [{name: numbers.uniform(-1, 1, shape) for name, shape in shapes.items()} for _ in range(4)]
    starts.sort(key=lambda start: str(start["weights_1"].tolist()))  # in the same order as files and as values
    for number, start in enumerate(starts):
        np.savez(folder / f"{number}.npz", **start)
    return starts


def swept(*starts):
    return bp.sweep(*starts, learning_rate=[0.5, 5], **SMALL)


def statistics(sweep) -> list[dict]:
    tables = [sweep.by("learning_rate"), sweep.summary.best, sweep.summary.paired("learning_rate")]
    return [table.to_dict("list") for table in tables]


def test_files_and_values_are_repetitions_like_seeds(files):
    values = ",".join("{" + ",".join(f"{name}:{array.tolist()}" for name, array in start.items()) + "}" for start in files)
    by_file = swept("initial=file", "initial.path=0.npz,1.npz,2.npz,3.npz")
    by_value = swept("initial=explicit", f"initial.values={values}")
    for sweep in (by_file, by_value):
        summary = sweep.summary
        assert summary.settings == ["learning_rate", "threshold"]
        assert summary.units()[1] == 4
        assert len(summary.by("learning_rate")) == 2
        assert set(summary.by("learning_rate", "threshold")["runs"]) == {4}
    assert str(statistics(by_file)) == str(statistics(by_value))
    seeds = (
        by_file.results.drop(columns="seed", errors="ignore")
        .rename(columns={"initial.path": "seed"})
        .replace({f"{k}.npz": k for k in range(4)})
    )
    axes = ["learning_rate", "threshold", "seed"]
    as_seeds = Summary(seeds[[*axes, "status", "epochs", "horizon"]])
    assert str(as_seeds.by("learning_rate").to_dict("list")) == str(by_file.summary.by("learning_rate").to_dict("list"))
    assert as_seeds.paired("learning_rate").equals(by_file.summary.paired("learning_rate"))


def test_lists_keep_the_order_in_which_they_were_given(folder):
    sweep = bp.sweep(
        "initial=uniform", "network.hidden=[2],[10],[3],[]", "initial.range=[0,2],1,[0,1]", seed=range(2), max_epochs=2
    )
    assert list(sweep.by("network.hidden")["network.hidden"]) == ["[2]", "[10]", "[3]", "[]"]
    assert sweep.summary.values("network.hidden") == ["[2]", "[10]", "[3]", "[]"]
    assert sweep.summary.values("initial.range") == ["[0,2]", "1", "[0,1]"]
    assert list(sweep.by("initial.range")["initial.range"]) == ["[0,2]", "1", "[0,1]"]
    words = bp.sweep("initial=uniform", "network.activation=tanh,sigmoid", seed=range(2), max_epochs=2)
    assert words.summary.values("network.activation") == ["sigmoid", "tanh"]
