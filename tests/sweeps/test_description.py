"""A sweep's description comes back as it was written; any other text is refused in one line that names the folder."""

import copy
import json
import math
import os
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.app.composition import Multirun
from pipeline.errors import ConfigError
from pipeline.sweeps.axes import Product
from pipeline.sweeps.description import SweepDescription, with_checksum, without_checksum
from pipeline.sweeps.request import read_sweep
from pipeline.trials.settings import Tracking
from tests.strategies import examples

PATH = Path("somewhere/kept/sweep.json")
AXES = ("initial=uniform", "learning_rate=[0.5,1],2", "seed=range(3)", "network.hidden=[2],[3]")

texts = st.text()
trackings = st.builds(
    Tracking,
    uri=st.none() | st.sampled_from(("sqlite:///a.db", "http://localhost")),
    experiment=st.text(min_size=1),
    runs=st.none() | st.sampled_from(("all", "none")) | st.integers(1, 10**9),
    curves=st.booleans(),
    name=st.none() | st.text(min_size=1).filter(lambda name: name != "???"),
    weights=st.booleans(),
).filter(lambda tracking: tracking.experiment != "???")
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def plan(multirun):
    return read_sweep(Multirun(*multirun(list(AXES)))).plan


def description(plan, **changes) -> SweepDescription:
    return SweepDescription(
        **{
            "key": plan.key(100),
            "trials": len(plan),
            "jobs": Product.from_data(json.loads(plan.jobs.json)),
            "tracking": Tracking(None, "e"),
            "study": "sweep",
            "command": "python -m pipeline.train -m",
            "configuration": {"seed": 0},
            "files": {"config.yaml": "seed: 0\n"},
            **changes,
        }
    )


@examples(50)
@given(data=st.data())
def test_a_description_comes_back_as_it_was_written(plan, data):
    written = description(
        plan,
        tracking=data.draw(trackings),
        study=data.draw(texts),
        command=data.draw(texts),
        configuration=data.draw(st.dictionaries(texts, plain)),
        files=data.draw(st.dictionaries(st.sampled_from(("config.yaml", "overrides.yaml")), texts)),
        parent=data.draw(st.none() | texts),
        others=data.draw(st.lists(texts)),
    )
    read = SweepDescription.from_json(written.to_json(), PATH)
    assert read == written
    indices = np.arange(len(plan))
    assert read.plan.trials(indices) == plan.trials(indices)
    assert read.plan.key(100) == plan.key(100)


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        SweepDescription.from_json(text, PATH)
    return str(refused.value)


def with_changes(plan, key, value) -> str:
    """A description as text with another value at a dotted key; without it where the value is `...`."""
    data = json.loads(without_checksum(description(plan).to_json()))
    section = data
    *above, last = [int(name) if name.isdigit() else name for name in key.split(".")]
    for name in above:
        section = section[name]
    if value is ...:
        del section[last]
    else:
        section[last] = value
    return with_checksum(json.dumps(data))


KEYS = [
    *(field.name for field in fields(SweepDescription) if field.name != "parent"),
    *(f"tracking.{name}" for name in asdict(Tracking(None, "e"))),
    *("jobs.axes", "jobs.bases", *(f"jobs.axes.0.{name}" for name in ("name", "path", "values", "texts"))),
    *("jobs.axes.1.values.0", "jobs.bases.0", "jobs.axes.0"),
]
WRONG = [
    *((key, ...) for key in KEYS if key != "tracking.name"),
    *((key, 7) for key in KEYS if key not in ("jobs.axes.1.values.0", "tracking.runs")),
]


@pytest.mark.parametrize(("key", "value"), [
    *WRONG, ("key", None), ("parent", 7), ("trials", 11), ("trials", "12"), ("more", 1), ("jobs.bases", [{}]),
    ("jobs.bases.1", 7), ("files", {"config.yaml": 7}), ("files", {"../config.yaml": ""}), ("files", {"/etc/x": ""}),
    ("tracking.runs", "some"), ("key", "x" * 64), ("others", [7]), ("trials", True), ("study", "\ud800"),
    ("files", {"results.parquet": ""}), ("jobs.axes.0.name", "status"), ("jobs.axes.0.name", "seed"),
    ("tracking.curves", "yes"), ("tracking.experiment", ""), ("configuration", []), ("jobs.axes.1.path", "seed.deeper"),
])  # fmt: skip
def test_what_is_missing_or_wrong_is_refused_in_one_line_that_names_the_folder(plan, key, value):
    assert refusal(with_changes(plan, key, value)) == "folder=somewhere/kept: is no folder of a sweep's results: sweep.json"


