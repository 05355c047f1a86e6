"""Files and records of a store that are damaged or of another kind: one line that names the run and the file, or the truth."""

import io
import json
import math
import random
import resource
import shutil
import sqlite3
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

import pipeline as bp
from pipeline.errors import ConfigError
from pipeline.report.tables import report
from pipeline.reproducibility.recorded import plan_of, recorded_run, recorded_sweep
from pipeline.stats.summary import Summary
from pipeline.store.read import restored, weights
from pipeline.store.sweeps import RecordedCurves, read_sweep
from pipeline.trials.settings import Tracking
from tests.amounts import amount

LARGEST = 1.7976931348623157e308  # what MLflow keeps for an infinite number
SECRET = "a secret of the environment"
ENVIRONMENT = "${oc.env:BACKPROP_SECRET}"
SWEEP = ("initial=uniform", "learning_rate=0.5,5", "seed=range(2)", "max_epochs=60", "tracking.curves=true")


class Recorded:
    """A store with two sweeps, whose files and records can be damaged for a while: `whole` has a run for each trial."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "mlflow.db"
        self.uri = f"sqlite:///{self.file}"
        self.whole, self.sparse = (
            bp.sweep(*SWEEP, *more, f"tracking.uri={self.uri}", record=True).run_id
            for more in ((), ("momentum=0.1", "tracking.runs=1"))
        )
        self.client = MlflowClient(tracking_uri=self.uri)
        ids = bp.load(self.whole, self.uri).results["run_id"]
        self.child = str(ids[0])

    def path(self, run: str, name: str) -> Path:
        """An artifact of a run."""
        [path] = (path for path in self.folder.rglob(name) if run in path.parts)
        return path

    @contextmanager
    def file_of(self, run: str, name: str) -> Iterator[Path]:
        """An artifact that is put back afterwards."""
        path = self.path(run, name)
        content = path.read_bytes()
        try:
            yield path
        finally:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            path.write_bytes(content)

    @contextmanager
    def record_of(self, run: str, table: str, key: str, value: Any) -> Iterator[None]:
        """A tag, param or metric of a run with another value, None for none; put back afterwards."""
        tables = ("metrics", "latest_metrics") if table == "metrics" else (table,)
        before = {name: self.sql(f"SELECT * FROM {name} WHERE run_uuid = ? AND key = ?", run, key) for name in tables}
        for name in tables:
            if value is None:
                self.sql(f"DELETE FROM {name} WHERE run_uuid = ? AND key = ?", run, key)
            else:
                self.sql(f"UPDATE {name} SET value = ? WHERE run_uuid = ? AND key = ?", value, run, key)
        try:
            yield
        finally:
            for name, rows in before.items():
                self.sql(f"DELETE FROM {name} WHERE run_uuid = ? AND key = ?", run, key)
                for row in rows:
                    self.sql(f"INSERT INTO {name} VALUES ({','.join('?' * len(row))})", *row)

    def sql(self, command: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            return connection.execute(command, values).fetchall()

    def summed_up(self, run: str) -> str:
        """All that `summary` reads."""
        sweep = read_sweep(Tracking(self.uri, "backpropagation"), run)
        return report(Summary(sweep.observations)) + str(sweep.configuration)

    def curves(self, run: str) -> str:
        """All error curves."""
        tracking = Tracking(self.uri, "backpropagation")
        return str(list(RecordedCurves(tracking, read_sweep(tracking, run))))

    def to_reproduce(self, run: str) -> str:
        """All that `reproduce` reads before it trains, and of what has drifted."""
        source = recorded_sweep(self.uri, run)
        return str([(one, one.curve(), one.weights()) for one in source.read(range(source.runs))])

    def child_to_reproduce(self, run: str) -> str:
        """What is read of one run of its own."""
        return str(recorded_run(self.client, self.client.get_run(run)))

    def weights(self, run: str) -> str:
        """The weights of a run."""
        return str(weights(self.client, self.client.get_run(run)))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, empty_store) -> Recorded:
    folder = tmp_path_factory.mktemp("recorded")
    shutil.copy(empty_store, folder / "mlflow.db")
    return Recorded(folder)


@pytest.fixture(autouse=True)
def _secret(monkeypatch):
    monkeypatch.setenv("BACKPROP_SECRET", SECRET)


def refusal(read: Callable[[str], str], run: str) -> str | None:
    """The line in which a reader refuses, checked to be one; None if it does not."""
    said = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", module="mlflow")
            shown = read(run)
    except ConfigError as error:
        shown = said = str(error)
    assert SECRET not in shown
    assert said is None or said.isprintable()
    return said


def damaged_bytes(content: bytes) -> dict[str, bytes]:
    """What may stand in any file instead of what belongs there."""
    return {
        "truncated": content[: len(content) // 2], "empty": b"", "NUL": bytes(100), "not UTF-8": b"\xff\xfe\xfa",
        "JSON": b'{"a": 1}', "a list": b"[1, 2]", "a number": b"1", "CSV": b"a,b\n1,2\n", "nested": b"[" * 100_000,
        "nested and closed": b"[" * 900 + b"1" + b"]" * 900, "keys, nested": b'{"a":' * 900 + b"1" + b"}" * 900,
        "aliases": b"a: &a [1]\nb: [*a, *a]\n", "halves of characters": b'{"axes": [], "bases": [{"a": "\\ud800"}]}',
        "objects": b"!!python/object/apply:os.system ['true']", "digits": b"a: " + b"9" * 5000, "hex": b"a: 0x" + b"f" * 5000,
        "date": b"a: 2020-01-01\n", "strange keys": b"? [1, 2]\n: 3\n", "whole keys": b"1: 3\n",
        "values": b"[" + b"[]," * 300_000 + b"]",
        "too large": b" " * (2**24 + 1),
    }  # fmt: skip


FILES = {  # the reader of each file
    "results.parquet": ("sparse", "summed_up"), "config.yaml": ("sparse", "summed_up"), "jobs.json": ("sparse", "to_reproduce"),
    "curves.parquet": ("sparse", "curves"), "weights.npz": ("child", "weights"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_kind_is_refused_and_named(recorded, name):
    run = getattr(recorded, FILES[name][0])
    read = getattr(recorded, FILES[name][1])
    assert refusal(read, run) is None
    for kind, content in damaged_bytes(recorded.path(run, name).read_bytes()).items():
        if name == "config.yaml" and kind in ("JSON", "truncated"):
            continue  # is YAML, too
        with recorded.file_of(run, name) as path:
            path.write_bytes(content)
            said = refusal(read, run)
        assert said is not None, kind
        assert run in said and name in said, (kind, said)  # noqa: PT018
    with recorded.file_of(run, name) as path:
        path.unlink()
        (path / "inner").mkdir(parents=True)
        said = refusal(read, run)
    assert said and run in said and name in said, said  # noqa: PT018


def column(table: pa.Table, name: str, values: Any) -> pa.Table:
    """The table with another column of that name."""
    return table.set_column(table.column_names.index(name), name, pa.array(values) if isinstance(values, list) else values)


def impossible_tables(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Results that no sweep can have given."""
    n = len(table)
    not_text = pa.Array.from_buffers(
        pa.string(), n, [None, pa.array(range(n + 1), pa.int32()).buffers()[1], pa.py_buffer(b"\xff" * n)]
    )
    for name in ("status", "epochs", "final_error"):
        yield f"no {name}", table.drop_columns([name])
        yield f"{name} of nothing", column(table, name, [None] * n)
    for name in ("epochs", "final_error", "horizon", "gradient_norm"):
        yield f"text {name}", column(table, name, ["1"] * n)
        yield f"true {name}", column(table, name, [True] * n)
    for name in ("status", "run_id", "key", "learning_rate"):
        yield f"bytes {name}", column(table, name, [b"a"] * n)
        yield f"not UTF-8 {name}", column(table, name, not_text)
    for name in ("status", "epochs", "learning_rate", "momentum"):
        yield f"lists {name}", column(table, name, [[1]] * n)
        yield f"twice {name}", table.append_column(name, table.column(name))
    for value in ("finished", "", "\x1b[2J"):
        yield f"status {value!r}", column(table, "status", [value] * n)
    for value in (-1, 1.5, math.nan, math.inf, 2**62, 61):
        yield f"epochs {value}", column(table, "epochs", [value] * n)
    for value in (-1, 0, math.nan, math.inf):
        yield f"horizon {value}", column(table, "horizon", [value] * n)
    for value in (-1.0, math.nan, math.inf):
        yield f"error {value}", column(table, "final_error", [value] * n)
    yield "rows left out", table.slice(1)
    yield "no rows", table.slice(0, 0)
    yield "rows twice", pa.concat_tables([table, table])
    for axes in (b"", b"[", b"1", b'{"seed": 1}', b'["momentu"]', b'["status"]', b'["seed", "seed"]', b"\xff", b"[[1]]",
                 b"[" * 5000):  # fmt: skip
        yield f"axes {axes[:20]!r}", table.replace_schema_metadata({"axes": axes})
    for name in ("runs", "ert", "a\x1b]0;b\x07", "", "sweep"):
        renamed = table.rename_columns([name if old == "seed" else old for old in table.column_names])
        yield f"axis {name!r}", renamed.replace_schema_metadata({"axes": json.dumps(["learning_rate", name])})


