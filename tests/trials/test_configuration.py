"""A trial, its configuration and its MLflow params are made from one another, whatever is chosen of what conf/ offers."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.app.composition import CONF
from pipeline.errors import ConfigError
from pipeline.trials.configuration import (
    TRIAL_KEYS,
    configuration_from_params,
    fixed_keys,
    params_of,
    read_trial,
)
from pipeline.trials.tasks.table_options import SEPARATORS
from tests.configurations import PUBLISHED, composed, configuration
from tests.strategies import counts, examples


def choices(group: str) -> list[str]:
    """The files of a group in conf/."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def words(key: str, **config) -> list[str]:
    """The words that are allowed at a key, as they are named to whoever gives another one."""
    group, _, name = key.partition(".")
    config = configuration(**config)
    config[group] = {**config[group], name: "?"} if name else "?"
    with pytest.raises(ConfigError) as refusal:
        read_trial(config)
    return str(refusal.value).partition("must be one of ")[2].split(", ")


TABLE = {"name": "csv", "path": "table.csv", "targets": "y", "scaling": "none"}
CODED, SCALED = ({"name": "xor", "coding": "binary"}, {"name": "iris", "scaling": "none"})
CODINGS, SCALINGS = words("task.coding", task=CODED), words("task.scaling", task=SCALED)
ACTIVATIONS, BIASES = words("network.activation"), words("network.bias")
UPDATES, CRITERIA = words("update"), words("criterion")

numbers = st.floats(allow_nan=False, allow_infinity=False)
positive = st.one_of(counts(1, 9), st.floats(0.0, exclude_min=True, allow_infinity=False))
below = positive.filter(lambda number: number < 1e300)
names = st.text(min_size=1).filter(lambda text: text != "???") | st.sampled_from(
    ("7", "1.0", "true", "null", "[1]", '"a"', "a,b")
)
weights = st.dictionaries(st.sampled_from(("w1", "w12", "b1", "weights_1.0.1", "bias_2.0")), numbers)
LAYERS = (
    {"kind": "uniform", "range": [-1, 2]},
    {"kind": "normal", "std": 0.5, "biases": 1},
    {"kind": "xavier"},
    {"kind": "he"},
)
spread = st.lists(st.floats(-1e300, 1e300) | st.integers(-9, 9), min_size=2, max_size=2, unique=True).map(sorted)
OPTIONS = {
    "coding": st.sampled_from(CODINGS),
    "scaling": st.sampled_from(SCALINGS),
    "bits": counts(2, 12),
    "size": st.integers(2, 1000),
    "turns": st.integers(1, 3),
    "targets": names | st.lists(names, min_size=1, max_size=3, unique=True),
    "inputs": names | st.lists(names, max_size=3, unique=True),
    "ignore": names | st.lists(names, max_size=3, unique=True),
    "classes": names | st.lists(names, max_size=3, unique=True),
    "missing": st.sampled_from(words("task.missing", task=TABLE)),
    "outputs_of_two_classes": st.sampled_from((1, 2)),
    "scale_targets": st.sampled_from(words("task.scale_targets", task=TABLE)),
    "header": st.sampled_from(words("task.header", task=TABLE)),
    "separator": st.sampled_from(("comma", "semicolon", "tab", "space", "pipe", ",", ";", "\t", " ", "|", ":", "&", "#")),
    "decimal": st.sampled_from((*words("task.decimal", task=TABLE), ".", ",")),
    "quote": st.sampled_from(words("task.quote", task=TABLE)),
    "test": st.floats(0.0, 1.0, exclude_max=True) | names,
    "test_seed": st.integers(0, 2**64 - 1),
    "encoding": st.sampled_from(("utf-8", "UTF8", "latin-1", "cp1252", "437", "utf-16", "shift_jis")),
    "path": names,
    "range": below | spread | st.lists(spread, min_size=1, max_size=3),
    "std": below | st.lists(below, min_size=1, max_size=3),
    "radius": below,
    "distribution": st.sampled_from(("uniform", "normal")),
    "biases": st.sampled_from(("as_weights", "zero")) | numbers,
    "layers": st.lists(st.sampled_from(LAYERS), min_size=1, max_size=3),
    "start": names,
    "scale": numbers,
    "offset": weights,
    "set": weights,
    "direction": st.fixed_dictionaries({"to": names, "fraction": numbers, "distance": numbers})
    | st.fixed_dictionaries({"seed": counts(0, 9), "distance": numbers}),
    "values": st.dictionaries(st.sampled_from(sorted(PUBLISHED)), st.lists(st.lists(numbers, max_size=3)), min_size=1),
    "hidden": st.lists(st.integers(1, 100_000), max_size=4),  # [] is a network without hidden layers
    "activation": st.sampled_from(ACTIVATIONS),
    "output_activation": st.sampled_from(ACTIVATIONS),
    "bias": st.sampled_from(BIASES),
    "train_bias": st.booleans(),
}
TOP = {
    "learning_rate": positive | st.lists(positive, min_size=1, max_size=4),
    "momentum": st.floats(0.0, 1.0, exclude_max=True) | st.just(0),
    "update": st.sampled_from(UPDATES),
    "criterion": st.sampled_from(CRITERIA),
    "threshold": positive,
    "max_epochs": st.integers(0, 10**12) | st.just(1e4),
    "gradient_tolerance": positive | st.just(0),
    "seed": st.integers(0, 2**64 - 1),
}
GROUPS = ("task", "initial", "network")
SETTLED = {"name", "kind"}  # what a section is called by


