"""A plan has the trials of its jobs, whichever are requested, and knows which of them share a training."""

import json
import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.app.composition import Multirun
from pipeline.errors import ConfigError, as_overrides
from pipeline.sweeps.axes import Product, expand
from pipeline.sweeps.plan import Plan, axis_cells, keys_of
from pipeline.sweeps.request import read_sweep
from pipeline.sweeps.session import SweepSession
from pipeline.trials.configuration import read_trial
from pipeline.trials.files import read_anew
from pipeline.trials.settings import RUN_KEYS, read_settings
from tests.configurations import composed
from tests.strategies import examples

SETTINGS = read_settings(composed("engine=numpy"))
AXES = (
    *("learning_rate=0.5,1,0.50", "learning_rate=[0.5,1],2", "momentum=0,0.9", "seed=range(3)", "threshold=1e-2,1e-3"),
    *("initial=uniform,published", "initial=uniform", "network.bias=shared,none", "max_epochs=3,4", "engine=numpy"),
    *("network.hidden=[2],[2,2]", "momentum=${threshold}", "task=xor,seed_example", "seed=7"),
    *("initial.set.w5=0.5,1,0.50", "initial.set.weights_1.0.1=-1,1", "initial.offset.w3=range(2)", "initial.scale=1,0.5"),
    *("initial.set.b1=7", "initial.direction={seed:3,distance:1}", "initial=normal,perturbed", "initial.scale=2"),
)


def plan_of(multirun, *arguments) -> Plan:
    return read_sweep(Multirun(*multirun(list(arguments)))).plan


def trial_of(job):
    return read_trial({key: value for key, value in job.config.items() if key not in RUN_KEYS})


@examples(25)
@given(st.lists(st.sampled_from(AXES), max_size=5, unique_by=lambda axis: axis.partition("=")[0]))
def test_a_plan_has_the_trials_of_its_jobs(multirun, arguments):
    jobs = expand(*multirun(arguments))
    try:
        expected = [trial_of(job) for job in jobs]
        plan = plan_of(multirun, *arguments)
    except ConfigError:
        return  # such as published weights for another network
    indices = np.arange(len(jobs))
    assert len(plan) == len(jobs)
    assert plan.trials(indices) == expected
    some = indices[:: 3 if len(indices) > 3 else 1][::-1]
    assert plan.trials(some) == [expected[index] for index in some]
    for name, column in plan.axis_columns(indices).items():
        assert column.to_pylist() == [axis_cells(plan.axes[name].values)[digit] for digit in
                                             (plan.axes[name].values.index(job.axes[name]) for job in jobs)]  # fmt: skip

    def training(trial):
        seed = trial.seed if trial.initial.drawn else None
        return (trial.batch_key, trial.initial, trial.changes, trial.learning_rate, trial.momentum, seed)

    numbers = plan.trainings(indices)
    by_number = {}
    for number, trial in zip(numbers.tolist(), expected, strict=True):
        assert by_number.setdefault(number, training(trial)) == training(trial)
    assert len(by_number) == len(set(map(training, expected)))
    assert numbers[0] == 0
    assert list(by_number) == sorted(by_number)


@examples(25)
@given(st.lists(st.sampled_from(AXES), max_size=5, unique_by=lambda axis: axis.partition("=")[0]), st.data())
def test_chunks_have_every_missing_trial_once_and_keep_trainings_whole(multirun, arguments, data):
    try:
        plan = plan_of(multirun, *arguments)
    except ConfigError:
        return
    missing = np.array([data.draw(st.booleans()) for _ in range(len(plan))])
    size = data.draw(st.sampled_from((None, 1, 2, 7, 1000)))
    spool = SimpleNamespace(missing=lambda trials: missing)
    session = SweepSession(plan, None, spool, None, "", None)
    found = [chunk.indices for chunk in session.work(plan.cut(100, size), SETTINGS)]
    indices = np.concatenate(found) if found else np.array([], int)
    assert sorted(indices) == np.flatnonzero(missing).tolist()
    numbers = plan.trainings(np.arange(len(plan)))
    for mine in found:
        assert len({trial.batch_key for trial in plan.trials(mine)}) == 1
        assert mine.tolist() == sorted(mine)
        others = np.setdiff1d(np.flatnonzero(missing), mine)
        assert not set(numbers[mine]) & set(numbers[others])
        if size and len(set(numbers[mine])) > 1:
            assert len(mine) <= size + (missing.sum() if len(arguments) else 0)


def test_chunks_are_as_large_as_requested(multirun):
    plan = plan_of(multirun, "initial=uniform", "seed=range(1000)", "engine=numpy")
    assert [len(piece) for piece in plan.cut(100, 7)] == [7] * 142 + [6]
    assert [len(piece) for piece in plan.cut(100, 1)] == [1] * 1000
    assert [len(piece) for piece in plan.cut(100, 5000)] == [1000]


def test_names_say_what_varies(multirun):
    plan = plan_of(multirun, "initial=uniform", "initial.range=1,[0,1]", "seed=0,1", "momentum=0.5")
    assert plan.names(np.arange(4)) == ["range=1 seed=0", "range=1 seed=1", "range=[0,1] seed=0", "range=[0,1] seed=1"]
    assert plan_of(multirun, "momentum=0.5").names(np.arange(1)) == ["trial"]


