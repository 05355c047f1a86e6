"""Runs by a condition: the same ones as pandas finds, by what a person writes, and nothing is executed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stats.selection import matching
from tests.strategies import examples

RUNS = pd.DataFrame(
    {
        "initial.range": [0.5, 1, 2, 2, np.nan],
        "seed": [1, 20, 3, 4, 5],
        "initial.set.weights_1.0.1": [0.5, 1, 2, 2, 1.5],
        "network.hidden": ["[2]", "[16]", "[2]", "[2]", "[2]"],
        "update": ["batch", "online", "batch", "batch", "online"],
        "network.train_bias": [True, False, True, True, False],
        "learning_rate": pd.Series([1, "[0.5,1]", 2, None, 0.5], dtype=object),
        "status": ["converged", "exhausted", "diverged", "converged", "converged"],
    }
)
NUMBERS = {"seed": st.integers(-2, 25), "initial.range": st.sampled_from([0.5, 1, 1.5, 2, -1e300, 1e-5])}
NUMBERS |= {"initial.set.weights_1.0.1": NUMBERS["initial.range"]}
TEXTS = {"update": st.sampled_from(["batch", "online"]), "status": st.sampled_from(["converged", "diverged", "exhausted"])}


def written(name: str, quoted: bool) -> str:
    return f"`{name}`" if quoted else name


@st.composite
def comparisons(draw):
    """A comparison as a person writes it, and as pandas wants it."""
    name = draw(st.sampled_from([*NUMBERS, *TEXTS]))
    values = (NUMBERS | TEXTS)[name]
    kind = draw(st.sampled_from(["one", "chain", "list", "mirrored"]))
    theirs = written(name, quoted=True)
    ours = written(name, quoted=draw(st.booleans()))
    if kind == "list":
        some, word = draw(st.lists(values, min_size=1, max_size=3)), draw(st.sampled_from(["in", "not in"]))
        return f"{ours} {word} {some}", f"{theirs} {word} {some}"
    sign = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
    own = draw(st.sampled_from(["=", "=="])) if sign == "==" else sign
    value, space = repr(draw(values)), draw(st.sampled_from(["", " "]))
    if kind == "mirrored":
        return f"{value}{space}{own}{space}{ours}", f"{value} {sign} {theirs}"
    if kind == "chain" and name in NUMBERS:
        low = repr(draw(values))
        return f"{low}<={ours}{space}{own}{space}{value}", f"{low} <= {theirs} {sign} {value}"
    return f"{ours}{space}{own}{space}{value}", f"{theirs} {sign} {value}"


CONDITIONS = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map(
            lambda parts: tuple(f"({one}){parts[1]}({other})" for one, other in zip(parts[0], parts[2], strict=True))
        ),
        inner.map(lambda pair: (f"not ({pair[0]})", f"not ({pair[1]})")),
    ),
    max_leaves=4,
)


@examples(50)
@given(CONDITIONS)
def test_a_condition_chooses_the_runs_that_pandas_chooses(pair):
    ours, theirs = pair
    holds, _ = matching(RUNS, ours)
    assert np.flatnonzero(holds).tolist() == RUNS.query(theirs, engine="python").index.tolist()


@pytest.mark.parametrize(
    ("condition", "rows", "columns"),
    [
        ("initial.range>=1 and seed<10", [2, 3], ["initial.range", "seed"]),
        ("momentum=0.9 or seed=20", None, None),
        ("seed=20", [1], ["seed"]),
        ("update=online", [1, 4], ["update"]),
        ("update='batch' and network.hidden=[2]", [0, 2, 3], ["network.hidden", "update"]),
        ("network.train_bias", [0, 2, 3], ["network.train_bias"]),
        ("not network.train_bias and seed<10", [4], ["seed", "network.train_bias"]),
        ("network.train_bias=true", [0, 2, 3], ["network.train_bias"]),
        ("initial.range=null", [4], ["initial.range"]),
        ("learning_rate=[0.5,1] or learning_rate<1", [1, 4], ["learning_rate"]),
        ("learning_rate=null", [3], ["learning_rate"]),
        ("initial.range<seed", [0, 1, 2, 3], ["initial.range", "seed"]),
        ("seed in [1,3] or update in [online]", [0, 1, 2, 4], ["seed", "update"]),
        ("seed>-1e0 and seed<=+4", [0, 2, 3], ["seed"]),
        ("update='a=b'", [], ["update"]),
    ],
)
def test_what_a_person_writes(condition, rows, columns):
    if rows is None:
        with pytest.raises(ValueError, match="momentum: unknown column"):
            matching(RUNS, condition)
        return
    holds, used = matching(RUNS, condition)
    assert (np.flatnonzero(holds).tolist(), used) == (rows, columns)


REFUSED = [
    "", "seed", "seed +", "1", "1<2", "'a'='a'", "seed.max()", "seed.__class__", "__import__('os').system('true')", "@seed<1",
    "seed[0]<1", "seed + 1 < 3", "seed % 2 = 0", "-seed<1", "seed<1 & seed>0", "~(seed<1)", "seed if seed<1 else seed",
    "lambda: seed<1", "(seed:=1)<2", "seed<1; seed<2", "f'{seed}'<1", "seed<b'1'", "1j<seed", "seed<...", "seed is 1",
    "[seed for seed in (1,2)]", "{1}=seed", "*seed<1", "await seed<1", "seed<1\nimport os", "seed<\x00", "seed<'a'",
    "update<1", "update<seed", "seed=[1,2]", "network.hidden=[3]", "sed<1", "update=onlin", "seed in 1", "1 in seed",
    "seed in [[1]]", "seed<null", "_quoted_0_<1", "`nothing`<1", "(" * 300 + "seed<1" + ")" * 300, "not " * 3000 + "seed<1",
    "seed<1 " * 1000, "exec('1')", "print(seed)<1", "getattr(seed, 'x')<1", "seed.values<1", "index<3", "ilevel_0<1",
]  # fmt: skip


@pytest.mark.parametrize("condition", REFUSED, ids=range(len(REFUSED)))
def test_all_else_is_refused_in_one_line(condition):
    with pytest.raises(ValueError, match=r".") as refused:
        matching(RUNS, condition)
    assert "\n" not in str(refused.value)


@examples(150)
@given(st.text("seduprangi.l=<>!()[]'\"` 1,and@:_\\\x00", max_size=30))
def test_no_text_does_more_than_choose_runs(text):
    try:
        holds, _ = matching(RUNS, text)
    except ValueError:
        return
    assert (holds.dtype, holds.shape) == (bool, (len(RUNS),))


def test_a_million_runs_are_chosen_at_once():
    runs = pd.DataFrame({"seed": np.arange(10**6), "momentum": np.tile([0.0, 0.9], 500_000)})
    holds, _ = matching(runs, "momentum=0.9 and seed<1000")
    assert holds.sum() == 500
