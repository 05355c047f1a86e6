"""The lesson for teachers: each cause once, what helps, and every number of its page."""

import re
import shlex

import numpy as np
import pytest

import pipeline as bp
from docs.lesson import LESSONS, table
from pipeline.app.composition import CONF, compose, compose_multirun
from pipeline.backprop.network import forward
from pipeline.sweeps.request import read_sweep
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from tests import ROOT

PAGE = (ROOT / "docs" / "lesson.md").read_text()
COMMANDS = re.findall(r"^python -m pipeline\.train (.*?) +# (.*)$", PAGE, re.M)
NAMES = [lesson.name for lesson in LESSONS]


def run(name, *overrides):
    return bp.train(f"lesson={name}", *overrides)


def outputs(name, which):
    """The outputs of a lesson's network on its patterns, with its initial or its final weights."""
    batch, weights = make_batch([read_run(compose([f"lesson={name}"]))[0]]), run(name).weights
    parameters = np.concatenate([weights[which + one].ravel() for one in batch.network.names])
    return forward(batch.network, parameters[:, None], batch.inputs)[-1].ravel()


@pytest.fixture(scope="module")
def shown():
    """The table, made once."""
    return table()


@pytest.mark.slow
def test_each_lesson_shows_its_cause_and_what_helps_does(shown):
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown.splitlines()[2:]]
    assert [row[0] for row in rows] == NAMES
    for name, _, ended, cause, _, advice, then in rows[1:]:
        assert cause == name
        assert not ended.startswith("converged")
        assert advice
        assert then.startswith("converged")
    assert rows[0][2:4] == ["converged after 333 epochs", "none"]


@pytest.mark.slow
def test_the_page_has_the_table(shown):
    assert shown in PAGE


def test_the_page_is_short_and_has_a_section_for_each_cause():
    assert len(PAGE.split()) <= 900
    assert re.findall(r"^## (.*)$", PAGE, re.M) == [name.capitalize() for name in NAMES[1:]]


def test_the_study_has_all_lessons():
    plan = read_sweep(compose_multirun(["study=failures"])).plan
    assert list(plan.axes["lesson"].values) == NAMES
    assert sorted(NAMES) == sorted(path.stem for path in (CONF / "lesson").glob("*.yaml"))
    assert len(plan) == len(NAMES)


@pytest.mark.slow
def test_what_is_seen_is_as_the_page_says():
    assert {round(run("symmetric").final_error, 3), round(run("converging", "network.hidden=[1]").final_error, 3)} == {0.334}
    assert round(run("frozen").final_error, 6) == round(run("saturated").final_error, 3) == 1
    assert (outputs("frozen", "") < 1e-20).all()
    assert (outputs("saturated", "initial_") > 0.99).all()
    bouncing = run("oscillating").curve
    assert bouncing["error"][bouncing["epoch"] > 100].between(1, 2).all()
    assert (np.diff(bouncing["error"]) > 0).mean() > 0.3
    diverged = run("diverged")
    assert (diverged.epochs, diverged.final_error > 1e6) == (4, True)
    assert run("descending", "max_epochs=10000").epochs - 1000 == 582
    assert round(run("plateau").curve["error"].iloc[0], 1) == round(run("plateau").final_error, 1) == 0.5
    assert np.abs(outputs("plateau", "") - 0.5).max() < 0.1
    assert round(run("minimum", "max_epochs=100000").final_error, 2) == 0.25
    assert sorted(np.round(outputs("minimum", ""), 1)) == [0, 0.5, 0.5, 1]


@pytest.mark.slow
@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize(("line", "says"), COMMANDS)
def test_each_command_of_the_page_ends_as_it_says(line, says, store, command):
    ended = command("train", *shlex.split(line))
    assert ended.code == 0, ended.err
    assert says in ended.out
