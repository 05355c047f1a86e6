"""Every value that conf/ offers is trained, recorded, read back, reproduced, pushed and reported."""

import re
from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.api import load
from pipeline.app.composition import COMPOSITION_ERRORS, CONF, compose
from pipeline.errors import ConfigError
from pipeline.store.write import Store
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run

# What is offered is what stands as a value in a file, or in the comment beside it and is accepted there.
WORD = re.compile(r"\[[^\]]*\]|[\w.+−-]+")
KEY = re.compile(r"^( *)(\w+): *([^#]*?) *(?:# (.*))?$")
SMALL = ("max_epochs=2", "curve_points=3", "on_unreachable=warn")
NEEDS = {"initial=published": "task=seed_example"}  # else: initial=uniform
GROUPS = ("task", "network", "initial", "tracking")  # of which each file is a choice that is tried here
ELSEWHERE = ("task=csv", "initial=explicit", "initial=file")  # need files or numbers, which the last test gives
TABLE = ("task=csv", "task.path=table.csv", "task.targets=y")
GIVEN = {
    "initial=explicit": ("initial.values={weights_1:[[0.1,0.2],[0.3,0.4]],bias_1:[0.5],weights_2:[[1,2],[3,4]],bias_2:[-1]}",),
    "initial=file": ("initial.path=weights.npz",),
}
NAMES = ("tracking.uri", "tracking.experiment", "tracking.artifacts", "executor.address", "resume")  # free text


def lines_of(text: str) -> Iterator[tuple[str, str, str]]:
    """Key, value and comment of each line of a file in conf/, but for Hydra's."""
    above = ""
    for line in text.splitlines():
        if match := KEY.match(line):
            indent, key, value, comment = match.groups()
            above = key if not indent else above
            if above not in ("hydra", "defaults") and (value or comment):
                yield f"{above}.{key}" if indent else key, value, comment or ""


def offers() -> Iterator[tuple[str, ...]]:
    """The overrides that choose a value each."""
    for key, value, comment in lines_of((CONF / "train.yaml").read_text()):
        yield from ((f"{key}={word}",) for word in dict.fromkeys([value, *WORD.findall(comment)]))
    for path in sorted(CONF.glob("*/*.yaml")):
        group, choice = path.parent.name, f"{path.parent.name}={path.stem}"
        if group not in GROUPS or choice in ELSEWHERE:
            continue
        yield (choice,)
        for key, value, comment in lines_of(path.read_text()):
            if key not in ("name", "kind"):
                yield from ((choice, f"{group}.{key}={word}") for word in dict.fromkeys([value, *WORD.findall(comment)]))


def accepted(offer: tuple[str, ...]) -> bool:
    if any(text.partition("=")[0] in NAMES for text in offer):
        return False
    try:
        trial, settings = read_run(compose(start_of(offer)))
        make_batch([trial], settings.curve_points)
    except COMPOSITION_ERRORS:
        return False
    return True


def start_of(offer: tuple[str, ...]) -> list[str]:
    """The offer with what it needs; an offer of `max_epochs` or `curve_points` stands last."""
    initial = [] if any(text.startswith("initial=") for text in offer) else ["initial=uniform"]
    return [*initial, *(["task=seed_example"] if "initial=published" in offer else []), *SMALL, *offer]


KEYS = sorted({offer[-1].partition("=")[0] for offer in offers()} - set(NAMES))
KEYS = [key for key in KEYS if not key.startswith(("initial.layers", "initial.values"))]  # which are more than a word


def test_the_offered_values_are_found():
    found = {offer[-1]: offer for offer in offers()}
    wanted = {
        *("network.hidden=[]", "network.hidden=[2]", "network.activation=relu", "network.output_activation=identity"),
        *("network.bias=none", "network.bias=per_unit", "update=online", "criterion=worst_output", "engine=numpy"),
        *("task.coding=bipolar", "task.scaling=minmax", "task.scaling=none", "learning_rate=[0.5,0.1]", "tracking.runs=none"),
        *("task=digits", "initial=published", "momentum=0", "objective=final_error", "initial.range=1"),
    }
    assert wanted <= set(found)
    assert all(accepted(found[text]) for text in wanted)


