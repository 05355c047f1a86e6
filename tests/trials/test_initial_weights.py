"""Initial weights come from where the configuration says, and from nothing else."""

import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backprop.network import BIASES, Network
from pipeline.errors import ConfigError, as_override
from pipeline.trials.initial_weights import from_file, initial_parameters, named
from pipeline.trials.starts.initial_choice import read_range
from pipeline.trials.trial import InitialChoice

EXAMPLE = Network((2, 2, 2))


def start(choice: InitialChoice, network: Network, seed: int) -> np.ndarray:
    """The parameters (N,) that one run starts with."""
    return initial_parameters([(choice, seed)], network)[:, 0]


def test_the_published_weights_are_those_of_the_worked_example():
    parameters = start(InitialChoice("published"), EXAMPLE, 0)
    weights, biases = EXAMPLE.split(parameters)
    assert [weight.tolist() for weight in weights] == [[[0.15, 0.20], [0.25, 0.30]], [[0.40, 0.45], [0.50, 0.55]]]
    assert [bias.tolist() for bias in biases] == [[0.35], [0.60]]


@pytest.mark.parametrize(("bias", "expected"), [("per_unit", [0.35, 0.35, 0.6, 0.6]), ("none", [])])
def test_the_published_biases_follow_the_bias_mode(bias, expected):
    parameters = start(InitialChoice("published"), Network((2, 2, 2), bias=bias), 0)
    assert parameters[8:].tolist() == expected


def test_published_weights_are_refused_for_another_network():
    with pytest.raises(ConfigError, match=r"network.hidden=\[3\]: must be \[2\]"):
        start(InitialChoice("published"), Network((2, 3, 2)), 0)


@given(st.integers(0, 2**64 - 1), st.floats(-50, 49), st.floats(0.1, 50), st.sampled_from(BIASES))
def test_uniform_weights_stay_in_their_range(seed, low, width, bias):
    network = Network((3, 4, 2), bias=bias)
    parameters = start(InitialChoice("uniform", range=(low, low + width)), network, seed)
    assert parameters.shape == (network.size,)
    assert (parameters >= low).all()
    assert (parameters <= low + width).all()


@given(st.integers(0, 2**64 - 1))
def test_another_bias_mode_leaves_the_weights_alone(seed):
    choice = InitialChoice("uniform", range=(-1.0, 1.0))
    weights = [start(choice, Network((3, 4, 2), bias=bias), seed)[: 3 * 4 + 4 * 2] for bias in BIASES]
    assert (weights[0] == weights[1]).all()
    assert (weights[0] == weights[2]).all()


def test_another_range_stretches_the_same_numbers():
    starts = [(InitialChoice("uniform", range=(-r, r)), seed) for r, seed in ((1.0, 7), (4.0, 7), (4.0, 8))]
    narrow, wide, other = initial_parameters(starts, EXAMPLE).T
    assert (wide == 4 * narrow).all()
    assert (wide != other).all()


def test_starts_of_all_kinds_may_stand_together():
    drawn, published = InitialChoice("uniform", range=(-1.0, 2.0)), InitialChoice("published")
    together = initial_parameters([(drawn, 3), (published, 0), (drawn, 2**63), (drawn, 3)], EXAMPLE)
    apart = [start(drawn, EXAMPLE, 3), start(published, EXAMPLE, 0), start(drawn, EXAMPLE, 2**63), start(drawn, EXAMPLE, 3)]
    assert (together == np.array(apart).T).all()


def test_explicit_values_go_where_their_names_say():
    values = {"weights_1": [[1, 2], [3, 4]], "weights_2": [[5, 6], [7, 8]], "bias_1": [9], "bias_2": [10]}
    choice = InitialChoice("explicit", values=tuple(values.items()))
    assert start(choice, EXAMPLE, 0).tolist() == list(range(1, 11))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias_2": None}, "bias_2=null: must be an array of shape"),
        ({"bias_2": [1, 2]}, "must have shape"),
        ({"bias_2": ["x"]}, "must be an array of numbers"),
        ({"bias_2": [float("nan")]}, "must be finite"),
        ({"bias_3": [1]}, "unknown array; known are weights_1, weights_2, bias_1, bias_2"),
        ({"weights_1": [[1], [1, 2]]}, "must be an array of numbers"),
    ],
)
def test_explicit_values_that_do_not_fit_are_refused(change, message):
    values = {"weights_1": [[1, 2], [3, 4]], "weights_2": [[5, 6], [7, 8]], "bias_1": [9], "bias_2": [10], **change}
    choice = InitialChoice("explicit", values=tuple((key, value) for key, value in values.items() if value is not None))
    with pytest.raises(ConfigError, match=message):
        start(choice, EXAMPLE, 0)


