"""A multirun means what Hydra's BasicSweeper makes it mean; here it is asked, job by job."""

import math
import os
import re
from contextlib import suppress
from itertools import islice, product

import pytest
from hydra._internal.callbacks import Callbacks
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.utils import run_job
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf, flag_override, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from pipeline.app.axis_values import count, overrides_of, read_overrides, texts, write_out, write_sequences
from pipeline.app.sequences import linspace, logspace
from pipeline.errors import ConfigError
from pipeline.sweeps.axes import expand
from tests.amounts import amount
from tests.machine import at_most
from tests.strategies import examples

# A configuration with what the pipeline's own has not: interpolations, an alias, lists in lists, groups in groups.
LABORATORY = {
    "plain.yaml": """
        defaults: [shape: round, _self_]
        width: 1
        none: null
        must: ???
        table: [[1, 2], {a: 3}]
        inner: {a: 1, b: [1, 2, 3], deep: {c: 2}}
        home: ${oc.env:AXES_HOME}/data
        unset: ${oc.env:AXES_UNSET}
        """,
    "reading.yaml": """
        defaults: [plain, _self_]
        unset: null
        height: ${width}
        area: ${width}x${.height}
        also: ${inner}
        sides: ${shape.sides}
        literal: \\${width}
        """,
    "numbered.yaml": """
        defaults: [plain, _self_]
        unset: null
        number: ${hydra:job.num}
        name: ${hydra:job.override_dirname}
        folder: ${hydra:runtime.output_dir}
        swept: ${hydra:overrides.task}
        """,
    "studied.yaml": """
        defaults: [plain, study: null, _self_]
        unset: null
        many: 3
        hydra: {sweeper: {params: {width: 'range(${many})', none: 'a,b', 'hydra.job.name': x}}}
        """,
    "shape/round.yaml": "{name: round, sides: 0}",
    "shape/square.yaml": "{name: square, sides: 4, length: 2}",
    "shape/odd.yaml": "{name: odd, sides: '${width}', length: 1}",
    "shape/colour/red.yaml": "{hue: 0}",
    "shape/colour/blue.yaml": "{hue: 240}",
    "study/wide.yaml": "# @package _global_\nhydra: {sweeper: {params: {width: '7,8', shape: 'glob(*)'}}}",
    "folder/notes.txt": "a folder without configurations is a group for Hydra, too",
}


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("laboratory")
    for name, text in LABORATORY.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        lines = text.splitlines()
        (folder / name).write_text("\n".join(line.removeprefix(" " * 8) for line in lines))
    return folder


class Launcher:
    """Hydra's basic launcher, without its words: runs jobs that do nothing but give their resolved configuration."""

    def __init__(self, loader, master):
        self.loader, self.master, self.jobs = loader, master, []

    def launch(self, job_overrides, initial_job_idx):
        returns = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            config = self.loader.load_sweep_config(self.master, list(overrides))
            with open_dict(config):
                config.hydra.job.id = config.hydra.job.num = number
            job = run_job(
                hydra_context=HydraContext(config_loader=self.loader, callbacks=Callbacks()),
                task_function=lambda config: OmegaConf.to_container(config, resolve=True),
                config=config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
                configure_logging=False,
            )
            self.jobs.append((tuple(overrides), job.return_value))
            returns.append(job)
        return returns


def by_hydra(loader, master, arguments):
    """(overrides, configuration) of each job of Hydra's own sweeper."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # here, as Hydra loads its plugins anew

    sweeper = BasicSweeper(max_batch_size=None, params=master.hydra.sweeper.params)
    sweeper.hydra_context = HydraContext(config_loader=loader, callbacks=Callbacks())
    sweeper.config = master
    sweeper.launcher = Launcher(loader, master)
    sweeper.validate_batch_is_legal = lambda batch: None  # composes each job, as the launcher does again
    sweeper.sweep(arguments)
    return sweeper.launcher.jobs


def by_axes(loader, master, arguments):
    """(overrides, configuration) of each job of this project's sweeper."""
    return [(job.overrides, job.config) for job in expand(loader, master, arguments)]


def composed(loader, master, arguments):
    """The multirun as Hydra begins it: with a master that is composed from all the arguments, where they can be."""
    own = OmegaConf.to_container(master.hydra.overrides.hydra)
    with suppress(HydraException, OmegaConfBaseException, YAMLError):
        whole = loader.load_configuration(
            master.hydra.job.config_name, [*own, *arguments], run_mode=RunMode.MULTIRUN, from_shell=False
        )
        with flag_override(whole, ["readonly", "struct"], [False, False]):
            whole.hydra.sweeper.params = master.hydra.sweeper.get("params")
        return loader, whole, arguments
    return loader, master, arguments


