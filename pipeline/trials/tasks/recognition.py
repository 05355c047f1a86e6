"""What a file is, if it is not the table that it was said to be: another format, encoding, separator or quote."""

import csv
import re
from collections.abc import Iterable, Sequence

from pipeline.trials.tasks.table_options import QUOTES, SEPARATORS
from pipeline.trials.tasks.wording import refused

BINARY = {
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save it as CSV",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\x93NUMPY": "a NumPy array: save it as CSV",
    b"\x89HDF": "an HDF5 file: save the table as CSV",
    b"SQLite format 3\0": "a SQLite database: save the table as CSV",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it, or use gzip, zip, bzip2 or xz",
    b"(\xb5/\xfd": "compressed by Zstandard: unpack it, or use gzip, zip, bzip2 or xz",
    b"Rar!": "a RAR archive: unpack it, or use gzip, zip, bzip2 or xz",
    b"PK\x05\x06": "a zip archive without a file in it",
}
TEXTUAL = {
    re.compile(r"\A\s*<(!doctype|html|head|body|table|\?xml)\b", re.I): "a web page or XML, not a table as text",
    re.compile(r"\A\s*(\[\s*[\[{]|\{\s*[\"}])"): "JSON, not CSV: save the table as CSV",
    re.compile(r"^[ \t]*@(relation|attribute)[ \t]", re.I | re.M): "an ARFF file: leave its lines of @ out, and write a header",
    re.compile(
        r"\A\s*bool_in[ \t]*=", re.I
    ): "a Proben1 file: leave its first lines out; task.separator=space task.header=none",
    re.compile(r"\A[^\n]*\n[ \t|]*:?-{3,}:?[ \t]*\|"): "a Markdown table, not CSV",
    re.compile(r"\Aversion https://git-lfs"): "a pointer of Git LFS: fetch the file itself by git lfs pull",
}
HEAD = 20_000  # characters that are looked at
COMMENTS = ("#", "%", "//")
DECIMAL_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+")


def refuse_binary(path: str, data: bytes) -> None:
    """Raises ConfigError for data of a known format that is no text."""
    for magic, what in BINARY.items():
        if data.startswith(magic):
            raise refused(path, f"is {what}")
    if data[257:262] == b"ustar":
        raise refused(path, "is a tar archive: unpack it, and give one file")


def refuse_other_text(path: str, text: str) -> None:
    """Raises ConfigError for a text of a known format that is no table."""
    for pattern, what in TEXTUAL.items():
        if pattern.search(text[:HEAD]):
            raise refused(path, f"is {what}")


def decoded(path: str, data: bytes, encoding: str) -> str:
    """Bytes as text, without a byte order mark. Raises ConfigError, which names the encoding that the bytes seem to have."""
    if likely := likely_encoding(data, encoding):
        raise refused(path, f"is not {encoding} as it seems; write task.encoding={likely}")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        likely = "cp1252" if any(0x80 <= byte < 0xA0 for byte in data) else "latin-1"
        hint = f"; write task.encoding={likely} if it has West European letters" if encoding in UTF else ""
        raise refused(path, f"is not {encoding}: byte 0x{data[error.start]:02x} in line {line}{hint}") from None
    except UnicodeError:
        raise refused(path, f"is not {encoding}; write task.encoding=utf-8, or what it is") from None
    if "\0" in text:
        raise refused(path, f"is no text: it has a NUL character in line {text.count(chr(10), 0, text.index(chr(0))) + 1}")
    return text.removeprefix("\ufeff")


UTF = ("utf-8", "ascii", "utf-8-sig")


def likely_encoding(data: bytes, encoding: str) -> str | None:
    """The encoding that data certainly have, if it is another one."""
    wide = encoding.startswith(("utf-16", "utf-32"))
    for mark, name in (
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return None if encoding.startswith(name) else name
    zeros = data[:HEAD].count(0)
    if zeros and not wide and zeros >= len(data[:HEAD]) // 3:
        return "utf-16-be" if data[0] == 0 else "utf-16-le"
    if wide or encoding not in UTF:
        try:
            plain = data.decode("utf-8")
        except UnicodeDecodeError:
            return None
        if not zeros and (wide or not plain.isascii()):
            return "utf-8"
    return None


def split(lines: Iterable[str], separator: str, quote: str) -> list[list[str]]:
    """Some lines, cut at a separator; none where they cannot be."""
    try:
        return list(reader(lines, separator, quote))
    except csv.Error:
        return []


def reader(lines: Iterable[str], separator: str, quote: str) -> "csv.Reader":  # type: ignore[name-defined]
    """The rows of lines of delimited text. Raises csv.Error for quotes in wrong places."""
    how = {"quotechar": quote} if quote else {"quotechar": None, "quoting": csv.QUOTE_NONE}
    return csv.reader(lines, delimiter=SEPARATORS.get(separator, separator), skipinitialspace=True, strict=True, **how)


def likely_separator(lines: Sequence[str], separator: str, quote: str) -> str | None:
    """How to write the separator that cuts all these lines into as many cells, if the given one does not."""
    counts = {
        name: {len(row) for row in split(map(spaced, lines) if name == "space" else lines, name, quote)} for name in SEPARATORS
    }
    widths = {name: count.copy().pop() for name, count in counts.items() if len(count) == 1 and max(count) > 1}
    if separator in widths or not widths or len(lines) < 2:
        return None
    best = max(widths, key=lambda name: (name != "space", widths[name]))
    rows = split(map(spaced, lines) if best == "space" else lines, best, quote)
    comma = any(DECIMAL_COMMA.fullmatch(cell.strip()) for row in rows for cell in row)
    return f"task.separator={best}" + (" task.decimal=comma" if comma and best != "comma" else "")


def spaced(line: str) -> str:
    """A line whose cells are separated by any number of spaces and tabs, with single spaces."""
    return line.replace("\t", " ").strip(" \r\n") + "\n"


def sample(text: str) -> list[str]:
    """The first lines that are not blank, without one that may be cut off."""
    lines = text[:HEAD].splitlines()
    whole = lines if len(text) <= HEAD else lines[:-1]
    return [line for line in whole if line.strip()][:50]


def why_not_a_table(text: str, separator: str, quote: str) -> str:
    """What may be wrong with a text that does not have as many cells in each line; empty if that is not seen."""
    lines = sample(text)
    if lines and lines[0].lstrip().startswith(COMMENTS):
        return "line 1 seems to be a comment; leave such lines out"
    if likely := likely_separator(lines, separator, quote):
        return f"write {likely}"
    for name, mark in QUOTES.items():
        possible = mark != quote and (not mark or any(mark in line for line in lines))
        widths = {len(row) for row in split(lines, separator, mark)} if possible else {1}
        if len(widths) == 1 and max(widths) > 1:
            return f"write task.quote={name}"
    return ""
