"""Baselines trained in another process: by another Python, or on another processor."""

import json
import os
import subprocess
import sys

from pipeline.app import composition
from pipeline.reproducibility import baselines
from pipeline.trials.settings import RUN_KEYS
from tests import ROOT

CHILD = """
import json, math, sys
import numpy as np
from dataclasses import replace
from pipeline.backprop.activations import ACTIVATIONS
from pipeline.backprop.engines import engine
from pipeline.trials.batching import make_batch
from pipeline.trials.configuration import read_trial
from pipeline.trials.fingerprint import digests

asked = json.load(sys.stdin)
if asked["numpys_exp"]:
    ACTIVATIONS["sigmoid"] = replace(ACTIVATIONS["sigmoid"], function=lambda z: 1.0 / (1.0 + np.exp(-z)))
if asked["engine"] == "compiled":
    from pipeline.backprop.engines.compiled import schedule
    schedule.numpy_seconds = lambda batch: math.inf  # which it would otherwise leave short work to
train = engine(asked["engine"])
batches = [make_batch([read_trial(config)]) for config in asked["configs"]]
print(json.dumps([digests(train(batch))[0] for batch in batches]))
"""


def elsewhere(rows, python=sys.executable, engine="numpy", numpys_exp=False, **environment):
    """The digests of these rows, trained one by one in another process, by the engine itself however short that is."""
    configs = [composition.compose(baselines.shlex.split(row["overrides"])) for row in rows]
    for config in configs:
        for key in RUN_KEYS:
            del config[key]
    asked = json.dumps({"configs": configs, "engine": engine, "numpys_exp": numpys_exp})
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    ended = subprocess.run([python, "-c", CHILD], input=asked, capture_output=True, text=True, env=variables, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
