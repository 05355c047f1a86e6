"""A multirun means what Hydra's BasicSweeper makes it mean; here it is asked, job by job."""

import time
from copy import deepcopy
from pathlib import Path
from random import Random

import pytest
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import run_job
from hydra.errors import ConfigCompositionException, HydraException
from hydra.types import HydraContext, RunMode
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf, open_dict

from pipeline.application import CONF, logspace
from pipeline.axes import expand
from pipeline.config import ConfigError

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


@pytest.fixture(scope="module")
def multirun(tmp_path_factory):
    """What Hydra gives its sweeper: its loader, the configuration of the multirun, the arguments."""
    sweeps = [f"hydra.sweep.dir={tmp_path_factory.mktemp('multirun')}", "hydra.output_subdir=null"]
    composed = {}

    def start(arguments=(), params=None, folder=CONF, name="train"):
        own = [argument for argument in arguments if argument.lstrip("+").startswith(("hydra", "study"))]
        key = (folder, name, *own)
        if key not in composed:
            with initialize_config_dir(version_base="1.3", config_dir=str(folder)):
                hydra = GlobalHydra.instance().hydra
                master = hydra.compose_config(
                    name, [*sweeps, *own], run_mode=RunMode.MULTIRUN, with_log_configuration=False
                )
            composed[key] = hydra.config_loader, master
        loader, master = composed[key]
        if params:
            master = deepcopy(master)
            master.hydra.sweeper.params = params
        return loader, master, [argument for argument in arguments if not argument.lstrip("+").startswith("hydra")]

    return start


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


def outcome(jobs, *multirun):
    """What comes of a multirun, as text in which 1, 1.0 and True differ and nan is nan: its jobs, or that it is refused."""
    try:
        return [repr(job) for job in jobs(*multirun)]
    except Exception as error:
        return type(error)


def assert_same(multirun, *wanted):
    """Both sweepers give the same jobs, or refuse with the same error; gives what they gave."""
    started = multirun(*wanted)
    expected = outcome(by_hydra, *started)
    assert outcome(by_axes, *started) == expected
    return expected


SAME = [
    [],
    ["seed=1"],
    ["seed=1,2", "momentum=0,0.5"],
    ["momentum=0,0.5", "seed=1,2"],
    ["seed=range(3)"],
    ["seed=range(5,1,-2)", "threshold=range(0.1,0.3,0.1)"],
    ["seed=range(1,stop=7,step=3)"],
    ["seed=choice(3,1,2)"],
    ["seed=sort(3,1,2)"],
    ["seed=sort(range(3),reverse=true)", "momentum=sort(choice(0.5,0.1))"],
    ["seed=tag(first,second,choice(1,2))"],
    ["seed=range(3,3)", "momentum=0,0.5"],
    ["task=xor,parity", "initial=uniform"],
    ["task=glob([x*,par*])", "initial=uniform"],
    ["task=glob(*,exclude=[c*,s*,i*])", "initial=uniform"],
    ["task=glob(nothing)"],
    ["seed=glob(*)"],
    ["task=parity,symmetry", "task.bits=3,4"],
    ["task.bits=3,4", "task=parity,symmetry", "seed=1"],
    ["task=xor,parity", "seed=1,2", "network=example,trained"],
    ["task=[xor],[parity]"],
    ["+note=1,2"],
    ["+note.deep=1,2", "seed=1,2"],
    ["++note=a,b", "++seed=3,4"],
    ["+network.extra={a:1},{b:2}"],
    ["~seed"],
    ["~seed=0", "momentum=0,0.5"],
    ["~task", "~initial", "seed=1,2"],
    ["task=xor", "~task.coding", "seed=1,2"],
    ["network.hidden=[2],[3,4],[]"],
    ["network.hidden=[2],3,null"],
    ["network.hidden.0=3,4"],
    ["network.hidden.0=3", "network.hidden=[1],[2,5]"],
    ["network={hidden:[3]},{bias:none,train_bias:true}", "seed=1,2"],
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
    ["criterion='a,b',\"it's\",'\"','a b',c\\,d,e\\ f,'\\'quoted\\'',a:b,http://x:1/?y,c-d_e.f,''"],
    ["criterion=", "update=','"],
    ["seed=str(3)", "momentum=str(0.5),'0.5',int(3.7),float(1),bool(1)"],
    ["seed=str([3,4])", "momentum=str(choice(1,2))"],
    ["seed=float(range(1,3))", "update=bool(1,False)"],
    ["seed=int(choice(1.5,2.5))", "update=float('7')"],
    ["seed=0x10,1_000,+5,-0,007,1.,.5,1e3,1_0.5,-0.0"],
    ["momentum=nan,-inf,null,true,FALSE,10000000000000000000000,1e400,1e-400"],
    ["threshold=1e-3,1e-3,0.001"],
    ["update=???,online"],
    ["seed=1,2", "seed=3,4"],
    ["seed=1,2", "momentum=0,0.5", "seed=7"],
    ["task=xor", "task=parity,symmetry"],
    ["momentum=${seed},0.5", "seed=1,2"],
    ["momentum=${seed}"],
    ["network.hidden=[${task.bits}]", "task=parity", "task.bits=3,4"],
    ["criterion='a_${seed}_${update}',b", "seed=1,2"],
    ["criterion=\\${seed},b", "seed=1,2"],
    ["criterion=${oc.env:AXES_HOME},${oc.env:AXES_UNSET,none}", "seed=1,2"],
    ["criterion=${hydra:job.num},${hydra:runtime.choices.task}", "task=xor,parity"],
    ["criterion=${now:%Y}", "seed=1,2"],
    ["learning_rate=[0.1,0.2],[1,2]", "seed=1,2"],
    ["learning_rate=[nan,null,true,'a b',{a:[1]}],[[]]"],
    ["study=xor", "seed=1", "learning_rate=1,2", "threshold=1e-1", "initial.range=1"],
    ["study=convergence", "task=xor,parity", "seed=5", "threshold=1e-3", "initial.range=1", "learning_rate=1,2"],
    ["hydra.job.name=here", "hydra.job.chdir=false", "seed=1,2"],
    ["+hydra.job.env_set.AXES_JOB='7'", "seed=${oc.env:AXES_JOB},2"],
    ["tracking.uri=sqlite:///${oc.env:AXES_HOME}/m.db,null", "tracking.experiment=a"],
]