def outcome(jobs, *multirun):
    """What comes of a multirun, as text in which 1, 1.0 and True differ and nan is nan: its jobs, or that it is refused."""
    try:
        return [repr(job) for job in jobs(*multirun)]
    except Exception as error:
        return type(error)


def assert_same(multirun, *wanted, **where):
    """Both sweepers give the same jobs, or refuse with the same error; gives what they gave."""
    started = multirun(*wanted, **where)
    expected = outcome(by_hydra, *started)
    assert outcome(by_axes, *started) == expected
    assert outcome(by_axes, *composed(*started)) == expected
    return expected


SAME = [
    [],
    ["seed=1"],
    ["seed=1,2", "momentum=0,0.5"],
    ["seed=range(3)"],
    ["seed=range(5,1,-2)"],
    ["threshold=range(0.25,1,0.25)"],
    ["seed=sort(range(1,9,2),reverse=true)"],
    ["seed=sort(range(9,1,-2))"],
    ["seed=choice(3,1,2)"],
    ["seed=sort(3,1,2)"],
    ["seed=sort(range(2),reverse=true)", "momentum=sort(choice(0.5,0.1))"],
    ["seed=tag(first,second,choice(1,2))"],
    ["seed=range(3,3)", "momentum=0,0.5"],
    ["task=xor,parity", "initial=uniform"],
    ["task=glob([x*,par*])", "initial=uniform"],
    ["task=glob(*,exclude=[c*,s*,i*,d*])", "initial=uniform"],
    ["task=glob(nothing)"],
    ["seed=glob(*)"],
    ["task=parity,symmetry", "task.bits=3,4"],
    ["task=xor,parity", "seed=1,2", "network=trained"],
    ["task=[xor],[parity]"],
    ["+note=1,2"],
    ["+note.deep=1,2"],
    ["++note=a", "++seed=3,4"],
    ["+network.extra={a:1},{b:2}"],
    ["~seed"],
    ["~seed=0", "momentum=0,0.5"],
    ["~task", "~initial", "seed=1,2"],
    ["task=xor", "~task.coding", "seed=1,2"],
    ["network.hidden=[2],[3,4],[]"],
    ["network.hidden=[2],3"],
    ["network.hidden.0=3,4"],
    ["network.hidden.0=3", "network.hidden=[1],[2,5]"],
    ["network={hidden:[3]},{bias:none,train_bias:true}", "seed=1"],
    ["network={hidden:[3]}", "network.hidden=[4],[5]"],
    ["network.hidden=[4],[5]", "network={hidden:[3]}"],
    ["network.hidden=[4]", "network={hidden:[3],bias:none},{hidden:[2]}"],
    ["network={hidden:[3]},example"],
    ["network.hidden=[4],[5]", "network={hidden:[3]},example"],
    ["initial=explicit", "initial.values={weights_1:[[1,2]]}", "initial.values.weights_1=[[3]],[[4,5]]"],
    ["initial=explicit", "+initial.values={a:{b:1}}", "initial.values.a.b=2,3", "initial.values.a={b:4},{b:5}"],
    ["initial=uniform", "initial.range=[-1,1],2"],
    ["initial=uniform,published", "seed=1"],
    ["criterion='total_error',\"worst_output\""],
    ["criterion='a,b',\"it's\",c\\,d\\ e,'\\'quoted\\'',http://x:1/?y,''"],
    ["criterion=", "update=','"],
    ["seed=str(3)", "momentum=str(0.5),'0.5',int(3.7),float(1),bool(1)"],
    ["seed=str([3,4])", "momentum=str(choice(1,2))"],
    ["seed=float(range(1,3))", "update=bool(1,False)"],
    ["seed=int(choice(1.5,2.5))", "update=float('7')"],
    ["seed=0x10,1_000,+5,-0,007,1.,.5"],
    ["momentum=nan,-inf,null,FALSE,10000000000000000000000,1e400"],
    ["threshold=1e-3,0.001"],
    ["update=???,online"],
    ["seed=1,2", "momentum=0,0.5", "seed=7"],
    ["task=xor", "task=parity,symmetry"],
    ["momentum=${seed},0.5", "seed=1"],
    ["momentum=${seed}", "seed=1,2"],
    ["network.hidden=[${task.bits}]", "task=parity", "task.bits=3,4"],
    ["criterion='a_${seed}_${update}',b"],
    ["criterion=\\${seed},b"],
    ["criterion=${oc.env:AXES_HOME},${oc.env:AXES_UNSET,none}"],
    ["criterion=${hydra:job.num},${hydra:runtime.choices.task}", "task=xor,parity"],
    ["criterion=${now:%Y}"],
    ["learning_rate=[0.1,0.2],[1,2]"],
    ["learning_rate=[nan,null,true,'a b',{a:[1]}],[[]]"],
    ["study=xor", "seed=1", "learning_rate=1,2", "threshold=1e-1", "initial.range=1"],
    ["study=convergence", "task=xor,parity", "seed=5", "threshold=1e-3", "initial.range=1", "learning_rate=1"],
    ["hydra.job.name=here", "hydra.job.chdir=false", "seed=1,2"],
    ["+hydra.job.env_set.AXES_JOB='7'", "seed=${oc.env:AXES_JOB},2"],
    ["tracking.uri=sqlite:///${oc.env:AXES_HOME}/m.db,null", "tracking.experiment=a"],
]

