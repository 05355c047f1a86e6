"""Chunks: trials of one shape, trained by one call. A chunk is a pure function of its trials, and its result a table.

The table has a row per run and all that is ever recorded of it, so that it can be kept, sent and recorded anywhere.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arithmetic import Array
from pipeline.batches import make_batch, network_of
from pipeline.config import Shape
from pipeline.engine import named
from pipeline.fingerprint import digests, keys
from pipeline.network import Network
from pipeline.plan import Places, Plan
from pipeline.tasks import load
from pipeline.trainer import STATUSES, Batch, Outcome, Progress

# What a chunk is held to where the user does not say how large it is.
CHUNK_OPERATIONS = 4e11  # multiply-adds, about, if all is trained to max_epochs: up to a minute on one core
CHUNK_BYTES = 64 * 2**20  # of its result
SMALLEST, LARGEST = 128, 16_384  # trainings

SCALARS = ["place", "status", "epochs", "final_error", "gradient_norm", "key", "digest"]  # columns of one value a run


@dataclass(frozen=True, slots=True)
class Chunk:
    """Trials by their places in the sweep, as a batch, and the engine that trains them."""

    places: Places
    batch: Batch
    engine: str

    def train(self, progress: Progress | None = None, threads: int | None = None, outcome: Outcome | None = None) -> pa.Table:
        """The result of all its trials. Where `progress` raises an exception, `outcome` has what had ended until then."""
        options = {} if self.engine == "numpy" else {"threads": threads}
        return result(self.places, named(self.engine)(self.batch, progress, outcome, **options))


def chunks(plan: Plan, missing: NDArray[np.bool_], size: int | None) -> Iterator[tuple[Shape, Places]]:
    """The trials that are missing, cut into chunks of about so many; those that differ in the threshold alone stay together."""
    for shape, places in plan.shapes():
        places = places[missing[places]]
        if not len(places):
            continue
        numbers = plan.trainings(places)
        order = np.argsort(numbers, kind="stable")
        starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
        per_training = len(places) / len(starts)
        at_once = max(1, int(size / per_training)) if size else chunk_trainings(shape, per_training)
        for first in range(0, len(starts), at_once):
            last = starts[first + at_once] if first + at_once < len(starts) else len(places)
            yield shape, np.sort(places[order[starts[first] : last]])


def chunk_trainings(shape: Shape, trials: float) -> int:
    """Of how many trainings, with so many trials each, a chunk is made if nobody says."""
    network, patterns = network_of(shape), len(load(shape.task).inputs)
    operations = 4.0 * network.size * patterns * max(1, shape.max_epochs)
    fitting = min(CHUNK_BYTES / (trials * row_bytes(shape)), LARGEST)
    return int(max(1, min(fitting, max(SMALLEST, CHUNK_OPERATIONS / operations))))


def row_bytes(shape: Shape) -> int:
    """The size of a run's result, at most."""
    points = min(shape.curve_points, shape.max_epochs + 1)
    return 8 * (points + 2 * network_of(shape).size) + 200


def make_chunk(plan: Plan, shape: Shape, places: Places) -> Chunk:
    """The chunk of the trials at these places."""
    return Chunk(places, make_batch(plan.trials(places)), shape.engine)


def result(places: Places, outcome: Outcome) -> pa.Table:
    """An outcome as a table: a row for each trial that has ended."""
    batch = outcome.batch
    ended = np.flatnonzero(outcome.status >= 0)
    before = np.searchsorted(outcome.curve_epochs, outcome.epochs[ended])
    errors = outcome.curve_errors[:, batch.training[ended]].T
    kept = errors[np.arange(len(outcome.curve_epochs)) < before[:, None]]
    columns = {
        "place": pa.array(places[ended], pa.int64()),
        "status": pa.DictionaryArray.from_arrays(pa.array(outcome.status[ended]), list(STATUSES)).cast(pa.string()),
        "epochs": pa.array(outcome.epochs[ended]),
        "final_error": pa.array(outcome.final_error[ended]),
        "gradient_norm": pa.array(outcome.gradient_norm[ended]),
        "key": pa.array(np.array(keys(batch), object)[ended]),
        "digest": pa.array(np.array(digests(outcome), object)[ended]),
        "initial": rows_of(batch.initial_parameters[:, batch.training[ended]]),
        "parameters": rows_of(outcome.parameters[:, ended]),
        "curve": pa.ListArray.from_arrays(np.concatenate([[0], np.cumsum(before)]).astype(np.int32), pa.array(kept)),
    }
    described = {"network": json.dumps(asdict(batch.network)), "curve_epochs": json.dumps(outcome.curve_epochs.tolist())}
    return pa.table(columns).replace_schema_metadata(described)


def rows_of(parameters: Array) -> pa.FixedSizeListArray:
    """Parameters (N, R) as a column of R lists."""
    return pa.FixedSizeListArray.from_arrays(pa.array(parameters.T.ravel()), parameters.shape[0])


class Results:
    """The runs of a chunk, read row by row from its table, or from the file that holds it."""

    def __init__(self, source: pa.Table | Path) -> None:
        self.source = source

    @property
    def table(self) -> pa.Table:
        """The table; a file's is where it is, and in memory no longer than it is used."""
        return opened(self.source) if isinstance(self.source, Path) else self.source

    def column(self, name: str) -> NDArray[Any]:
        """A column of numbers, (R,), or of lists of one length, (R, N)."""
        array = whole(self.table.column(name))
        if pa.types.is_fixed_size_list(array.type):
            return array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), array.type.list_size)  # type: ignore[no-any-return]
        return array.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]

    @cached_property
    def network(self) -> Network:
        """The network of all its runs."""
        described: dict[str, Any] = json.loads(self.table.schema.metadata[b"network"])
        return Network(**{**described, "units": tuple(described["units"])})

    @cached_property
    def places(self) -> Places:
        """The places of its runs in the sweep."""
        return self.column("place").copy()

    @cached_property
    def curve_epochs(self) -> NDArray[np.int64]:
        """The epochs at which curves are kept."""
        return np.array(json.loads(self.table.schema.metadata[b"curve_epochs"]))

    def curve(self, row: int) -> tuple[NDArray[np.int64], Array]:
        """(epochs, errors) of a run: the kept points before its end, and its end."""
        errors = self.table.column("curve")[row].values.to_numpy(zero_copy_only=False)
        return (
            np.append(self.curve_epochs[: len(errors)], self.table.column("epochs")[row].as_py()),
            np.append(errors, self.table.column("final_error")[row].as_py()),
        )


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def write(table: pa.Table, file: IO[bytes]) -> None:
    """Writes a chunk's table as an Arrow IPC file."""
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table.combine_chunks())


@lru_cache(4)
def opened(path: Path) -> pa.Table:
    """The table in a file that `write` wrote, in memory as it is on disk. Raises OSError or ArrowInvalid."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