@st.composite
def configurations(draw):
    """A configuration as Hydra composes it from one choice of each group, with any allowed value at every other key."""
    task = draw(st.sampled_from(choices("task")))
    kinds = [kind for kind in choices("initial") if kind not in ("published", "perturbed") or task == "seed_example"]
    initial, network = draw(st.sampled_from(kinds)), draw(st.sampled_from(choices("network")))
    chosen = {"task": task, "initial": initial, "network": network}  # composed apart: there are fewer choices than combinations
    config = composed(f"task={task}") | {group: composed(f"{group}={choice}")[group] for group, choice in chosen.items()}
    changed = {key: draw(st.just(config[key]) | TOP[key]) for key in TOP}
    for group in GROUPS:
        section = config[group]
        options = OPTIONS if task == "csv" else {**OPTIONS, "test": st.floats(0.0, 1.0, exclude_max=True)}
        changed[group] = {
            key: section[key]
            if key in SETTLED
            else draw(kept_or(section[key], options[key]) if section[key] != "???" else options[key])
            for key in section
        }
    return changed


def kept_or(value, others):
    """The value that conf/ has, or any other that is allowed."""
    return st.just(value) | others


def recorded(trial) -> dict:
    """The configuration in a trial's params, with the initial weights given one by one, which are recorded in weights.npz."""
    config = configuration_from_params(params_of(trial))
    if trial.initial.values:
        config["initial"]["values"] = dict(trial.initial.values)
    return config


@examples(150)
@given(configurations())
def test_trial_configuration_and_params_are_inverse_to_each_other(config):
    trial = read_trial(config)
    params = params_of(trial)
    assert params.keys() == fixed_keys(trial).keys()
    assert {type(value) for value in params.values()} == {str}
    again = recorded(trial)
    assert set(again) == set(config) == set(TRIAL_KEYS)
    assert {name: set(again[name]) for name in ("task", "network")} == {name: set(config[name]) for name in ("task", "network")}
    assert set(again["initial"]) <= set(config["initial"])  # what changes nothing is not recorded
    assert read_trial(again) == trial
    assert (params_of(read_trial(again)), recorded(read_trial(again))) == (params, again)


@examples(50)
@given(configurations(), configurations())
def test_trials_have_the_same_params_only_if_they_are_the_same(one, other):
    """But for initial weights that are given one by one."""
    one, other = (replace(trial, initial=replace(trial.initial, values=None)) for trial in map(read_trial, (one, other)))
    assert (params_of(one) == params_of(other)) == (one == other)


@pytest.mark.parametrize("path", sorted((*CONF.glob("task/*.yaml"), *CONF.glob("network/*.yaml"))), ids=lambda path: path.stem)
def test_comments_in_conf_name_all_words_that_are_allowed(path: Path):
    if path.stem == "csv":
        choices = ("missing", "coding", "scale_targets", "header", "decimal", "quote")
        allowed = {key: words(f"task.{key}", task=TABLE) for key in choices} | {"separator": SEPARATORS, "scaling": SCALINGS}
    else:
        allowed = {"coding": CODINGS, "scaling": SCALINGS, "activation": ACTIVATIONS, "bias": BIASES}
    for key in yaml.safe_load(path.read_text()).keys() & allowed.keys():
        [line] = [line for line in path.read_text().splitlines() if line.startswith(f"{key}:")]
        assert [word for word in allowed[key] if word not in line] == []
