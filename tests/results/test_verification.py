"""Rows of another process are believed only if they are, to the last bit, what the trials of the plan gave."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipeline.backprop.causes.of_batch import causes
from pipeline.backprop.status import STATUSES
from pipeline.backprop.trainer import train
from pipeline.results.rows import RunRows, run_table, schema
from pipeline.results.verification import DamagedError, verify_form, verify_trials
from pipeline.trials.batching import make_batch
from pipeline.trials.fingerprint import result_digests
from tests.configurations import trial_of, uniform

TRIALS = 8
CHANGES = {"initial": uniform(), "max_epochs": 60, "threshold": 1e-1, "learning_rate": 5.0}


def batch_of(indices, points=20, **changes):
    """The batch of these trials of a small sweep over seeds."""
    return make_batch([trial_of(**{**CHANGES, "seed": int(index), **changes}) for index in indices], points)


def table_of(indices=(2, 3, 5), points=20, with_causes=True, with_curves=True, **changes):
    result = train(batch_of(indices, points, **changes))
    return run_table(np.array(indices), result, "numpy", causes(result) if with_causes else None, with_curves)


def verified(table, free=None, **changes):
    verify_form(table)
    free = np.ones(TRIALS, bool) if free is None else free
    verify_trials(RunRows(table), lambda indices, points: batch_of(indices, points, **changes), free)


def with_column(table: pa.Table, name: str, values: list) -> pa.Table:
    """The table with other values in a column."""
    field = table.schema.field(name)
    return table.set_column(table.column_names.index(name), field, [pa.array(values, field.type)])


def altered(table: pa.Table, name: str, row: int, value: object) -> pa.Table:
    """The table with another value in a row: this one, or what a function makes of the one that is there."""
    values = table.column(name).to_pylist()
    values[row] = value(values[row]) if callable(value) else value
    return with_column(table, name, values)


def with_digests(table: pa.Table) -> pa.Table:
    """The table with the digests of what it says."""
    rows = RunRows(table)
    codes = np.array([STATUSES.index(word) for word in rows.column("status")])
    result = codes, rows.column("epochs"), rows.column("final_error"), rows.column("parameters").T
    return with_column(table, "digest", result_digests(*result))


def said(table: pa.Table, name: str, text: str) -> pa.Table:
    """The table with another text in its metadata."""
    return table.replace_schema_metadata({**table.schema.metadata, name.encode(): text})


FAILING = {"threshold": 1e-4}  # in 60 epochs
DIVERGING = {"learning_rate": 1e3, "network_output_activation": "identity"}
TRAINED = [{}, {"max_epochs": 0}, {"max_epochs": 1}, {"max_epochs": 15}, DIVERGING]


@pytest.mark.parametrize("changes", TRAINED, ids=str)
@pytest.mark.parametrize("points", [2, 20, 100])
@pytest.mark.parametrize(("with_causes", "with_curves"), [(True, True), (False, True), (True, False)])
def test_what_the_trainer_gave_is_believed(changes, points, with_causes, with_curves):
    table = table_of(points=points, with_causes=with_causes, with_curves=with_curves, **changes)
    assert table.schema.remove_metadata().equals(schema(10, with_causes, with_curves), check_metadata=True)
    verify_form(table)
    verify_trials(RunRows(table), lambda indices, points: batch_of(indices, points, **changes), np.ones(TRIALS, bool))


NETWORK = ("[2,", "[3,")
WRONG = {
    "an index beyond the sweep": lambda table: altered(table, "place", 2, TRIALS),
    "a huge index": lambda table: altered(table, "place", 2, 2**62),
    "another trial's index": lambda table: altered(table, "place", 2, 6),
    "another key": lambda table: altered(table, "key", 1, "0" * 64),
    "keys exchanged": lambda table: with_column(table, "key", table["key"].to_pylist()[::-1]),
    "another digest": lambda table: altered(table, "digest", 1, "0" * 64),
    "another status": lambda table: altered(table, "status", 1, "diverged"),
    "no status that there is": lambda table: altered(table, "status", 1, "finished"),
    "another number of epochs": lambda table: altered(table, "epochs", 1, lambda epochs: epochs - 1),
    "another last bit of the error": lambda table: altered(table, "final_error", 1, lambda error: np.nextafter(error, 1)),
    "epochs beyond the end, with their digest": lambda table: with_digests(altered(table, "epochs", 1, 61)),
    "negative epochs, with their digest": lambda table: with_digests(altered(table, "epochs", 1, -1)),
    "other final weights": lambda table: altered(table, "parameters", 1, lambda row: [*row[:-1], row[-1] + 1]),
    "other initial weights": lambda table: altered(table, "initial", 1, lambda row: [-row[0], *row[1:]]),
    "a shorter curve": lambda table: altered(table, "curve", 1, lambda errors: errors[:-1]),
    "a longer curve": lambda table: altered(table, "curve", 1, lambda errors: [*errors, 1.0]),
    "an unknown engine": lambda table: said(table, "engine", "abacus"),
    "an engine in no encoding": lambda table: said(table, "engine", b"\xff"),
    "another network": lambda table: said(table, "network", table.schema.metadata[b"network"].decode().replace(*NETWORK)),
    "no network": lambda table: said(table, "network", "7"),
    "no JSON": lambda table: said(table, "curve_epochs", "["),
    "a deep JSON": lambda table: said(table, "curve_epochs", "[" * 100_000),
    "a number of epochs": lambda table: said(table, "curve_epochs", "7"),
    "other epochs": lambda table: said(table, "curve_epochs", str([*range(19), 60])),
    "too many epochs": lambda table: said(table, "curve_epochs", str(list(range(5000)))),
    "another network altogether": lambda table: table_of(network_hidden=[3]),
    "another learning rate": lambda table: table_of(learning_rate=4.0),
    "another max_epochs": lambda table: table_of(max_epochs=50),
}

WRONG_CAUSES = {
    "another cause": lambda table: altered(table, "cause", 1, "frozen"),
    "no cause that there is": lambda table: altered(table, "cause", 1, "bored"),
    "no cause": lambda table: altered(altered(table, "cause", 1, None), "cause_digest", 1, None),
    "another number of a cause": lambda table: altered(table, "rho", 1, lambda rho: np.nextafter(rho, 9)),
    "a number of a cause is missing": lambda table: altered(table, "lambda_min", 1, None),
    "one column of causes": lambda table: table.drop_columns(["rho"]),
}


@pytest.mark.parametrize(
    ("wrong", "with_curves"),
    [*((wrong, True) for wrong in (*WRONG, *WRONG_CAUSES)), *((wrong, False) for wrong in WRONG if "curve" not in wrong)],
)
def test_anything_else_is_not(wrong, with_curves):
    how = FAILING if wrong in WRONG_CAUSES else {}
    table = table_of(with_curves=with_curves, **how)
    verified(table, **how)
    changed = {**WRONG, **WRONG_CAUSES}[wrong](table)
    assert not changed.equals(table, check_metadata=True)
    with pytest.raises(DamagedError):
        verified(changed, **how)


def test_a_trial_that_another_file_has_is_not_believed_twice():
    free = np.ones(TRIALS, bool)
    free[5] = False
    with pytest.raises(DamagedError, match="another file"):
        verified(table_of(), free)
    verified(table_of((2, 3)), free)


def test_what_makes_the_batch_may_refuse():
    def refuse(*_):
        raise DamagedError("has trials of different batches")

    with pytest.raises(DamagedError, match="different batches"):
        verify_trials(RunRows(table_of()), refuse, np.ones(TRIALS, bool))
    batch = batch_of((2, 3, 5))
    with pytest.raises(DamagedError, match="other trials"):
        verify_trials(RunRows(table_of()), lambda *_: replace(batch, threshold=batch.threshold / 2), np.ones(TRIALS, bool))
