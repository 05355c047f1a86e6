"""What cannot run is refused in one line that names key, value and what is allowed, before anything is written."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FILES = {
    "empty.csv": "",
    "header.csv": "a,b,y\n",
    "ragged.csv": "a,b,y\n1,2,3\n1,2,3,4\n",
    "short.csv": "a,b,y\n1,2,3\n1,2\n",
    "hole.csv": "a,b,y\n1,,3\n",
    "nan.csv": "a,b,y\n1,NaN,3\n",
    "inf.csv": "a,b,y\n1,inf,3\n",
    "word.csv": "a,b,y\n1,2,3\n1,q,3\n",
    "good.csv": "a,b,y\n1,2,3\n",
    "text.npz": "hello",
}
CSV = ("task=csv", "task.targets=y", "initial=uniform")

REFUSED = {
    ("learning_rat=1",): "learning_rat=1: unknown key; did you mean learning_rate?",
    ("network.hiden=[2]",): "network.hiden=[2]: unknown key; did you mean hidden?",
    ("+depth=3",): "depth=3: unknown key; known are",
    ("task=foo",): "task=foo: must be one of csv, digits, encoder, iris, parity, seed_example, spirals, symmetry, xor",
    ("study=foo",): "study=foo: must be one of",
    ("study=xor",): "study=xor: is a sweep: add -m",
    ("network.activation=step",): "network.activation=step: must be one of sigmoid, tanh, relu, identity",
    ("engine=abacus",): "engine=abacus: must be one of",
    ("learning_rate=-1",): "learning_rate=-1: must be greater than 0 and finite",
    ("learning_rate=nan",): "learning_rate=nan: must be greater than 0 and finite",
    ("learning_rate=fast",): "learning_rate=fast: must be a number",
    ("learning_rate=[1,2,3]",): "learning_rate=[1,2,3]: must be one number, or 2: one per layer",
    ("learning_rate=[",): "learning_rate=[: ",
    ("learning_rate=1,2",): "learning_rate=1,2: several values: a sweep needs -m",
    ("threshold=0",): "threshold=0: must be greater than 0 and finite",
    ("momentum=1",): "momentum=1: must be at least 0 and below 1",
    ("max_epochs=1.5",): "max_epochs=1.5: must be a whole number, 0 to",
    ("seed=-1",): "seed=-1: must be a whole number, 0 to",
    ("network.hidden=[0]",): "network.hidden=[0]: must be whole numbers from 1",
    ("network.hidden=2",): "network.hidden=2: must be a list",
    ("network.train_bias=1",): "network.train_bias=1: must be true or false",
    ("network.hidden=[3]",): "network.hidden=[3]: must be [2] with initial=published",
    ("task=xor",): "initial=published: belongs to task=seed_example, not to xor; use initial=uniform",
    ("initial=uniform", "initial.range=0"): "initial.range=0: must be a number greater than 0, or [low, high]",
    ("initial=uniform", "initial.range=[1,0]"): "initial.range=[1,0]: must be",
    ("initial=explicit",): "initial.values=???: must give weights_1",
    ("initial=explicit", "initial.values={weights_1:[[1,2]]}"): "must have shape (2, 2)",
    ("initial=file", "initial.path=missing.npz"): "initial.path=missing.npz: cannot be read",
    ("initial=file", "initial.path=text.npz"): "initial.path=text.npz: must be a .npz file",
    ("initial=file", "initial.path=pickled.npz"): "initial.path=pickled.npz: must be a .npz file of plain numbers",
    ("initial=file", "initial.path=shape.npz"): "weights_1=array of shape (3, 2): must have shape (2, 2)",
    ("task=csv", "initial=uniform"): "task.path=???: must be the path of a table",
    (*CSV, "task.path=missing.csv"): "task.path=missing.csv: cannot be read: No such file or directory",
    (*CSV, "task.path=empty.csv"): "task.path=empty.csv: must be a table with a header, and is empty",
    (*CSV, "task.path=header.csv"): "task.path=header.csv: has no patterns",
    (*CSV, "task.path=ragged.csv"): "task.path=ragged.csv: line 3 has more cells (4) than the first row (3)",
    (*CSV, "task.path=short.csv"): "task.path=short.csv: line 3 has fewer cells (2) than the first row (3)",
    (*CSV, "task.path=hole.csv"): "task.path=hole.csv: line 2: column b has no value",
    (*CSV, "task.path=nan.csv"): "task.path=nan.csv: line 2: 'NaN' in column b is a missing value",
    (*CSV, "task.path=inf.csv"): "task.path=inf.csv: line 2: 'inf' in column b is no finite number",
    (*CSV, "task.path=word.csv"): "task.path=word.csv: line 3: 'q' in column b is no number, and others are",
    (*CSV, "task.path=good.csv", "task.targets=z"): "task.targets=z: no such column in good.csv; it has a, b, y",
    ("tracking.uri=sqlite:///text.npz",): "/text.npz: cannot be opened: file is not a database",
    ("tracking.uri=sqlite:////proc/none/m.db",): "tracking.uri=sqlite:////proc/none/m.db: cannot be opened",
    ("tracking.uri=ftp://nowhere",): "tracking.uri=ftp://nowhere: is no address of a store",
    ("-m", "learning_rate=0.1,-1"): "learning_rate=-1: must be greater than 0 and finite",
    ("-m", "learning_rate=0.1,1", "treshold=1"): "treshold=1: unknown key; did you mean threshold?",
    ("-m", "task=seed_example,foo"): "task=foo: must be one of",
    ("-m", "task=seed_example,xor"): "initial=published: belongs to task=seed_example",
    ("-m", "learning_rate=interval(0,1)"): "learning_rate=interval(0,1): an interval cannot be swept; use range or choice",
    ("task=1",): "Config group override must be a string or a list. Got int",
    ("-m", "task=1,2"): "Config group override must be a string or a list. Got int",
    ("-m", "seed=range(0)"): "sweep=seed=range(0): has no jobs: an axis has no values",
    ("-m", "tracking.experiment=a,b"): "tracking.experiment=a,b: cannot be swept",
}


@pytest.fixture
def files(folder: Path) -> list[str]:
    for name, text in FILES.items():
        (folder / name).write_text(text)
    np.savez(folder / "pickled.npz", weights_1=np.array([{}], dtype=object))
    np.savez(folder / "shape.npz", weights_1=np.zeros((3, 2)))
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_wrong_input_is_refused_in_one_line_and_nothing_is_written(arguments, files, folder, command):
    ended = command("train", *arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.count("\n") == 1
    assert REFUSED[arguments] in ended.err
    assert sorted(os.listdir(folder)) == files


@pytest.mark.parametrize("arguments", [["hydra.run.dir=/proc/x"], ["-m", "momentum=0,0.5", "hydra.sweep.dir=/proc/x"]])
def test_an_output_folder_that_cannot_be_made_is_named_in_one_line(arguments, store, command):
    ended = command("train", *arguments)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "No such file or directory: '/proc/x'" in ended.err


def test_a_store_that_may_not_be_written_is_refused(store, command):
    if os.access("/proc/version", os.W_OK) or os.geteuid() == 0:
        pytest.skip("this user may write to everything")
    store.chmod(0o444)
    ended = command("train")
    assert (ended.code, ended.err.count("\n")) == (2, 1)


def test_the_real_command_ends_with_code_2(folder):
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline.train", "learning_rate=-1"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "learning_rate=-1: must be greater than 0 and finite\n"
    assert list(folder.iterdir()) == []
