"""`python -m pipeline.explain explain.at=end`: what it refuses, the files it writes, and the example in docs/causes.md."""

import os
import re
import shlex

import pytest

from pipeline.app.composition import compose
from pipeline.backprop.engines import engine
from pipeline.backprop.status import Status
from pipeline.errors import ConfigError
from pipeline.explain import read_place
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from tests import ROOT

END = ("explain.at=end", "max_epochs=20")
REFUSED = {
    "curve_points=1": "curve_points=1: must be a whole number, 2 to 1000",
    "explain.figure=missing/a.svg": "explain.figure=missing/a.svg: cannot be written: No such file or directory",
    "explain.output=.": "explain.output=.: cannot be written: Is a directory",
    "engine=abacus": "engine=abacus: must be one of compiled, numpy",
}
MISPLACED = {
    "explain.weight=w1": "explain.weight=w1: belongs to an iteration: use explain.at=start",
    "explain.pattern=2": "explain.pattern=2: belongs to an iteration: use explain.at=start",
    "explain.iteration=2": "explain.iteration=2: belongs to an iteration: use explain.at=start",
    "explain.figure=a.gif": "explain.figure=a.gif: must end in .svg or .png",
    "explain.figure=3": "explain.figure=3: must be the name of a file, or null",
}


@pytest.mark.parametrize("argument", REFUSED)
def test_wrong_input_is_refused_in_one_line_and_nothing_is_written(argument, folder, command):
    ended = command("explain", *END, argument)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[-1].startswith(REFUSED[argument])
    assert len(ended.err.splitlines()) == 1
    assert os.listdir(folder) == []


@pytest.mark.parametrize("argument", MISPLACED)
def test_keys_that_do_not_belong_to_an_end_are_refused(argument):
    settings = compose([*END, argument], "explain")["explain"]
    with pytest.raises(ConfigError) as refused:
        read_place(settings, is_recorded=False)
    assert str(refused.value) == MISPLACED[argument]


def test_the_curve_and_the_page_are_written_where_asked(folder, command):
    ended = command("explain", *END, "explain.figure=curve.svg", "explain.format=markdown", "explain.output=end.md")
    assert (ended.code, ended.out) == (0, "written to end.md\n")
    assert sorted(os.listdir(folder)) == ["curve.svg", "end.md"]
    page = (folder / "end.md").read_text()
    assert "| cause | rule | here | holds |" in page
    assert re.search(r"```sh\npython -m pipeline\.train .*\n```", page)
    assert page.count("![The error curve](curve.svg)") == 1
    first = (folder / "curve.svg").read_bytes()
    assert command("explain", *END, "explain.figure=curve.svg").code == 0
    assert (folder / "curve.svg").read_bytes() == first
    assert command("explain", *END, "explain.figure=curve.png").code == 0
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_example_in_the_documentation_is_what_comes_out_and_what_it_advises_converges(folder, command):
    page = (ROOT / "docs" / "causes.md").read_text()
    shown, block = re.search(
        r"^```sh\n(python -m pipeline\.explain explain\.at=end[^\n]*)\n```\n.*?^```text\n(.*?)^```", page, re.M | re.S
    ).groups()
    [line] = re.findall("^descending: .*$", page, re.M)
    said = " ".join(command("explain", "explain.at=end", "max_epochs=1000").out.split())
    assert f"D{line[1:]}. python" in said
    told = command("explain", *shlex.split(shown)[3:])
    assert told.code == 0
    pieces = block.split("…\n")
    assert len(pieces) > 1
    assert all(piece.strip("\n") in told.out for piece in pieces)
    words = shlex.split(block[block.index("python -m pipeline.train") :].replace("\\\n", " "))
    trial, _ = read_run(compose(words[3:]))
    assert engine("compiled")(make_batch([trial])).status[0] == Status.CONVERGED
