"""What docs/extending.md adds works as it stands there: it is taken from the page and put into a copy of the checkout."""

import os
import re
import shlex
import subprocess
import sys

import pytest

from tests.extensions import BLOCK, COMMANDS, PAGE, extended_checkout

CHECK = """
import sys
from dataclasses import fields
import numpy as np
from pipeline.app.composition import compose
from pipeline.backprop.engines import ENGINES, engine
from pipeline.trials.batching import make_batch
from pipeline.trials.fingerprint import digests
from pipeline.trials.settings import read_run
from pipeline.trials.tasks import load
from pipeline.trials.trial import TaskChoice

def batch(*overrides):
    return make_batch([read_run(compose([*overrides, f"seed={seed}"]))[0] for seed in range(40)], 100)

majority = load(TaskChoice("majority", (("bits", 3), ("coding", "binary"))))
assert majority.targets.ravel().tolist() == [0, 0, 0, 1, 0, 1, 1, 1]

leaky = batch("task=majority", "network=trained", "network.hidden=[3]", "initial=he", "max_epochs=300",
              "network.activation=leaky_relu", "network.output_activation=leaky_relu", "learning_rate=0.05")
found = {name: digests(engine(name)(leaky)) for name in ENGINES}
assert ENGINES == ("compiled", "numpy", "shared")
assert found["compiled"] == found["numpy"] == found["shared"]
assert len(set(found["numpy"])) == 40

lecun = batch("task=encoder", "network=trained", "initial=lecun", "network.hidden=[200]").initial_parameters[:1600]
assert abs(lecun.var() * 8 - 1) < 0.02  # 8 units below
assert np.abs(lecun).max() <= (3 / 8) ** 0.5
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return extended_checkout(tmp_path_factory.mktemp("extended"))


def run(checkout, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    return subprocess.run([sys.executable, *words], cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_each_example_has_a_command_and_says_where_its_code_goes():
    examples = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    assert [example.partition("\n")[0] for example in examples] == [
        "A task", "An activation", "An initial distribution", "An engine",
    ]  # fmt: skip
    for example in examples:
        assert BLOCK.search(example)
        assert "\n```sh\npython -m pipeline." in example
    assert len(BLOCK.findall(PAGE)) == len(re.findall(r"^```(?:python|yaml|text)$", PAGE, re.MULTILINE))


@pytest.mark.slow
def test_each_example_works(checkout):
    ended = run(checkout, "-c", CHECK)
    assert ended.returncode == 0, ended.stderr
    digest = {}
    for line in COMMANDS:
        python, *words = shlex.split(line)
        ended = run(checkout, *words)
        assert (python, ended.returncode) == ("python", 0), f"{line}\n{ended.stderr}"
        digest[line] = ended.stdout
    [leaky, numpy] = [out for line, out in digest.items() if "leaky_relu" in line]
    assert leaky[leaky.index("task xor") :].partition("recorded as")[0] == numpy.partition("recorded as")[0]
    assert "converged after" in leaky
    assert "reproduced 10 of 10" in digest["python -m pipeline.reproduce engines=shared sample=10"]


@pytest.mark.slow
def test_what_is_wrong_is_refused_in_one_line(checkout):
    for words, told in {
        "task=majority task.bits=1": "task.bits=1: must be a whole number, 2 to 12",
        "initial=lecun initial.distribution=beta": "initial.distribution=beta: must be one of uniform, normal",
        "network.activation=leaky": "network.activation=leaky: must be one of sigmoid, tanh, relu, identity, leaky_relu",
    }.items():
        ended = run(checkout, "-m", "pipeline.train", *words.split())
        assert (ended.returncode, ended.stderr.splitlines()[-1]) == (2, told)
