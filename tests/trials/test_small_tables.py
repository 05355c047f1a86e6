"""Each of the small tables that people really have is read right, or refused in one line with the word that helps."""

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.trials.tasks.description import in_one_line, warnings
from tests.tables import TABLES, files, readme_lines, table

README = readme_lines()
XOR = ([[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]])


def target_of(name):
    return README.get(name, ("y", ""))[0]


# What is read: inputs and targets.
RIGHT = {
    "ok.csv": XOR,
    "trailing_comma.csv": XOR,
    "trailing_comma_rows.csv": XOR,
    "bom_crlf.csv": ([[0, 0], [1, 1], [0, 1], [1, 0]], [[0], [0], [1], [1]]),  # the target is a
    "cr_only.csv": XOR,
    "quotes_commas.csv": ([[1, 2], [2, 3], [3, 4]], [[0, 1], [1, 0], [0, 1]]),  # no | yes, sure
    "quoted_numbers.csv": XOR,
    "string_input.csv": ([[0, 1, 2], [1, 0, 3]], [[0], [1]]),  # f | m
    "bool_input.csv": ([[0, 1, 2], [1, 0, 3]], [[0], [1]]),
    "bool_target.csv": ([[1, 2], [2, 3], [3, 3]], [[0, 1], [1, 0], [0, 1]]),  # False | True
    "bool_mixed.csv": ([[1, 2], [2, 3], [3, 3], [4, 4]], [[0, 1], [1, 0], [0, 1], [1, 0]]),
    "trailing_space_class.csv": ([[1, 2], [2, 3], [3, 3], [4, 4]], [[0, 1, 0], [0, 0, 1], [1, 0, 0], [1, 0, 0]]),
    "class_case.csv": ([[1, 2], [2, 3], [3, 3]], [[1, 0, 0], [0, 0, 1], [0, 1, 0]]),  # Yes | no | yes
    "numeric_classes.csv": ([[1, 2], [2, 3], [3, 3], [4, 4]], [[1], [2], [3], [1]]),
    "one_class.csv": ([[1, 2], [2, 3], [3, 3]], [[1], [1], [1]]),
    "constant_target.csv": ([[1, 2], [2, 3], [3, 3]], [[1], [1], [1]]),
    "contradiction.csv": ([[0, 0], [0, 0], [1, 1], [1, 1]], [[0], [1], [1], [1]]),
    "constant_input.csv": ([[1, 7], [2, 7], [3, 7]], [[0], [1], [0]]),
    "huge.csv": ([[1e12, 2e12], [3e12, 1e12], [2e12, 2e12]], [[0], [1], [0]]),
    "blank_lines.csv": ([[0, 0], [0, 1]], [[0], [1]]),
    "one_row.csv": ([[0, 1]], [[1]]),
    "numeric_names.csv": XOR,
    "name_like_bool.csv": ([[0, 0], [0, 1]], [[0], [1]]),
    "name_parens.csv": ([[0, 0], [0, 1], [1, 1]], [[1, 0], [0, 1], [0, 1]]),
    "name_parens_target.csv": ([[0, 0], [0, 1]], [[0.5], [0.25]]),
    "name_comma_target.csv": ([[0, 0], [0, 1]], [[0.5], [0.25]]),
    "umlaut_name.csv": ([[0, 0], [0, 1]], [[0], [1]]),
    "xor.csv.gz": XOR,
    "xor.zip": XOR,
    "targets_0_100.csv": ([[0.1, 0.2], [0.4, 0.9], [0.5, 0.1], [0.9, 0.7]], [[10], [95], [40], [70]]),
    "linear_over_1.csv": (
        [[x] for x in range(1, 10)], [[0.22], [0.34], [0.46], [0.58], [0.70], [0.82], [0.94], [1.06], [1.18]]
    ),
    "even_odd.csv": ([[float(f"0.{x}")] for x in range(1, 10)], [[0], [1], [0], [1], [0], [1], [0], [1], [0]]),
    "nonconvergent_outputs_1000.csv": ([[0, 0], [0, 1], [1000, 1], [1, 1]], [[0], [1000], [1], [0]]),
    "sin.csv": (None, None),  # against pandas below
    "square_big.csv": (None, None),
}  # fmt: skip

