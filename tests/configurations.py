"""Configurations and trials to test with: the documented defaults, written here or composed from conf/, with changes."""

from pipeline.app.composition import compose
from pipeline.trials.configuration import read_trial

PUBLISHED = {
    "weights_1": [[0.15, 0.20], [0.25, 0.30]],
    "weights_2": [[0.40, 0.45], [0.50, 0.55]],
    "bias_1": [0.35],
    "bias_2": [0.60],
}


def configuration(**changes):
    """The documented default of every key of a trial, with changes; `network_bias=…` changes `network.bias`."""
    config = {
        "task": {"name": "seed_example"},
        "network": {
            "hidden": [2],
            "activation": "sigmoid",
            "output_activation": "sigmoid",
            "bias": "shared",
            "train_bias": False,
        },
        "initial": {"kind": "published"},
        "learning_rate": 0.5,
        "momentum": 0.0,
        "update": "batch",
        "criterion": "total_error",
        "threshold": 1e-3,
        "max_epochs": 10_000,
        "gradient_tolerance": 0,
        "seed": 0,
    }
    for key, value in changes.items():
        if key.startswith("network_"):
            config["network"][key.removeprefix("network_")] = value
        else:
            assert key in config
            config[key] = value
    return config


def trial_of(**changes):
    return read_trial(configuration(**changes))


def uniform(bound=1.0):
    return {"kind": "uniform", "range": bound}


def composed(*overrides, **changes) -> dict:
    """The configuration of pipeline.train as Hydra composes it from conf/, then with changes of whole keys."""
    return {**compose(overrides), **changes}
