"""Rows that another process has left: believed only if this program wrote them, for the trials of this sweep."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.backprop.batch import Batch, curve_epochs
from pipeline.backprop.causes.of_batch import Causes
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.engines import ENGINES
from pipeline.backprop.status import STATUSES, Status
from pipeline.results.columns import CAUSE_NUMBERS, CAUSES
from pipeline.results.regular_file import open_regular
from pipeline.results.rows import CURVE, Indices, RunRows, metadata, schema
from pipeline.trials.fingerprint import cause_digests, keys, result_digests

CHECKSUM_DIGITS = 32  # of SHA-256, in the file's name
MOST_POINTS = 1000  # of a curve
FILE_NAME = re.compile(rf"([0-9]{{10,19}})-([0-9a-f]{{{CHECKSUM_DIGITS}}})\.arrow")
FORBIDDEN_ERRORS = (OSError, pa.ArrowException, ValueError, TypeError, KeyError, RecursionError)  # of what is no table of ours

BatchOf = Callable[[Indices, int], Batch]  # from the indices of trials and the number of curve points


class DamagedError(Exception):
    """Rows that are not believed; the message says why."""


def file_name(table: pa.Table, checksum: str) -> str:
    """The name of the file that holds a chunk's table: its first index, and the SHA-256 of the content."""
    return f"{table.column('place')[0].as_py():010d}-{checksum[:CHECKSUM_DIGITS]}.arrow"


def verified_file(path: Path, verify: Callable[[pa.Table], None] | None = None) -> RunRows:
    """The rows in a whole file, of the form that `run_table` gives, or that `verify` takes. Raises DamagedError for another."""
    name = FILE_NAME.fullmatch(path.name)
    if not name:
        raise DamagedError("has no checksum in its name")
    try:
        with open_regular(path) as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        if checksum[:CHECKSUM_DIGITS] != name[2]:
            raise DamagedError("does not have its checksum")
        rows = RunRows(path)
        (verify or verify_form)(rows.table)
    except FORBIDDEN_ERRORS as error:
        raise DamagedError(f"cannot be read: {(str(error).splitlines() or [''])[0]}") from None
    if rows.indices[0] != int(name[1]):
        raise DamagedError("has another name than its rows")
    return rows


def verify_form(table: pa.Table) -> None:
    """Raises DamagedError if a table has not the columns of `run_table`, a value is missing, or its trials are not in order."""
    initial = table.schema.field("initial").type if "initial" in table.column_names else None
    size = initial.list_size if initial and pa.types.is_fixed_size_list(initial) else 0
    form = schema(size, CAUSES[0] in table.column_names, CURVE in table.column_names)
    if not table.schema.remove_metadata().equals(form, check_metadata=True) or not len(table):
        raise DamagedError("has other columns than results have")
    if set(table.schema.metadata or {}) != {b"network", b"curve_epochs", b"engine"}:
        raise DamagedError("does not say what network its results are of")
    table.validate(full=True)
    parts = [table.column(name).combine_chunks() for name in ("initial", "parameters", CURVE) if name in form.names]
    whole = table.drop_columns([name for name in CAUSES if name in form.names]).columns
    if any(column.null_count for column in (*whole, *(part.flatten() for part in parts))):
        raise DamagedError("lacks values")
    indices = table.column("place").to_numpy()
    if indices[0] < 0 or (np.diff(indices) <= 0).any():
        raise DamagedError("has a trial twice")


def verify_trials(rows: RunRows, batch_of: BatchOf, free: NDArray[np.bool_]) -> None:
    """Raises DamagedError unless these are results of the sweep's trials that are `free` (trials,), to the last bit.

    `batch_of` makes the batch of these trials, or raises DamagedError if they are not of one batch. What the key and the
    digest do not cover must be what the batch has: the network, the initial weights, the epochs of the curve.
    """
    indices = rows.indices
    if indices[-1] >= len(free):
        raise DamagedError("has a trial that the sweep has not")
    if not free[indices].all():
        raise DamagedError("has a trial that another file has")
    points = number_of_points(rows)
    batch = batch_of(indices, points)
    epochs = curve_epochs(batch.max_epochs, points)
    table, engine = rows.table, rows.table.schema.metadata[b"engine"].decode(errors="replace")
    if engine not in ENGINES:
        raise DamagedError("was trained by an unknown engine")
    expected = metadata(batch.network, epochs, engine)
    if any(table.schema.metadata[name.encode()] != text.encode() for name, text in expected.items()):
        raise DamagedError("is of another network or curve")
    initial = rows.column("initial")
    if initial.shape[1] != batch.network.size or table.column("key").to_pylist() != keys(batch):
        raise DamagedError("has results of other trials")
    if not np.array_equal(initial.view(np.int64), batch.initial_parameters.T[batch.training].view(np.int64)):
        raise DamagedError("has other initial weights than its trials")
    verify_results(rows, epochs, batch.max_epochs)


def number_of_points(rows: RunRows) -> int:
    """A number of curve points that gives as many epochs as the rows say. Raises DamagedError where they do not say."""
    try:
        return min(rows.curve_points, MOST_POINTS)
    except FORBIDDEN_ERRORS:
        raise DamagedError("does not say at which epochs its curves are kept") from None


def verify_results(rows: RunRows, epochs: NDArray[np.int64], max_epochs: int) -> None:
    """Raises DamagedError unless each row has its digest, and where curves are kept, one up to its end."""
    import pyarrow.compute as pc  # which takes long: only with results that were left

    table, ends = rows.table, rows.column("epochs")
    status = pc.index_in(table.column("status").combine_chunks(), pa.array(STATUSES))
    if status.null_count or ends.min() < 0 or ends.max() > max_epochs:
        raise DamagedError("has a run that ended in no possible way")
    result = status.to_numpy(), ends, rows.column("final_error"), rows.column("parameters").T
    if table.column("digest").to_pylist() != result_digests(*result):
        raise DamagedError("has results that differ from their digests")
    lengths = np.searchsorted(epochs, ends)
    if rows.has_curves and not np.array_equal(pc.list_value_length(table.column(CURVE)).to_numpy(), lengths):
        raise DamagedError("has curves of another length")
    if rows.has_causes:
        verify_causes(rows, result[0])


def verify_causes(rows: RunRows, status: NDArray[Any]) -> None:
    """Raises DamagedError unless each run that did not converge has its cause, with its digest."""
    import pyarrow.compute as pc

    words = rows.table.column("cause").combine_chunks()
    code = pc.index_in(words, pa.array([one.word for one in Cause if one])).fill_null(-1).to_numpy() + 1
    failed = np.isin(status, (Status.EXHAUSTED, Status.DIVERGED))
    found = Causes(code, *(rows.column(name) for name in CAUSE_NUMBERS))
    if ((code > 0) != failed).any() or rows.table.column("cause_digest").to_pylist() != cause_digests(found):
        raise DamagedError("has causes that differ from their digests")