def test_results_that_no_sweep_can_have_given_are_refused(recorded):
    run = recorded.sparse
    table = pq.read_table(recorded.path(run, "results.parquet"))
    for what, damaged in impossible_tables(table):
        with recorded.file_of(run, "results.parquet") as path:
            pq.write_table(damaged, path)
            said = refusal(recorded.summed_up, run)
        assert said is not None, what
        assert said.startswith(f"sweep={run}: results.parquet "), (what, said)


@pytest.mark.parametrize("pandas", [b"{", b"[1]", b'{"index_columns": ["nothing"], "columns": []}', b"\xff"])
def test_metadata_of_other_programs_are_not_read(recorded, pandas):
    table = pq.read_table(recorded.path(recorded.sparse, "results.parquet"))
    with recorded.file_of(recorded.sparse, "results.parquet") as path:
        pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"pandas": pandas}), path)
        assert refusal(recorded.summed_up, recorded.sparse) is None


def test_curves_that_no_sweep_can_have_given_are_refused(recorded):
    run = recorded.sparse
    table = pq.read_table(recorded.path(run, "curves.parquet"))
    n = len(table)
    damaged = {
        **{f"no {name}": table.drop_columns([name]) for name in table.column_names},
        **{f"text {name}": column(table, name, ["1"] * n) for name in table.column_names},
        **{f"nothing {name}": column(table, name, [None] * n) for name in table.column_names},
        "of other rows": column(table, "place", [9] * n), "of one epoch": column(table, "epoch", [1] * n),
        "of negative errors": column(table, "error", [-1.0] * n), "of no errors": column(table, "error", [math.nan] * n),
        "of no points": table.slice(0, 0),
    }  # fmt: skip
    for what, one in damaged.items():
        with recorded.file_of(run, "curves.parquet") as path:
            pq.write_table(one, path)
            said = refusal(recorded.curves, run)
        assert said is not None, what
        assert run in said, (what, said)