def test_a_file_gives_its_final_weights_not_the_initial_ones_it_also_holds(tmp_path):
    arrays = {"weights_1": np.full((2, 2), 2.0), "weights_2": np.full((2, 2), 3.0), "bias_1": [4.0], "bias_2": [5.0]}
    np.savez(tmp_path / "weights.npz", **arrays, **{f"initial_{name}": np.zeros_like(a) for name, a in arrays.items()})
    choice = InitialChoice("file", path=str(tmp_path / "weights.npz"))
    assert start(choice, EXAMPLE, 0).tolist() == [2.0] * 4 + [3.0] * 4 + [4.0, 5.0]


def test_a_single_array_is_no_npz_file(tmp_path):
    np.save(tmp_path / "weights.npy", np.zeros(3))
    with pytest.raises(ConfigError, match=r"must be a \.npz file, not a single array"):
        start(InitialChoice("file", path=str(tmp_path / "weights.npy")), EXAMPLE, 0)


WEIGHTS = {"weights_1": np.ones((2, 2)), "weights_2": np.ones((2, 2)), "bias_1": np.ones(1), "bias_2": np.ones(1)}
NO_NUMBERS = {
    "text": [["1", "2"], ["3", "4"]],
    "mixed": [["1", 2], [3, 4]],
    "complex": np.ones((2, 2), complex),
    "dates": np.zeros((2, 2), "datetime64[s]"),
    "truth": [[True, False], [True, True]],
    "none": [[None, 1], [2, 3]],
    "ragged": [[1], [2, 3]],
    "large": [[2**53 + 1, 0], [0, 0]],
    "larger": np.full((2, 2), 2**64 - 1, np.uint64),
    "huge": [[10**400, 1], [1, 1]],
}


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_what_are_no_numbers_are_no_weights(name, tmp_path):
    arrays = {**WEIGHTS, "weights_1": NO_NUMBERS[name]}
    with pytest.raises(ConfigError, match=r"weights_1=.*: (must be an array of numbers|has a whole number)"):
        named(arrays, Network((2, 2, 2)), "initial.values.")
    if isinstance(arrays["weights_1"], np.ndarray):
        np.savez(tmp_path / "w.npz", **arrays)
        with pytest.raises(ConfigError, match=r"initial\.path=.*w\.npz: weights_1=.*: (must be|has)"):
            initial_parameters([(InitialChoice("file", path=str(tmp_path / "w.npz")), 0)], Network((2, 2, 2)))


@pytest.mark.parametrize("kind", ["int8", "int64", "uint16", "float16", "float32", ">f8"])
def test_numbers_of_any_kind_are_weights(kind, tmp_path):
    np.savez_compressed(tmp_path / "w.npz", **{**WEIGHTS, "weights_1": np.array([[1, 2], [3, 4]], kind)})
    choice = InitialChoice("file", path=str(tmp_path / "w.npz"))
    assert initial_parameters([(choice, 0)], Network((2, 2, 2)))[:4, 0].tolist() == [1, 2, 3, 4]


def test_a_file_is_read_as_numpy_reads_it(tmp_path):
    numbers = np.random.default_rng(3)
    arrays = {name: numbers.normal(size=array.shape) for name, array in WEIGHTS.items()}
    arrays["weights_2"] = np.asfortranarray(arrays["weights_2"])
    np.savez(tmp_path / "w.npz", **arrays, initial_weights_1=np.ones((9, 9)))
    [column] = initial_parameters([(InitialChoice("file", path=str(tmp_path / "w.npz")), 0)], Network((2, 2, 2))).T
    assert column.tolist() == np.concatenate([arrays[name].ravel() for name in WEIGHTS]).tolist()


@pytest.mark.parametrize("bound", [1e308, 9e307, [-1e308, 1e308], [0, "1"], [[0], [1]], [1, 0], [1], 0, -1])
def test_a_range_that_is_none_is_refused_as_it_was_given(bound):
    with pytest.raises(ConfigError, match=r"^initial\.range=.*: must be a number greater than 0, or \[low, high\]") as refused:
        read_range(bound)
    assert str(refused.value).startswith(f"initial.range={as_override(bound)}: ")


OF_PYTHON_2 = "{'descr': '<f8', 'fortran_order': False, 'shape': (3L,2L), }"


@pytest.mark.parametrize("header", [OF_PYTHON_2, "{'descr': '<f8', (", "(" * 99])
def test_a_damaged_header_is_refused_or_read_without_a_warning(header, tmp_path, recwarn):
    network = Network((2, 3, 1), bias="none")
    path = tmp_path / "w.npz"
    np.savez(path, weights_1=np.zeros((3, 2)), weights_2=np.zeros((1, 3)))
    with zipfile.ZipFile(path) as file:
        arrays = {name: file.read(name) for name in file.namelist()}
    text = header.encode().ljust(117) + b"\n"
    arrays["weights_1.npy"] = arrays["weights_1.npy"][:10] + text + bytes(48)
    with zipfile.ZipFile(path, "w") as file:
        for name, array in arrays.items():
            file.writestr(name, array)
    if header == OF_PYTHON_2:
        assert not from_file(str(path), network).any()
    else:
        with pytest.raises(ConfigError, match=r"must be a \.npz file of plain numbers"):
            from_file(str(path), network)
    assert not recwarn
