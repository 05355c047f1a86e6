"""A configuration is what Hydra composes, wherever and however often it is composed."""

import pytest
from hydra import compose as hydras
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from pipeline.app import composition
from pipeline.app.composition import COMPOSITION_ERRORS, CONF, compose, compose_multirun, plain, with_dots
from pipeline.app.refusals import one_line
from pipeline.sweeps.axes import expand

OVERRIDES = [
    [],
    ["learning_rate=2", "threshold=1e-4"],
    ["task=parity", "task.bits=2", "network=trained", "network.hidden=[4]", "initial=uniform", "seed=3"],
    ["learning_rate=[0.5,0.1]", "learning_rate=3"],
    ["initial=explicit", "initial.values={weights_1:[[1,2]],bias_1:[0.5]}"],
    ["task={name:xor}", "tracking.uri=null"],
    ["threshold=${learning_rate}", "learning_rate=0.25"],
]


@pytest.mark.parametrize("overrides", OVERRIDES, ids=" ".join)
def test_it_is_what_hydra_composes(overrides):
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        assert compose(overrides) == plain(hydras("train", overrides))


@pytest.mark.parametrize("name", ["train", "summary", "explain", "push", "reproduce", "ui"])
def test_every_command_has_its_configuration(name):
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        expected = plain(hydras(name))
    assert compose([], name) == expected


ADDRESSES = [
    ["initial.set.weights_1[0,1]=3"],
    ["+initial.offset.weights_2[1, 0]=-1", "initial.set.bias_1[0]=2"],
    ["initial.set={weights_1[0,1]:3}"],
    ["initial=explicit", "initial.values={weights_1:[[1,2]],bias_1:[0]}", "initial.values.weights_1[0]=[3,4]"],
]


@pytest.mark.parametrize("overrides", ADDRESSES, ids=" ".join)
def test_an_address_with_brackets_is_the_same_key_as_with_dots(overrides):
    dots = [word.replace("[0,1]", ".0.1").replace("[1, 0]", ".1.0").replace("1[0]", "1.0") for word in overrides]
    assert dots != overrides
    dots, brackets = (
        [dict(job.config) for job in expand(one.loader, one.config, one.arguments)]
        for one in map(compose_multirun, (dots, overrides))
    )
    assert dots == brackets
    if not overrides[0].startswith("+"):
        assert compose(overrides) == dots[0]


def test_other_brackets_are_left_alone():
    assert (
        with_dots("where=initial.set.weights_1[0,1]>0 and seed in [0,1]")
        == "where=initial.set.weights_1.0.1>0 and seed in [0,1]"
    )
    assert with_dots("by=[seed,initial.offset.bias_1[0]]") == "by=[seed,initial.offset.bias_1.0]"
    for word in (
        "initial.path=weights_1[0].npz",
        "initial.values={weights_1:[[0,1]]}",
        "tracking.name='weights_1[0,1]'",
        "hidden[0]=1",
    ):
        assert with_dots(word) == word


def test_hydra_composes_once_for_each_choice_of_groups(monkeypatch):
    composition.compose_choices.cache_clear()
    loaded = []
    load = type(composition.loader()).load_configuration

    def counted(loader, config_name, overrides, *arguments, **keywords):
        loaded.append(overrides)
        return load(loader, config_name, overrides, *arguments, **keywords)

    monkeypatch.setattr(type(composition.loader()), "load_configuration", counted)
    for learning_rate in (1, 2, 3):
        assert compose(["task=xor", f"learning_rate={learning_rate}", "seed=4"])["learning_rate"] == learning_rate
        assert compose([f"learning_rate={learning_rate}"])["seed"] == 0
    assert loaded == [["task=xor"], []]


def test_a_changed_configuration_does_not_change_the_next():
    compose(["task=xor"])["network"]["hidden"].append(9)
    assert compose(["task=xor"])["network"]["hidden"] == [2]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("learning_rat=1", "learning_rat=1: unknown key; did you mean learning_rate?"),
        ("network.hiden=[2]", "network.hiden=[2]: unknown key; did you mean hidden?"),
        ("task=foo", "task=foo: must be one of csv, digits, encoder"),
        ("learning_rate=[", "learning_rate=[: "),
        ("learning_rate=1,2", "overrides=learning_rate=1,2: must be key=value, with one value"),
        ("+depth=1", "overrides=+depth=1: must be key=value, with one value"),
        ("hydra.run.dir=x", "hydra.run.dir=x: unknown key"),
    ],
)
def test_what_is_no_override_is_said_in_one_line(override, message):
    with pytest.raises(COMPOSITION_ERRORS) as refused:
        compose([override])
    assert one_line(refused.value).startswith(message)
    assert "\n" not in one_line(refused.value)


def test_another_application_of_hydra_is_left_as_it_is(tmp_path):
    (tmp_path / "train.yaml").write_text("learning_rate: 7\n")
    composition.loader.cache_clear()
    composition.compose_choices.cache_clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(tmp_path)):
        running = GlobalHydra.instance().hydra
        assert compose([])["learning_rate"] == 0.5
        assert GlobalHydra.instance().hydra is running
        assert hydras("train") == {"learning_rate": 7}
    assert not GlobalHydra.instance().is_initialized()


def test_a_multirun_is_what_hydra_gives_its_sweeper():
    overrides = ["study=xor", "seed=1,2", "hydra.sweep.dir=out", "network=trained,example"]
    multirun = compose_multirun(overrides)
    config = multirun.config
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        hydra = GlobalHydra.instance().hydra
        expected = hydra.compose_config("train", overrides, run_mode=RunMode.MULTIRUN)
    assert isinstance(multirun.loader, ConfigLoader)
    assert multirun.arguments == ["study=xor", "seed=1,2", "network=trained,example"]
    assert plain(config) == plain(expected)
    assert (config.hydra.sweep.dir, config.hydra.sweeper) == ("out", expected.hydra.sweeper)
    jobs = expand(multirun.loader, config, multirun.arguments)
    assert len(jobs) == 7 * 4 * 2 * 3 * 2
    assert jobs[0].config == compose(["study=xor", "network=trained", "learning_rate=0.3", "initial.range=0.5", "seed=1",
                                      "threshold=1e-1"])  # fmt: skip
