"""The runs of a chunk as an Arrow table: a row per run with all that is ever recorded of it."""

import json
from dataclasses import asdict
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.backprop.arithmetic import Array
from pipeline.backprop.batch import BatchResult, as_slice
from pipeline.backprop.causes.of_batch import Causes
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.network import Network
from pipeline.backprop.status import STATUSES
from pipeline.results.columns import CAUSE_NUMBERS, CAUSES, SCALARS
from pipeline.results.run_result import Curve
from pipeline.trials.fingerprint import SUM, Sums, cause_sums, hexadecimal, key_sums, result_sums

Indices = NDArray[np.int64]  # of trials in their sweep
CURVE = "curve"  # the column of error curves, which not all tables have


def run_table(
    indices: Indices, result: BatchResult, engine: str, found: Causes | None = None, with_curves: bool = True
) -> pa.Table:
    """A batch's result as a table: a row for each trial that has ended, with its cause where `found` has them."""
    batch, ended = result.batch, indices_of(result.status >= 0)
    training = as_slice(batch.training[ended])
    results = result.status[ended], result.epochs[ended], result.final_error[ended], result.parameters[:, ended]
    columns = {
        "place": pa.array(indices[ended], pa.int64()),
        "status": pa.DictionaryArray.from_arrays(pa.array(results[0]), list(STATUSES)).cast(pa.string()),
        "epochs": pa.array(results[1]),
        "final_error": pa.array(results[2]),
        "gradient_norm": pa.array(result.gradient_norm[ended]),
        "key": texts_of(key_sums(batch)[ended]),
        "digest": texts_of(result_sums(*results)),
        "initial": rows_of(batch.initial_parameters[:, training]),
        "parameters": rows_of(results[3]),
    }
    columns |= {CURVE: curve_column(result, ended, training)} if with_curves else {}
    columns |= cause_columns(found, ended) if found else {}
    return pa.table(columns, metadata=metadata(batch.network, batch.curve_epochs, engine))


def curve_column(result: BatchResult, ended: Any, training: Any) -> pa.ListArray:
    """The error curve of each trial that has ended, from its training, up to the last kept point before its end."""
    before = np.searchsorted(result.curve_epochs, result.epochs[ended])
    kept = result.curve_errors[:, training].T[np.arange(len(result.curve_epochs)) < before[:, None]]
    return pa.ListArray.from_arrays(np.concatenate([[0], np.cumsum(before)]).astype(np.int32), pa.array(kept))


def indices_of(chosen: NDArray[np.bool_]) -> Any:
    """The indices of those that are chosen; a slice, with which nothing is copied, where that is all."""
    return slice(None) if chosen.all() else np.flatnonzero(chosen)


def texts_of(sums: Sums) -> pa.StringArray:
    """A column of sums in hexadecimal digits."""
    ends = np.arange(len(sums) + 1, dtype=np.int32) * np.int32(2 * SUM)
    return pa.StringArray.from_buffers(len(sums), pa.py_buffer(ends), pa.py_buffer(hexadecimal(sums)))


def cause_columns(found: Causes, ended: Any) -> dict[str, pa.Array]:
    """The columns CAUSES of these trials; null where a number is not known, and of runs that converged."""
    numbers = found.number, found.goal, found.rho, found.lambda_min, found.k_star
    code = found.code[ended]
    words = pa.array([one.word if one else None for one in Cause], pa.string())
    columns = [words.take(pa.array(code)), *(pa.array(column[ended], pa.float64(), from_pandas=True) for column in numbers)]
    number = np.cumsum(found.code > 0) - 1
    columns.append(texts_of(cause_sums(found)).take(pa.array(number[ended], mask=code == 0)))
    return dict(zip(CAUSES, columns, strict=True))


def metadata(network: Network, curve_epochs: NDArray[np.int64], engine: str) -> dict[str, str]:
    """What a table says of all its runs."""
    return {"network": json.dumps(asdict(network)), "curve_epochs": json.dumps(curve_epochs.tolist()), "engine": engine}


