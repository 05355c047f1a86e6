"""Mutated tables, to train on or held out, each compared with what pandas reads; mutated weights, with what NumPy reads."""

import io
import json
import random
import resource
import sys
import time
import warnings
import zipfile
import zlib
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.app.refusals import one_line
from pipeline.backprop.network import Network
from pipeline.errors import UNPRINTABLE, ConfigError
from pipeline.trials.files import read_anew
from pipeline.trials.initial_weights import from_file
from pipeline.trials.tasks.description import in_one_line, recorded
from pipeline.trials.tasks.description import warnings as oddities
from tests.strategies import same_bits
from tests.tables import by_pandas, files, table

TOKENS = [
    *(
        b",",
        b";",
        b"\t",
        b"|",
        b'"',
        b"'",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b" ",
        b"  ",
        b"#",
        b"%",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
    ),
    *(
        b"nan",
        b"NA",
        b"?",
        b"-",
        b"inf",
        b"1e999",
        b"-1e308",
        b"1e-320",
        b"9007199254740993",
        b"0x1f",
        b"1_0",
        b"1,5",
        b"$3",
        b"7%",
    ),
    *(b"True", b"false", b"yes", b"NO", b"\xc3\xa4", b"\xe2\x80\xae", b"\x1b[31m", b"2020-01-02", b"None", b"null", b"0" * 400),
    *(
        b"a,b,y\n",
        b"0,1,2\n",
        b",,,",
        b"a" * 200_000,
        b"\n" * 3000,
        b" " * 3000,
        b"|" * 3000,
        b"9" * 5000,
        b"'x'",
        b'"x"',
        b'""',
    ),
]
CHOICES = {  # the default first
    "targets": ("y", "a", "2", "kind"),
    "separator": ("comma", "semicolon", "tab", "space", "pipe", ":"),
    "decimal": ("point", "comma"),
    "quote": ("double", "single", "none"),
    "header": ("auto", "first", "none"),
    "encoding": ("utf-8", "latin-1", "utf-16", "cp1252", "shift_jis"),
    "missing": ("refuse", "drop_rows"),
    "scaling": ("none", "standard", "minmax"),
    "scale_targets": ("none", "standard", "minmax", "soft", "bipolar"),
    "coding": ("binary", "soft", "bipolar"),
    "outputs_of_two_classes": (2, 1),
    "classes": ((), ("y",), ("a",)),
    "ignore": ((), ("b",), ("0",)),
    "inputs": ((), ("a",), ("b", "a")),
}
LARGER = b"length,width,kind,count,y\n" + b"".join(
    b"%d.%d,%.2f,%s,%d,%s\n" % (n % 7, n % 10, n / 3, (b"u", b"v", b"w")[n % 3], n * n, (b"yes", b"no")[n % 2])
    for n in range(60)
)
SECONDS, MEBIBYTES = 5.0, 1024
NETWORK = Network((2, 3, 1), "sigmoid", "sigmoid", "per_unit", True)


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Some changes, of cells and lines or of any bytes."""
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        data = (changed_cell if draw.random() < 0.6 else changed_bytes)(data, draw)
    return data


CELLS = (
    b"1",
    b"2.50",
    b"-3e2",
    b" 7",
    b"0",
    b"u",
    b"v ",
    b"yes",
    b"True",
    b"",
    b"NA",
    b"?",
    b"1e-320",
    b"'x'",
    b'"u"',
    b'" 1"',
)


def changed_cell(data: bytes, draw: random.Random) -> bytes:
    """Another cell, a line more or less, another order of lines."""
    lines = data.split(b"\n")
    at = draw.randrange(len(lines))
    match draw.randrange(5):
        case 0 | 1:
            cells = lines[at].split(b",")
            cells[draw.randrange(len(cells))] = draw.choice(CELLS)
            lines[at] = b",".join(cells)
        case 2:
            lines.insert(draw.randrange(len(lines)), lines[at])
        case 3:
            lines[at] += draw.choice((b",", b"", b" ", b",,"))
        case 4:
            del lines[at]
    return b"\n".join(lines)


def changed_bytes(data: bytes, draw: random.Random) -> bytes:
    """Bytes more, less, repeated, or others."""
    at, length = draw.randrange(len(data) + 1), draw.choice((1, 1, 2, 5, 20))
    match draw.randrange(7):
        case 0:
            return data[:at] + data[at + length :]
        case 1 | 2 | 3:
            return data[:at] + draw.choice(TOKENS) + data[at:]
        case 4:
            return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
        case 5:
            return data[:at] + data[at : at + length] * draw.choice((2, 3, 50)) + data[at + length :]
        case _:
            return data[at:] + data[:at] if draw.random() < 0.3 else data[: max(at, 1)]


def changed_array(data: bytes, draw: random.Random) -> bytes:
    """The same archive with another name, header, number or byte of one array, and the right sums."""
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(content, "w") as new:
        arrays = {name: old.read(name) for name in old.namelist()}
        chosen = draw.choice(sorted(arrays))
        array = arrays[chosen]
        match draw.randrange(6):
            case 0:
                arrays[draw.choice((*NPY_NAMES, *arrays))] = arrays.pop(chosen)
            case 1:
                arrays[chosen] = changed_bytes(array, draw)
            case 2:
                old_text, new_text = draw.choice(NPY_HEADERS)
                arrays[chosen] = array.replace(old_text, new_text)
            case _:
                numbers = bytearray(array)
                numbers[draw.randrange(len(array) - 8, len(array))] = draw.randrange(256)
                arrays[chosen] = bytes(numbers)
        for name, array in arrays.items():
            new.writestr(name, array, draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)))
    return content.getvalue()


NPY_NAMES = ("weights_9.npy", "initial_weights_1.npy", "weights_1", "../x.npy", "a" * 5000, "\x1b[31m.npy", "ä.npy", "/", "..")
NPY_HEADERS = [
    *((b"<f8", kind) for kind in (b">f8", b"<f2", b"<f4", b"<i8", b"<u8", b"|O8", b"<c8", b"<U2", b"|V8", b"<M8", b"|b1")),
    *((b"(3, 2)", shape) for shape in (b"(2, 3)", b"(6, 1)", b"(6,)  ", b"(3L,2)", b"(-3,2)", b"(9**9,)", b"()    ")),
    (b"False", b"True "), (b"False", b"None "), (b"'descr'", b"'other'"), (b"{", b"["), (b"\x93NUMPY\x01", b"\x93NUMPY\x02"),
    (b"\x93NUMPY\x01", b"\x93NUMPY\x09"), (b" " * 9, b"(" * 9), (b"\n", b" "),
]  # fmt: skip


def options_of(draw: random.Random) -> dict:
    """A value for each key, most of them the default."""
    chosen = {key: values[0] for key, values in CHOICES.items()}
    for key in draw.sample(sorted(CHOICES), draw.choice((0, 0, 1, 2, 4))):
        chosen[key] = draw.choice(CHOICES[key])
    return chosen


def read(path, options) -> str:
    """Reads a table, as a command does, up to what is printed and recorded; gives how it ended."""
    loaded = table(path, **options)
    lines = [in_one_line(loaded.source), *oddities(loaded.source, loaded.inputs, loaded.targets, "sigmoid")]
    assert all(line.isprintable() and len(line) <= 300 for line in lines)
    assert all(len(value) <= 5000 for value in recorded(loaded.source, "table").values())
    assert len(loaded.inputs) == len(loaded.targets) == len(loaded.source.lines) > 0
    assert loaded.inputs.size
    assert loaded.targets.size
    assert np.isfinite(loaded.inputs).all()
    assert np.isfinite(loaded.targets).all()
    return "read, and equal to pandas" if equal_to_pandas(path, options, loaded) else "read"


def equal_to_pandas(path, options, loaded) -> bool:
    """Whether the columns were compared with those that pandas reads; asserts that they are equal."""
    if options["missing"] == "drop_rows" or path.read_bytes()[:2] in (b"\x1f\x8b", b"PK", b"BZ", b"PA", b"\xfd7"):
        return False
    how = {key: options[key] for key in ("separator", "decimal", "quote", "header", "encoding")}
    columns = [*loaded.source.inputs, *loaded.source.targets]
    cells = {"dtype": str, "keep_default_na": False}
    try:
        frame = by_pandas(path, **how, **cells)
    except (ValueError, pd.errors.ParserWarning, pd.errors.ParserError):  # separators too many at the ends of lines
        width = 1 + max((int(c.name) if c.name.isdigit() else 0) for c in columns) if options["header"] == "none" else None
        first = by_pandas(path, **how, **cells, nrows=0).columns if width is None else range(width)
        frame = by_pandas(path, **how, **cells, usecols=range(len(first)))
    frame = (
        frame[[not all(cell == "" for cell in row) for row in frame.to_numpy()]] if len(frame) != len(loaded.inputs) else frame
    )
    assert len(frame) == len(loaded.source.lines)
    for column in columns:
        text = frame[column.name]
        if column.classes is None:
            point = text.str.strip().str.replace(",", ".") if options["decimal"] == "comma" else text
            assert same_bits(column.values, np.array([float(cell) for cell in point]) + 0.0)
        else:
            names = [column.classes[index] for index in column.values]
            for name, cell in zip(names, text, strict=True):
                assert name in (cell, cell.strip().capitalize()) or float(name) == float(cell)
    return True


def read_held_out(path, options, whole) -> str:
    """Reads a mutated table as the patterns that are held out; what is trained on is the whole one, and stays as it is."""
    loaded = table(whole, test=str(path), **options)
    assert loaded.held_out.inputs.shape[1] == loaded.inputs.shape[1]
    assert len(loaded.held_out.inputs) == len(loaded.held_out.targets) == loaded.source.held_out > 0
    assert np.isfinite(loaded.held_out.inputs).all()
    assert np.isfinite(loaded.held_out.targets).all()
    assert same_bits(loaded.inputs, table(whole, **options).inputs)
    return "held out"


def read_weights(path) -> str:
    """Reads mutated initial weights, as a run does."""
    read_anew()
    weights = from_file(str(path), NETWORK)
    assert weights.shape == (NETWORK.size,)
    assert np.isfinite(weights).all()
    if path.read_bytes().startswith(b"PK"):  # else NumPy takes it for no archive
        with np.load(path, allow_pickle=False) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = np.concatenate([file[name].astype(float).ravel() for name in NETWORK.names])
        assert same_bits(weights, expected)
    return "weights"


def check(number: int, seed: int, folder: Path) -> dict[str, int]:
    """Reads that many mutated files; gives how many ended how. Fails for anything but what is right or one line."""
    draw, ends = random.Random(seed), Counter()
    originals = [path.read_bytes() for path in files()] + [zlib.compress(b"a,y\n1,2\n"), *parquet(folder) * 3]
    originals += [LARGER, LARGER.replace(b"kind", b"a")] * 30
    stored = npz(folder)
    path, whole = folder / "table.csv", folder / "whole.csv"
    whole.write_bytes(LARGER)
    for _ in range(number):
        kind = draw.choices(("table", "held out", "weights"), (8, 1, 1))[0]
        options = options_of(draw)
        if kind == "table":
            path.write_bytes(mutated(draw.choice(originals), draw))
            reading = partial(read, path, options)
        elif kind == "held out":
            path.write_bytes(mutated(LARGER, draw))
            options |= {key: CHOICES[key][0] for key in ("separator", "encoding", "header", "ignore", "inputs")}
            options["targets"] = draw.choice(("y", "kind", "length"))
            options["classes"] = ()
            reading = partial(read_held_out, path, options, whole)
        else:
            path.write_bytes((changed_bytes if draw.random() < 0.3 else changed_array)(draw.choice(stored), draw))
            reading = partial(read_weights, path)
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                end = reading()
            except ConfigError as error:
                line = one_line(error) if kind == "weights" else str(error)
                assert line.isprintable() if kind != "weights" else not UNPRINTABLE.search(line), line
                assert len(line) <= 300, line
                assert line.startswith("initial.path=" if kind == "weights" else "task."), line
                end = f"refused {kind}"
            except BaseException:
                print(kind, options, path.read_bytes()[:2000], file=sys.stderr)
                raise
        assert time.perf_counter() - started < SECONDS, (kind, options, path.read_bytes()[:2000])
        ends[end] += 1
    return dict(ends)


def npz(folder: Path) -> list[bytes]:
    """The network's weights as .npz files: as they are, compressed, of smaller numbers, of whole ones."""
    draw, found = np.random.default_rng(0), []
    for write, kind in ((np.savez, "f8"), (np.savez_compressed, "f8"), (np.savez, ">f4"), (np.savez_compressed, "i2")):
        arrays = {
            name: (draw.random(shape) * 9).astype(kind) for name, shape in zip(NETWORK.names, NETWORK.shapes, strict=True)
        }
        write(folder / "weights.npz", **arrays)
        found.append((folder / "weights.npz").read_bytes())
    return found


def parquet(folder: Path) -> list[bytes]:
    """A table in Parquet files: as pandas writes it, with small groups and deflated pages of version 2, with deltas."""
    frame = pd.DataFrame({"a": [0.0, 0.5, 1.0], "b": [1, 2, 3], "kind": ["u", "v", "u"], "y": [True, False, True]})
    deltas = {"a": "PLAIN", "b": "DELTA_BINARY_PACKED", "kind": "DELTA_BYTE_ARRAY", "y": "RLE"}
    ways = ({}, {"compression": "gzip", "data_page_version": "2.0", "row_group_size": 2})
    found = []
    for way in (*ways, {"use_dictionary": False, "column_encoding": deltas, "compression": "none"}):
        frame.to_parquet(folder / "table.parquet", **way)
        found.append((folder / "table.parquet").read_bytes())
    return found


if __name__ == "__main__":
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # Linux begins with that of the process that started this one
    ended = check(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
    print(json.dumps([ended, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024]))
