"""Files from a store, which may hold anything: read as plain data, within limits, or refused with the reason.

Nothing in them is resolved, executed or unpickled. JSON has at most 8 MiB; YAML at most 4 MiB, 200,000 values and no aliases;
both are nested at most 32 deep. A table or an archive has at most 256 MiB in memory, or 64 times the size
of its file.
"""

import json
import math
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

MOST_JSON, MOST_YAML = 2**23, 2**22  # bytes
MOST_EVENTS = 200_000  # of YAML: a value, or the beginning or end of some; 15 µs each
MOST_NESTED, MOST_INTEGER = 32, 2**64
MOST_CELLS, MOST_COLUMNS = 2**24, 1000  # of a table; more cells only if its file has as many more bytes
MOST_BYTES, MOST_INFLATED = 2**28, 64  # in memory; or so many times the size of the file
MOST_ARRAYS = 1000
NAMES = {"f": "floats", "fi": "numbers"}
ARRAY_HEADERS: dict[tuple[int, int], Callable[..., Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
YAML_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DamagedError(ValueError):
    """A file that is not what its name says, with the reason."""


@contextmanager
def damage(kind: str) -> Iterator[None]:
    """For the libraries that read files: whatever they raise or warn of is damage."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    except DamagedError:
        raise
    except Exception as error:  # of any kind: ArrowInvalid, zlib.error, RecursionError, MemoryError, …
        raise DamagedError(f"is not {kind}, or is damaged") from error


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a file of at most `most` bytes."""
    if not path.is_file():
        raise DamagedError("is not a file")
    if (size := path.stat().st_size) > most:
        raise DamagedError(f"has {size:,} bytes, more than {most:,}")
    return path.read_bytes()


def read_json(path: Path) -> Any:
    """What a JSON file holds: dictionaries, lists, numbers, texts, truth values, None. Raises DamagedError."""
    with damage("JSON"):
        text = read_bytes(path, MOST_JSON).decode("utf-8")
        return check_plain(json.loads(text))


def read_yaml(path: Path) -> Any:
    """What a YAML file without aliases holds, as `read_json`. Raises DamagedError."""
    with damage("YAML"):
        text = read_bytes(path, MOST_YAML).decode("utf-8")
        depth = 0
        for number, event in enumerate(yaml.parse(text, Loader=YAML_LOADER)):  # before aliases make any number of objects
            if number > MOST_EVENTS:
                raise DamagedError(f"has more than {MOST_EVENTS:,} values")
            if isinstance(event, yaml.AliasEvent):
                raise DamagedError("has aliases, which are not read")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MOST_NESTED:
                raise DamagedError(f"is nested more than {MOST_NESTED} deep")
        loaded = check_plain(yaml.load(text, Loader=YAML_LOADER))
        if loaded is None:
            raise DamagedError("is empty")
        return loaded


def check_plain(data: Any) -> Any:
    """The data, if they are plain and not nested too deep; walks from level to level. Raises DamagedError."""
    level: list[Any] = [data]
    for _ in range(MOST_NESTED + 1):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                if not all(isinstance(key, str) for key in value):
                    raise DamagedError("has a key that is not text")
                inner += value
                inner += value.values()
            elif isinstance(value, list):
                inner += value
            else:
                check_scalar(value)
        level = inner
        if not level:
            return data
    raise DamagedError(f"is nested more than {MOST_NESTED} deep")


def check_scalar(value: Any) -> None:
    """Raises DamagedError for what is no number of 64 bits, text of whole characters, truth value or None."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, int):
        if not -MOST_INTEGER < value < MOST_INTEGER:
            raise DamagedError("has a whole number of more than 64 bits")
    elif not (value is None or isinstance(value, float)):
        raise DamagedError(f"has a value of the kind {type(value).__name__}")


def read_table(path: Path) -> pa.Table:
    """A Parquet file of plain columns. Raises DamagedError."""
    if not path.is_file():
        raise DamagedError("is not a file")
    size = path.stat().st_size
    with damage("a Parquet file"):
        with pq.ParquetFile(path, thrift_string_size_limit=MOST_BYTES, thrift_container_size_limit=MOST_CELLS) as file:
            check_size(file.metadata, size)
            texts = [field.name for field in file.schema_arrow if is_text(field.type)]
        with pq.ParquetFile(path, read_dictionary=texts) as file:  # a text that many rows have is in memory once
            table = decoded(file.read(), max(MOST_BYTES, MOST_INFLATED * size))
        table.validate(full=True)
        return table


def check_size(metadata: pq.FileMetaData, size: int) -> None:
    """Raises DamagedError for a table of more columns, cells or bytes than a file of that size can have, and a nested one."""
    columns = metadata.num_columns
    if columns > MOST_COLUMNS:
        raise DamagedError(f"has {columns:,} columns, more than {MOST_COLUMNS:,}")
    if any(metadata.schema.column(number).max_repetition_level for number in range(columns)):
        raise DamagedError("has a column of lists")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    cells = max(metadata.num_rows, sum(group.num_rows for group in groups)) * columns
    inflated = sum(group.total_byte_size for group in groups)
    if cells > MOST_CELLS + size or inflated > max(MOST_BYTES, MOST_INFLATED * size):
        raise DamagedError(f"would have {cells:,} cells and {inflated:,} bytes, more than a file of {size:,} bytes can have")


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of that type has texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def decoded(table: pa.Table, most: int) -> pa.Table:
    """The table with its texts written out, if these have at most so many bytes."""
    inflated = 0
    for index, field in enumerate(table.schema):
        if not (pa.types.is_dictionary(field.type) and is_text(field.type.value_type)):
            continue
        column = table.column(index)
        for chunk in column.chunks:
            inflated += pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0
        if inflated > most:
            raise DamagedError(f"would have more than {most:,} bytes of text")
        table = table.set_column(index, field.name, column.cast(field.type.value_type))
    return table


def read_arrays(path: Path, kinds: str = "f") -> dict[str, Any]:
    """The arrays in an .npz file, by name: of floats, or with `fi` of integers too, as they are. Raises DamagedError."""
    if not path.is_file():
        raise DamagedError("is not a file")
    with damage("an .npz file of numbers"), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        most = max(MOST_BYTES, MOST_INFLATED * path.stat().st_size)
        if len(members) > MOST_ARRAYS or sum(member.file_size for member in members) > most:
            raise DamagedError(f"has more than {MOST_ARRAYS:,} arrays, or would have more than {most:,} bytes")
        return {member.filename.removesuffix(".npy"): read_array(archive.read(member), kinds) for member in members}


def read_array(content: bytes, kinds: str = "f") -> Any:
    """The array that is all of an .npy file's content."""
    file = BytesIO(content)
    shape, in_columns, kind = ARRAY_HEADERS[np.lib.format.read_magic(file)](file)
    start = file.tell()
    if kind.kind not in kinds or math.prod(shape) * kind.itemsize != len(content) - start:
        raise DamagedError(f"has an array that is not of {NAMES[kinds]}, or of another size than it says")
    flat = np.frombuffer(content, kind, offset=start)
    array = flat.reshape(shape, order="F" if in_columns else "C")
    return array.astype(float) if kind.kind == "f" else array