def schema(size: int, with_causes: bool = False, with_curves: bool = True) -> pa.Schema:
    """The columns of a table of networks with so many parameters."""
    parameters = pa.list_(pa.float64(), size)
    types = {"place": pa.int64(), "status": pa.string(), "epochs": pa.int64(), "final_error": pa.float64()}
    types |= {"gradient_norm": pa.float64(), "key": pa.string(), "digest": pa.string()}
    types |= {"initial": parameters, "parameters": parameters}
    types |= {CURVE: pa.list_(pa.float64())} if with_curves else {}
    if with_causes:
        types |= {name: pa.float64() if name in CAUSE_NUMBERS else pa.string() for name in CAUSES}
    return pa.schema(types)


def rows_of(parameters: Array) -> pa.FixedSizeListArray:
    """Parameters (N, R) as a column of R lists."""
    return pa.FixedSizeListArray.from_arrays(pa.array(parameters.T.ravel()), parameters.shape[0])


class RunRows:
    """The runs of a chunk, read row by row from its table, or from the file that holds it."""

    def __init__(self, source: pa.Table | Path) -> None:
        self.source = source

    @property
    def table(self) -> pa.Table:
        """The table; that of a file is memory-mapped, and only while it is used."""
        return opened(self.source) if isinstance(self.source, Path) else self.source

    def column(self, name: str) -> NDArray[Any]:
        """A column of numbers, (R,), or of lists of one length, (R, N)."""
        array = self.table.column(name).combine_chunks()
        if pa.types.is_fixed_size_list(array.type):
            return array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), array.type.list_size)  # type: ignore[no-any-return]
        return array.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]

    @property
    def scalars(self) -> pa.Table:
        """The columns of one value a run."""
        table = self.table
        return table.select([*SCALARS, *(name for name in CAUSES if name in table.column_names)])

    def scalar_rows(self) -> list[dict[str, Any]]:
        """Their values, a dictionary a run."""
        return self.scalars.to_pylist()  # type: ignore[no-any-return]

    @cached_property
    def network(self) -> Network:
        """The network of all its runs."""
        described: dict[str, Any] = json.loads(self.table.schema.metadata[b"network"])
        return Network(**{**described, "units": tuple(described["units"])})

    @cached_property
    def engine(self) -> str:
        """The engine that trained them."""
        return str(self.table.schema.metadata[b"engine"].decode())

    @cached_property
    def indices(self) -> Indices:
        """The indices of its trials in the sweep."""
        return self.column("place").copy()

    @cached_property
    def has_curves(self) -> bool:
        """Whether its runs' error curves were kept."""
        return CURVE in self.table.column_names

    @cached_property
    def has_causes(self) -> bool:
        """Whether it was looked for why runs did not converge."""
        return CAUSES[0] in self.table.column_names

    @cached_property
    def curve_epochs(self) -> NDArray[np.int64]:
        """The epochs at which curves are kept."""
        return np.array(json.loads(self.table.schema.metadata[b"curve_epochs"]))

    @property
    def curve_points(self) -> int:
        """A number of curve points that gives these epochs."""
        return max(2, len(self.curve_epochs))

    def curve(self, row: int) -> Curve:
        """(epochs, errors) of a run: the kept points before its end, and its end."""
        errors = self.table.column(CURVE)[row].values.to_numpy(zero_copy_only=False)
        return (
            np.append(self.curve_epochs[: len(errors)], self.table.column("epochs")[row].as_py()),
            np.append(errors, self.table.column("final_error")[row].as_py()),
        )


def write(table: pa.Table, file: Any) -> None:
    """Writes a chunk's table as an Arrow IPC file."""
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table.combine_chunks())


@lru_cache(4)
def opened(path: Path) -> pa.Table:
    """The table in a file that `write` wrote, memory-mapped. Raises OSError or ArrowInvalid."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
