"""What a table is read as is equal, cell for cell and bit for bit, to what pandas reads with the same options told to it."""

import bz2
import contextlib
import gzip
import io
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.trials.fingerprint import content
from pipeline.trials.tasks.scaling import one_hot, scaled
from tests.strategies import examples, same_bits
from tests.tables import QUOTES, SEPARATORS, TABLES, by_pandas, files, readme_lines, table

README = readme_lines()
OPTIONS = {  # of the small tables that need some
    "semicolon.csv": {"separator": "semicolon"},
    "semicolon_decimal_comma.csv": {"separator": "semicolon", "decimal": "comma"},
    "tab.tsv": {"separator": "tab"},
    "space.txt": {"separator": "space"},
    "utf16.csv": {"encoding": "utf-16"},
    "latin1.csv": {"encoding": "latin-1"},
    "no_header.csv": {"header": "none", "targets": "2"},
    "no_header_words.csv": {"header": "none", "targets": "2"},
    "spaces_in_header.csv": {"targets": "y "},
}
PANDAS_NEEDS = {"trailing_comma_rows.csv": {"usecols": [0, 1, 2]}, "trailing_comma.csv": {"usecols": [0, 1, 2]}}


def patterns_by_pandas(frame: pd.DataFrame, targets: list[str], scaling: str = "none"):
    """Inputs and targets as pandas' types of the columns say: numbers as they are, else a column per class, sorted."""

    def part(name, scaling):
        column = frame[name]
        if column.dtype.kind in "iuf":
            return scaled(column.to_numpy(float)[:, None], scaling)
        return one_hot(column.astype(str))

    inputs = [name for name in frame.columns if name not in targets]
    return (
        np.hstack([part(name, scaling) for name in inputs]) + 0.0,
        np.hstack([part(name, "none") for name in targets]) + 0.0,
    )


def assert_equal_to_pandas(path, targets, scaling="none", **options):
    loaded = table(path, targets, scaling=scaling, **options)
    frame = by_pandas(path, **options, **PANDAS_NEEDS.get(path.name, {}))
    inputs, wanted = patterns_by_pandas(frame, targets, scaling)
    assert same_bits(loaded.inputs, inputs)
    assert same_bits(loaded.targets, wanted)
    assert content(loaded.inputs) == content(inputs)


@pytest.mark.parametrize("scaling", ["none", "standard"])
def test_small_tables_are_what_pandas_reads(scaling):
    compared = []
    for path in files():
        options = {"targets": README.get(path.name, ("y", ""))[0], **OPTIONS.get(path.name, {})}
        targets = [options.pop("targets")]
        with contextlib.suppress(ConfigError):  # which test_small_tables.py expects
            table(path, targets, **options)
            assert_equal_to_pandas(path, targets, scaling, **options)
            compared.append(path.name)
    assert len(compared) >= 44
    assert set(OPTIONS) <= set(compared)


names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=6).filter(
    lambda name: not name[:1].isdigit() and name[0] not in "+-.#%@/{[<|\"'" and name.isprintable() and name.strip() == name
)
words = st.text("abcÄßé, ;|\t\"'x", min_size=1, max_size=6).map(lambda word: "w" + word.replace("\t", " ") + "w")
numbers = st.one_of(
    st.integers(-(2**53), 2**53),
    st.integers(-9, 9),
    st.floats(-1e300, 1e300, allow_nan=False),
    st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda number: round(number, 3)),
)
kinds = st.sampled_from(("numbers", "words", "truths"))


@st.composite
def frames(draw):
    """A table of 2 to 5 columns and up to 12 rows, each column of numbers, of a few words, or of truth values."""
    rows = draw(st.integers(1, 12))
    columns = {}
    for name in draw(st.lists(names, min_size=2, max_size=5, unique=True)):
        kind = draw(kinds)
        if kind == "numbers":
            columns[name] = draw(st.lists(numbers, min_size=rows, max_size=rows))
        elif kind == "truths":
            columns[name] = draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
        else:
            some = draw(st.lists(words, min_size=1, max_size=3, unique=True))
            columns[name] = draw(st.lists(st.sampled_from(some), min_size=rows, max_size=rows))
    return pd.DataFrame(columns)


