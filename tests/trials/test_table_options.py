"""The keys of a table do what conf/task/csv.yaml says; what no key can mend is refused."""

import contextlib
import hashlib
import time

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import ConfigError
from pipeline.trials.configuration import configuration_from_params, params_of, read_trial
from pipeline.trials.tasks import load
from pipeline.trials.tasks.description import in_one_line, recorded, warnings
from pipeline.trials.tasks.wording import listed
from tests.configurations import composed, configuration, uniform
from tests.tables import table

PETS = "age,kind,weight,owner,y\n1,cat,4,true,1.5\n2,dog,10,false,2.5\n3,cat,3,true,0.5\n4,bird,0.1,true,3.5\n"


@pytest.fixture
def file(tmp_path):
    def written(text, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def refusal(path, *targets, **options) -> str:
    with pytest.raises(ConfigError) as error:
        table(path, *targets, **options)
    assert str(error.value).isprintable()
    assert len(str(error.value)) <= 300
    return str(error.value)


def test_words_and_truths_are_an_input_per_class_in_the_place_of_their_column(file):
    loaded = table(file(PETS), scaling="minmax")
    assert loaded.inputs[:, 0].tolist() == [float(x) for x in np.linspace(0, 1, 4)]
    assert loaded.inputs[:, 1:4].tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]  # bird, cat, dog
    assert loaded.inputs[:, 5:].tolist() == [[0, 1], [1, 0], [0, 1], [0, 1]]  # False, True
    assert loaded.targets.tolist() == [[1.5], [2.5], [0.5], [3.5]]
    assert in_one_line(loaded.source) == (
        "4 patterns, inputs age, kind, weight, owner (kind, owner: an input per class), target y (0.5 … 3.5)"
    )


def test_inputs_are_used_in_the_order_in_which_they_are_named_and_ignored_ones_are_not(file):
    path = file(PETS)
    assert table(path, inputs=["weight", "age"]).inputs.tolist() == [[4, 1], [10, 2], [3, 3], [0.1, 4]]
    assert table(path, inputs="age").inputs.tolist() == [[1], [2], [3], [4]]
    assert table(path, ignore=["kind", "owner"]).inputs.tolist() == [[1, 4], [2, 10], [3, 3], [4, 0.1]]
    assert table(path, targets=["y", "kind"], inputs="age").targets.tolist() == [
        [1.5, 0, 1, 0], [2.5, 0, 0, 1], [0.5, 0, 1, 0], [3.5, 1, 0, 0]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": "z"}, "task.targets=z: no such column in "),
        ({"targets": "Y"}, "it has age, kind, weight, owner, y"),
        ({"targets": "kindd"}, "did you mean kind?"),
        ({"inputs": ["age", "aeg"]}, "task.inputs=aeg: no such column in "),
        ({"ignore": ["z"]}, "task.ignore=z: no such column in "),
        ({"ignore": ["y"]}, "task.ignore=y: is in task.targets too"),
        ({"inputs": ["y"]}, "task.inputs=y: is in task.targets too"),
        ({"inputs": ["age"], "ignore": ["age"]}, "task.inputs=age: is in task.ignore too"),
        ({"classes": ["z"]}, "task.classes=z: no such column in "),
        ({"classes": ["age"], "inputs": ["weight"]}, "task.classes=age: no such column in "),
        ({"ignore": ["age", "kind", "weight", "owner"]}, "task.targets=y: leaves no input column"),
    ],
)
def test_names_that_are_no_columns_or_play_two_parts_are_refused(file, options, message):
    assert message in refusal(file(PETS), **options)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("targets", [], "must name one column or more, each once"),
        ("targets", ["y", "y"], "must name one column or more, each once"),
        ("targets", "???", "must be a column's name, or a list of them"),
        ("inputs", ["a", "a"], "must name columns, each once"),
        ("inputs", None, "must be a column's name, or a list of them"),
        ("ignore", ["a", "a"], "must name columns, each once"),
        ("missing", "drop", "must be one of refuse, drop_rows"),
        ("coding", "hot", "must be one of binary, soft, bipolar"),
        ("outputs_of_two_classes", 3, "must be 2 (an output per class), or 1"),
        ("outputs_of_two_classes", True, "must be 2 (an output per class), or 1"),
        ("scale_targets", "max", "must be one of none, standard, minmax, soft, bipolar"),
        ("header", True, "must be one of auto, first, none"),
        ("separator", "", "must be comma, semicolon, tab, space, pipe, or one other character"),
        ("separator", "ab", "must be comma, semicolon, tab, space, pipe, or one other character"),
        ("separator", "e", "must be comma, semicolon, tab, space, pipe, or one other character"),
        ("separator", ".", "must be comma, semicolon, tab, space, pipe, or one other character"),
        ("decimal", "x", "must be one of point, comma"),
        ("decimal", "comma", "must be another character than task.separator"),
        ("quote", "back", "must be one of double, single, none"),
        ("encoding", "utf-9", "must be the name of an encoding"),
        ("encoding", "rot13", "must be the name of an encoding"),
        ("encoding", "idna", "must be the name of an encoding"),
        ("encoding", "a\0b", "must be the name of an encoding"),
        ("path", "", "must be the path of a table"),
    ],
)
def test_values_that_a_key_does_not_have_are_refused(file, key, value, message):
    with pytest.raises(ConfigError) as error:
        table(**{"path": file(PETS), key: value})
    assert str(error.value).startswith(f"task.{key}=")
    assert message in str(error.value)


