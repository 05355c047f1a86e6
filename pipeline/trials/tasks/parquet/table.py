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
from pipeline.trials.tasks.parquet.pages import pages
from pipeline.trials.tasks.table import Table
from pipeline.trials.tasks.wording import cut, refused

MAGIC = b"PAR1"
MOST_CELLS, MOST_DIFFERENT, MOST_PAGES, MOST_FOOTER = 2**24, 2**23, 2**17, 2**24
MOST_BATCHES = 2**14
DELTAS = (6, 7)  # encodings of words that are never read as dictionaries; in one a few bytes may stand for many long words
MOST_TYPE = 40  # characters
WORDS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
CELLS = (*WORDS, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_null)


def parquet_table(path: str, data: bytes) -> Table:
    """The table in the bytes of a Parquet file. Raises ConfigError where it cannot be read."""
    try:
        if data.endswith(MAGIC) and int.from_bytes(data[-8:-4], "little") > MOST_FOOTER:
            raise too_large(path)
        metadata = parquet.read_metadata(io.BytesIO(data))
        largest = words_by_row(path, data, metadata)
        schema = metadata.schema.to_arrow_schema()
        index = (schema.pandas_metadata or {}).get("index_columns", [])
        fields = [field for field in schema if field.name not in index]
        if len({field.name for field in schema}) < len(schema):
            raise refused(path, "has two columns of one name")
        readable = [field.name for field in fields if is_one(field.type, CELLS)]
        words = [field.name for field in fields if is_one(field.type, WORDS) and field.name not in largest]
        other = [name for name in readable if name not in largest]
        found = parquet.read_table(io.BytesIO(data), columns=other, read_dictionary=words, use_pandas_metadata=False)
        chunks = {name: found.column(name).chunks for name in other}
        for name in set(readable) & set(largest):
            chunks[name] = read_slowly(path, data, name, metadata.num_rows, largest[name])
    except ConfigError:
        raise
    except Exception as error:  # pyarrow's own are of many kinds
        raise refused(path, f"is no Parquet file that can be read: {cut(' '.join(str(error).split()), 80)}") from None
    columns, different = [], 0
    for field in fields:
        column, some = text_cells(chunks.pop(field.name)) if field.name in chunks else ([""] * metadata.num_rows, 0)
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
    chunks: list[pa.Array] = []
    size = 0
    for batch in parquet.ParquetFile(io.BytesIO(data)).iter_batches(at_once, columns=[name], use_threads=False):
        chunks.append(batch.column(0).dictionary_encode())
        size += chunks[-1].dictionary.nbytes
        if size > MOST_BYTES:
            raise too_large(path)
    return chunks


def text_cells(chunks: Sequence[pa.Array]) -> tuple[list[str], int]:
    """The cells of a column, empty where there is no value, equal ones as one text; and how many different ones were found."""
    cells: list[str] = []
    different = 0
    for chunk in chunks:
        coded = (chunk.cast(pa.float32()) if pa.types.is_float16(chunk.type) else chunk).dictionary_encode()
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

    Raises ConfigError for more cells, pages or bytes than can be held, and ValueError for pages that are none: the end of the
    file says how large its parts are, and each page says it again; a reader holds what the page says.
    """
    if metadata.num_rows * max(1, metadata.num_columns) > MOST_CELLS:
        raise refused(path, f"has {metadata.num_rows * metadata.num_columns:,} cells: at most {MOST_CELLS:,} are read")
    if metadata.num_row_groups * max(1, metadata.num_columns) > MOST_PAGES:
        raise too_large(path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > MOST_BYTES:
        raise too_large(path)
    size = number = 0
    largest: dict[str, int] = {}
    slow = set()
    for chunk in (group.column(at) for group in groups for at in range(group.num_columns)):
        start, dictionary = chunk.data_page_offset, chunk.dictionary_page_offset
        if chunk.has_dictionary_page and dictionary is not None and 0 < dictionary < start:
            start = dictionary
        for page in pages(data, start, start + chunk.total_compressed_size, chunk.num_values):
            size, number = size + page.size, number + 1
            if size > MOST_BYTES or number > MOST_PAGES:
                raise too_large(path)
            largest[chunk.path_in_schema] = max(page.size, largest.get(chunk.path_in_schema, 0))
            if page.encoding in DELTAS:
                slow.add(chunk.path_in_schema)
    return {name: most for name, most in largest.items() if name in slow}