# What is refused: the words that help.
REFUSED = {
    "no_header.csv": "the header has the number '0', so it looks like a row of values: write task.header=none",
    "no_header_words.csv": "the header has the number '5.1', so it looks like a row of values: write task.header=none",
    "header_short.csv": "line 2 has more cells (4) than the first row (2), such as '3'",
    "row_too_long_last.csv": "line 5 has more cells (4) than the first row (3), such as '9'",
    "row_too_short.csv": "line 3 has fewer cells (2) than the first row (3); its last is '1'",
    "semicolon.csv": "has one column, 'a;b;y': write task.separator=semicolon",
    "semicolon_decimal_comma.csv": "write task.separator=semicolon task.decimal=comma",
    "tab.tsv": "write task.separator=tab",
    "space.txt": "write task.separator=space",
    "utf16.csv": "write task.encoding=utf-16",
    "latin1.csv": "is not utf-8: byte 0xf6 in line 1; write task.encoding=latin-1",
    "dup_columns.csv": "the header has the name 'x' twice",
    "dup_target.csv": "the header has the name 'y' twice",
    "missing_empty.csv": "line 3: column b has no value; task.missing=drop_rows",
    "missing_q.csv": "line 3: '?' in column a is a missing value; task.missing=drop_rows",
    "missing_q_target.csv": "line 3: '?' in column y is a missing value; task.missing=drop_rows",
    "missing_NA_target.csv": "line 3: 'NA' in column y is a missing value; task.missing=drop_rows",
    "class_named_None.csv": "task.missing=drop_rows leaves such rows out, task.classes=y takes it as a class",
    "thousands_target.csv": "line 2: '1,200' in column y is no plain number: write it without commas, or task.decimal=comma",
    "dollar_target.csv": "line 2: '$120' in column y is no plain number; task.classes=y",
    "percent_target.csv": "line 2: '12%' in column y is no plain number; task.classes=y",
    "date_target.csv": "line 2: '2020-01-01' in column day is a date or time; task.ignore=day",
    "date_input.csv": "line 2: '2020-01-01' in column day is a date or time; task.ignore=day",
    "huge308.csv": "column a reaches from -1.7e+308 to 1.7e+308: too far apart",
    "int_big.csv": "line 2: '123456789012345678901234567890' in column id is not exact as float64; task.ignore=id",
    "inf.csv": "line 3: 'inf' in column a is no finite number",
    "hex.csv": "line 2: '0x10' in column a is no plain number",
    "underscore.csv": "line 2: '1_000' in column a is no plain number",
    "comment.csv": "line 1 seems to be a comment; leave such lines out",
    "zero_rows.csv": "has no patterns: there is no row below the header",
    "empty.csv": "must be a table with a header, and is empty",
    "only_newlines.csv": "must be a table with a header, and is empty",
    "only_target.csv": "task.targets=y: leaves no input column",
    "unnamed_index.csv": "column 1 has no name, often numbers of rows: 'task.ignore=\"Unnamed: 0\"' leaves it out",
    "r_rownames.csv": "the header may lack a name for the first column",
    "spaces_in_header.csv": "it has 'a ', b, 'y '; did you mean 'y '?",
    "quote_open.csv": "the quote that opens in line 2 is never closed; close it, or write task.quote=none",
    "html.csv": "is a web page",
    "json.csv": "is JSON",
    "arff.arff": "is an ARFF file",
    "cancer.dt": "is a Proben1 file",
    "markdown.csv": "is a Markdown table",
}

