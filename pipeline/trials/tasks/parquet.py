"""A table in a Parquet file, whose columns have types: as text, so that it is read like any other."""

import io
from typing import Any

from pipeline.errors import ConfigError
from pipeline.trials.tasks.file_bytes import MOST_BYTES, too_large
from pipeline.trials.tasks.table import Table
from pipeline.trials.tasks.wording import cut, refused

MAGIC = b"PAR1"
MOST_CELLS = 2**24
PLAIN = (str, bool, int, float)


def parquet_table(path: str, data: bytes) -> Table:
    """The table in the bytes of a Parquet file. Raises ConfigError where it cannot be read."""
    import pandas

    try:
        engine: Any = pandas.io.parquet.get_engine("pyarrow")  # type: ignore[attr-defined]
        metadata = engine.api.parquet.read_metadata(io.BytesIO(data))
        if metadata.num_rows * max(1, metadata.num_columns) > MOST_CELLS:
            raise refused(path, f"has {metadata.num_rows * metadata.num_columns:,} cells: at most {MOST_CELLS:,} are read")
        if sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)) > MOST_BYTES:
            raise too_large(path)
        frame = pandas.read_parquet(io.BytesIO(data), engine="pyarrow")
    except ConfigError:
        raise
    except ImportError:
        raise refused(path, "is a Parquet file, and pyarrow is not installed") from None
    except Exception as error:  # pyarrow's own are of many kinds
        raise refused(path, f"is no Parquet file that can be read: {cut(' '.join(str(error).split()), 80)}") from None
    names = list(map(str, frame.columns))
    if len(set(names)) < len(names):
        raise refused(path, "has two columns of one name")
    columns, labels, unreadable = [], set(), {}
    for index, name in enumerate(names):
        column = frame.iloc[:, index]
        if column.dtype.kind in "OUST" or str(column.dtype) in ("category", "string", "str"):
            labels.add(name)
        holes, values = column.isna().tolist(), column.astype(object).tolist()
        others = (value for value, hole in zip(values, holes, strict=True) if not (hole or isinstance(value, PLAIN)))
        if (other := next(others, None)) is not None:
            unreadable[name] = type(other).__name__
        columns.append(["" if hole else str(value) for value, hole in zip(values, holes, strict=True)])
    rows = list(zip(*columns, strict=True))
    return Table(
        path, {name: at for at, name in enumerate(names)}, rows, range(1, len(rows) + 1), frozenset(labels), unreadable
    )