WITH_PARAMS = [
    ({"seed": "1,2"}, ["task=xor,parity"]),
    ({"seed": "1,2", "momentum": "0"}, ["seed=3,4,5"]),
    ({"seed": "1,2", "momentum": "0,0.5"}, ["threshold=1", "momentum=0.1", "seed=3"]),
    ({"seed": 3, "momentum": 0.5, "update": True}, ["threshold=1,2"]),
    ({"seed": "range(${network.hidden.0})"}, []),
    ({"learning_rate": "${logspace:0.1,10,3}"}, ["seed=1"]),
    ({"learning_rate": "choice(${logspace:1,0.1,2},7)"}, ["seed=1"]),
    ({"seed": "${oc.env:AXES_SEEDS}"}, []),
    ({"+note": "1,2", "~initial": "published"}, []),
    ({"hydra.job.name": "a,b", "seed": "1"}, []),
    ({"task": "glob(x*)", "network": "{hidden:[3]},trained"}, ["network.hidden=[4],[5]"]),
    ({"initial": "uniform", "initial.range": "[-1,1],2"}, ["momentum=0.1", "initial.range=[0,1]"]),
]

REFUSED_WITH_PARAMS = [
    ({"sed": "1,2"}, []),
    ({"seed": "interval(1,2)"}, ["seed=1"]),
    ({"seed": "1,"}, []),
    ({"seed": "${unknown}"}, ["seed=1"]),
    ({"learning_rate": "${logspace:0,10,3}"}, []),
    ({"hydra.jobs": "a,b"}, []),
]

REFUSED = [
    ["seed=interval(0,1)"],
    ["seed=tag(a,interval(0,1))"],
    ["sed=1,2"],
    ["sed=1"],
    ["task.bit=1,2", "task=parity"],
    ["task=parity,xor", "task.bits=3,4"],
    ["task.bits=3,4"],
    ["task=xor,unknown"],
    ["task=1,2"],
    ["~unknown"],
    ["~unknown", "seed=1,2"],
    ["~task=xor"],
    ["~seed=4,0"],
    ["~task", "task.name=a,b"],
    ["~task.name", "task.name=a,b"],
    ["+seed=1,2"],
    ["++task=xor,parity"],
    ["+task=xor,parity"],
    ["task@here=xor,parity"],
    ["seed@here=1,2"],
    ["seed.deep=1,2"],
    ["network.hidden.7=1,2"],
    ["network.hidden.name=1,2"],
    ["network.hidden={a:1},{b:2}"],
    ["network=[1],[2]"],
    ["initial=explicit", "+initial.values={a:{b:1}}", "initial.values.a=1,[2]"],
    ["momentum=${unknown},0.5"],
    ["momentum=0.5,${oc.env:AXES_UNSET}"],
    ["momentum=0.5,${unknown:1}"],
    ["momentum=${seed", "seed=1,2"],
    ["seed=choice()"],
    ["seed=unknown(1)"],
    ["seed=sort(1,a)"],
    ["seed=[choice(1,2)]"],
    ["seed=[1],[{null:2}]"],
    ["seed=1,2,"],
    ["seed=int(a)"],
]

