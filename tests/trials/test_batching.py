"""Trials become columns of arrays: those that differ in the threshold alone share one, and none gets another's numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backprop.network import Network
from pipeline.backprop.trainer import train
from pipeline.errors import ConfigError
from pipeline.trials.batching import make_batch, network_of, numbered, rates_by_layer
from pipeline.trials.initial_weights import initial_parameters
from tests.configurations import PUBLISHED, trial_of, uniform
from tests.strategies import assert_same_result, counts, examples, same_bits


def test_the_default_trial_is_the_worked_example():
    batch = make_batch([trial_of()])
    assert batch.network == Network((2, 2, 2), "sigmoid", "sigmoid", "shared", False)
    assert batch.inputs.tolist() == [[0.05, 0.10]]
    assert batch.targets.tolist() == [[0.01, 0.99]]
    assert batch.initial_parameters.T.tolist() == [[0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55, 0.35, 0.60]]
    assert batch.learning_rate.tolist() == [[0.5], [0.5]]
    assert batch.momentum.tolist() == [0.0]
    assert batch.threshold.tolist() == [1e-3]
    assert (batch.update, batch.criterion, batch.max_epochs) == ("batch", "total_error", 10_000)
    assert (batch.gradient_tolerance, batch.curve_points) == (0.0, 100)


def test_every_key_of_a_shape_reaches_the_batch():
    batch = make_batch(
        [
            trial_of(
                task={"name": "xor", "coding": "bipolar"},
                initial=uniform(),
                network_hidden=[3, 4],
                network_activation="tanh",
                network_output_activation="identity",
                network_bias="per_unit",
                network_train_bias=True,
                update="online",
                criterion="worst_output",
                max_epochs=7,
                gradient_tolerance=1e-5,
            )
        ],
        curve_points=9,
    )
    assert batch.network == Network((2, 3, 4, 1), "tanh", "identity", "per_unit", True)
    assert batch.inputs.tolist() == [[-1, -1], [-1, 1], [1, -1], [1, 1]]
    assert batch.targets.tolist() == [[-1], [1], [1], [-1]]
    assert (batch.update, batch.criterion, batch.max_epochs) == ("online", "worst_output", 7)
    assert (batch.gradient_tolerance, batch.curve_points) == (1e-5, 9)


def test_the_task_gives_the_numbers_of_inputs_and_outputs():
    shape = trial_of(task={"name": "encoder", "size": 5, "coding": "binary"}, initial=uniform()).batch_key
    assert network_of(replace(shape, hidden=(3,))).units == (5, 3, 5)
    assert network_of(replace(shape, hidden=())).units == (5, 5)


def test_trials_that_differ_in_the_threshold_alone_share_a_training():
    trials = [
        trial_of(initial=uniform(), seed=seed, threshold=threshold, learning_rate=rate)
        for rate in (0.5, 1.0)
        for seed in range(3)
        for threshold in (1e-2, 1e-3, 1e-4, 1e-5)
    ]
    batch = make_batch(trials)
    assert batch.initial_parameters.shape == (10, 6)
    assert batch.training.tolist() == list(np.repeat(range(6), 4))
    assert batch.threshold.tolist() == [1e-2, 1e-3, 1e-4, 1e-5] * 6


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 0.25},
        {"learning_rate": [0.5, 0.25]},
        {"momentum": 0.5},
        {"seed": 1},
        {"initial": uniform(2.0)},
        {"initial": {"kind": "explicit", "values": PUBLISHED}},
    ],
)
def test_trials_that_differ_in_anything_else_are_trained_apart(change):
    one = {"initial": uniform()}
    batch = make_batch([trial_of(**one), trial_of(**{**one, **change})])
    assert batch.training.tolist() == [0, 1]


def test_the_seed_matters_to_drawn_weights_only():
    assert make_batch([trial_of(seed=0), trial_of(seed=1)]).training.tolist() == [0, 0]


some_trials = st.builds(
    trial_of,
    initial=st.sampled_from(
        (uniform(), uniform(2.0), {"kind": "published"}, {"kind": "explicit", "values": {**PUBLISHED, "bias_1": [0.25]}})
    ),
    learning_rate=st.sampled_from((0.5, 2.0, [0.5, 1.0])),
    momentum=st.sampled_from((0.0, 0.9)),
    threshold=st.sampled_from((0.3, 0.2, 0.1)),
    seed=counts(0, 2),
    max_epochs=st.just(8),
)


@examples(100)
@given(trials=st.lists(some_trials, min_size=1, max_size=30))
def test_every_trial_has_its_own_numbers(trials):
    batch = make_batch(trials)
    assert batch.initial_parameters.shape[1] == batch.learning_rate.shape[1] == len(batch.momentum)
    assert sorted(set(batch.training)) == list(range(len(batch.momentum)))
    for column, threshold, trial in zip(batch.training, batch.threshold, trials, strict=True):
        wanted = initial_parameters([(trial.initial, trial.seed)], batch.network)
        assert same_bits(batch.initial_parameters[:, [column]], wanted)
        assert batch.learning_rate[:, column].tolist() == list(rates_by_layer(trial.learning_rate, 2))
        assert batch.momentum[column] == trial.momentum
        assert threshold == trial.threshold


@examples(25)
@given(trials=st.lists(some_trials, min_size=1, max_size=10))
def test_trials_in_one_batch_end_as_trials_in_batches_of_their_own(trials):
    outcome = train(make_batch(trials))
    for place, trial in enumerate(trials):
        assert_same_result(outcome, place, train(make_batch([trial])))


def test_one_learning_rate_is_that_of_all_layers():
    assert rates_by_layer((0.5,), 3) == (0.5, 0.5, 0.5)
    assert rates_by_layer((0.5, 0.1, 2.0), 3) == (0.5, 0.1, 2.0)


@pytest.mark.parametrize("rates", [[0.5, 0.5, 0.5], [0.1, 0.2, 0.3, 0.4]])
def test_learning_rates_that_do_not_fit_the_layers_are_refused_in_one_line(rates):
    written = ",".join(map(str, rates))
    with pytest.raises(ConfigError, match=rf"^learning_rate=\[{written}\]: .*2: one per layer$"):
        make_batch([trial_of(), trial_of(learning_rate=rates)])


def test_no_weight_of_a_batch_is_minus_0():
    values = {**PUBLISHED, "weights_1": [[-0.0, 0.20], [0.25, -0.0]]}
    batch = make_batch([trial_of(initial={"kind": "explicit", "values": values})])
    zeros = batch.initial_parameters[batch.initial_parameters == 0.0]
    assert len(zeros) == 2
    assert not np.signbit(zeros).any()


@examples(50)
@given(data=st.data(), most=st.sampled_from((1, 3, 2**20, 2**40)))
def test_combinations_are_numbered_by_first_occurrence_however_many_there_may_be(data, most):
    rows = data.draw(st.lists(st.tuples(*[st.integers(0, most)] * 4), min_size=1, max_size=20))
    number, first = numbered(*np.array(rows, np.int64).T)
    assert [rows.index(row) for row in rows] == first[number].tolist()
    assert first.tolist() == sorted(set(first.tolist()))
