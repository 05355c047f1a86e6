"""docs/teaching.md: what its commands print is what it says behind them."""

import re
import shlex

import pytest

from tests import ROOT

PAGE = (ROOT / "docs/teaching.md").read_text(encoding="utf-8")
ANSWER = r"(converged after [\d,]+ epochs|= 0\.\d+|0\.\d+ \(it was.*?\))$"
WHOLE = re.sub(r" \\\n +", " ", PAGE)
LINES = re.findall(rf"^python -m pipeline\.(train|explain) (.*?) *# .*?{ANSWER}", WHOLE, re.MULTILINE)


def test_the_page_has_answers_that_are_held_here():
    assert len(LINES) >= 7
    for number in ("0.408666186", "0.149780716", "0.298371109", "0.291027774", "0.001115786", "0.001114349"):
        assert number in PAGE


@pytest.mark.slow
@pytest.mark.parametrize(("name", "line", "says"), [line for line in LINES if "surface" not in line[1]])
def test_a_command_prints_the_answer(name, line, says, store, command):
    ended = command(name, *shlex.split(line))
    assert ended.code == 0, ended.err
    assert says in ended.out