SAME_IN_THE_LABORATORY = {
    "plain": [
        ["unset=1,2"],
        ["unset=null"],
        ["unset=null", "shape.length=1,2", "shape=square,odd"],
        ["unset=null", "shape=glob(*)", "width=4"],
        ["unset=null", "+shape/colour=red,blue"],
        ["unset=null", "+shape/colour@paint=red,blue", "paint.hue=1"],
        ["unset=null", "+shape@here=round,square", "here.sides=4,5"],
        ["unset=null", "shape={sides:1},{sides:2}"],
        ["unset=null", "inner.a=1,2", "inner={a:3,b:[4]},{deep:{c:5}}"],
        ["unset=null", "inner.deep.c=1,2", "inner.b.1=5"],
        ["unset=null", "inner.deep=1,2", "inner.a=[1],[2]"],
        ["unset=null", "inner.deep=null,???,x"],
        ["unset=null", "inner.b=3,null"],
        ["unset=null", "inner.b=[3],[]"],
        ["unset=null", "must=1,2"],
        ["unset=null", "table.1.a=4,5", "table.0.0=7"],
        ["unset=null", "table=[[3]],[]"],
        ["unset=null", "hydra.searchpath=[file://FOLDER/shape]", "+colour=red,blue"],
        ["unset=null", "hydra.searchpath=[file://FOLDER/shape]", "+colour=glob(*)"],
    ],
    "reading": [
        ["width=1,2"],
        ["height=3,4", "area=5"],
        ["shape=odd,square", "width=1,2"],
        ["also=5,6", "inner={a:2},{a:3}"],
        ["inner=1,2"],
        ["~width", "height=1,2", "area=1"],
        ["none=${.width},${inner.b.1},${oc.select:nothing,3}"],
    ],
    "numbered": [
        [],
        ["width=1,2", "shape=round,square"],
        ["width=1,2", "hydra.sweep.subdir=a_${width}_${hydra.job.num}"],
        ["width=1,2", "none=3", "hydra.job.config.override_dirname.exclude_keys=[none]"],
        ["shape=odd", "none=1,2"],
    ],
    "studied": [
        ["none=1"],
        ["many=2", "none=5,6", "width=7"],
        ["study=wide", "none=1", "width=2"],
        ["study=wide", "shape=round,square", "width=1"],
    ],
}

REFUSED_IN_THE_LABORATORY = {
    "plain": [
        ["unset=null", "shape@shape=round,square"],
        ["unset=null", "inner.deep=[1],[2]"],
        ["unset=null", "inner.deep=1,[2]"],
        ["unset=null", "none.deep=1,2"],
        ["unset=null", "folder=1,2"],
        ["unset=null", "+folder=1,2"],
        ["unset=null", "=1,2"],
        ["unset=null", "$a=1,2"],
        ["width=1,2"],
    ],
    "reading": [
        ["also.a=1,2"],
        ["also.a=1,2", "also=5,6"],
        ["~width", "inner.a=1,2"],
        ["~width", "height=1,2"],
    ],
}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("AXES_HOME", "/home/axes")
    monkeypatch.setenv("AXES_SEEDS", "4,5")
    monkeypatch.delenv("AXES_UNSET", raising=False)


@pytest.mark.parametrize("arguments", SAME, ids=" ".join)
def test_jobs_are_those_of_hydras_own_sweeper(arguments, multirun):
    assert isinstance(assert_same(multirun, arguments), list)


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_refused_is_what_hydras_own_sweeper_refuses(arguments, multirun):
    assert isinstance(assert_same(multirun, arguments), type)


@pytest.mark.parametrize(("params", "arguments"), WITH_PARAMS)
def test_params_of_the_sweeper_come_first_and_keep_their_place(params, arguments, multirun):
    assert isinstance(assert_same(multirun, arguments, params), list)


@pytest.mark.parametrize(("params", "arguments"), REFUSED_WITH_PARAMS)
def test_params_of_the_sweeper_are_refused_alike(params, arguments, multirun):
    assert isinstance(assert_same(multirun, arguments, params), type)


def cases(by_name):
    return pytest.mark.parametrize(("name", "arguments"), [(name, case) for name in by_name for case in by_name[name]])


@cases(SAME_IN_THE_LABORATORY)
def test_jobs_of_other_configurations_are_those_of_hydras_own_sweeper(name, arguments, multirun, laboratory):
    """Interpolations, groups in groups, packages, search paths: what the pipeline's own configuration has not."""
    arguments = [argument.replace("FOLDER", str(laboratory)) for argument in arguments]
    assert isinstance(assert_same(multirun, arguments, folder=laboratory, name=name), list)


@cases(REFUSED_IN_THE_LABORATORY)
def test_refused_of_other_configurations_is_what_hydras_own_sweeper_refuses(name, arguments, multirun, laboratory):
    assert isinstance(assert_same(multirun, arguments, folder=laboratory, name=name), type)


