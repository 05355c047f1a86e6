"""The description of a sweep on its MLflow page: the answer, a link to the report, its picture, the main table."""

import re

import pytest

from pipeline.report.answer import answer
from pipeline.report.note import LONGEST, note
from pipeline.report.tables import markdown_text
from pipeline.stats.summary import Summary
from pipeline.store.copies.notes import addressed
from tests.designs import sweep

RESULTS = sweep(learning_rate=[0.5, 5.0], seed=range(4), threshold=[1e-2, 1e-3])
HERE = "4", "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def text() -> str:
    return note(Summary(RESULTS), HERE, ["cost", "rate_map"], command="python -m pipeline.train -m learning_rate=0.5,5")


def test_it_has_the_answer_the_picture_and_the_main_table(text):
    for paragraph in answer(Summary(RESULTS)):
        assert markdown_text(paragraph) in text or paragraph.startswith("To decide"), paragraph
    assert text.startswith("Asked: ")
    assert text.index("converged") < text.index("![]") < text.index("| learning_rate | threshold |")
    assert text.count("\n| ") == 4


def test_its_addresses_are_those_of_its_own_run(text):
    experiment, run = HERE
    assert (
        f"(#/experiments/{experiment}/runs/{run}/artifacts/report.html?workflowType=machine_learning)" in text.split("\n\n")[0]
    )
    assert f"![](get-artifact?path=figures/rate_map.png&run_uuid={run})" in text
    assert note(Summary(RESULTS), HERE).count(run) == 1  # no picture where there is no figure
    assert "](" not in note(Summary(RESULTS))


def test_the_note_of_a_copy_has_the_addresses_of_the_copy(text):
    there = "7", "f" * 32
    copied = addressed(text, *there)
    assert copied == note(
        Summary(RESULTS), there, ["cost", "rate_map"], command="python -m pipeline.train -m learning_rate=0.5,5"
    )
    words = "a note of one's own: runs/12/artifacts, [elsewhere](https://example.org/#/experiments/1/runs/2/x)"
    assert addressed(words, *there) == words


def test_a_command_is_code(text):
    assert re.search(r"\n\n`python -m pipeline\.train -m learning_rate=\S+ .*'seed=range\(.*`\n\n", text)


def test_a_note_is_no_longer_than_a_tag():
    results = sweep(**{f"axis_{number}": ["x" * 300, "y" * 300] for number in range(5)}, threshold=[1e-2, 1e-3, 1e-4])
    text = note(Summary(results), HERE, ["rate_map"])
    assert len(text) <= LONGEST
    assert text.endswith("`summary/`.")
