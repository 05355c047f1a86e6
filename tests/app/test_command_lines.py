"""What people type is right, or refused in one line that says what to write; of what has no effect a line says so."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline import __version__, console
from pipeline.app.application import run
from pipeline.app.composition import CONF, compose_multirun
from pipeline.app.refusals import MOST_CHARACTERS, shortened
from pipeline.sweeps.request import read_sweep
from tests.stores import after

TABLE = Path(__file__).with_name("command_lines.txt").read_text(encoding="utf-8").splitlines()
LINES = [tuple(part.strip() for part in line.partition(" | ")[::2]) for line in TABLE if line and not line.startswith("#")]


@pytest.fixture(autouse=True)
def variable(monkeypatch):
    monkeypatch.setenv("LR", "0.7")
    monkeypatch.delenv("NONE", raising=False)


def is_one_line(text: str) -> bool:
    return text.count("\n") == 1 and len(text) <= MOST_CHARACTERS + 1 and "Traceback" not in text


@pytest.mark.parametrize(("line", "says"), LINES, ids=[line for line, _ in LINES])
def test_a_line_works_or_says_what_to_write(line, says, store, command):
    ended = command("train", *shlex.split(line))
    if says == "works":
        assert (ended.code, ended.err) == (0, "")
    else:
        assert (ended.code, ended.out) == (2, "")
        assert is_one_line(ended.err)
        assert says.strip() in ended.err


STUDIES = {
    "tab": ("# @package _global_\nhydra:\n  sweeper:\n\tparams: {}\n", "tab.yaml: line 4: found character '\\t'"),
    "open": ("# @package _global_\nseed: [1,2\n", "open.yaml: line 3: expected ',' or ']'"),
    "twice": ("# @package _global_\nseed: 1\nseed: 2\n", "twice.yaml: line 3: found duplicate key seed"),
    "alias": ("# @package _global_\nseed: *other\n", "alias.yaml: line 2: found undefined alias"),
    "parts": ("# @package _global_\nseed: 1\n---\nseed: 2\n", "parts.yaml: line 3: but found another document"),
    "keys": ("# @package _global_\n? [a]\n: 3\n", "keys.yaml: line 2: found unhashable key"),
    "tag": ("# @package _global_\nseed: !!python/object:os.system x\n", "tag.yaml: line 2: could not determine a constructor"),
    "latin": ("# @package _global_\n# \udcff\nseed: 1\n", "latin.yaml: line 2: is not UTF-8"),
    "control": ("# @package _global_\nseed: \x01\n", "control.yaml: unacceptable character"),
    "half": ("# @package _global_\nseed: ${foo\n", "half.yaml: no viable alternative"),
    "package": ("# @package a b\nseed: 1\n", "package.yaml: Too many components"),
    "nowhere": (
        "seed: 1\nhydra: {sweeper: {params: {seed: '1,2'}}}\n",
        "study=nowhere: its file must begin with the line",
    ),
    "empty": ("", "study=empty: its file must begin with"),
    "list": ("- a\n- b\n", "study=list: its file must begin with"),
    "defaults": ("# @package _global_\ndefaults: task\n", "Invalid defaults list in 'study/defaults'"),
    "choice": ("# @package _global_\ndefaults: [override /task: nope]\n", "task=nope: must be one of csv"),
    "hydra": ("# @package _global_\nhydra: 3\n", "In 'study/hydra': ValidationError"),
    "typo": ("# @package _global_\nlearnin_rate: 3\n", "learnin_rate=3: unknown key; did you mean learning_rate?"),
    "axis": ("# @package _global_\nhydra: {sweeper: {params: {seed: 'range(3'}}}\n", "seed=range(3: a bracket is open: ("),
}


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("flags", [["-m"], pytest.param([], marks=pytest.mark.slow)], ids=["sweep", "run"])
def test_a_mistake_in_a_study_is_named_with_file_and_line(name, flags, folder, command):
    text, says = STUDIES[name]
    (folder / "own" / "study").mkdir(parents=True)
    (folder / "own" / "study" / f"{name}.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    ended = command("train", *flags, "--config-dir", "own", f"study={name}")
    assert (ended.code, ended.out, os.listdir()) == (2, "", ["own"])
    assert is_one_line(ended.err)
    assert says in ended.err or (name == "axis" and not flags and "is a sweep: add -m" in ended.err)


def test_a_line_keeps_its_beginning_and_its_end():
    line = shortened("seed=" + "1," * 500 + ": must be whole numbers")
    assert len(line) == MOST_CHARACTERS
    assert line.startswith("seed=1,")
    assert line.endswith("must be whole numbers")
    assert shortened("seed=1") == "seed=1"


NOTICES = {
    ("seed=3",): "seed=3: has no effect with initial=published",
    ("executor=dask",): "executor=dask: has no effect on a single run",
    ("hydra.job.chdir=true",): "hydra.job.chdir=True: has no effect",
    ("hydra.sweep.dir=x",): "hydra.sweep.dir=x: has no effect on a single run",
    ("-m", "seed=1,2"): "seed: has no effect: its 2 values all make the same trial",
    ("-m", "learning_rate=0.5,0.50"): "learning_rate: has no effect: its 2 values",
    ("-m", "network.bias=none", "network.train_bias=true,false"): "network.train_bias: has no effect: its 2 values",
    ("-m", "hydra.sweep.subdir=x"): "hydra.sweep.subdir=x: has no effect",
}


@pytest.mark.parametrize("arguments", NOTICES, ids=" ".join)
def test_what_has_no_effect_is_said_and_is_no_error(arguments, store, command):
    ended = command("train", *arguments, "max_epochs=1")
    assert ended.code == 0
    assert is_one_line(ended.err)
    assert NOTICES[arguments] in ended.err


def test_what_has_an_effect_is_not_spoken_of(store, command):
    assert command("train", "initial=uniform", "seed=3", "max_epochs=1").err == ""
    assert command("train", "-m", "initial=uniform,published", "seed=3,4", "max_epochs=1").err == ""


def test_no_empty_log_and_no_hydra_files_unless_wanted(store, folder, command):
    assert command("train", "max_epochs=1", "hydra.run.dir=one").code == 0
    assert [path.name for path in (folder / "one").iterdir()] == [".hydra"]
    assert command("train", "-m", "max_epochs=1", "hydra.sweep.dir=many", "hydra.output_subdir=null").code == 0
    assert [path.name for path in (folder / "many").iterdir()] == ["multirun.yaml"]


def test_variables_of_env_set_are_there_in_runs_and_in_sweeps(store, folder, command):
    elsewhere = f"sqlite:///{folder}/elsewhere.db"
    variables = [f"+hydra.job.env_set.MLFLOW_TRACKING_URI='{elsewhere}'", "+hydra.job.env_set.RATE='0.25'"]
    for flags in ([], ["-m"]):
        ended = command("train", *flags, *variables, 'learning_rate="${oc.decode:${oc.env:RATE}}"', "max_epochs=1")
        assert (ended.code, ended.err) == (0, "")
        assert elsewhere in ended.out
    assert "RATE" not in os.environ


CALLBACK = """
import os
from pathlib import Path
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
class Told(Callback):
    def on_multirun_start(self, config, **_): print("start of", config.seed)
    def on_multirun_end(self, config, **_): print("end of", config.seed)