def with_value(data: Any, keys: tuple[Any, ...], value: Any) -> Any:
    """A copy of JSON data in which one value is another."""
    data = json.loads(json.dumps(data))
    inner = data
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    return data


def places(data: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The keys that lead to each value in JSON data."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        yield (*above, key)
        yield from places(value, (*above, key))


def test_jobs_in_which_any_value_is_another_are_refused_or_read_as_they_are(recorded):
    run = recorded.sparse
    jobs = json.loads(recorded.path(run, "jobs.json").read_text())
    for keys in places(jobs):
        for value in (None, -1, 1.5, True, ENVIRONMENT, [], {}, [[[1]]], {"a": 1}, 2**63, math.nan):
            data = with_value(jobs, keys, value)
            refusal(lambda _, data=data: shown_plan(data), run)


def shown_plan(jobs: Any) -> str:
    """The trials in jobs.json and their names."""
    plan = plan_of(jobs, 4)
    return str(plan.trials(np.arange(4))) + str(plan.names(np.arange(4)))


VALUES = ("", "x", "-1", "1.5", "nan", ENVIRONMENT, "\x1b[2J", "[" * 5000, "{}", "9" * 400, "1e400", "a\nb", None)


def test_a_record_in_which_any_value_is_another_is_refused_or_read_as_it_is(recorded):
    child = recorded.client.get_run(recorded.child).data
    needed = {"params": child.params, "tags": ["status", "trial.key", "result.digest", "engine", "trial.place"]}
    for table, keys in needed.items():
        for key in keys:
            for value in VALUES:
                with recorded.record_of(recorded.child, table, key, value):
                    said = refusal(recorded.child_to_reproduce, recorded.child)
                assert said is None or recorded.child in said, said
                if key in ("status", "trial.key", "result.digest"):
                    assert said is not None, (key, value)


@pytest.mark.parametrize("number", ["", "x", "-1", "1.5", "²", "9" * 400, "1e3"])
def test_a_sweep_that_says_no_number_of_trials_is_refused(recorded, number):
    with recorded.record_of(recorded.sparse, "tags", "sweep.trials", number):
        for read in (recorded.to_reproduce, recorded.summed_up):
            said = refusal(read, recorded.sparse)
            assert said is not None
            assert recorded.sparse in said


@pytest.mark.parametrize(
    ("metric", "value"),
    [("epochs", -1.0), ("epochs", 1.5), ("epochs", 1e300), ("epochs", None), ("final_error", -1.0), ("final_error", LARGEST),
     ("final_error", None), ("error", -1.0)],
)  # fmt: skip
def test_metrics_that_no_run_can_have_are_refused(recorded, metric, value):
    with recorded.record_of(recorded.child, "metrics", metric, value):
        said = refusal(recorded.to_reproduce, recorded.whole)
    assert said is not None
    assert recorded.child in said


def test_infinite_metrics_are_infinite_again(recorded):
    assert [restored(value) for value in (LARGEST, -LARGEST, 1e308, 0.0)] == [
        math.inf, -math.inf, 1e308, 0.0,
    ]  # fmt: skip
    with recorded.record_of(recorded.child, "tags", "status", "diverged"):
        last = "(SELECT max(step) FROM metrics WHERE run_uuid = ? AND key = 'error')"
        ended = f"UPDATE metrics SET value = ? WHERE run_uuid = ? AND key = 'error' AND step = {last}"
        recorded.sql(ended, LARGEST, recorded.child, recorded.child)
        with recorded.record_of(recorded.child, "metrics", "final_error", LARGEST):
            source = recorded_sweep(recorded.uri, recorded.whole)
            ends = [one.final_error for one in source.read(range(4))]
        assert ends.count(math.inf) == 1
    curves = RecordedCurves(Tracking(recorded.uri, "backpropagation"), read_sweep(Tracking(recorded.uri, ""), recorded.whole))
    row = list(curves.sweep.table["run_id"]).index(recorded.child)
    assert curves[row][1][-1] == math.inf
    recorded.sql("UPDATE metrics SET value = 0.1 WHERE run_uuid = ? AND value > 1e308", recorded.child)


def archive(**arrays: Any) -> bytes:
    """An .npz file."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_weights_that_are_no_floats_or_inflate_are_refused(recorded):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    claims, inflates = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(claims, "w") as file:
        file.writestr("weights_1.npy", header.getvalue() + bytes(80))
    with zipfile.ZipFile(inflates, "w", zipfile.ZIP_DEFLATED) as file, file.open("weights_1.npy", "w") as member:
        for _ in range(300):
            member.write(bytes(2**20))
    contents = archive(weights_1=np.array([{}], dtype=object)), archive(weights_1=np.arange(3)), claims.getvalue()
    for content in (*contents, inflates.getvalue()):
        with recorded.file_of(recorded.child, "weights.npz") as path:
            path.write_bytes(content)
            said = refusal(recorded.weights, recorded.child)
        assert said is not None
        assert "weights.npz" in said


def test_tables_that_inflate_are_refused_before_they_do(recorded):
    n = 10_000_000
    zeros = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int8)), pa.array([0]))
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n // 10, np.int8)), pa.array(["x" * 100_000]))
    rows = pa.table({"status": zeros, "epochs": zeros, "final_error": zeros})
    texts = pa.table({"status": text, "epochs": zeros[: n // 10], "final_error": zeros[: n // 10]})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for table in (rows, texts):
        with recorded.file_of(recorded.sparse, "results.parquet") as path:
            pq.write_table(table, path)
            assert path.stat().st_size < 2**20
            said = refusal(recorded.summed_up, recorded.sparse)
        assert said is not None
        assert "would have" in said
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**18  # KiB


def test_a_configuration_is_shown_as_it_was_written(recorded):
    with recorded.file_of(recorded.sparse, "config.yaml") as path:
        path.write_text(f"task: {{name: '{ENVIRONMENT}'}}\nlearning_rate: 0.5\n")
        assert ENVIRONMENT in recorded.summed_up(recorded.sparse)
        assert refusal(recorded.summed_up, recorded.sparse) is None
        path.unlink()
        assert refusal(recorded.summed_up, recorded.sparse) is None  # an older sweep has kept none


def test_another_digest_in_the_results_is_drift(recorded, command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    table = pq.read_table(recorded.path(recorded.sparse, "results.parquet"))
    with recorded.file_of(recorded.sparse, "results.parquet") as path:
        pq.write_table(column(table, "digest", ["0" * 64] * 4), path)
        ended = command("reproduce", f"sweep={recorded.sparse}", f"tracking.uri={recorded.uri}", "engines=numpy")
    assert (ended.code, ended.err) == (1, "")
    assert "reproduced 0 of 4" in ended.out


def mutations(content: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """The content with a few bits or parts changed, cut, put in, exchanged or replaced."""
    data = bytearray(content)
    for _ in range(dice.choice((1, 1, 1, 2, 8))):
        first, last = sorted(dice.randrange(len(data) + 1) for _ in range(2))
        last = min(last, first + dice.choice((1, 8, 64, 4096)))
        match dice.randrange(7):
            case 0 | 1 if data:
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            case 2:
                del data[first:]
            case 3:
                data[first:first] = dice.randbytes(dice.choice((1, 8, 64)))
            case 4:
                data[first:last] = dice.randbytes(last - first)
            case 5:
                data[first:last], data[last : last + last - first] = data[last : last + last - first], data[first:last]
            case 6:
                other = dice.choice(others)
                data[first:last] = other[first:last]
    return bytes(data)


@pytest.mark.slow
def test_thousands_of_damaged_files(recorded):
    dice, repetitions = random.Random(12), amount(5000)
    contents = {name: recorded.path(getattr(recorded, run), name).read_bytes() for name, (run, _) in FILES.items()}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for number in range(repetitions):
        name = list(FILES)[number % len(FILES)]
        run, read = (getattr(recorded, attribute) for attribute in FILES[name])
        with recorded.file_of(run, name) as path:
            path.write_bytes(mutations(contents[name], list(contents.values()), dice))
            started = time.monotonic()
            said = refusal(read, run)
        assert time.monotonic() - started < 5.0, (number, name)
        assert said is None or run in said, (number, name, said)
        refused += said is not None
    assert refused > repetitions // 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB
