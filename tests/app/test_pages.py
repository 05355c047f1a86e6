"""README and docs/: every command is run, by a test below or by one that a table names."""

import re
import shlex
import subprocess
from functools import cache

import pytest

import pipeline as bp
from pipeline.app.composition import compose
from pipeline.console import COMMANDS
from pipeline.maps.recording.request import read_map
from pipeline.maps.training import train as train_map
from pipeline.report.answer import answer
from tests import ROOT
from tests.pages import FENCED, PAGES, blocks, commands

# Commands that need a server, a cluster, a browser or a user's systemd, or have tests of their own: the test that runs them.
ELSEWHERE = {
    "server.md": {"": "store/test_server.py::test_the_commands_of_the_page_on_servers"},
    "cluster.md": {
        ".venv/bin/dask ssh": "sweeps/test_deployments.py::test_over_ssh",
        "python -ic 'from dask_jobqueue": "sweeps/test_deployments.py::test_on_slurm",
        "": "sweeps/test_dask_cluster.py::test_the_commands_of_the_page_work",
    },
    "data.md": {"": "app/test_real_tables.py::test_each_command_converges"},
    "extending.md": {"": "app/test_extending.py::test_each_example_works"},
    "lesson.md": {"make lesson": "app/test_lesson.py::test_the_page_has_the_table"},
    "": {
        "make ui": "store/test_browser.py::test_mlflows_pages_show_the_sweep",
        "make explore": "maps/test_explorer_in_browser.py::test_ctrl_c_ends_it_at_once",
        "python -m pipeline.explore": "maps/test_explorer_in_browser.py::test_ctrl_c_ends_it_at_once",
        "make schedule": "reproducibility/test_schedule.py::test_a_user_gets_the_units_and_loses_them_again",
        "make unschedule": "reproducibility/test_schedule.py::test_a_user_gets_the_units_and_loses_them_again",
    },
}
# What makes a command small enough for a test: words that are added to each that has these, and why.
SMALLER = {
    "study=": (["learning_rate=1,100", "seed=0,1", "max_epochs=500"], "thousands of runs of up to 20,000 epochs"),
    "pipeline.map": (["map.size=24"], "as many runs as pixels"),
    "map.pixel": (["map.size=512"], "the pixel is one of the whole map, and is trained alone"),
    "map.film.centre": (["map.film.doublings=1", "map.film.steps=1"], "as many maps as frames"),
    "explain.surface=spirals": (["max_epochs=60"], "thousands of epochs of spirals"),
    "pipeline.reproduce": (["sample=3"], "all baselines take a minute, in tests of their own"),
}
EXAMPLE_RUN = ["-m", "task=xor", "network=trained", "initial=uniform", "learning_rate=0.5,2,8", "seed=0,1", "max_epochs=50"]


def covered_by(page: str, line: str) -> str:
    """The test that runs a command; empty if it is run here."""
    for start, test in [*ELSEWHERE.get(page, {}).items(), *ELSEWHERE[""].items()]:
        if line.startswith(start):
            return test
    return ""


@cache
def recipe(line: str) -> list[str]:
    """What a make target calls, as make itself says."""
    command = ["make", "-n", "--no-print-directory", *shlex.split(line)[1:]]  # which another make would have it print
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return shlex.split(asked.stdout.splitlines()[-1])


def module_and_words(line: str) -> tuple[str, list[str]]:
    """The command's module in pipeline/, and its words."""
    words = recipe(line) if line.startswith("make ") else shlex.split(line)
    if words[0] == "backprop":
        return words[1], words[2:]
    assert (words[0].removeprefix(".venv/bin/"), words[1]) == ("python", "-m"), line
    return words[2].removeprefix("pipeline."), words[3:]


def made_smaller(line: str, words: list[str]) -> list[str]:
    """The words of a command, with those that make it small."""
    return [*words, *(word for part, (more, _) in SMALLER.items() if part in line for word in more)]


def test_every_block_says_its_language_and_no_command_stands_outside_of_one():
    for name, page in PAGES.items():
        assert not blocks(page, ""), name
        assert not re.search(r"^(    |\t)(python|make|backprop) ", FENCED.sub("", page), re.MULTILINE), name
    assert {"make sweep", "make map MAP=tanh_weights", "make ui"} <= set(commands(PAGES["README.md"]))


