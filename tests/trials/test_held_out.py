"""Patterns that are held out: which they are, how they are scaled, and that nothing in training knows them."""

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import ConfigError
from pipeline.report.announcement import announce
from pipeline.trials.batching import make_batch
from pipeline.trials.configuration import read_trial
from pipeline.trials.fingerprint import keys
from pipeline.trials.tasks import load
from pipeline.trials.tasks.description import in_one_line, recorded
from pipeline.trials.tasks.held_out import ClassOutputs, are_right, split
from pipeline.trials.tasks.scaling import scaled
from tests.configurations import configuration, uniform
from tests.tables import table


@pytest.fixture
def file(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def rows(count, kinds="xyz", shift=0):
    """A table of two numbers and a kind, which is no multiple of the number of kinds."""
    random = np.random.default_rng(shift)
    numbers = random.integers(0, 100, (count, 2))
    return [f"{a},{b},{kinds[at % len(kinds)]}" for at, (a, b) in enumerate(numbers.tolist())]


def csv(lines):
    return "a,b,kind\n" + "\n".join(lines) + "\n"


def test_a_split_is_the_lowest_random_numbers_of_each_kind():
    kinds = np.array([0, 1, 1, 0, 1, 1, 0, 0, 2, 1, 1, 1])
    for seed in (0, 7, 2**64 - 1):
        drawn = np.random.Generator(np.random.PCG64(seed)).random(12)
        expected = np.zeros(12, bool)
        for kind, count in ((0, 1), (1, 2), (2, 0)):  # a quarter of 4, 7 and 1, rounded
            members = sorted(np.flatnonzero(kinds == kind), key=lambda at: drawn[at])
            expected[members[:count]] = True
        assert split(kinds, 0.25, seed).tolist() == expected.tolist()
    assert np.flatnonzero(split(np.zeros(10, int), 0.3, 0)).tolist() == [1, 2, 3]  # the same everywhere, for ever


@pytest.mark.parametrize(("patterns", "share"), [(1, 0.25), (4, 0.1), (3, 0.9), (1, 0.5)])
def test_a_split_leaves_patterns_on_both_sides(patterns, share):
    with pytest.raises(ConfigError, match=r"^task\.test=0\.\d+: leaves none to be (held out|trained on), of \d pattern"):
        split(np.zeros(patterns, int), share, 0)


@pytest.mark.parametrize("name", ["iris", "digits"])
def test_bundled_data_are_split_within_each_class_and_scaled_by_what_is_trained_on(name):
    def of(**options):
        options = {"scaling": "standard", "test": 0, "test_seed": 3, **options}
        return load(read_trial(configuration(task={"name": name, **options}, initial=uniform())).batch_key.task)

    raw, whole, parts = of(scaling="none"), of(), of(test=0.2)
    assert whole.held_out is None
    out = split(raw.targets.argmax(axis=1), 0.2, 3)
    assert np.array_equal(parts.targets, whole.targets[~out])
    assert np.array_equal(parts.held_out.targets, whole.targets[out])
    assert np.array_equal(parts.inputs, scaled(raw.inputs[~out], "standard") + 0.0)
    trained = raw.inputs[~out]
    deviation = np.where(np.ptp(trained, axis=0) == 0.0, np.inf, trained.std(axis=0))
    np.testing.assert_allclose(
        parts.held_out.inputs, (raw.inputs[out] - trained.mean(axis=0)) / deviation, rtol=1e-9, atol=1e-12
    )
    sizes = np.bincount(whole.targets.argmax(axis=1))
    assert np.bincount(parts.held_out.targets.argmax(axis=1)).tolist() == [int(0.2 * size + 0.5) for size in sizes]


@pytest.mark.parametrize("targets", ["kind", "b"])
def test_a_table_is_split_and_a_file_of_the_same_rows_is_the_same(file, targets):
    lines = rows(50)
    options = {"scaling": "standard", "scale_targets": "soft"}
    parts = table(file(csv(lines)), targets, test=0.3, test_seed=5, **options)
    kinds = np.arange(50) % 3 if targets == "kind" else np.zeros(50, int)
    out = split(kinds, 0.3, 5)
    trained = file(csv([line for line, one in zip(lines, out, strict=True) if not one]), "trained.csv")
    tested = file(csv([line for line, one in zip(lines, out, strict=True) if one]), "tested.csv")
    files = table(trained, targets, test=str(tested), **options)
    alone = table(trained, targets, **options)
    for one in (files, alone):
        assert np.array_equal(parts.inputs, one.inputs)
        assert np.array_equal(parts.targets, one.targets)
    assert np.array_equal(parts.held_out.inputs, files.held_out.inputs)
    assert np.array_equal(parts.held_out.targets, files.held_out.targets)
    assert parts.held_out.classes == files.held_out.classes
    assert [line - 2 for line in parts.source.lines] == np.flatnonzero(~out).tolist()


def test_what_is_held_out_is_no_part_of_the_key_but_what_is_trained_on_is(file):
    lines = rows(30)
    path, trained = file(csv(lines)), file(csv([line for at, line in enumerate(lines) if at % 5]), "trained.csv")

    def key(path, **options):
        task = {"name": "csv", "path": str(path), "targets": "kind", "scaling": "minmax", **options}
        return keys(make_batch([read_trial(configuration(task=task, initial=uniform()))]))

    other = file(csv(rows(9, shift=4)), "other.csv")
    tested = file(csv(lines[::5]), "tested.csv")
    assert key(trained) == key(trained, test=str(tested)) == key(trained, test=str(other)) == key(trained, test_seed=9)
    assert len({*key(path), *key(trained), *key(path, test=0.2), *key(path, test=0.2, test_seed=1)}) == 4


def test_numbers_are_classes_by_their_value_in_both_files(file):
    trained, tested = file("a,y\n1,1\n2,2\n3,10\n"), file("y,note,a\n10.0,z,4\n1.0,z,5\n", "tested.csv")
    parts = table(trained, classes="y", test=str(tested))
    assert parts.held_out.targets.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert parts.held_out.inputs.tolist() == [[4], [5]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b,kind\n1,2,w\n", "task.test=.*column kind has the class 'w', which task.path has not"),
        ("a,b,kind\nu,2,x\nv,1,x\n", "task.test=.*column a has classes, and numbers in task.path"),
        ("a,b,kind\n1,2,3\n", "task.test=.*column kind has numbers, and classes in task.path"),
        ("a,b\n1,2\n", "task.targets=kind: no such column in"),
        ("a,kind\n1,x\n", "task.inputs=b: no such column in"),
        ("a,b,kind\n", "task.test=.*has no patterns"),
        ("a,b,kind\n1,,x\n", "task.test=.*line 2: column b has no value"),
        ("a,b,kind\n1e300,2,x\n", None),
        ("a,b,kind\n1e308,2,x\n", "task.test=.*cannot be scaled"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(file, text, reason):
    trained = file("a,b,kind\n-1e-9,2,x\n1e-9,3,y\n")
    if reason is None:
        assert np.isfinite(table(trained, "kind", scaling="none", test=str(file(text, "t.csv"))).held_out.inputs).all()
        return
    with pytest.raises(ConfigError, match=f"^{reason}") as refusal:
        table(trained, "kind", scaling="minmax", test=str(file(text, "t.csv")))
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("value", [1, 1.5, -0.1, True, None, [0.5], float("nan"), "", "missing.csv"])
def test_what_is_no_share_and_no_file_is_refused(file, value):
    with pytest.raises(ConfigError, match=r"^task\.test="):
        table(file(csv(rows(12))), "kind", test=value)


def test_one_line_says_and_tags_record_what_is_held_out(file):
    lines = [*rows(8, "xy"), "7,,x"]
    parts = table(file(csv(lines)), "kind", test=0.25, missing="drop_rows")
    assert in_one_line(parts.source).startswith(
        "6 patterns (1 of 9 rows left out: a value is missing) and 2 held out, inputs a, b,"
    )
    tags = recorded(parts.source, "table")
    assert (tags["table.patterns"], tags["table.held_out"], tags["table.rows"]) == ("6", "2", "9")
    assert "table.test.sha256" not in tags
    files = table(file(csv(rows(8, "xy"))), "kind", test=str(file(csv(rows(3, "xy")), "t.csv")))
    assert in_one_line(files.source).startswith("8 patterns and 3 held out, inputs a, b,")
    assert recorded(files.source, "table")["table.test.sha256"] != recorded(files.source, "table")["table.sha256"]
    assert "table.held_out" not in recorded(table(file(csv(rows(8, "xy"))), "kind").source, "table")


def test_rows_that_are_left_out_of_either_file_are_counted(file):
    trained, tested = csv([*rows(8, "xy"), "7,,x"]), csv([*rows(3, "xy"), "1,,y", ",2,x"])
    parts = table(file(trained), "kind", test=str(file(tested, "t.csv")), missing="drop_rows")
    assert in_one_line(parts.source).startswith(
        "8 patterns (1 of 9 rows left out: a value is missing) and 3 held out (2 of 5 rows left out: a value is missing),"
    )


def test_what_has_no_effect_on_a_table_is_said(file, tmp_path, capsys):
    def said(path, **options):
        task = {"name": "csv", "path": str(path), "targets": "kind", "scaling": "none", **options}
        announce([read_trial(configuration(task=task, initial=uniform())).batch_key])
        return [line.partition(": ")[0] for line in capsys.readouterr().err.splitlines() if "has no effect" in line]

    lines = csv(rows(12))
    path, tested = file(lines), file(lines.replace(",", ";"), "t.csv")
    typed, frame = tmp_path / "t.parquet", pd.read_csv(path)
    frame.assign(b=frame["b"] / 7).to_parquet(typed)
    written = {"header": "first", "separator": "semicolon", "decimal": "comma", "quote": "single", "encoding": "utf-16"}
    assert said(path) == said(path, test=0.25, test_seed=3) == said(tested, separator="semicolon") == []
    assert said(path, test_seed=3) == said(path, test_seed=3, test=str(path)) == ["task.test_seed=3"]
    assert said(typed, **written) == [f"task.{key}={value}" for key, value in written.items()]
    assert said(typed, separator="semicolon", test=str(tested)) == []
    assert said(typed, separator="semicolon", test=str(typed)) == ["task.separator=semicolon"]


def test_a_seed_of_a_split_without_a_split_is_said_to_have_no_effect(store, command):
    ended = command("train", "task=iris", "task.test_seed=3", "max_epochs=1", "initial=uniform")
    assert (ended.code, ended.err) == (0, "task.test_seed=3: has no effect: task.test=0 holds nothing out\n")


def test_outputs_are_classes_again():
    three, single = ClassOutputs(0, 3, 0.5), ClassOutputs(3, 1, 0.0)
    targets = np.array([[0.1, 0.9, 0.1, -1.0], [0.9, 0.1, 0.1, 1.0]])
    outputs = np.array([[0.2, 0.6, 0.5, -0.1], [0.2, 0.6, 0.5, 0.1]])[:, :, None]
    assert are_right(outputs, targets, [three]).tolist() == [[True], [False]]
    assert are_right(outputs, targets, [single]).tolist() == [[True], [True]]
    assert are_right(outputs, targets, [three, single]).tolist() == [[True], [False]]
    for undecided in (np.zeros((2, 4, 1)), np.full((2, 4, 1), np.nan)):
        assert not are_right(undecided, targets, [three]).any()
        assert not are_right(undecided, targets, [single]).any()
    one_is_no_number = outputs.copy()
    one_is_no_number[0, 2] = np.nan
    assert not are_right(one_is_no_number, targets, [three]).any()


def test_outputs_of_two_classes_and_of_numbers_are_found(file):
    frame = pd.DataFrame({"a": range(12), "n": range(12), "k": list("xy") * 6, "l": list("uvw") * 4})
    path = file(frame.to_csv(index=False))
    parts = table(path, ["n", "k", "l"], test=0.5, coding="bipolar", outputs_of_two_classes=1)
    assert parts.held_out.classes == [ClassOutputs(1, 1, 0.0), ClassOutputs(2, 3, 0.0)]
    assert table(path, "n", inputs="a", test=0.5).held_out.classes == []