def test_a_plan_survives_being_written_down(multirun):
    arguments = ["initial=uniform", "learning_rate=[0.5,1],2", "seed=range(3)", "network.hidden=[2],[3]", "threshold=1e-2,1e-3"]
    jobs = expand(*multirun(arguments))
    assert list(Product.from_data(json.loads(jobs.json))) == list(jobs)
    one = plan_of(multirun, *arguments)
    other = Plan.of_recorded(Product.from_data(json.loads(one.jobs.json)))
    assert one.key(100) == other.key(100)
    assert one.trials(np.arange(len(one))) == other.trials(np.arange(len(one)))


RANGES = ("range(12)", "range(20,3,-3)", "range(18446744073709551609,18446744073709551616)", "range(5,6)")


@pytest.mark.parametrize("written", RANGES)
def test_a_range_of_seeds_is_kept_as_one_and_is_the_same_as_its_values(multirun, written):
    """For keys, what is written down, tables, names, chunks and trials."""
    values = eval(written)

    def said(seeds):
        axes = ["initial=uniform,published", "learning_rate=2,0.5", f"seed={seeds}", "threshold=1e-2,1e-3"]
        plan = plan_of(multirun, *axes)
        every = np.arange(len(plan))
        assert plan.jobs.json == json.dumps(json.loads(plan.jobs.json))
        assert plan.jobs.axes_json == json.dumps([[axis.name, as_overrides(axis.values)] for axis in plan.axes.values()])
        tables = [column.to_pylist() for column in (plan.axis_columns(every) | plan.fixed_columns(every)).values()]
        keys = plan.key(100), plan.key_in_order(100), keys_of(plan.trials(every))
        return plan, (*keys, plan.jobs.json, tables, plan.names(every), [piece.tolist() for piece in plan.cut(100, 3)])

    plan, whole = said(written)
    _, listed = said(",".join(map(str, values)))
    assert whole == listed
    if len(values) > 1:
        assert plan.free["seed"] == plan.axes["seed"].values == values
        assert [job.overrides[2] for job in plan.product] == [f"seed={seed}" for seed in values for _ in range(2)] * 4


@pytest.mark.parametrize(
    "values", [range(-3, 3), range(3, -3, -1), range(2**64 - 3, 2**64 + 3), range(2**64 + 3, 2**64 - 3, -1)]
)
def test_a_range_with_a_wrong_seed_is_refused_as_its_values_are(multirun, values):
    wrong = next(seed for seed in values if not 0 <= seed < 2**64)
    written = f"range({values.start},{values.stop},{values.step})"
    for seeds in (written, ",".join(map(str, values))):
        with pytest.raises(ConfigError, match=rf"^seed={wrong}: must be a whole number, 0 to {2**64 - 1}$"):
            plan_of(multirun, "initial=uniform", f"seed={seeds}")


def test_a_range_takes_no_time_and_no_memory_for_each_of_its_values(multirun):
    """Of 10⁹ seeds the first and the last job, the check of all, and the names of a few."""
    jobs = expand(*multirun(["initial=uniform", "learning_rate=0.5,2", "seed=range(1000000000)"]))
    plan = Plan.of_jobs(jobs, {key: jobs.bases[0][key] for key in RUN_KEYS})
    assert plan.product[-1].overrides == ("initial=uniform", "learning_rate=2", "seed=999999999")
    assert [job.config["seed"] for job in (jobs[0], jobs[10**9 + 5])] == [0, 5]
    assert plan.names(np.array([3, 10**9 + 5])) == ["learning_rate=0.5 seed=3", "learning_rate=2 seed=5"]
    assert not plan.idle_axes


def test_the_key_of_a_sweep_covers_its_trials_and_their_files_and_nothing_else(multirun, folder):
    def key(*arguments):
        request = read_sweep(Multirun(*multirun(["initial=uniform", *arguments])))
        return request.plan.key(request.settings.curve_points)

    (folder / "t.csv").write_text("a,y\n1,0\n2,1\n")
    csv = ("task=csv", "task.path=t.csv", "task.targets=y", "seed=0,1")
    first, data = key("seed=0,1"), key(*csv)
    assert key("seed=0,1", "engine=numpy", "tracking.runs=none", "executor.chunk=3", "limits.disk=9") == first
    assert len({first, key("seed=0,1", "threshold=1e-2"), key("seed=0,1", "curve_points=9"), key("seed=0,2")}) == 4
    (folder / "t.csv").write_text("a,y\n1,0\n2,0\n")
    read_anew()
    assert key(*csv) != data


def test_any_job_that_cannot_be_trained_is_refused_before_the_first(multirun):
    for last in (
        "learning_rate=0.5,-1",
        "seed=0,1.5",
        "momentum=0,1",
        "network.hidden=[2],[3]",
        "network.bias=shared,none,odd",
    ):
        with pytest.raises(ConfigError, match=last.partition("=")[0]):
            plan_of(multirun, last, "threshold=1e-2,1e-3")


@pytest.mark.parametrize(
    "axis",
    [
        "tracking.runs=all,none",
        "resume=auto,never",
        "limits.disk=1,2",
        "executor.chunk=1,2",
        "engine=numba,numpy",
        "curve_points=9,10",
    ],
)
def test_what_belongs_to_the_sweep_cannot_be_swept(multirun, axis):
    with pytest.raises(ConfigError, match="cannot be swept"):
        plan_of(multirun, axis)


@pytest.mark.slow
def test_a_million_trials_are_planned_in_seconds(multirun):
    axes = ["initial=uniform", "initial.range=0.5,1,2,4", "learning_rate=1,2,3,4,5", "seed=range(50000)"]
    start = time.process_time()
    plan = plan_of(multirun, "task=xor", "network=trained", *axes)
    pieces = plan.cut(100)
    assert time.process_time() - start < 15
    assert sum(map(len, pieces)) == 1_000_000