def test_classes_are_coded_as_asked(file):
    path = file("a,y\n1,no\n2,yes\n3,no\n")
    assert table(path).targets.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert table(path, coding="soft").targets.tolist() == [[0.9, 0.1], [0.1, 0.9], [0.9, 0.1]]
    assert table(path, coding="bipolar").targets.tolist() == [[1, -1], [-1, 1], [1, -1]]
    assert table(path, outputs_of_two_classes=1).targets.tolist() == [[0], [1], [0]]
    assert table(path, coding="soft", outputs_of_two_classes=1).targets.tolist() == [[0.1], [0.9], [0.1]]
    three = file("a,y\n1,no\n2,yes\n3,both\n")
    assert table(three, outputs_of_two_classes=1).targets.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_numeric_targets_are_scaled_as_asked_and_classes_are_not(file):
    path = file("a,y,k\n1,10,u\n2,20,v\n3,40,u\n")
    for scaling, expected in {
        "none": [10, 20, 40], "minmax": [0, 1 / 3, 1], "soft": [0.1, 0.1 + 0.8 / 3, 0.9], "bipolar": [-1, -1 / 3, 1]
    }.items():  # fmt: skip
        targets = table(path, ["y", "k"], scale_targets=scaling).targets
        np.testing.assert_allclose(targets[:, 0], expected, atol=1e-15)
        assert targets[:, 1:].tolist() == [[1, 0], [0, 1], [1, 0]]
        assert (targets[0, 0], targets[2, 0]) == (expected[0], expected[-1])
    standard = table(path, scale_targets="standard").targets[:, 0]
    np.testing.assert_allclose([standard.mean(), standard.std()], [0, 1], atol=1e-15)


def test_numbers_as_labels_are_classes_in_the_order_of_the_numbers(file):
    loaded = table(file("a,y\n1,10\n2,9\n3,10.0\n4,-1\n"), classes="y")
    assert loaded.source.targets[0].classes == ("-1", "9", "10")
    assert loaded.targets.tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    ids = "12345678901234567890123"
    loaded = table(file(f"zip,y\n{ids},1\n{ids}4,2\n{ids},3\n"), classes="zip")
    assert loaded.source.inputs[0].classes == (ids, ids + "4")


def test_rows_without_a_value_are_left_out_if_asked_and_that_is_said(file):
    path = file("a,b,c,y\n1,x,,0\n?,x,7,1\n3,NA,8,0\n4,z,9,nan\n5,x,7,1\n")
    loaded = table(path, ignore="c", missing="drop_rows")
    assert (loaded.inputs.tolist(), loaded.targets.tolist()) == ([[1, 1], [5, 1]], [[0], [1]])
    assert list(loaded.source.lines) == [2, 6]
    assert in_one_line(loaded.source).startswith("2 patterns (3 of 5 rows left out: a value is missing), inputs a, b (b:")
    assert "line 3: '?' in column a is a missing value" in refusal(path, ignore="c")
    assert "line 4: 'NA' in column b is a missing value" in refusal(path, inputs="b")
    assert "task.classes=b takes it as a class" in refusal(path, inputs="b")
    assert table(path, inputs="b", missing="drop_rows", classes="b").source.inputs[0].classes == ("NA", "x")
    assert "each row has a missing value" in refusal(file("a,y\n,1\n2,\n"), missing="drop_rows")


