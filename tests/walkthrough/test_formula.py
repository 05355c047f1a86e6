"""Formulas are read whole, and written as LaTeX and MathML that say the same."""

from itertools import chain
from xml.etree import ElementTree

import pytest
from hypothesis import given

from pipeline.walkthrough.formula import latex, mathml, pieces, read, written
from pipeline.walkthrough.text import lesson
from tests.strategies import examples
from tests.walkthrough.walks import configured, trial_of, walks

LATEX = {
    "net h1_2": r"\mathrm{net}_{\mathrm{h1,2}}",
    "∂E total/∂w12": r"\frac{\partial E_{\mathrm{total}}}{\partial w_{12}}",
    "½ × (0.01 - out o1)²": r"\tfrac{1}{2} \times \left( 0.01 - \mathrm{out}_{\mathrm{o1}} \right)^{2}",
    "1 / (1 + exp(-net h1))": r"\frac{1}{1 + \exp\left( - \mathrm{net}_{\mathrm{h1}} \right)}",
    "max(0, -0.5)": r"\max\left( 0 , - 0.5 \right)",
    "2.5e-07": r"2.5 \cdot 10^{-7}",
    "α × v - η × ∂E/∂w5": r"\alpha \times v - \eta \times \frac{\partial E}{\partial w_{5}}",
    "sum of ∂E/∂w5 over 4 patterns": r"\sum_{\text{4 patterns}} \frac{\partial E}{\partial w_{5}}",
}
TEXTS = {  # what is seen of MathML, in its order
    "net h1_2": "neth1,2",
    "w5 - η × ∂E/∂w5": "w5−η×∂E∂w5",
    "1 / (1 + exp(-0.5))": "11+exp\u2061(−0.5)",
    "(1 if net o1 > 0, else 0)": "(1ifneto1>0,else0)",
    "-2.5e-07": "−2.5·10−7",
    "new w5": "w5new",
}


@pytest.mark.parametrize("formula", LATEX)
def test_formulas_are_written_as_latex(formula):
    assert latex(read(formula)) == LATEX[formula]


@pytest.mark.parametrize("formula", TEXTS)
def test_formulas_are_written_as_mathml(formula):
    root = ElementTree.fromstring(f"<math>{mathml(read(formula))}</math>")
    assert "".join(root.itertext()) == TEXTS[formula]


@given(walks())
@examples(20)
def test_every_formula_of_a_walk_is_read_whole(told):
    blocks = [block for block in lesson(told, trial_of(told.batch)) if isinstance(block, list)]
    for side in chain.from_iterable(chain.from_iterable(blocks)):
        parts = read(side)
        assert written(parts) == side.replace(" ", "")
        ElementTree.fromstring(f"<math>{mathml(parts)}</math>")
        assert latex(parts).count("{") == latex(parts).count("}")
        assert tuple(chain.from_iterable(pieces(parts))) == parts


def test_sums_of_large_networks_are_read_too():
    told, trial = configured("task=digits", "network.hidden=[12]", "initial=uniform", weight="w123")
    sides = {side for block in lesson(told, trial) if isinstance(block, list) for line in block for side in line}
    assert any("(65 terms)" in side for side in sides)
    assert all(written(read(side)) == side.replace(" ", "") for side in sides)


@pytest.mark.parametrize("other", ["net", "w5 & w6", "1 + )", "(1 + 2", "<b>"])
def test_what_is_no_formula_is_refused(other):
    with pytest.raises(ValueError, match="no formula"):
        read(other)
