"""Mutated tables, each read and compared with what pandas reads."""

import json
import random
import resource
import sys
import time
import warnings
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import ConfigError
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


def check(number: int, seed: int, folder: Path) -> dict[str, int]:
    """Reads that many mutated tables; gives how many ended how. Fails for anything but a right table or one line."""
    draw, ends = random.Random(seed), Counter()
    originals = [path.read_bytes() for path in files()] + [zlib.compress(b"a,y\n1,2\n"), parquet(folder)]
    originals += [LARGER, LARGER.replace(b"kind", b"a")] * 30
    path = folder / "table.csv"
    for _ in range(number):
        path.write_bytes(mutated(draw.choice(originals), draw))
        options, started = options_of(draw), time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                end = read(path, options)
            except ConfigError as error:
                line = str(error)
                assert line.isprintable(), line
                assert len(line) <= 300, line
                assert line.startswith("task."), line
                end = "refused"
            except BaseException:
                print(options, path.read_bytes()[:2000], file=sys.stderr)
                raise
        assert time.perf_counter() - started < SECONDS, (options, path.read_bytes()[:2000])
        ends[end] += 1
    return dict(ends)


def parquet(folder: Path) -> bytes:
    frame = pd.DataFrame({"a": [0.0, 0.5, 1.0], "b": [1, 2, 3], "kind": ["u", "v", "u"], "y": [True, False, True]})
    frame.to_parquet(folder / "table.parquet")
    return (folder / "table.parquet").read_bytes()


if __name__ == "__main__":
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # Linux begins with that of the process that started this one
    ended = check(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
    print(json.dumps([ended, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024]))
