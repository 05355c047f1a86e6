"""Why a run did not converge is recorded with it: in its MLflow run, in results.parquet, in the folder of a sweep at work."""

import math

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipeline.backprop.causes.of_batch import causes
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.trainer import train
from pipeline.results.columns import CAUSE_NUMBERS, CAUSES
from pipeline.results.spool import Spool
from pipeline.trials.batching import make_batch
from pipeline.trials.fingerprint import cause_digests
from pipeline.trials.settings import read_run
from tests.configurations import composed
from tests.stores import runs_of

OVERRIDES = ("task=xor", "network=trained", "initial=uniform", "max_epochs=400", "initial.range=2", "threshold=1e-2")
SWEEP = ("-m", *OVERRIDES, "learning_rate=0.5,100", "seed=range(4)")


@pytest.fixture
def alone():
    """A trial's cause when it is trained alone, by its definition: word, numbers, digest."""

    def find(*overrides):
        found = causes(train(make_batch([read_run(composed(*OVERRIDES, *overrides))[0]])))
        numbers = [float(getattr(found, name)[0]) for name in ("number", "goal", "rho", "lambda_min", "k_star")]
        return Cause(int(found.code[0])).word, numbers, cause_digests(found)[0]

    return find


def results_of(client, parent):
    return pq.read_table(client.download_artifacts(parent.info.run_id, "results.parquet")).to_pandas()


def test_every_run_of_a_sweep_that_did_not_converge_has_its_cause(store, command, alone):
    assert command("train", *SWEEP, "executor.chunk=3").code == 0
    client, [parent], children = runs_of(store)
    table = results_of(client, parent).set_index(["learning_rate", "seed"])
    assert (table["status"] != "converged").sum() >= 4
    for run in children:
        rate, seed = run.data.params["learning_rate"], run.data.params["seed"]
        row = table.loc[(float(rate), int(seed))]
        if row["status"] == "converged":
            assert not {"cause", "cause.digest"} & set(run.data.tags)
            assert "rho" not in run.data.metrics
            assert row[list(CAUSES)].isna().all()
            continue
        word, numbers, digest = alone(f"learning_rate={rate}", f"seed={seed}")
        assert (row["cause"], row["cause_digest"]) == (word, digest)
        assert np.array_equal(row[list(CAUSE_NUMBERS)].astype(float), numbers, equal_nan=True)
        assert (run.data.tags["cause"], run.data.tags["cause.digest"]) == (word, digest)
        known = dict(zip(("cause.number", "", "rho", "lambda_min", "k_star"), numbers, strict=True))
        finite = {name: number for name, number in known.items() if name and math.isfinite(number)}
        assert {name: run.data.metrics.get(name) for name in finite} == finite
        assert not (set(known) - set(finite)) & set(run.data.metrics)


def test_without_causes_nothing_of_them_is_there(store, command):
    assert command("train", *SWEEP, "causes=none").code == 0
    client, [parent], children = runs_of(store)
    assert not set(CAUSES) & set(results_of(client, parent))
    assert not any("cause" in run.data.tags or "rho" in run.data.metrics for run in children)
    alone = command("train", *OVERRIDES, "learning_rate=100", "causes=none")
    assert "what helps" not in alone.out
    assert "what helps" in command("train", *OVERRIDES, "learning_rate=100").out
    refused = command("train", "causes=some")
    assert (refused.code, refused.err) == (2, "causes=some: must be one of all, none\n")


def test_a_sweep_goes_on_whose_first_chunks_have_no_causes(store, command, monkeypatch):
    """As those that a version of before has left: what is there is taken, the others have causes."""
    add, left = Spool.add, []

    def without(spool, table):
        if len(left) == 2:
            raise KeyboardInterrupt
        left.append(table)
        return add(spool, table.drop_columns(list(CAUSES)))

    monkeypatch.setattr(Spool, "add", without)
    assert command("train", *SWEEP, "executor.chunk=2").code == 130
    monkeypatch.setattr(Spool, "add", add)
    ended = command("train", *SWEEP, "executor.chunk=2")
    assert ended.code == 0, ended.err
    client, [parent], children = runs_of(store)
    table = results_of(client, parent)
    failed = table["status"] != "converged"
    kept = pd.concat([some.to_pandas() for some in left])["place"]
    assert table.loc[kept, list(CAUSES)].isna().all(axis=None)
    assert table.loc[failed & ~table.index.isin(kept), "cause"].notna().all()
    assert len(children) == 8
