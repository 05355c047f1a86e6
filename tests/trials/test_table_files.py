"""A file that is no table of a size that can be held is refused at once, whatever it is."""

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import zipfile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import ConfigError
from pipeline.trials.tasks.parquet.table import parquet_table
from tests import ROOT
from tests.tables import table

XOR = b"a,b,y\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n"
SECONDS, MEBIBYTES = 2.0, 200

MEASURED = """
import json, resource, sys, time
import numpy, pandas, pandas.io.parquet
from pipeline.errors import ConfigError
from tests.tables import table
import pyarrow.parquet
from pipeline.trials.tasks.parquet.table import parquet_table
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, found = peak(), []
for path in sys.argv[1:]:
    started, said = time.process_time(), ""
    try:
        table(path)
    except ConfigError as error:
        said = str(error)
    found.append([said, time.process_time() - started, peak() - before])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict[str, tuple[str, float, float]]:
    """What is said of each file, after how many seconds of work, and with how many MiB more than before the first of them."""
    folder = tmp_path_factory.mktemp("bombs")
    files = {**BOMBS, "word.parquet": one_long_word}
    for name, write in files.items():
        write(folder / name)
    code = [sys.executable, "-c", MEASURED, *(str(folder / name) for name in files)]
    ended = subprocess.run(code, capture_output=True, text=True, timeout=120, check=True, cwd=ROOT)
    assert ended.stderr == ""
    return dict(zip(files, map(tuple, json.loads(ended.stdout)), strict=True))


def many(compress):
    """2 GiB of zeros, compressed: as many streams one after another."""
    return compress(bytes(2**22)) * 512


def zipped(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def sparse(path) -> None:
    """8 GiB that take no space."""
    with open(path, "wb") as file:
        file.truncate(2**33)


def many_rows(path) -> None:
    """A Parquet file of many rows in less than a MiB."""
    piece = pa.table({"a": pa.array([1.0] * 10**6), "y": pa.array([0.0] * 10**6)})
    with pq.ParquetWriter(path, piece.schema) as writer:
        for _ in range(20):
            writer.write_table(piece, row_group_size=10**6)


def long_words(path) -> None:
    """A Parquet file of a word that is as long as it is compressible."""
    pq.write_table(pa.table({"a": ["a" * 2**20 + str(number) for number in range(130)], "y": range(130)}), path)


def lying_pages(path) -> None:
    """A Parquet file of 256 MiB, compressed, whose end says that it is small."""
    pq.write_table(pa.table({"a": ["a" * 2**26] * 4, "y": range(4)}), path, compression="zstd", use_dictionary=False)
    group, data = pq.read_metadata(path).row_group(0), path.read_bytes()
    footer = data[len(data) - 8 - int.from_bytes(data[-8:-4], "little") :]
    for number in {group.total_byte_size, group.column(0).total_uncompressed_size}:
        true = varint(2 * number)
        footer = footer.replace(true, bytes([128 | 100, *[128] * (len(true) - 2), 0]))
    path.write_bytes(data[: len(data) - len(footer)] + footer)
    assert pq.read_metadata(path).row_group(0).total_byte_size < 1000


def varint(number: int) -> bytes:
    """An integer of 7 bits a byte, lowest first, as Thrift writes it."""
    return bytes([128 | number & 127]) + varint(number >> 7) if number > 127 else bytes([number])


def prefixes(path) -> None:
    """A Parquet file of long words that are written as "like the one before"."""
    words = pa.table({"a": ["a" * 2**18 + str(number) for number in range(1200)], "y": range(1200)})
    pq.write_table(words, path, use_dictionary=False, column_encoding={"a": "DELTA_BYTE_ARRAY", "y": "PLAIN"})


def many_lines(path) -> None:
    """100 million bytes of valid lines, compressed."""
    path.write_bytes(gzip.compress(b"a,y\n") + gzip.compress(b"1,2\n" * 2**20) * 25)


def many_cells(path) -> None:
    path.write_bytes(gzip.compress(b"," * 10**8))


BOMBS = {
    "bomb.csv.gz": lambda path: path.write_bytes(many(gzip.compress)),
    "bomb.csv.bz2": lambda path: path.write_bytes(many(bz2.compress)),
    "bomb.csv.xz": lambda path: path.write_bytes(many(lzma.compress)),
    "bomb.zip": lambda path: path.write_bytes(zipped(a=bytes(2**27 + 1))),
    "bomb.csv": sparse,
    "lines.csv.gz": many_lines,
    "cells.csv.gz": many_cells,
    "bomb.parquet": many_rows,
    "words.parquet": long_words,
    "pages.parquet": lying_pages,
    "prefixes.parquet": prefixes,
}


def one_long_word(path) -> None:
    pq.write_table(pa.table({"a": ["a" * 2**20, "b"] * 500, "y": range(1000)}), path)


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_too_large_is_refused_at_once_and_never_held(name, measured):
    said, seconds, mebibytes = measured[name]
    assert "is too large: at most " in said or "40,000,000 cells" in said
    assert seconds < SECONDS
    assert mebibytes < MEBIBYTES


def test_a_long_word_is_held_once_however_often_it_is_there(measured):
    said, seconds, mebibytes = measured["word.parquet"]
    assert (said, seconds < SECONDS, mebibytes < MEBIBYTES) == ("", True, True)


@pytest.mark.parametrize("kind", ["fifo", "folder", "/dev/zero", "/dev/stdin", "missing", "loop", "nul", "long"])
def test_what_is_no_file_is_refused_and_never_waited_for(kind, tmp_path):
    path = tmp_path / "it"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    said = {"fifo": "is no plain file", "folder": "is a folder", "missing": "cannot be read: No such file"}
    path = {"nul": f"{path}\0", "long": "a" * 5000}.get(kind, kind if kind.startswith("/dev") else str(path))
    with pytest.raises(
        ConfigError, match=said.get(kind, "is no plain file" if path.startswith("/dev") else "cannot be read")
    ) as one:
        table(path)
    assert len(str(one.value)) <= 300


GOOD = {
    "gzip": gzip.compress(XOR),
    "gzip of two parts": gzip.compress(XOR[:9]) + gzip.compress(XOR[9:]),
    "bzip2": bz2.compress(XOR),
    "xz": lzma.compress(XOR),
    "zip": zipped(**{"table.csv": XOR}),
    "zip from a Mac": zipped(**{"table.csv": XOR, "__MACOSX/._table.csv": b"x"}),
    "plain": XOR,
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("file", ["table.csv", "table.csv.gz", "table"])
def test_compressed_tables_are_read_by_what_is_in_them_and_not_by_their_name(name, file, tmp_path):
    (tmp_path / file).write_bytes(GOOD[name])
    assert table(tmp_path / file).inputs.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def encrypted() -> bytes:
    """A zip file whose member says that it needs a password."""
    data = bytearray(zipped(**{"table.csv": XOR}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def workbook() -> bytes:
    return zipped(**{"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"})


def in_parquet(columns) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="none")
    return file.getvalue()


BROKEN = {
    "gzip cut off": (gzip.compress(XOR)[:-9], "cannot be inflated"),
    "gzip with a wrong sum": (gzip.compress(XOR)[:-8] + bytes(8), "cannot be inflated"),
    "bzip2 cut off": (bz2.compress(XOR)[:-9], "cannot be inflated"),
    "xz cut off": (lzma.compress(XOR)[:-9], "cannot be inflated"),
    "zip cut off": (zipped(a=XOR)[:-9], "cannot be inflated"),
    "zip of two": (zipped(a=XOR, b=XOR), "must hold one file, and holds a, b"),
    "zip of none": (zipped(), "is a zip archive without a file in it"),
    "zip with a password": (encrypted(), "cannot be inflated"),
    "Excel": (workbook(), "is a spreadsheet, not a table as text: save it as CSV"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "is an old Excel workbook"),
    "PDF": (b"%PDF-1.4\n", "is a PDF document"),
    "NumPy": (b"\x93NUMPY\x01\0", "is a NumPy array"),
    "random bytes": (bytes(range(256)), "is not utf-8"),
    "NUL": (b"a,b,y\n0,\0,0\n0,1,1\n", "it has a NUL character in line 2"),
    "Parquet of bytes": (in_parquet({"a": ["xyz"], "y": [1]}).replace(b"xyz", b"x\xff\xff"), "is no Parquet file that can be"),
    "Parquet cut off": (b"PAR1", "is no Parquet file that can be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_and_other_files_are_refused_with_what_they_are(name, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(BROKEN[name][0])
    with pytest.raises(ConfigError) as error:
        table(path)
    assert BROKEN[name][1] in str(error.value)
    assert str(error.value).isprintable()


def test_a_parquet_file_is_read_whatever_it_is_called(tmp_path):
    pd.DataFrame({"a": [0, 1], "y": [0.5, 1.5]}).to_parquet(tmp_path / "table.csv")
    assert table(tmp_path / "table.csv").targets.tolist() == [[0.5], [1.5]]


COLUMNS = {
    "a": [1.5, None, 3.0, float("nan"), -0.0, 1e-320],
    "n": [1, None, 2**53 + 1, -4, 5, 6],
    "w": ["x", "y", None, "", "é", "x" * 50],
    "large": pa.array(list("uvwxyz"), pa.large_string()),
    "coded": pa.array(list("uvwuvw")).dictionary_encode(),
    "truth": [True, None, False, True, True, False],
    "none": pa.nulls(6),
    "half": pa.array([0.5] * 6, pa.float32()).cast(pa.float16()),
    "a.b": pa.array([255] * 6, pa.uint8()),
}
CELLS = [
    ("1.5", "1", "x", "u", "u", "True", "", "0.5", "255"), ("", "", "y", "v", "v", "", "", "0.5", "255"),
    ("3.0", "9007199254740993", "", "w", "w", "False", "", "0.5", "255"), ("", "-4", "", "x", "u", "True", "", "0.5", "255"),
    ("-0.0", "5", "é", "y", "v", "True", "", "0.5", "255"),
    ("1e-320", "6", "x" * 50, "z", "w", "False", "", "0.5", "255"),
]  # fmt: skip
WAYS = {
    "as they come": {}, "plain": {"use_dictionary": False}, "zstd": {"compression": "zstd"}, "groups": {"row_group_size": 2},
    "pages of version 2": {"data_page_version": "2.0", "compression": "gzip"}, "version 1": {"version": "1.0"},
    "small pages": {"data_page_size": 1, "write_batch_size": 1, "dictionary_pagesize_limit": 8},
    "index": {"write_page_index": True}, "sums": {"write_page_checksum": True},
    "deltas": {"use_dictionary": False, "column_encoding":
               {"n": "DELTA_BINARY_PACKED", "w": "DELTA_BYTE_ARRAY", "large": "DELTA_LENGTH_BYTE_ARRAY"}},
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_the_cells_of_a_parquet_file_are_the_same_however_it_is_written(way, tmp_path):
    lists = pa.array([["p"]] * 6)
    nested = {"list": lists, "both": pa.StructArray.from_arrays([lists], ["x"]), "day": pa.array([0] * 6, pa.date32())}
    pq.write_table(pa.table({**COLUMNS, **nested}), tmp_path / "t.parquet", **WAYS[way])
    read = parquet_table("t", (tmp_path / "t.parquet").read_bytes())
    assert read.names == [*COLUMNS, *nested]
    assert [row[: len(COLUMNS)] for row in read.rows] == CELLS
    assert read.labels == {"w", "large", "coded"}
    assert read.unreadable == {
        "list": "list<element: string>", "both": "struct<x: list<element: string>>", "day": "date32[day]"
    }  # fmt: skip


def test_the_index_of_a_data_frame_is_no_column(tmp_path):
    for index in (["i", "j"], pd.Index([3, 4], name="id"), pd.RangeIndex(2)):
        pd.DataFrame({"a": [1.0, 2.0], "y": [3, 4]}, index=index).to_parquet(tmp_path / "t.parquet")
        assert parquet_table("t", (tmp_path / "t.parquet").read_bytes()).names == ["a", "y"]