def test_the_basic_sweeper_takes_the_studies_too(multirun):
    """With hydra/sweeper=basic the params of a study are read by Hydra itself: the same axes, text for text."""
    axes = ["seed=1", "threshold=1", "initial.range=1,2", "learning_rate=3"]
    basic, batch = (outcome(by_hydra, *multirun([f"hydra/sweeper={name}", "study=xor", *axes])) for name in ("basic", "batch"))
    assert len(basic) == 2
    assert basic == batch


@pytest.mark.parametrize("value", ["shuffle(range(9))", "shuffle(1,2,3)", "shuffle(choice(a,b,c))", "shuffle(sweep=range(9))"])
def test_shuffled_values_are_hydras_in_an_order_that_is_always_the_same(value, multirun):
    """The same command is the same sweep, so that it resumes."""
    found = [outcome(by_axes, *multirun([f"seed={value}"])) for _ in range(2)]
    assert found[0] == found[1]
    assert sorted(found[0]) == sorted(outcome(by_hydra, *multirun([f"seed={value}"])))


def test_a_shuffled_list_is_always_the_same(multirun):
    jobs = [expand(*multirun(["network.hidden=shuffle([1,2,3,4,5,6,7])", "seed=1,2"]))[0] for _ in range(2)]
    assert jobs[0] == jobs[1]
    assert sorted(jobs[0].config["network"]["hidden"]) == [1, 2, 3, 4, 5, 6, 7]
    assert jobs[0].config["network"]["hidden"] != [1, 2, 3, 4, 5, 6, 7]


# Where Hydra's values are wrong: its faults are not ours.
MENDED = {
    "seed=sort(range(0,10,3),reverse=true)": [9, 6, 3, 0],
    "seed=sort(range(10,0,-3))": [1, 4, 7, 10],
    "seed=sort(range(10,0,-3),reverse=true)": [10, 7, 4, 1],
    "seed=sort(range(0,10,-3),reverse=true)": [],
    "threshold=range(0.1,1,0.1)": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    "threshold=range(0.1,0.4,0.1)": [0.1, 0.2, 0.3],
    "threshold=range(1,0,-0.3)": [1.0, 0.7, 0.4, 0.1],
    "threshold=sort(range(0.1,0.5,0.15),reverse=true)": [0.4, 0.25, 0.1],
    "threshold=shuffle(sort(range(0.1,0.4,0.1)))": [0.2, 0.1, 0.3],
    "threshold=range(1e-3,4e-3,1e-3)": [0.001, 0.002, 0.003],
    "threshold=float(range(1,3))": [1.0, 2.0],
    "learning_rate=${logspace:0.01,1,3}": [0.01, 0.1, 1],
    "learning_rate=choice(${linspace:0,1,5},7)": [0, 0.25, 0.5, 0.75, 1, 7],
}


@pytest.mark.parametrize("argument", MENDED)
def test_values_are_right_where_hydra_has_others(argument, multirun):
    jobs = expand(*multirun([argument]))
    key = argument.partition("=")[0]
    values = [job.config[key] for job in jobs]
    assert (sorted(values) if "shuffle" in argument else values) == (
        sorted(MENDED[argument]) if "shuffle" in argument else MENDED[argument]
    )


ALIKE = (
    ["seed=shuffle(range(5))"],
    ["seed=shuffle(1,2,3)", "network.hidden=shuffle([1,2,3])"],
    ["seed=range(1000000000)", "momentum=0,0.5", "seed=1"],
    ["study=xor", "seed=1,2"],
    ["study=convergence"],
    ["learning_rate=${logspace:1,2,2}", "initial.set.weights_1[0,1]=${linspace:0,1,3},7"],
)


