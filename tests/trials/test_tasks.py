"""Tasks hold the patterns that their names promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_digits, load_iris
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from pipeline.trials.fingerprint import content
from pipeline.trials.tasks import load, scaled
from pipeline.trials.trial import TaskChoice


def task(name, **options):
    return load(TaskChoice(name, tuple(sorted(options.items()))))


def test_the_seed_example_is_the_published_pattern():
    loaded = task("seed_example")
    assert loaded.inputs.tolist() == [[0.05, 0.10]]
    assert loaded.targets.tolist() == [[0.01, 0.99]]


def test_xor_is_the_parity_of_two_bits():
    loaded = task("xor", coding="binary")
    assert loaded.inputs.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert loaded.targets.tolist() == [[0], [1], [1], [0]]


@pytest.mark.parametrize("bits", [2, 3, 6])
@pytest.mark.parametrize("coding", ["binary", "bipolar"])
def test_parity_and_symmetry_say_what_their_words_are(bits, coding):
    low = {"binary": 0, "bipolar": -1}[coding]
    parity, symmetry = task("parity", bits=bits, coding=coding), task("symmetry", bits=bits, coding=coding)
    assert len(parity.inputs) == 2**bits == len(np.unique(parity.inputs, axis=0))
    assert set(parity.inputs.ravel()) == {low, 1}
    for word, odd, same in zip(parity.inputs, parity.targets[:, 0], symmetry.targets[:, 0], strict=True):
        assert odd == (1 if np.count_nonzero(word == 1) % 2 else low)
        assert same == (1 if (word == word[::-1]).all() else low)
    assert (symmetry.inputs == parity.inputs).all()


def test_the_encoder_reproduces_unit_vectors():
    loaded = task("encoder", size=5, coding="bipolar")
    assert (loaded.inputs == 2 * np.eye(5) - 1).all()
    assert (loaded.targets == loaded.inputs).all()


@pytest.mark.parametrize(("name", "source"), [("iris", load_iris), ("digits", load_digits)])
def test_bundled_data_are_scikit_learns(name, source):
    inputs, classes = source(return_X_y=True)
    expected = OneHotEncoder(sparse_output=False).fit_transform(classes[:, None])
    assert (task(name, scaling="none").inputs == inputs).all()
    assert (task(name, scaling="none").targets == expected).all()
    np.testing.assert_allclose(task(name, scaling="minmax").inputs, MinMaxScaler().fit_transform(inputs), atol=1e-14)
    np.testing.assert_allclose(task(name, scaling="standard").inputs, StandardScaler().fit_transform(inputs), atol=1e-12)


@given(arrays(float, (7, 3), elements=st.floats(-1e6, 1e6)))
def test_scaled_columns_have_the_scale_they_are_named_after(columns):
    low_high, standard = scaled(columns, "minmax"), scaled(columns, "standard")
    for column in range(3):
        if np.ptp(columns[:, column]) == 0:
            assert (low_high[:, column] == 0).all()
            assert (standard[:, column] == 0).all()
        else:
            assert (low_high[:, column].min(), low_high[:, column].max()) == (0, 1)
            if np.ptp(columns[:, column]) > 1e-3:
                assert abs(standard[:, column].mean()) < 1e-6
                assert abs(standard[:, column].std() - 1) < 1e-6


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_spirals_are_those_of_lang_and_witbrock_from_the_inside(turns):
    loaded = task("spirals", turns=turns, coding="binary")
    i = np.arange(97)[32 * (3 - turns) :]
    radius, angle = 6.5 * (104 - i) / 104, i * np.pi / 16
    one = np.column_stack([radius * np.sin(angle), radius * np.cos(angle)])
    assert loaded.inputs[::2] == pytest.approx(one, abs=1e-14)
    assert (loaded.inputs[1::2] == -loaded.inputs[::2]).all()
    assert loaded.targets.ravel().tolist() == [1, 0] * len(i)


FROZEN = {  # the first digits of SHA-256 over inputs and targets: keys of trials stand on them
    ("seed_example",): ("70f112f4d180a1b5", "5165723d09507880"),
    ("xor", "coding", "binary"): ("95de8ad8a3b15741", "c88c8117ba1ff31d"),
    ("xor", "coding", "bipolar"): ("81830e2d49af8ba1", "4e791d3e3f07bb5b"),
    ("parity", "bits", 5, "coding", "bipolar"): ("0976eb2eaa126963", "6a5744d30916b281"),
    ("encoder", "coding", "binary", "size", 8): ("9d1c11f8966e08da", "9d1c11f8966e08da"),
    ("symmetry", "bits", 6, "coding", "binary"): ("eac0ec4fc37df4b1", "ef49bee73f47da5e"),
    ("spirals", "coding", "binary", "turns", 3): ("1cbf6bef74c29953", "75745c8887d1dd74"),
    ("spirals", "coding", "bipolar", "turns", 1): ("3162c799057a1ad3", "f3a710ee2bf06fe9"),
    ("iris", "scaling", "none"): ("cbd0ff07b35f1e2d", "46be20e0f0c87430"),
    ("iris", "scaling", "standard"): ("23f7a51b4fbefe02", "46be20e0f0c87430"),
    ("iris", "scaling", "minmax"): ("872be48e87e4ac84", "46be20e0f0c87430"),
    ("digits", "scaling", "none"): ("2647af5a254ddb40", "874b290c6ce5e0fc"),
    ("digits", "scaling", "standard"): ("8465fafa730100f5", "874b290c6ce5e0fc"),
    ("digits", "scaling", "minmax"): ("d2e784469188d57a", "874b290c6ce5e0fc"),
}


@pytest.mark.parametrize("choice", FROZEN, ids=lambda choice: "-".join(map(str, choice)))
def test_the_bits_of_built_in_tasks_never_change(choice):
    name, *options = choice
    loaded = task(name, **dict(zip(options[::2], options[1::2], strict=True)))
    assert (content(loaded.inputs)[:16], content(loaded.targets)[:16]) == FROZEN[choice]
    assert loaded.source is None


def test_patterns_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        task("xor", coding="binary").inputs[0, 0] = 5
