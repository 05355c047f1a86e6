"""A table in a Parquet file, whose columns have types: as text, so that it is read like any other.

What reading takes is bounded before: by the sizes that the pages themselves state, and as words stay in dictionaries.
"""

import io
import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from pipeline.errors import ConfigError
from pipeline.trials.tasks.file_bytes import MOST_BYTES, too_large
from pipeline.trials.tasks.parquet import MAGIC
from pipeline.trials.tasks.parquet.pages import chunks, pages
from pipeline.trials.tasks.table import Table
from pipeline.trials.tasks.wording import cut, refused

MOST_CELLS, MOST_DIFFERENT = 2**24, 2**23
MOST_PAGES, MOST_FOOTER, MOST_HEADERS = 2**17, 2**22, 2**23  # bytes but of the first
MOST_BATCHES = 2**14
DELTAS = (6, 7)  # encodings of words that are never read as dictionaries; in one a few bytes may stand for many long words
MOST_TYPE = 40  # characters
WORDS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
CELLS = (*WORDS, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_null)


def parquet_table(path: str, data: bytes) -> Table:
    """The table in the bytes of a Parquet file. Raises ConfigError where it cannot be read."""
    try:
        return read(path, data)
    except ConfigError:
        raise
    except Exception as error:  # pyarrow's own are of many kinds
        raise refused(path, f"is no Parquet file that can be read: {cut(' '.join(str(error).split()), 80)}") from None


def read(path: str, data: bytes) -> Table:
    """The table in the bytes of a Parquet file. Raises what pyarrow raises where it is none, and ConfigError."""
    if data.endswith(MAGIC) and int.from_bytes(data[-8:-4], "little") > MOST_FOOTER:
        raise too_large(path)
    metadata = parquet.read_metadata(io.BytesIO(data))
    largest = words_by_row(path, data, metadata)
    schema = metadata.schema.to_arrow_schema()
    if len(set(schema.names)) < len(schema):
        raise refused(path, "has two columns of one name")
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    fields = [field for field in schema if field.name not in index]
    readable = [field.name for field in fields if is_one(field.type, CELLS)]
    words = [field.name for field in fields if is_one(field.type, WORDS) and field.name not in largest]
    other = [name for name in readable if name not in largest]
    found = parquet.read_table(io.BytesIO(data), columns=other, read_dictionary=words, use_pandas_metadata=False)
    pieces = {name: found.column(name).chunks for name in other}
    for name in set(readable) & set(largest):
        pieces[name] = read_slowly(path, data, name, metadata.num_rows, largest[name])
    columns, different = [], 0
    for field in fields:
        column, some = text_cells(pieces.pop(field.name)) if field.name in pieces else ([""] * metadata.num_rows, 0)
        columns.append(column)
        different += some
        if different > MOST_DIFFERENT:
            raise refused(path, f"is too large: at most {MOST_DIFFERENT:,} different values are read")
    rows = list(zip(*columns, strict=True))
    labels = frozenset(field.name for field in fields if is_one(field.type, WORDS) or pa.types.is_dictionary(field.type))
    unreadable = {field.name: cut(str(field.type), MOST_TYPE) for field in fields if field.name not in readable}
    return Table(path, {field.name: at for at, field in enumerate(fields)}, rows, range(1, len(rows) + 1), labels, unreadable)


def is_one(kind: pa.DataType, kinds: Sequence[Any]) -> bool:
    """Whether a type, or that of the values of a dictionary, is of one of these kinds."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(one(inner) for one in kinds)


def read_slowly(path: str, data: bytes, name: str, rows: int, largest: int) -> list[pa.Array]:
    """A column of words in pieces so small that each can be held, if each word is as large as a page; each as a dictionary.

    Raises ConfigError for more pieces or bytes than can be held.
    """
    at_once = max(1, MOST_BYTES // max(1, largest))
    if rows > at_once * MOST_BATCHES:
        raise too_large(path)
    pieces: list[pa.Array] = []
    size = 0
    for batch in parquet.ParquetFile(io.BytesIO(data)).iter_batches(at_once, columns=[name], use_threads=False):
        pieces.append(batch.column(0).dictionary_encode())
        size += pieces[-1].dictionary.nbytes
        if size > MOST_BYTES:
            raise too_large(path)
    return pieces


def text_cells(pieces: Sequence[pa.Array]) -> tuple[list[str], int]:
    """The cells of a column, empty where there is no value, equal ones as one text; and how many different ones were found."""
    cells: list[str] = []
    different = 0
    for piece in pieces:
        coded = (piece.cast(pa.float32()) if pa.types.is_float16(piece.type) else piece).dictionary_encode()
        words = ["" if value is None or is_nan(value) else str(value) for value in coded.dictionary.to_pylist()]
        different += len(words)
        codes = coded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False).tolist()
        words.append("")
        cells += [words[code] for code in codes]
    return cells, different


def is_nan(value: Any) -> bool:
    """Whether a value is no number, as which a missing one is kept among numbers."""
    return isinstance(value, float) and math.isnan(value)


def words_by_row(path: str, data: bytes, metadata: Any) -> dict[str, int]:
    """The columns with pages in one of the encodings DELTAS, and what the largest page of each inflates to.

    Raises ConfigError for more cells, pages or bytes than can be held, and other errors for pages that are none.
    """
    if metadata.num_rows * max(1, metadata.num_columns) > MOST_CELLS:
        raise refused(path, f"has {metadata.num_rows * metadata.num_columns:,} cells: at most {MOST_CELLS:,} are read")
    parts, size = chunks(data, len(data) - 8 - int.from_bytes(data[-8:-4], "little"))
    if size > MOST_BYTES:
        raise too_large(path)
    size = number = headers = 0
    largest: dict[str, int] = {}
    slow = set()
    for part in parts:
        for page in pages(data, part):
            size, number, headers = size + page.size, number + 1, headers + page.header
            if size > MOST_BYTES or number > MOST_PAGES or headers > MOST_HEADERS:
                raise too_large(path)
            largest[part.path] = max(page.size, largest.get(part.path, 0))
            if page.encoding in DELTAS:
                slow.add(part.path)
    return {name: most for name, most in largest.items() if name in slow}