WITH_PARAMS = [
    ({"seed": "1,2", "momentum": "0,0.5"}, ["task=xor,parity"]),
    ({"seed": "1,2", "momentum": "0,0.5"}, ["seed=3,4,5"]),
    ({"seed": "1,2", "momentum": "0,0.5"}, ["threshold=1", "momentum=0.1", "seed=3"]),
    ({"seed": 3, "momentum": 0.5, "update": True}, ["threshold=1,2"]),
    ({"seed": "range(${curve_points})"}, ["curve_points=2"]),
    ({"learning_rate": "${logspace:0.1,10,3}"}, ["seed=1,2"]),
    ({"learning_rate": "choice(${logspace:1,0.1,3},7)"}, ["seed=1,2"]),
    ({"seed": "${oc.env:AXES_SEEDS}"}, []),
    ({"+note": "1,2", "~initial": "published"}, []),
    ({"hydra.job.name": "a,b", "seed": "1,2"}, []),
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
    ["seed=range(1,5,0)"],
    ["seed=range(0.0,1.0,0.0)"],
    ["seed=choice()"],
    ["seed=unknown(1)"],
    ["seed=sort(1,a)"],
    ["seed=[choice(1,2)]"],
    ["seed=1,2,"],
    ["seed=int(a)"],
]

IN_THE_LABORATORY = {
    "plain": [
        ["unset=1,2"],
        ["unset=null"],
        ["unset=null", "shape=round,square", "width=1,2"],
        ["unset=null", "shape.length=1,2", "shape=square,odd"],
        ["unset=null", "shape=glob(*)", "width=4"],
        ["unset=null", "+shape/colour=red,blue"],
        ["unset=null", "+shape/colour@paint=red,blue", "width=1,2"],
        ["unset=null", "+shape@here=round,square", "here.sides=4,5"],
        ["unset=null", "shape@shape=round,square"],
        ["unset=null", "shape={sides:1},{sides:2}"],
        ["unset=null", "inner.a=1,2", "inner={a:3,b:[4]},{deep:{c:5}}"],
        ["unset=null", "inner.deep.c=1,2", "inner.b.1=5,6"],
        ["unset=null", "inner.deep=1,2", "inner.a=[1],[2]"],
        ["unset=null", "inner.deep=[1],[2]"],
        ["unset=null", "inner.deep=1,[2]"],
        ["unset=null", "none.deep=1,2"],
        ["unset=null", "must=1,2"],
        ["unset=null", "table.1.a=4,5", "table.0.0=7"],
        ["unset=null", "table=[[3]],[]"],
        ["unset=null", "folder=1,2"],
        ["unset=null", "+folder=1,2"],
        ["unset=null", "=1,2"],
        ["unset=null", "$a=1,2"],
        ["unset=null", "hydra.searchpath=[file://FOLDER/shape]", "+colour=red,blue"],
        ["unset=null", "hydra.searchpath=[file://FOLDER/shape]", "+colour=glob(*)"],
        ["width=1,2"],
    ],
    "reading": [
        ["width=1,2"],
        ["width=1,2", "height=3,4"],
        ["height=3,4", "area=5,6"],
        ["shape=glob(*)", "width=1,2"],
        ["also.a=1,2"],
        ["also.a=1,2", "inner.a=3"],
        ["inner.a=3", "also.a=1,2"],
        ["also.a=1,2", "inner.a=3,4"],
        ["also.a=1,2", "also=5,6"],
        ["also=5,6", "inner={a:2},{a:3}"],
        ["inner=1,2"],
        ["~width", "inner.a=1,2"],
        ["~width", "height=1,2"],
        ["~width", "height=1,2", "area=1"],
        ["none=${.width},${inner.b.1},${oc.select:nothing,3}", "width=1,2"],
    ],
    "numbered": [
        [],
        ["width=1,2", "shape=round,square"],
        ["width=1,2", "hydra.sweep.subdir=a_${width}_${hydra.job.num}"],
        ["width=1,2", "none=3", "hydra.job.config.override_dirname.exclude_keys=[none]"],
        ["shape=odd", "none=1,2"],
    ],
    "studied": [
        [],
        ["none=1"],
        ["many=2", "none=5,6"],
        ["study=wide", "none=1", "width=1,2"],
        ["study=wide", "shape=round,square", "width=1"],
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
