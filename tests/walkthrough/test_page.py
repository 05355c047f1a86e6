"""The page of an iteration: its steps, the walk's own numbers in formulas and drawings, and nothing from outside."""

import re
from html import unescape
from xml.etree import ElementTree

import pytest
from hypothesis import assume, given

from pipeline.walkthrough.layout import short
from pipeline.walkthrough.page.document import iteration_page
from pipeline.walkthrough.page.drawing import svg
from pipeline.walkthrough.page.steps import STEPS, steps_of
from pipeline.walkthrough.text import number
from tests.strategies import examples
from tests.walkthrough.walks import configured, is_finite, trial_of, walks

TITLES = ["Forward pass", "Total error", "Deltas of the outputs", "Deltas of the hidden units", "Gradient", "Weight update"]


def sections(page: str) -> dict[str, str]:
    """The steps of a page as HTML, by their headings."""
    parts = re.split(r'<section class="step"[^>]*>\s*<h2[^>]*>\d\. ', page)[1:]
    return {part.partition("</h2>")[0]: part for part in parts}


def seen(html: str) -> str:
    """What is seen of a piece of HTML, without spaces."""
    return re.sub(r"\s", "", unescape(re.sub(r"<[^>]*>", "", html)))


def drawn(walk, step: str) -> set[str]:
    """The texts of a drawing."""
    return {text.text for text in ElementTree.fromstring(svg(walk, step)).iter("text")}


@pytest.fixture(scope="module")
def example():
    return configured()


@pytest.fixture(scope="module")
def page(example):
    return iteration_page(*example, None)


def test_the_steps_come_in_the_order_of_the_algorithm_and_end_with_the_published_numbers(page):
    assert list(sections(page)) == [*TITLES, "The published numbers"]
    linked = re.findall(r'<a href="#step-(\d)">(.*?)</a>', page)
    assert linked == [(str(at), title) for at, title in enumerate([*TITLES, "The published numbers"], 1)]


def test_each_step_has_its_published_numbers_as_formulas(page):
    steps = {title: seen(html) for title, html in sections(page).items()}
    assert "neth1=w1×i1+w2×i2+b1=0.15×0.05+0.2×0.1+0.35=0.3775" in steps["Forward pass"]
    assert "Etotal=Eo1+Eo2=0.274811083+0.023560026=0.298371109" in steps["Total error"]
    assert "=−(0.01−0.75136507)=0.74136507" in steps["Deltas of the outputs"]
    assert "=0.138498562×0.4+(−0.038098237)×0.5=0.036350306" in steps["Deltas of the hidden units"]
    assert "∂E∂w5=∂E∂neto1×outh1=0.138498562×0.593269992=0.082167041" in steps["Gradient"]
    assert "w5new=w5−η×∂E∂w5=0.4−0.5×0.082167041=0.35891648" in steps["Weight update"]
    assert "0.291027774" in steps["Weight update"]


def test_the_drawings_have_the_numbers_of_their_step(example):
    walk, _ = example
    assert {"w1 = 0.15", "w8 = 0.55", "b1 = 0.35", "0.5933", "net 0.3775", "o2"} <= drawn(walk, "forward")
    assert {"target 0.01", "E o1 = 0.2748"} <= drawn(walk, "error")
    assert {"δ 0.1385", "∂E/∂out 0.7414", "∂out/∂net 0.1868"} <= drawn(walk, "output_deltas")
    assert {"δ 0.008771", "0.03635 · 0.2413", "w5 = 0.4"} <= drawn(walk, "hidden_deltas")
    assert "w1 = 0.15" not in drawn(walk, "hidden_deltas")
    assert {"∂E/∂w5 = 0.08217", "b1: not trained"} <= drawn(walk, "gradient")
    assert {"w5: 0.4 → 0.3589", "w1: 0.15 → 0.1498"} <= drawn(walk, "update")


def test_nothing_is_loaded_from_elsewhere(page):
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!#|data:)|url\(|@import|https?:", page)
    assert "default-src 'none'" in page


@given(walks())
@examples(10)
def test_any_walk_is_a_page_with_its_numbers(told):
    assume(is_finite(told))
    steps = sections(iteration_page(told, trial_of(told.batch), None))
    assert list(steps) == [step.title for step in steps_of(told)]
    assert ("Deltas of the hidden units" in steps) == (told.network.layers > 1)
    for layer in range(1, told.network.layers + 1):
        for index in range(told.network.units[layer]):
            unit = told.unit(layer, index)
            assert short(unit.output) in drawn(told, "forward")
            assert f"δ {short(unit.delta)}" in drawn(told, "gradient")
            where = steps["Deltas of the outputs" if layer == told.network.layers else "Deltas of the hidden units"]
            shown = number(unit.delta).partition("e")[0].replace("-", "−").replace("inf", "∞")
            assert shown in seen(where)
    for step in steps_of(told):
        ElementTree.fromstring(svg(told, step.name))


def test_of_a_large_network_some_units_are_drawn_and_the_chosen_weight_has_its_number():
    walk, trial = configured("task=digits", "network.hidden=[12]", "initial=uniform", weight="w123")
    shown = drawn(walk, "gradient")
    assert {"⋮", "i1", "i59", "i64", "h1", "h2", "h12", "o10"} <= shown
    assert [text for text in shown if text.startswith("∂E/∂w")] == [
        f"∂E/∂w123 = {short(walk.entry(walk.pattern_gradient, 'w123'))}"
    ]
    assert len(iteration_page(walk, trial, None)) < 200_000


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_momentum_several_patterns_and_a_turn_are_told(step):
    walk, trial = configured(
        "task=xor", "network=trained", "initial=uniform", "momentum=0.5", "update=online", pattern=3, iteration=2
    )
    page = iteration_page(walk, trial, "converged after 1 epochs")
    assert "Pattern 3 of 4 is followed. Each pattern updates the weights in its turn" in page
    assert "Training itself would not make this iteration" in page
    assert f"{step.title}</h2>" in page
    assert "α×v−η×∂E∂w5" in seen(page)


def test_a_page_is_written_where_asked_and_printed_else(folder, command):
    written = command("explain", "explain.format=html", "explain.output=walk.html", "explain.iteration=3")
    assert (written.code, written.out, written.err) == (0, "written to walk.html\n", "")
    page = (folder / "walk.html").read_text()
    assert "This is iteration 3" in page
    assert command("explain", "explain.format=html", "explain.iteration=3").out == page
    assert [path.name for path in folder.iterdir()] == ["walk.html"]


def test_the_end_of_a_run_is_a_page_too_with_its_curve_in_it(folder, command):
    ended = command("explain", "explain.at=end", "max_epochs=20", "explain.format=html", "explain.figure=curve.svg")
    assert ended.code == 0
    assert "<h1>How the run ended</h1>" in ended.out
    assert ended.out.count('<img src="data:image/svg+xml;base64,') == 1
    assert "python -m pipeline.train" in ended.out
    assert "<script>" not in ended.out