def test_every_target_and_command_that_is_named_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name, page in PAGES.items():
        code = [*commands(page), *re.findall(r"`([^`\n]+)`", page)]
        asked = [line.split()[1] for line in code if re.match(r"make [a-z]", line)]
        modules = [found for line in code for found in re.findall(r"python -m (pipeline\.\w+|docs\.[\w.]+)", line)]
        assert set(asked) <= targets, name
        assert [module for module in set(modules) if not (ROOT / f"{module.replace('.', '/')}.py").exists()] == [], name
        assert {line.split()[1] for line in code if re.match(r"backprop [a-z]", line)} <= {*COMMANDS, "completion", "new"}, name


def test_what_is_covered_elsewhere_is_there():
    for page, tests in ELSEWHERE.items():
        for start, test in tests.items():
            path, _, name = test.partition("::")
            assert not page or [line for line in commands(PAGES[page]) if line.startswith(start)], start
            assert f"def {name}(" in (ROOT / "tests" / path).read_text(), test


@pytest.mark.slow
@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize("page", [page for page in PAGES if any(not covered_by(page, line) for line in commands(PAGES[page]))])
def test_every_command_of_the_page_works(page, store, folder, command):
    (folder / "docs").symlink_to(ROOT / "docs")
    command("train", *EXAMPLE_RUN)
    for line in commands(PAGES[page]):
        if not covered_by(page, line):
            module, words = module_and_words(line)
            ended = command(module, *made_smaller(f"pipeline.{module} {' '.join(words)}", words))
            assert (ended.code, ended.err.count("Traceback")) == (0, 0), f"{line}\n{ended.err}"
            assert ended.out


@pytest.mark.slow
def test_the_numbers_of_the_readme_come_out(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    readme, sweep = PAGES["README.md"], bp.sweep("study=convergence")
    told = " ".join(answer(sweep.summary))
    both = "8 of 28 settings are not ruled out"
    for here, there in (
        ("90% of its 4,200 runs converged (95% interval 89% to 91%)", "4,200 runs converged (90%; 95% interval 89% to 91%)"),
        ("Down to an error of 1e-05 a success costs least at", "At threshold 1e-05 a success costs least with"),
        ("31.6 with initial weights between −0.5 and 0.5: 381.4 epochs", "learning_rate=31.6 initial.range=0.5: 381.4 epochs"),
        (both, both),
    ):
        assert here in " ".join(readme.split())
        assert there in told
    table, _, of_map = blocks(readme, "text")
    assert set(table.splitlines()) <= {line.rstrip() for line in str(sweep).splitlines()}
    grid = read_map(compose(["map=tanh_weights"], "map")).grid
    status = train_map(grid, "compiled").status
    assert of_map.startswith(
        f"{status.size:,} runs: {(status == 0).mean():.1%} converged, {(status == 2).mean():.1%} exhausted"
    )


@pytest.mark.slow
def test_the_run_of_the_readme_says_what_is_shown(store, folder, command):
    (folder / "docs").symlink_to(ROOT / "docs")
    shown = re.split(r"…\n?", blocks(PAGES["README.md"], "text")[1])
    [line] = [line for line in commands(PAGES["README.md"]) if "task=csv" in line]
    module, words = module_and_words(line)
    told = re.sub(r"^compil.*\n", "", command(module, *words).out, flags=re.MULTILINE)  # said once on a machine
    assert len(shown) == 3
    assert not [part for part in shown if part.strip(" ,\n") not in told]


def test_the_python_of_the_page_on_python_works(store, folder, command):
    command("train", "-m", "initial=uniform", "learning_rate=1,2", "initial.range=1,2", "seed=range(2)", "max_epochs=3")
    [block] = blocks(PAGES["notebook.md"], "python")
    names = {}
    exec(block, names)
    assert names["run"].status == "converged"
    assert names["sweep"].axes == ("learning_rate", "initial.range", "seed")


def test_the_architecture_names_files_that_are_there():
    for path in re.findall(r"`([\w/]+\.(?:py|yaml)|[\w/]+/)`", PAGES["architecture.md"]):
        assert any((ROOT / top / path).exists() for top in ("", "pipeline")) or list((ROOT / "pipeline").rglob(path)), path