class Job(Callback):
    def on_job_start(self, config, task_function, **_):
        self.of, self.rate, self.wanted = config, os.environ["RATE"], callable(task_function)
    def on_job_end(self, config, job_return, **_):
        assert config is self.of and self.wanted and HydraConfig.get() == config.hydra
        assert job_return.hydra_cfg.hydra.job == config.hydra.job
        assert Path(config.hydra.runtime.output_dir).is_dir()
        print("job", config.hydra.job.num, config.hydra.job.override_dirname, self.rate, list(job_return.overrides),
              config.learning_rate, job_return.cfg, job_return.return_value, job_return.working_dir, job_return.task_name,
              Path(config.hydra.runtime.output_dir).name, job_return.status)
class Multi(Told, Job):
    pass
"""


def test_callbacks_of_a_multirun_are_called(store, folder, command, monkeypatch):
    (folder / "told.py").write_text(CALLBACK)
    monkeypatch.syspath_prepend(str(folder))
    out = command("train", "-m", "+hydra.callbacks.told._target_=told.Told", "max_epochs=1").out
    assert out.startswith("start of 0\n")
    assert out.endswith("end of 0\n")


def test_callbacks_of_jobs_are_called_as_hydras_own_sweeper_does(store, folder, command, monkeypatch):
    """Each job has its start and its end, with nothing between; its configuration, folder and return value are the same."""
    (folder / "told_jobs.py").write_text(CALLBACK)
    monkeypatch.syspath_prepend(str(folder))
    sweep = ("-m", "+hydra.callbacks.told._target_=told_jobs.Multi", "+hydra.job.env_set.RATE='0.25'", "threshold=0.01",
             "learning_rate=1,10", "max_epochs=100", "momentum=0.5")  # fmt: skip
    told = {}
    for sweeper in ("basic", "batch"):
        ended = command("train", *sweep, f"hydra/sweeper={sweeper}", f"hydra.sweep.dir={sweeper}")
        assert (ended.code, ended.err) == (0, "")
        told[sweeper] = [line for line in ended.out.splitlines() if line.startswith("job ")]
    assert sorted(told["batch"]) == told["basic"]
    assert [line.split()[1] for line in told["batch"]] == ["0", "1"]


def test_callbacks_of_jobs_are_told_of_the_jobs_that_a_sweep_began_with(store, folder, command, monkeypatch):
    (folder / "told_again.py").write_text(CALLBACK)
    monkeypatch.syspath_prepend(str(folder))
    told = ("+hydra.callbacks.told._target_=told_again.Multi", "+hydra.job.env_set.RATE='1'")
    sweep = ("train", "-m", *told, "max_epochs=3", "executor.chunk=1")
    with monkeypatch.context() as patch:
        after(patch, 2, lambda: signal.raise_signal(signal.SIGINT))
        first = command(*sweep, "learning_rate=1,2,3")
    second = command(*sweep, "learning_rate=3,2,1")
    assert (first.code, second.code) == (130, 0)
    jobs = [re.findall(r"^job (\d) .*learning_rate=(\d),max_epochs=3", ended.out, re.M) for ended in (first, second)]
    assert jobs == [[("0", "1"), ("1", "2")], [("2", "3")]]


def test_one_bad_job_of_hydras_own_sweeper_does_not_end_the_others(store, command):
    ended = command("train", "-m", "learning_rate=-1,1,-2,2", "max_epochs=1", "hydra/sweeper=basic")
    assert ended.code == 2
    assert ended.out.count("recorded as run") == 2
    errors = [line for line in ended.err.splitlines() if not line.startswith("[")]
    assert errors == [
        f"job {number} (learning_rate={rate} max_epochs=1): learning_rate={rate}: must be greater than 0 and finite"
        for number, rate in ((0, -1), (2, -2))
    ]


HUGE = {
    ("train", "-m", "seed=range(0,1000000000)"): "1,000,000,000 trials may take",
    ("train", "-m", "learning_rate=range(0,1,1e-9)"): "1,000,000,000 trials may take",
    ("train", "-m", "seed=range(0,1000000000)", "hydra/sweeper=basic"): "takes at most 100,000 jobs, not 1,000,000,000",
    ("train", "-m", "seed=sort(shuffle(range(0,1000000000)),reverse=true)"): "1,000,000,000 trials may take",
    ("train", "-m", "seed=range(0,1000000000)", "seed=range(1e400)"): "must have an end",
    ("train", "network.hidden=[20000,20000]", "initial=uniform"): "has 400,080,003 weights and biases: at most 100,000,000",
    ("train", "-m", "network.hidden=[20000,20000]", "initial=uniform"): "has 400,080,003 weights and biases",
    ("explain", "network.hidden=[20000,20000]", "initial=uniform"): "has 400,080,003 weights and biases",
    (
        "train",
        "network.hidden=[9000,9000]",
        "initial=uniform",
        "limits.memory=1",
    ): "may take 4.83 GiB of memory, and 1 GiB are",
    ("train", "-m", "network.hidden=[9000,9000]", "initial=uniform", "limits.memory=1"): "may take 4.83 GiB",
    ("explain", "network.hidden=[9000,9000]", "initial=uniform", "limits.memory=1"): "may take 4.83 GiB",
    ("train", "initial=file", "initial.path=bomb.npz"): "array of shape (20000, 20000): must have shape (2, 2)",
    ("train", "initial=file", "initial.path=lie.npz"): "must be a .npz file of plain numbers",
    ("train", "initial=file", "initial.path=fifo"): "is no file at all",
    ("train", "initial=file", "initial.path=/dev/zero"): "is no file at all",
    ("train", "-m", "initial=file", "initial.path=fifo,/dev/zero"): "is no file at all",
}
WITHIN = """
import json, os, resource, sys, time
from importlib import import_module
from pathlib import Path
from pipeline.app.application import run
import pipeline.train, pipeline.explain
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
for words in json.loads(sys.argv[1]):  # each in a process of its own, which has imported all
    if os.fork() == 0:
        os.dup2(os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        before, started, code = peak(), time.process_time(), None
        sys.argv = ["pipeline", *words[1:]]
        try:
            run(import_module(f"pipeline.{words[0]}").main, words[0])
        except SystemExit as ended:
            code = ended.code
        finally:
            sys.stderr.flush()
            print(json.dumps([code, Path("said").read_text(), peak() - before, time.process_time() - started]), flush=True)
            os._exit(0)
    os.wait()
"""


def bomb(path: Path, shape: tuple[int, ...], chunks: int) -> None:
    import zipfile

    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("weights_1.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": shape})
        for _ in range(chunks):
            member.write(bytes(2**24))


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict[tuple[str, ...], list]:
    """Of each command its exit code, what it says, the MiB and the seconds that it took."""
    folder = tmp_path_factory.mktemp("bombs")
    bomb(folder / "bomb.npz", (20000, 20000), 14)
    bomb(folder / "lie.npz", (2, 2), 14)
    os.mkfifo(folder / "fifo")
    code = [sys.executable, "-c", WITHIN, json.dumps([*HUGE])]
    ended = subprocess.run(code, capture_output=True, text=True, timeout=200, check=True, cwd=folder)
    return dict(zip(HUGE, map(json.loads, ended.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("arguments", HUGE, ids=" ".join)
def test_what_is_too_large_is_refused_before_it_is_made(arguments, measured):
    code, said, mebibytes, seconds = measured[arguments]
    assert code == 2
    assert is_one_line(said)
    assert HUGE[arguments] in said
    assert mebibytes < 200
    assert seconds < 2


@pytest.mark.parametrize("name", console.COMMANDS)
def test_help_has_purpose_examples_and_every_key_with_its_meaning(name, command):
    ended = command(name, "--help")
    assert (ended.code, ended.err) == (0, "")
    first, *_ = (CONF / f"{name}.yaml").read_text().splitlines()
    assert ended.out.startswith(first.removeprefix("# "))
    examples = [line for line in ended.out.splitlines() if line.startswith(f"  python -m pipeline.{name}")]
    assert len(examples) >= 3
    assert "powered by hydra" not in ended.out.lower()


@pytest.mark.parametrize("name", ["train", "summary", "explain"])
def test_examples_in_the_help_compose(name, command):
    for line in command(name, "--help").out.splitlines():
        if line.startswith(f"  python -m pipeline.{name}"):
            _, _, _, *words = shlex.split(line)
            if "-m" in words:
                assert len(read_sweep(compose_multirun(words[1:])).plan) > 1
            else:
                assert command(name, "--cfg", "job", *words).code == 0


def test_help_names_every_key_of_train(command):
    out = command("train", "--help").out
    for key in (
        "learning_rate",
        "hidden",
        "objective",
        "task=csv",
        "initial=uniform",
        "executor=dask",
        "study=xor",
        "experiment",
    ):
        assert key in out
    assert "converged: " in out  # how a run ends


@pytest.mark.parametrize("words", [["--version"], ["learning_rate=1", "--version"]])
def test_the_version_is_ours(words, command):
    assert command("train", *words).out == f"backprop {__version__}\n"


def test_a_fault_of_the_program_is_no_refusal(monkeypatch, folder):
    def main(config):
        raise ValueError("ours")

    monkeypatch.setattr(sys, "argv", ["pipeline.push"])
    with pytest.raises(ValueError, match="ours"):
        run(main, "push")