@pytest.mark.parametrize("cell", ["1,200", "$5", "3,5", "-", "?5", "5%", "1 000", "1_0", "0x1F", "five", "12/03/2020", "10:30"])
@pytest.mark.parametrize("row", [0, 3, 19])
def test_one_odd_cell_among_numbers_is_refused_with_its_line(file, cell, row):
    cells = [str(number % 3) for number in range(20)]
    cells[row] = f'"{cell}"'
    path = file("a,y\n" + "".join(f"{row},{cell}\n" for row, cell in enumerate(cells)))
    assert f"line {row + 2}: {cell!r} in column y " in refusal(path)
    assert f"line {row + 2}: {cell!r} in column y " in refusal(path, "a")
    assert table(path, classes="y").targets.shape == (20, 4)


@pytest.mark.parametrize(
    "kind", ["1,200 {}00", "${}", "{} %", "€ {}", "2020-01-{}", "{}.12.2020", "2020-01-01 10:{}", "10:{}", "0x{}"]
)
def test_a_column_of_numbers_or_dates_in_another_writing_is_no_column_of_classes(file, kind):
    text = kind.replace("1,200 {}00", "1,2{}00") if kind.startswith("1,200") else kind
    path = file("a,y\n" + "".join(f'{row},"{text.format(10 + row % 2)}"\n' for row in range(20)))
    assert "line 2: " in refusal(path)
    assert table(path, classes="y").targets.shape == (20, 2)


def test_a_word_per_row_is_no_class(file):
    path = file("a,y\n" + "".join(f"{row},id-{row}\n" for row in range(20)))
    assert "column y has 20 words in 20 rows, such as 'id-0': task.ignore=y leaves it out" in refusal(path)
    assert "task.ignore=y leaves it out" in refusal(path, "a")
    assert table(path, classes="y").targets.shape == (20, 20)
    half = file("a,y\n" + "".join(f"{row},id-{row % 10}\n" for row in range(20)))
    assert table(half).targets.shape == (20, 10)
    many = file("a,y\n" + "".join(f"{row},{row}\n" for row in range(1001)))
    assert "column y has 1,001 classes; at most 1,000 are allowed" in refusal(many, classes="y")


def test_a_header_that_is_a_row_of_values_is_refused_and_can_be_told_otherwise(file):
    path = file("1990,1991,y\n1,2,3\n4,5,6\n")
    assert "the header has the number '1990'" in refusal(path)
    assert table(path, header="first").inputs.tolist() == [[1, 2], [4, 5]]
    assert "'y' in column 2 is no number" in refusal(path, 0, header="none")
    two = file("0,1\n0,3\n1,2\n")
    assert "task.header=none (columns are then 0 to 1)" in refusal(two, 1)
    assert table(two, 1, header="none").inputs.tolist() == [[0], [0], [1]]
    assert table(two, 1, header="first").inputs.tolist() == [[0], [1]]
    mushrooms = file("p,x,s\ne,x,y\np,b,y\ne,b,w\n")
    assert "the header has 'x', and so has its column, so it looks like a row of values: write task.header=none" in refusal(
        mushrooms, "p"
    )
    assert table(mushrooms, "p", header="first").targets.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert table(mushrooms, 0, header="none").targets.tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]


@pytest.mark.parametrize("separator", [";", "semicolon", "|", "pipe", "\\t", "tab", "\t", ":", "&", " ", "space"])
def test_a_separator_is_given_by_name_or_as_it_is(file, separator):
    character = {"semicolon": ";", "pipe": "|", "\\t": "\t", "tab": "\t", "space": "  "}.get(separator, separator)
    path = file(f"a{character}y\n1{character}2\n3{character}4\n")
    assert table(path, separator=separator).inputs.tolist() == [[1], [3]]


@pytest.mark.parametrize("right", ["comma", "semicolon", "tab", "space", "pipe"])
@pytest.mark.parametrize("given", ["comma", "semicolon", "tab", "space", "pipe", ":"])
def test_a_wrong_separator_is_recognised(file, right, given):
    character = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " ", "pipe": "|"}[right]
    text = "\n".join(character.join(row) for row in (["a", "b", "y"], ["1", "2.5", "3"], ["4", "5.5", "6"]))
    if given in (right, "space" if right == "tab" else ""):
        assert table(file(text), separator=given).inputs.tolist() == [[1, 2.5], [4, 5.5]]
    else:
        assert f"write task.separator={right}" in refusal(file(text), separator=given)