def jobs_of_hydra(loader, master, arguments):
    """The overrides of each job that Hydra's own sweeper makes."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # here, as Hydra loads its plugins anew

    params = [f"{key}={value}" for key, value in master.hydra.sweeper.params.items()]
    overrides = OverridesParser.create(config_loader=loader).parse_overrides([*params, *arguments])
    [jobs] = BasicSweeper.split_arguments(overrides, None)
    return jobs


@pytest.mark.parametrize("arguments", [*([one] for one in MENDED), *SAME, *ALIKE], ids=" ".join)
def test_hydras_own_sweeper_is_given_the_jobs_of_this_one(arguments, multirun):
    loader, master, words = multirun(arguments)
    axes = read_overrides(overrides_of(loader, master, words))
    expected = [list(job) for job in product(*([f"{key}={value}" for value in values] for key, values in axes.items()))]
    sweeper = OmegaConf.to_container(master.hydra.sweeper)
    given_to_it = OmegaConf.create({"hydra": {"overrides": {"task": words}, "sweeper": sweeper}})
    write_out(loader, given_to_it)
    assert jobs_of_hydra(loader, given_to_it, OmegaConf.to_container(given_to_it.hydra.overrides.task)) == expected
    if "threshold=range(0.1,1,0.1)" in arguments:
        assert jobs_of_hydra(*multirun(arguments)) != expected


def test_a_sweeper_that_searches_is_given_sequences_and_addresses_as_hydra_has_them(multirun):
    words = ["learning_rate=choice(${logspace:0.1,10,3})", "seed=range(3)", "momentum=${threshold}"]
    _, master, _ = multirun(params={"initial.set.weights_1[0,1]": "interval(0,1)"})
    with open_dict(master):
        master.hydra.overrides.task = words
    write_sequences(master)
    assert OmegaConf.to_container(master.hydra.overrides.task) == ["learning_rate=choice(0.1,1,10)", *words[1:]]
    assert dict(master.hydra.sweeper.params) == {"initial.set.weights_1.0.1": "interval(0,1)"}


numbers = st.integers(-50, 50) | st.decimals(-5, 5, places=2).map(float)


@examples(60)
@given(numbers, numbers, numbers.filter(bool), st.booleans())
def test_a_range_has_the_decimal_numbers_from_start_to_stop_and_sorted_the_same(multirun, start, stop, step, reverse):
    from fractions import Fraction

    first, last, by = (Fraction(str(number)) for number in (start, stop, step))
    exact, value = [], first
    while (value < last) if by > 0 else (value > last):
        exact.append(float(value))
        value += by
    loader, master, _ = multirun()
    written = f"range({start},{stop},{step})"
    plain, ordered = overrides_of(loader, master, [f"a={written}", f"a=sort({written},reverse={str(reverse).lower()})"])
    assert count(plain) == count(ordered) == len(exact)
    assert list(map(float, texts(plain))) == exact
    assert list(map(float, texts(ordered))) == sorted(exact, reverse=reverse)


@pytest.mark.parametrize(
    ("arguments", "first", "keys"),
    [
        (["++momentum=0.1", "momentum=0,0.5"], "momentum=0,0.5", "++momentum and momentum"),
        (["seed=range(4)", "++seed=7"], "seed=0,1,…", "seed and ++seed"),
    ],
)
def test_a_key_that_is_swept_and_given_once_more_is_refused(arguments, first, keys, multirun):
    with pytest.raises(ConfigError, match=re.escape(f"{first}: is given twice, as {keys}: give it once")):
        expand(*multirun(arguments))


@pytest.mark.parametrize("values", ["range(1,5,0)", "range(0.0,1.0,0.0)", "range(0,inf)", "range(nan,1)"])
def test_a_range_without_end_is_refused(values, multirun):
    with pytest.raises(ConfigError, match="must have an end, and a step other than 0"):
        expand(*multirun([f"seed={values}"]))


@pytest.mark.parametrize("groups", [["study=xor,convergence"], ["study=xor,null"], ["study=null,xor", "seed=1,2"]])
def test_choices_with_axes_of_their_own_are_not_swept(groups, multirun):
    loader, master, _ = multirun()
    with pytest.raises((ConfigError, HydraException, ValueError)):
        expand(loader, master, groups)


@pytest.mark.parametrize("last", ["momentum=0,${oc.env:AXES_UNSET}", "momentum=0,${unknown}", "task=xor,unknown"])
def test_an_error_in_the_last_job_comes_before_the_first_job(last, multirun):
    with pytest.raises((HydraException, OmegaConfBaseException)):
        expand(*multirun(["seed=1,2", last]))


def test_an_interval_is_refused_by_name(multirun):
    with pytest.raises(HydraException, match=r"^momentum=interval\(0,1\): "):
        expand(*multirun(["seed=1,2", "momentum=interval(0,1)"]))


def test_a_job_says_what_varies_as_plain_data(multirun):
    """By key without Hydra's prefixes, and typed as in its configuration."""
    arguments = ["task=xor", "network=example,trained", "+note='a b',[1,'2']", "seed=str(3),4", "momentum=0.5"]
    jobs = list(expand(*multirun(arguments)))
    assert [list(job.axes) for job in jobs] == [["network", "note", "seed"]] * 8
    assert jobs[0].axes == {"network": "example", "note": "a b", "seed": 3}
    assert jobs[-1].axes == {"network": "trained", "note": [1, "2"], "seed": 4}
    assert all(job.config["seed"] == job.axes["seed"] and job.config["note"] == job.axes["note"] for job in jobs)