def test_a_description_from_before_sweeps_could_be_named_is_read(plan):
    read = SweepDescription.from_json(with_changes(plan, "tracking.name", ...), PATH)
    assert read == replace(description(plan), tracking=Tracking(None, "e", name=None))


def test_any_truncated_text_is_refused_in_one_line_that_names_the_folder(plan):
    text = description(plan).to_json()
    for end in range(len(text)):
        assert refusal(text[:end]) == "folder=somewhere/kept: is no folder of a sweep's results: sweep.json"


def nodes(data, above=()):
    """The ways to all values in a JSON document."""
    yield above
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from nodes(value, (*above, key))


def mutated(data, way, value):
    """A copy with another value in that place."""
    if not way:
        return value
    key, *rest = way
    copied = copy.copy(data)
    copied[key] = mutated(data[key], rest, value)
    return copied


OTHERS = [
    None,
    True,
    0,
    -1,
    10**30,
    0.5,
    -math.inf,
    math.nan,
    "",
    "x",
    "\udc80",
    "\0",
    [],
    [[]],
    {},
    {"x": {}},
    [None, 1],
    {"0": 1},
]


def test_no_value_anywhere_raises_anything_but_a_refusal(plan):
    data = json.loads(without_checksum(description(plan).to_json()))
    taken, refusals = 0, []
    for way in nodes(data):
        for other in OTHERS:
            try:
                read = SweepDescription.from_json(with_checksum(json.dumps(mutated(data, way, other))), PATH)
                assert len(read.plan) == read.trials
                read.params  # noqa: B018
            except ConfigError as error:
                refusals.append(str(error))
            else:
                taken += 1
    assert not any("\n" in line for line in refusals)
    assert taken


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"key":' * 100_000, "1" * 10_000, "NaN", '"\\ud800"', "\0", "{" + '"a":1,' * 10**5]
)
def test_no_text_raises_anything_but_a_refusal(text):
    assert "somewhere/kept" in refusal(text)
    assert "somewhere/kept" in refusal(with_checksum(text))


def test_any_character_that_changed_is_noticed(plan):
    text = description(plan).to_json()
    assert SweepDescription.from_json(text, PATH) == description(plan)
    for at in range(len(text)):
        refusal(f"{text[:at]}{chr(ord(text[at]) ^ 1)}{text[at + 1 :]}")
    refusal(f"{text}\n")
    refusal(json.dumps(json.loads(without_checksum(text))))


def test_what_is_no_file_of_a_sane_size_is_not_read(plan, tmp_path):
    text = description(plan).to_json()
    for kind in ("pipe", "device", "link", "folder", "too large", "no text", "missing"):
        folder = tmp_path / kind
        folder.mkdir()
        path = folder / "sweep.json"
        match kind:
            case "pipe":
                os.mkfifo(path)
            case "device":
                path.symlink_to("/dev/zero")
            case "link":
                (folder / "target").write_text(text)
                path.symlink_to(folder / "target")
            case "folder":
                path.mkdir()
            case "too large":
                path.write_text(text)
                os.truncate(path, 2**40)  # a hole
            case "no text":
                path.write_bytes(b"\xff" + text.encode())
        with pytest.raises(ConfigError, match="is no folder of a sweep's results"):
            SweepDescription.of_folder(folder)
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "sweep.json").write_text(text)
    (tmp_path / "to it").symlink_to(tmp_path / "good")
    assert SweepDescription.of_folder(tmp_path / "good") == description(plan)
    with pytest.raises(ConfigError, match="is a link"):
        SweepDescription.of_folder(tmp_path / "to it")


@examples(50)
@given(value=plain)
def test_any_other_json_is_refused(value):
    assert "somewhere/kept" in refusal(json.dumps(value))
    assert "somewhere/kept" in refusal(with_checksum(json.dumps(value)))