@pytest.mark.parametrize(
    ("given", "right", "text"),
    [
        ("utf-8", "latin-1", "grüße,y\n1,nö\n2,jä\n"),
        ("utf-8", "cp1252", "€,y\n1,nö\n2,jä\n"),
        ("utf-8", "utf-16", "a,y\n1,2\n3,4\n"),
        ("utf-8", "utf-16-le", "a,y\n1,2\n3,4\n"),
        ("utf-8", "utf-16-be", "a,y\n1,2\n3,4\n"),
        ("utf-8", "utf-32", "a,y\n1,2\n3,4\n"),
        ("latin-1", "utf-8", "grüße,y\n1,nö\n2,jä\n"),
        ("cp1252", "utf-8", "grüße,y\n1,nö\n2,jä\n"),
        ("utf-16", "utf-8", "a,y\n1,2\n3,4\n"),
        ("utf-16", "utf-8", "a,y\n1,2\n3,45\n"),
        ("latin-1", "utf-16", "a,y\n1,2\n3,4\n"),
    ],
)
def test_a_wrong_encoding_is_recognised(file, given, right, text):
    path = file(text.encode(right))
    assert f"task.encoding={right}" in refusal(path, encoding=given)
    assert len(table(path, encoding=right).inputs) == 2


def test_a_wrong_decimal_mark_or_quote_is_recognised(file):
    assert "write task.decimal=comma" in refusal(file("a;y\n0,5;1\n1,5;2\n"), separator="semicolon")
    assert "write task.decimal=point" in refusal(file("a;y\n0.5;1\n1.5;2\n"), separator="semicolon", decimal="comma")
    assert "write task.quote=single" in refusal(file("a,y\n1,'x, z'\n2,'u, v'\n"))
    assert "write task.quote=single" in refusal(file("a,y\n'1',2\n'3',4\n"))
    assert "write task.quote=single" in refusal(file("'a','y'\n1,2\n"))
    assert "write task.quote=double" in refusal(file('a,y\n1,"x, z"\n2,"u, v"\n'), quote="single")
    assert "write task.quote=none" in refusal(file('a,y\n1,5" disk\n2,"12 inch\n'))
    assert table(file('a,y\n1,5" disk\n2,"12 inch\n'), quote="none").source.targets[0].classes == ('"12 inch', '5" disk')


def test_names_and_cells_never_reach_a_terminal_raw(file):
    evil = "\x1b]0;owned\x07"
    assert "\\x1b" in refusal(file(f"a,y\n1,{evil}\n2,b\n"))
    assert "\\x1b" in refusal(file(f"a{evil},y{evil}\n1,2\n"))
    assert "cannot be printed" in refusal(file('a,y\n1,"two\nlines"\n2,b\n'))
    loaded = table(file(f"a{evil},y\n1,2\n2,3\n3,4\n"))
    assert in_one_line(loaded.source).isprintable()
    assert all(line.isprintable() for line in warnings(loaded.source, loaded.inputs, loaded.targets, "sigmoid"))
    assert refusal("no\x1b[31mfile")


def test_long_lists_are_shortened(file):
    names = [f"column_{number}" for number in range(1000)]
    path = file(",".join(names) + ",y\n" + ",".join("1" * 1000) + ",no\n")
    line = in_one_line(table(path).source)
    assert "…, column_999 (1,000 in all), target y → no" in line
    assert len(line) <= 300
    assert listed(["a", "b"]) == "a, b"
    assert len(refusal(path, "z")) <= 300
    assert all(len(value) <= 5000 for value in recorded(table(path).source, "table").values())


def test_an_input_that_is_the_target_again_is_said(file):
    loaded = table(file("a,b,y\n1,5,1\n2,7,2\n3,6,3\n"))
    lines = list(warnings(loaded.source, loaded.inputs, loaded.targets, "identity"))
    assert lines == ["table.csv: the same value in all patterns: input a is target y again"]