JOBS_AND_COMPOSITIONS = {
    ("seed=range(10)", "momentum=range(0,0.5,0.05)", "learning_rate=range(1,11)"): (1000, 0),
    ("task=xor", "network=trained", "seed=range(250)"): (250, 0),
    ("task=xor,parity", "seed=range(250)", "network=example,trained"): (1000, 4),
    ("task=parity", "task.bits=2,3,4,5", "network.hidden='[${task.bits}]',[2]", "seed=range(5)"): (40, 0),
    ("+note=1,2", "network={hidden:[3]},{hidden:[4]}", "~tracking", "seed=range(50)"): (200, 1),
    ("initial=uniform", "initial.range=[-1,1],2", "network.hidden.0=2,3", "seed=range(50)"): (200, 0),
    ("task=xor,parity", "momentum=${seed}", "seed=1,2"): (4, 2),
    ("criterion=${hydra:job.num}", "seed=1,2"): (2, 2),
    ("seed=range(0)", "momentum=1,2"): (0, 0),
}


@pytest.mark.parametrize("arguments", JOBS_AND_COMPOSITIONS, ids=" ".join)
def test_hydra_composes_once_for_each_combination_of_groups(arguments, multirun, monkeypatch):
    """Where they are other groups than its master has; and for each job where an interpolation reads Hydra's own node."""
    loader, master, rest = composed(*multirun(arguments))
    compose, calls = loader.load_sweep_config, []
    monkeypatch.setattr(loader, "load_sweep_config", lambda *given: calls.append(given) or compose(*given))
    jobs = len(list(expand(loader, master, rest)))
    assert (jobs, len(calls)) == JOBS_AND_COMPOSITIONS[arguments]


def test_jobs_are_made_as_they_are_taken(multirun):
    """Three of 10¹²."""
    keys = ("seed", "momentum", "threshold", "learning_rate")
    jobs = expand(*multirun([f"{key}=range(1000)" for key in keys]))
    assert [job.config["learning_rate"] for job in islice(jobs, 3)] == [0, 1, 2]


@pytest.mark.slow
def test_a_million_jobs_take_seconds(multirun):
    with at_most(15):
        axes = ["initial=uniform", "initial.range=0.5,1,2,4", "learning_rate=range(10)", "seed=range(2500)"]
        jobs = expand(*multirun([*axes, "momentum=range(10)"]))
        assert sum(1 for _ in jobs) == 1_000_000


def test_hydras_state_and_the_environment_are_left_as_they_were(multirun, laboratory):
    before, state = dict(os.environ), HydraConfig.instance().cfg
    arguments = ["+hydra.job.env_set.AXES_JOB=1", "home=${oc.env:AXES_JOB},2"]
    jobs = list(expand(*multirun(arguments, folder=laboratory, name="numbered")))
    assert [job.config["home"] for job in jobs] == ["1", 2]
    assert dict(os.environ) == before
    assert HydraConfig.instance().cfg is state


words = st.one_of(
    st.integers(-9, 10**6).map(str),
    st.floats().map(repr),
    st.sampled_from(["null", "true", "1e-3", "x:y", "???", "${seed}", "a_${momentum}", "${oc.env:AXES_HOME}", "str(7)"]),
    st.text(st.characters(codec="ascii", min_codepoint=32), max_size=6).map(
        lambda text: QuotedString(text, Quote.single).with_quotes()
    ),
)
lists = st.lists(words, max_size=2).map(lambda entries: f"[{','.join(entries)}]")
ordinary = st.builds(
    lambda key, values: f"{key}={','.join(values)}",
    st.sampled_from(["seed", "momentum", "criterion", "network.bias", "network.hidden", "initial.range", "task.bits"]),
    st.lists(words | lists, min_size=1, max_size=2),
)
special = st.sampled_from(
    [
        *("task=parity,symmetry", "task=glob([p*,sy*])", "network=trained", "network=trained,example", "~task.coding"),
        *("seed=range(2)", "momentum=choice(0.5,0.1)", "task.bits=sort(4,3)", "seed=tag(a,choice(1,2))", "~seed"),
        *("network={bias:none},{hidden:[7]}", "network={hidden:[5]}", "network.hidden.0=3,4", "network.hidden.0=${seed}"),
        *("+note=1,2", "+note={a:1}", "++note={b:2},{a:3}", "++note.a=4,5", "++seed=6", "task.bits=int(3.5),4", "task=xor"),
    ]
)
params_of_the_sweeper = st.dictionaries(
    st.sampled_from(["seed", "momentum", "network", "task.bits"]),
    st.sampled_from(["1,2", "3", "trained", "{bias: none}"]),
    max_size=1,
)


