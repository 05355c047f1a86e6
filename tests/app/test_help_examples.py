"""`--help` of each command says what it does, with three examples or more, each a request that can be carried out."""

import shlex

import pytest

from docs.configuration import reader_of
from pipeline.app.command_line import flags_first
from pipeline.app.composition import CONF, compose, compose_multirun
from pipeline.app.help import header, help_of
from pipeline.console import COMMANDS
from pipeline.sweeps.request import read_sweep
from pipeline.trials.settings import read_run
from tests import ROOT

EXAMPLES = {
    name: [line.strip() for line in header(CONF / f"{name}.yaml").splitlines() if line.startswith("  python -m ")]
    for name in COMMANDS
}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_a_purpose_and_three_examples(name):
    shown = help_of(name)
    assert shown.partition("\n")[0].rstrip().endswith(".")
    assert len(EXAMPLES[name]) >= 3
    for line in EXAMPLES[name]:
        assert f"\n  {line}\n" in shown
        assert shlex.split(line)[:3] == ["python", "-m", f"pipeline.{name}"]


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_each_example_is_a_request_that_can_be_carried_out(name, folder, monkeypatch):
    (folder / "sendmail").touch(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    (folder / "docs").symlink_to(ROOT / "docs")
    for line in EXAMPLES[name]:
        words = [word for word in flags_first(shlex.split(line)[3:], name) if word not in ("-m", "--multirun")]
        if "-m" in shlex.split(line)[3:]:
            assert len(read_sweep(compose_multirun(words, name)).plan) > 1
            continue
        config = compose(words, name)
        if name == "train":
            read_run(config)
        elif name in ("map", "reproduce"):
            reader_of(name)(config)
