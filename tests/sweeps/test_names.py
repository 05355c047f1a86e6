"""A sweep is named as it is asked for, or by its study, or by what it varies."""

import pytest

from pipeline.app.composition import Multirun
from pipeline.errors import ConfigError
from pipeline.sweeps.request import read_sweep

NAMES = {
    ("learning_rate=1,2", "initial=uniform", "seed=range(4)", "threshold=1e-3"): "learning_rate × seed, 8 trials",
    ("network.hidden=[1],[2]", "initial=uniform", "seed=range(1000)"): "network.hidden × seed, 2,000 trials",
    ("task=xor", "initial=uniform", "network=trained"): "xor, 1 trial",
    (
        "learning_rate=1,2", "momentum=0,0.5", "threshold=1e-1,1e-2", "initial=uniform", "initial.range=1,2", "seed=0,1",
        "max_epochs=5,6", "initial.scale=1,2",
    ): "learning_rate × momentum × threshold × initial.range × seed × 2 more, 128 trials",
    ("study=convergence", "seed=0,1"): "convergence",
    ("study=convergence", "seed=0,1", "tracking.name=first try"): "first try",
    ("learning_rate=1,2", "tracking.name=first try"): "first try",
}  # fmt: skip


@pytest.mark.parametrize("arguments", NAMES, ids=" ".join)
def test_a_sweep_is_named_by_what_it_varies_unless_named(arguments, multirun):
    assert read_sweep(Multirun(*multirun(list(arguments)))).name == NAMES[arguments]


@pytest.mark.parametrize("name", ["''", "7", "[a]"])
def test_a_name_must_be_a_text(name, multirun):
    with pytest.raises(ConfigError, match=r"^tracking\.name=.*: must be a name for the sweep or the run, or null"):
        read_sweep(Multirun(*multirun([f"tracking.name={name}", "seed=0,1"])))