options = st.fixed_dictionaries(
    {
        "separator": st.sampled_from(("comma", "semicolon", "tab", "pipe", "space", ":")),
        "decimal": st.sampled_from(("point", "comma")),
        "quote": st.sampled_from(("double", "single")),
        "encoding": st.sampled_from(("utf-8", "utf-8-sig", "utf-16", "utf-32")),
        "header": st.sampled_from(("first", "none")),
    }
).filter(lambda chosen: (chosen["separator"], chosen["decimal"]) != ("comma", "comma"))


@examples(300)
@given(frame=frames(), chosen=options, line_end=st.sampled_from(("\n", "\r\n", "\r")), compressed=st.sampled_from(range(5)))
def test_a_table_that_pandas_writes_is_read_back(tmp_path_factory, frame, chosen, line_end, compressed):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    stream = io.StringIO(newline="")
    frame.to_csv(
        stream,
        sep=" " if chosen["separator"] == "space" else SEPARATORS.get(chosen["separator"], chosen["separator"]),
        decimal={"point": ".", "comma": ","}[chosen["decimal"]],
        quotechar=QUOTES[chosen["quote"]],
        header=chosen["header"] == "first",
        index=False,
        lineterminator=line_end,
    )
    data = stream.getvalue().encode(chosen["encoding"])
    path.write_bytes((bytes, gzip.compress, bz2.compress, lzma.compress, zipped)[compressed](data))
    targets = [list(frame.columns)[-1] if chosen["header"] == "first" else str(len(frame.columns) - 1)]
    plain = path.with_name("plain.csv")
    plain.write_bytes(data)
    loaded = table(path, targets, **chosen)
    again = by_pandas(plain, **chosen)
    inputs, wanted = patterns_by_pandas(again, targets)
    assert same_bits(loaded.inputs, inputs)
    assert same_bits(loaded.targets, wanted)
    original = frame.set_axis(again.columns, axis=1)
    inputs, wanted = patterns_by_pandas(original, targets)
    assert same_bits(loaded.inputs, inputs), "the values that were written"
    assert same_bits(loaded.targets, wanted)


def zipped(data: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("table.csv", data)
    return content.getvalue()


@examples(60)
@given(frame=frames())
def test_a_parquet_file_is_read_back(tmp_path_factory, frame):
    path = tmp_path_factory.mktemp("table") / "table.parquet"
    frame.to_parquet(path)
    targets = [list(frame.columns)[-1]]
    loaded = table(path, targets)
    inputs, wanted = patterns_by_pandas(pd.read_parquet(path), targets)
    assert same_bits(loaded.inputs, inputs)
    assert same_bits(loaded.targets, wanted)


NUMBERS = ["1", "+1", "-0", "1.", ".5", "1e5", "1E+05", "2.5e-3", "007", "9007199254740992", "1e-400", "0.1", "5 ", " 5"]


@examples(200)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9).filter(
    lambda values: np.isfinite(max(values) - min(values))))  # fmt: skip
def test_numbers_are_those_of_python_and_pandas(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    path.write_text("x,y\n" + "".join(f"{value!r},{value:.20g}\n" for value in values))
    loaded = table(path)
    assert same_bits(loaded.inputs[:, 0], np.array(values) + 0.0)
    assert same_bits(loaded.targets[:, 0], np.array(values) + 0.0)


def test_every_way_to_write_a_number_is_read_as_pandas_reads_it(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x,y\n" + "".join(f"{number},1\n" for number in NUMBERS))
    assert_equal_to_pandas(path, ["y"])
    assert table(path).inputs[:, 0].tolist() == [float(number) for number in NUMBERS]


def test_the_type_of_a_column_does_not_depend_on_the_length_of_the_file(tmp_path):
    """pandas decides by pieces of a long file: a word below 200,000 numbers made a mixture of types."""
    path = tmp_path / "table.csv"
    path.write_text("x,y\n" + "1,2\n" * 300_000 + "word,2\n")
    with pytest.raises(ConfigError, match=r"line 300002: 'word' in column x is no number, and others are"):
        table(path)


def test_the_small_tables_are_not_empty():
    assert sum(path.stat().st_size > 0 for path in TABLES.iterdir()) > 70