# What the line that the refusal names then gives: the options, and inputs and targets.
MENDED = {
    "no_header.csv": ({"header": "none", "targets": 2}, XOR),
    "no_header_words.csv": (
        {"header": "none", "targets": 2}, ([[5.1, 3.5], [4.9, 3], [7, 3.2], [6.4, 3.2]], [[1, 0], [1, 0], [0, 1], [0, 1]])
    ),
    "semicolon.csv": ({"separator": "semicolon"}, XOR),
    "semicolon_decimal_comma.csv": (
        {"separator": "semicolon", "decimal": "comma"}, ([[0.5, 1.5], [0.25, 1.75]], [[0], [1]])
    ),
    "tab.tsv": ({"separator": "tab"}, XOR),
    "space.txt": ({"separator": "space"}, XOR),
    "utf16.csv": ({"encoding": "utf-16"}, XOR),
    "latin1.csv": ({"encoding": "latin-1"}, (XOR[0], [[0, 1], [1, 0], [1, 0], [0, 1]])),
    "missing_empty.csv": ({"missing": "drop_rows"}, ([[0, 0], [1, 0]], [[0], [1]])),
    "missing_q.csv": ({"missing": "drop_rows"}, ([[0, 0], [1, 0]], [[0], [1]])),
    "missing_q_target.csv": ({"missing": "drop_rows"}, ([[0, 0], [1, 0], [1, 1], [2, 1]], [[3.5], [4.25], [5.5], [6.5]])),
    "missing_NA_target.csv": ({"missing": "drop_rows"}, ([[0, 0], [1, 0]], [[12], [14]])),
    "class_named_None.csv": ({"classes": "y"}, (XOR[0], [[0, 1], [1, 0], [0, 1], [1, 0]])),  # Mild | None
    "percent_target.csv": ({"classes": "y"}, ([[1, 2], [2, 3], [3, 4]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]])),
    "date_input.csv": ({"ignore": "day"}, ([[2], [3]], [[0], [1]])),
    "int_big.csv": ({"ignore": ["id"]}, ([[2], [1]], [[0], [1]])),
    "unnamed_index.csv": ({"ignore": "Unnamed: 0"}, XOR),
    "spaces_in_header.csv": ({"targets": "y "}, (XOR[0][:3], XOR[1][:3])),
    "numeric_classes.csv": (
        {"classes": "y"}, ([[1, 2], [2, 3], [3, 3], [4, 4]], [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
    ),
}  # fmt: skip

# What is odd about what is read, said on stderr.
ODD = {
    "trailing_space_class.csv": "classes of y that differ only in case or spaces: yes, 'yes '",
    "class_case.csv": "classes of y that differ only in case or spaces: Yes, yes",
    "numeric_classes.csv": "task.classes=y if its numbers are labels",
    "one_class.csv": "the same value in all patterns: target y",
    "constant_target.csv": "the same value in all patterns: target y",
    "contradiction.csv": "in lines 2 and 3: the total error stays above 0.25",
    "constant_input.csv": "the same value in all patterns: input b",
    "huge.csv": "values up to 3e+12, which saturate most units: input a, b; task.scaling=standard",
    "targets_0_100.csv": "targets from 10 to 95, outputs of sigmoid are 0 to 1: the total error stays above 7599.5",
    "linear_over_1.csv": "targets from 0.22 to 1.18, outputs of sigmoid are 0 to 1: the total error stays above 0.018",
    "nonconvergent_outputs_1000.csv": "targets from 0 to 1000",
    "square_big.csv": "targets from 0 to 2500",
    "sin.csv": "targets from -1 to 1, outputs of sigmoid are 0 to 1",
}
QUIET = ("ok.csv", "quotes_commas.csv", "bool_target.csv", "name_parens.csv", "even_odd.csv", "one_row.csv")


def test_every_small_table_is_here():
    assert {*README, "umlaut_name.csv"} == {path.name for path in files()} == {*RIGHT, *REFUSED}
    assert len(files()) == 77


def test_what_is_read_and_what_is_refused_is_what_the_list_of_the_tables_expects():
    for name, (_, expected) in README.items():
        if expected.startswith("right") and " or " not in expected:
            assert name in RIGHT
        if expected.startswith("refuse") and not any(word in expected for word in (" or ", "better")):
            assert name in REFUSED, name
        if "warn" in expected or "note" in expected:
            assert name in ODD or name in REFUSED, name


@pytest.mark.parametrize("name", RIGHT)
def test_a_table_is_read_right(name):
    loaded = table(TABLES / name, target_of(name))
    for found, expected in zip((loaded.inputs, loaded.targets), RIGHT[name], strict=True):
        assert expected is None or found.tolist() == expected


@pytest.mark.parametrize("name", REFUSED)
def test_a_table_is_refused_with_the_word_that_helps(name):
    with pytest.raises(ConfigError) as refusal:
        table(TABLES / name, target_of(name))
    assert REFUSED[name] in str(refusal.value)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) <= 300


@pytest.mark.parametrize("name", MENDED)
def test_the_key_that_is_named_mends_it(name):
    options, expected = MENDED[name]
    options = {"targets": target_of(name), **options}
    loaded = table(TABLES / name, **options)
    assert (loaded.inputs.tolist(), loaded.targets.tolist()) == expected


@pytest.mark.parametrize("name", [*ODD, *QUIET])
def test_what_is_odd_is_said_in_a_line_each_and_nothing_else_is(name):
    loaded = table(TABLES / name, target_of(name))
    lines = list(warnings(loaded.source, loaded.inputs, loaded.targets, "sigmoid"))
    assert any(ODD[name] in line for line in lines) if name in ODD else not lines
    for line in lines:
        assert line.startswith(f"{name}: ")
        assert line.isprintable()
        assert len(line) <= 300


def test_a_constant_input_is_0_after_scaling():
    for scaling in ("standard", "minmax"):
        assert (table(TABLES / "constant_input.csv", scaling=scaling).inputs[:, 1] == 0).all()


def test_the_lower_bound_of_the_error_is_the_one_that_best_outputs_leave():
    loaded = table(TABLES / "linear_over_1.csv")
    best = np.clip(loaded.targets, 0, 1)
    [line] = warnings(loaded.source, loaded.inputs, loaded.targets, "sigmoid")
    assert f"stays above {0.5 * ((loaded.targets - best) ** 2).sum():.6g};" in line
    assert not list(warnings(loaded.source, loaded.inputs, loaded.targets, "identity"))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("ok.csv", "4 patterns, inputs a, b, target y (0 … 1)"),
        ("quotes_commas.csv", "3 patterns, inputs 'size, cm', 'b \"x\"', target y → no, 'yes, sure'"),
        ("string_input.csv", "2 patterns, inputs sex, b (sex: an input per class), target y (0 … 1)"),
        ("one_row.csv", "1 pattern, inputs a, b, target y (1 … 1)"),
    ],
)
def test_what_will_be_learned_is_said_in_one_line(name, line):
    assert in_one_line(table(TABLES / name, target_of(name)).source) == line