def test_a_trial_recorded_before_a_key_existed_is_the_trial_with_its_default(file):
    old = {"name": "csv", "path": str(file(PETS)), "targets": ["y"], "scaling": "standard"}
    trial = read_trial(configuration(task=old, initial=uniform()))
    new = composed("task=csv", f"task.path={old['path']}", "task.targets=y", "task.scaling=standard", "initial=uniform")
    assert {key: value for key, value in new["task"].items() if key not in old} == {
        key: value for key, value in configuration_from_params(params_of(trial))["task"].items() if key not in old
    }
    with pytest.raises(ConfigError, match=r"task\.separater=comma: unknown key; did you mean separator\?"):
        read_trial(configuration(task={**old, "separater": "comma"}, initial=uniform()))


def test_what_is_recorded_names_columns_classes_rows_and_the_file(file):
    path = file(PETS)
    tags = recorded(table(path, "kind").source, "table")
    assert tags == {
        "table.sha256": hashlib.sha256(PETS.encode()).hexdigest(),
        "table.rows": "4",
        "table.patterns": "4",
        "table.inputs": '["age", "weight", "owner", "y"]',
        "table.targets": '["kind"]',
        "table.classes": '{"owner": ["False", "True"], "kind": ["bird", "cat", "dog"]}',
    }


def test_a_parquet_file_has_the_types_that_it_says(tmp_path):
    frame = pd.DataFrame(
        {
            "code": ["1", "2", "1"],
            "small": np.array([0.1, 0.2, 0.3], np.float32),
            "kind": pd.Categorical(["u", "v", "u"]),
            "truth": [True, False, True],
            "hole": pd.array([1, None, 3], "Int64"),
            "day": pd.to_datetime(["2020-01-01"] * 3),
            "y": [1, 2, 3],
        }
    )
    path = tmp_path / "table.parquet"
    frame.to_parquet(path)
    loaded = table(path, inputs=["code", "small", "kind", "truth"])
    assert loaded.inputs[:, :2].tolist() == [[1, 0], [0, 1], [1, 0]], "text is a class, whatever it says"
    assert loaded.inputs[:, 2].tolist() == frame["small"].astype(float).tolist()
    assert table(path, inputs="hole", missing="drop_rows").inputs.tolist() == [[1], [3]]
    assert "line 2: column hole has no value" in refusal(path, inputs="hole")
    assert "column day has values of type timestamp[" in refusal(path, inputs="day")
    ids = pd.DataFrame({"a": range(20), "y": [str(number) for number in range(20)]})
    ids.to_parquet(path)
    assert "column y has 20 words in 20 rows, such as '0': task.ignore=y leaves it out" in refusal(path)
    assert table(path, classes="y").targets.shape == (20, 20)
    path.write_bytes(path.read_bytes()[:-20])
    assert "is no Parquet file that can be read" in refusal(path)


def test_the_table_is_read_once_for_all_trials(file, monkeypatch):
    path = file(PETS)
    first = table(path)
    path.unlink()
    trial = read_trial(
        configuration(task={"name": "csv", "path": str(path), "targets": "y", "scaling": "none"}, initial=uniform())
    )
    assert load(trial.batch_key.task) is first


@pytest.mark.parametrize(
    "text",
    [
        "a,y\n" + "9" * 131_000 + "x,1\n",
        "a,y\n" + " " * 131_000 + "x,1\n",
        "a,y\n" + "1," * 60_000 + "\n",
        ",".join(f"n{number}" for number in range(60_000)) + "\n" + ",".join("1" * 60_000) + "\n",
        ",".join(["n"] * 60_000) + "\n",
        "a,y\n" + "|" * 100_000 + "\n" + "-" * 100_000,
        "\n" * 500_000,
        " \t" * 50_000 + "\n" + " \t" * 50_000,
        "a,y\n" + '"' * 100_001,
        "@" * 100_000,
        "a b y\n" + "1 2  " * 30_000,
    ],
    ids=lambda text: repr(text[:20]),
)
@pytest.mark.parametrize("separator", ["comma", "space"])
def test_no_text_takes_long(file, text, separator):
    started = time.process_time()
    with contextlib.suppress(ConfigError):
        table(file(text), "y", separator=separator)
    assert time.process_time() - started < 2.0


def test_labels_that_are_too_large_for_numbers_are_labels(file):
    loaded = table(file("a,y\n1,1e999\n2,1e998\n3,7\n"), classes="y")
    assert loaded.source.targets[0].classes == ("1e998", "1e999", "7")
