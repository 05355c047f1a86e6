"""Some runs of a sweep as an Arrow stream: one record batch of the columns of SCHEMA, not compressed, a row per run."""

import struct
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.backprop.arithmetic import Array
from pipeline.store.copies.sweep import Child
from pipeline.store.files import DamagedError, damage
from pipeline.store.records import RecordedRun

MOST_ARRAYS, MOST_DIMENSIONS = 1000, 2
SCHEMA = pa.schema(
    {
        "run_id": pa.string(),  # where it was recorded first
        "name": pa.string(),
        "params": pa.map_(pa.string(), pa.string()),
        "tags": pa.map_(pa.string(), pa.string()),
        "metrics": pa.map_(pa.string(), pa.float64()),
        "epochs": pa.list_(pa.int64()),  # of the curve
        "errors": pa.list_(pa.float64()),
        "arrays": pa.list_(pa.string()),  # of weights.npz: their names, their shapes, the numbers of all of them
        "shapes": pa.list_(pa.list_(pa.int64())),
        "numbers": pa.list_(pa.float64()),
    }
)


def to_arrow(children: Sequence[Child]) -> bytes:
    """The runs as a stream."""
    runs = [child.run for child in children]
    columns = {
        "run_id": [child.run_id for child in children],
        "name": [run.name for run in runs],
        **{name: [sorted(getattr(run, name).items()) for run in runs] for name in ("params", "tags", "metrics")},
        "epochs": [run.curve[0] for run in runs],
        "errors": [run.curve[1] for run in runs],
        "arrays": [list(run.arrays) for run in runs],
        "shapes": [[array.shape for array in run.arrays.values()] for run in runs],
        "numbers": [np.concatenate([np.empty(0), *map(np.ravel, run.arrays.values())]) for run in runs],
    }
    batch = pa.RecordBatch.from_pydict(columns, SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def from_arrow(content: bytes) -> list[Child]:
    """The runs in a stream that `to_arrow` wrote. Raises DamagedError."""
    with damage("an Arrow stream of runs"):
        messages = list(pa.ipc.MessageReader.open_stream(pa.py_buffer(content)))
        if [message.type for message in messages] != ["schema", "record batch"] or is_compressed(messages[1]):
            raise DamagedError("is no Arrow stream of one record batch that is not compressed")
        with pa.ipc.open_stream(content) as reader:
            if reader.schema != SCHEMA:
                raise DamagedError("has other columns than those of runs")
            batch = reader.read_next_batch()
        batch.validate(full=True)
        if has_nulls(batch):
            raise DamagedError("lacks a value")
        return [child(batch, row) for row in range(len(batch))]


def is_compressed(message: pa.Message) -> bool:
    """Whether the buffers of a record batch are compressed: then a small message may fill the memory.

    Message and RecordBatch are Flatbuffers (Arrow's Message.fbs): the header is field 2 of one, compression 3 of the other.
    """
    data = message.metadata.to_pybytes()
    header = field(data, struct.unpack_from("<I", data)[0], 2)
    return not header or bool(field(data, header + struct.unpack_from("<I", data, header)[0], 3))


def field(data: bytes, table: int, number: int) -> int:
    """Where a field of a Flatbuffers table is; 0 if the table has none."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    if vtable < 0 or table < 0:
        raise DamagedError("has a message that is none")
    entry = 4 + 2 * number
    offset = struct.unpack_from("<H", data, vtable + entry)[0] if entry < struct.unpack_from("<H", data, vtable)[0] else 0
    return table + offset if offset else 0


def has_nulls(array: Any) -> bool:
    """Whether a batch, or an array at any depth, lacks a value."""
    if isinstance(array, pa.RecordBatch):
        return any(map(has_nulls, array.columns))
    if array.null_count:
        return True
    if isinstance(array, pa.MapArray):
        return has_nulls(array.keys) or has_nulls(array.items)
    return isinstance(array, pa.ListArray) and has_nulls(array.flatten())


def child(batch: pa.RecordBatch, row: int) -> Child:
    """The run of a row."""
    values = {name: batch.column(name)[row] for name in SCHEMA.names}
    pairs = {name: unique(values[name].as_py()) for name in ("params", "tags", "metrics")}
    curve = values["epochs"].values.to_numpy(), values["errors"].values.to_numpy()
    names, shapes = values["arrays"].as_py(), values["shapes"].as_py()
    arrays = arrays_of(names, shapes, values["numbers"].values.to_numpy())
    return Child(values["run_id"].as_py(), RecordedRun(values["name"].as_py(), curve=curve, arrays=arrays, **pairs))


def unique(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    """Pairs as a dictionary."""
    if len(dict(pairs)) < len(pairs):
        raise DamagedError("has a param, a tag or a metric twice")
    return dict(pairs)


def arrays_of(names: Sequence[str], shapes: Sequence[Sequence[int]], numbers: Array) -> dict[str, Array]:
    """The arrays of those names and shapes."""
    if not len(set(names)) == len(names) == len(shapes) <= MOST_ARRAYS:
        raise DamagedError("has an array twice, or one without a shape")
    if any(len(shape) > MOST_DIMENSIONS or min(shape, default=0) < 0 for shape in shapes):
        raise DamagedError("has an array of a shape that weights don't have")
    ends = [0, *accumulate(map(prod, shapes))]
    if ends[-1] != len(numbers):
        raise DamagedError("has arrays of other sizes than their shapes")
    pieces = [numbers[start:end] for start, end in pairwise(ends)]
    return {name: piece.reshape(shape) for name, shape, piece in zip(names, shapes, pieces, strict=True)}