def check_generated(multirun, params, arguments):
    keys = {argument.partition("=")[0] for argument in (*params, *arguments)}
    assume(len(keys) == len({key.lstrip("+~") for key in keys}))  # a key that is swept is refused with another prefix
    started = multirun(["initial=uniform", "task=parity", *arguments], params)
    expected, *found = outcome(by_hydra, *started), outcome(by_axes, *started), outcome(by_axes, *composed(*started))
    if isinstance(expected, type):
        assert all(isinstance(one, type) for one in found)  # with two errors, which comes first may differ
    else:
        assert found == [expected, expected]


@examples(10)
@given(params_of_the_sweeper, st.lists(ordinary | special, max_size=3))
def test_generated_arguments_mean_what_hydra_makes_of_them(multirun, params, arguments):
    check_generated(multirun, params, arguments)


@pytest.mark.slow
@given(params_of_the_sweeper, st.lists(ordinary | special, max_size=4))
@settings(max_examples=amount(100), deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_many_generated_arguments_mean_what_hydra_makes_of_them(multirun, params, arguments):
    check_generated(multirun, params, arguments)


def test_logspace_gives_values_that_a_person_would_write():
    assert logspace(0.01, 10, 7) == "0.01,0.0316,0.1,0.316,1,3.16,10"
    assert logspace(10, 0.01, 4) == "10,1,0.1,0.01"
    assert logspace(1e-6, 1e8, 3) == "1e-6,10,1e8"
    assert logspace(1, 2, 2) == "1,2"
    assert logspace(1, 2, 3, digits=6) == "1,1.41421,2"


def test_linspace_gives_decimal_values():
    assert linspace(0, 1, 5) == "0,0.25,0.5,0.75,1"
    assert linspace(-1, 0.5, 4) == "-1,-0.5,0,0.5"
    assert linspace(1, 0, 4) == "1,0.666666666666667,0.333333333333333,0"
    assert linspace(0, 1, 4, digits=3) == "0,0.333,0.667,1"
    with pytest.raises(ConfigError, match=r"^linspace=\$\{linspace:1,1,3\}: needs two different numbers$"):
        linspace(1, 1, 3)


def test_logspace_takes_more_digits_where_values_would_meet():
    assert logspace(1, 1.01, 3) == "1,1.005,1.01"
    assert logspace(0.0316228, 0.0317, 3) == "0.0316228,0.03166,0.0317"  # 0.0317 is what three digits would give


positive = st.floats(min_value=5e-324, allow_infinity=False)


@examples(100)
@given(positive, positive, st.integers(2, 60), st.integers(1, 17))
def test_logspace_runs_evenly_from_end_to_end(low, high, points, digits):
    assume(abs(math.log(high) - math.log(low)) > 1e-9 and min(low, high) > 1e-300)
    texts = logspace(low, high, points, digits).split(",")
    values = [float(text) for text in texts]
    assert (values[0], values[-1], len(values)) == (low, high, points)
    assert values == sorted(set(values), reverse=high < low)
    assert logspace(high, low, points, digits).split(",") == texts[::-1]
    for place, value in enumerate(values):
        exact = math.log(low) + (math.log(high) - math.log(low)) * place / (points - 1)
        assert math.log(value) == pytest.approx(exact, abs=0.6 * 10 ** (1 - digits) + 1e-12)


@examples(50)
@given(positive, positive, st.integers(2, 20))
def test_hydra_reads_the_values_of_logspace_as_they_are_written(low, high, points):
    try:
        text = logspace(low, high, points)
    except ConfigError:
        return
    [override] = OverridesParser.create().parse_overrides([f"rate={text}"])
    assert list(override.sweep_iterator()) == [float(value) for value in text.split(",")]
    again = OverridesParser.create().parse_overrides([f"rate={value}" for value in override.sweep_string_iterator()])
    assert [value.value() for value in again] == [float(value) for value in text.split(",")]


@pytest.mark.parametrize(
    "arguments",
    [
        *((0, 1, 3), (-1, 1, 3), (1, 1, 3), (1, math.inf, 3), (math.nan, 1, 3), (True, 2, 3), (None, 1, 3), ("a", 1, 3)),
        *((1, 10**400, 3), (1, 2, 1), (1, 2, 3.0), (1, 2, "3"), (1, 2, 100_001), (1, 2, 3, 0), (1, 2, 3, 18)),
        (1, 1 + 2**-52, 3),  # there is no number between these
    ],
)
def test_logspace_refuses_what_has_no_such_values(arguments):
    with pytest.raises(ConfigError, match=r"^logspace=\$\{logspace:.*\}: (needs|has) "):
        logspace(*arguments)