def check_recorded(offers, command):
    """Trains and records these, each alone and all as sweeps of which one is pushed; reads, reproduces and reports them."""
    for offer in offers:
        arguments = start_of(offer)
        ended = command("train", *arguments)
        assert (ended.code, "Traceback" in ended.err) == (0, False), (arguments, ended.err)
    for offer in (offers[0], offers[-1])[: len(offers)]:
        check_swept(offer, command)
        assert len(load("latest").results) == 1


def check_swept(offer, command):
    """Trains and records it as a sweep; reads, reproduces and reports that."""
    arguments = start_of(offer)
    swept = command("train", "-m", *arguments)
    assert (swept.code, "Traceback" in swept.err) == (0, False), (arguments, swept.err)
    assert command("reproduce", "sweep=latest").code == 0, arguments
    assert command("summary", "format=html", "output=report.html").code == 0, arguments


def check_pushed(offer, command, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "log_files", full)
        assert command("train", "-m", *start_of(offer), "threshold=1e-9,1e-8").code == 1
    pushed = command("push")
    assert (pushed.code, pushed.err) == (0, ""), offer
    assert len(load("latest").results) % 2 == 0


def test_a_network_without_hidden_units_goes_all_the_way(store, command):
    offer = ("network=trained", "network.hidden=[]")
    check_recorded([offer], command)
    ended = command("train", "-m", "network.hidden=[],[2],[10,2]", "initial=uniform", "seed=0,1", *SMALL)
    assert (ended.code, ended.err) == (0, "")
    assert list(load("latest").by("network.hidden")["network.hidden"]) == ["[]", "[2]", "[10,2]"]


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS)
def test_every_offered_value_goes_all_the_way(key, store, command, monkeypatch, request):
    if key not in ("network.hidden", "network", "task"):  # which decide what figures show
        request.getfixturevalue("without_figures")
    mine = sorted({offer for offer in offers() if offer[-1].partition("=")[0] == key and accepted(offer)})
    assert mine
    check_recorded(mine, command)
    check_pushed(mine[-1], command, monkeypatch)


def chosen() -> list[tuple[str, ...]]:
    """What chooses a value that needs a file, numbers, a sweep or a cluster: of csv, of initial, each study, each executor."""
    csv = [
        (*TABLE, f"task.{key}={word}")
        for key, value, comment in lines_of((CONF / "task" / "csv.yaml").read_text())
        for word in dict.fromkeys([value, *WORD.findall(comment)])
        if key not in ("name", "path", "targets")
    ]
    starts = [("task=seed_example", name, *rest) for name, rest in GIVEN.items()]
    studies = [(f"study={path.stem}", "seed=0,1", "tracking.runs=2") for path in sorted(CONF.glob("study/*.yaml"))]
    executors = [(f"executor={path.stem}", "seed=0,1") for path in sorted(CONF.glob("executor/*.yaml"))]
    return [*csv, *starts, *studies, *[(*one, "executor.workers=1") if "dask" in one[0] else one for one in executors]]


@pytest.mark.slow
@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize("part", ["task=csv", "task=seed_example", "study", "executor"])
def test_every_choice_that_needs_something_goes_all_the_way(part, folder, store, command, monkeypatch):
    if part == "executor":
        pytest.importorskip("distributed")
    (folder / "table.csv").write_text("a,b,y\n1,2,u\n3,4,v\n5,7,u\n8,9,v\n")
    np.savez("weights.npz", weights_1=np.eye(2), bias_1=[0.5], weights_2=np.ones((2, 2)), bias_2=[-1.0])
    offers = [offer for offer in chosen() if offer[0].startswith(part)]
    if part in ("study", "executor"):
        for offer in offers:
            check_swept(offer, command)
    else:
        offers = [offer for offer in offers if accepted(offer)]
        check_recorded(offers, command)
    assert {offer[1] for offer in offers} >= {"study": {"seed=0,1"}, "task=csv": {TABLE[1]}}.get(part, set())
    assert len(offers) >= {"task=csv": 25}.get(part, 2)
    check_pushed(offers[-1], command, monkeypatch)


def test_what_is_offered_nowhere_is_refused():
    with pytest.raises(ConfigError, match=r"^network\.hidden=\[0\]"):
        read_run(compose(["network.hidden=[0]", "initial=uniform"]))
