"""The command that would decide runs, and trains what is not ruled out from starts that are new."""

import re
import shlex

import pytest

from pipeline.app.composition import compose_multirun
from pipeline.errors import as_override
from pipeline.report.answer import answer
from pipeline.report.answer.next_command import with_overrides
from pipeline.report.setting import as_value
from pipeline.stats.summary import Summary
from pipeline.sweeps.request import read_sweep
from tests.designs import sweep

COMMAND = "python -m pipeline.train -m 'momentum=0.5,0.9' task=xor"
STUDY = {"learning_rate": [0.1, 2.0, 5.0], "initial.range": [0.5, 1.0], "seed": range(20), "threshold": [1e-1, 1e-2]}


def composed(command):
    """The values of each axis of the sweep that a command trains, and how many runs it has."""
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "pipeline.train", "-m"]
    plan = read_sweep(compose_multirun(words[4:])).plan
    return {name: list(axis.values) for name, axis in plan.axes.items()}, len(plan)


AXES = "learning_rate=0.1,2,5 initial.range=0.5,1 'seed=range(20)' threshold=1e-1,1e-2"


@pytest.mark.parametrize("command", [f"study=xor {AXES}", f"task=xor network=trained initial=uniform {AXES}", "study=xor"])
def test_the_command_trains_what_is_not_ruled_out_from_fresh_starts(command):
    command = f"python -m pipeline.train -m {command}"
    before, _ = composed(command)
    summary, threshold = Summary(sweep(**{**before, "seed": before["seed"][:20]})), min(before["threshold"])
    rows = summary.best_settings.query("threshold == @threshold")
    left = rows[rows["remains"]]
    assert 1 < len(left) < len(rows)
    *_, why, again = answer(summary, command)
    axes, runs = composed(again)
    assert why.startswith("To decide, train the settings that are not ruled out from fresh starts")
    assert f"({runs:,} runs)" in why
    for axis in ("learning_rate", "initial.range"):
        kept = sorted(left[axis].unique())
        if len(kept) == 1:
            assert f"{axis}={as_override(kept[0])}" in again
        else:
            assert axes[axis] == kept
    assert f"threshold={threshold}" in again
    assert not set(axes["seed"]) & set(STUDY["seed"])
    assert len(axes["seed"]) >= 100


@pytest.mark.parametrize("command", ["", "make sweep", "python -m pipeline.train -m 'seed=1"])
def test_without_the_sweeps_command_its_changes_are_named(command):
    *_, last = answer(Summary(sweep(**STUDY)), command)
    assert re.search(r"the same command with .*'seed=range\(1000,1100\)'\.$", last)


def test_values_that_hydra_would_read_otherwise_are_quoted():
    values = ["[2]", "[3,2]", "a, b.csv", 'say "x"', None, True, 1e-05, "0.5", "xor"]
    axis = read_axis(f"network.hidden={','.join(map(as_value, values))}")
    assert axis == [[2], [3, 2], "a, b.csv", 'say "x"', None, True, 1e-05, 0.5, "xor"]


def read_axis(override):
    """The values of an axis as Hydra reads them."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    [parsed] = OverridesParser.create().parse_overrides([override])
    return [getattr(value, "text", value) for value in parsed.sweep_iterator()]


def test_a_changed_value_takes_the_place_of_the_old_one():
    command = "python -m pipeline.train -m --config-dir 'own folder' +extra=1,2 seed=1,2 task=xor"
    changed = with_overrides(command, {"seed": "range(3,5)", "extra": "1", "threshold": "0.1"})
    assert changed == (
        "python -m pipeline.train -m --config-dir 'own folder' task=xor 'seed=range(3,5)' +extra=1 threshold=0.1"
    )


def test_without_replication_there_is_no_interval_and_the_command_adds_starts():
    results = sweep(learning_rate=[0.5, 5.0])
    published = answer(
        Summary(results), "python -m pipeline.train -m learning_rate=0.5,5", configuration={"initial": {"kind": "published"}}
    )
    text = " ".join(published)
    assert "interval" not in text.replace("no interval and no test", "")
    assert "ruled out" not in text
    assert "There is one start only, so no interval and no test" in text
    axes, runs = composed(published[-1])
    assert (len(axes["seed"]), runs) == (100, 200)
    assert "initial=uniform" in published[-1]


def test_starts_that_are_files_have_no_fresh_seeds():
    summary = Summary(sweep(learning_rate=[0.5, 5.0], **{"initial.path": [f"{number}.npz" for number in range(8)]}))
    assert not any("seed=" in text for text in answer(summary, COMMAND))


@pytest.mark.parametrize(("highest", "seeds"), [(7, "range(1000,1100)"), (1000, "range(2000,2100)"), (2**63 - 2, None)])
def test_fresh_seeds_are_above_those_that_were_used(highest, seeds):
    results = sweep(learning_rate=[0.5, 5.0], seed=[*range(7), highest])
    text = " ".join(answer(Summary(results.assign(epochs=9, status="converged")), COMMAND))
    assert (f"'seed={seeds}'" if seeds else "seed=") in text if seeds else "seed=" not in text
