"""The network on the board shows the walk's own numbers, one picture a step, for networks that are small enough."""

import io
import warnings

import pytest
from matplotlib.text import Text

from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from pipeline.walkthrough import numbers as walkthrough
from pipeline.walkthrough.board import STEPS, draw
from pipeline.walkthrough.layout import short
from tests.configurations import composed


def walk(*overrides, weight="w5", **which):
    """A walk through an iteration of the configured trial."""
    return walkthrough.walk(make_batch([read_run(composed(*overrides))[0]]), weight, **which)


def texts(figure) -> set[str]:
    """All texts in a figure."""
    return {text.get_text() for text in figure.findobj(Text)}


@pytest.fixture(scope="module")
def example():
    return walk()


def test_the_forward_pass_shows_the_published_numbers(example):
    shown = texts(draw(example, "forward"))
    assert {f"w{number} = {value}" for number, value in enumerate((0.15, 0.2, 0.25, 0.3, 0.4, 0.45, 0.5, 0.55), 1)} <= shown
    assert {"b1 = 0.35", "b2 = 0.6", "net 0.3775", "0.5933", "0.7514", "target 0.01\nE o1 = 0.2748"} <= shown
    assert any("= 0.2984" in text for text in shown)


def test_the_backward_pass_shows_deltas_and_derivatives_and_the_chosen_weight_in_colour(example):
    figure = draw(example, "backward")
    assert {"∂E/∂w5 = 0.08217", "δ 0.1385", "0.7414 · 0.1868"} <= texts(figure)
    colours = {text.get_text(): text.get_color() for text in figure.findobj(Text)}
    assert colours["∂E/∂w5 = 0.08217"] != colours["∂E/∂w6 = 0.08267"]


def test_the_update_shows_each_weight_before_and_after(example):
    shown = texts(draw(example, "update"))
    assert {"w5: 0.4 → 0.3589", "w6: 0.45 → 0.4087", "w1: 0.15 → 0.1498", "b1: not trained"} <= shown
    assert any("0.2984 → 0.291" in text for text in shown)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "overrides",
    [
        ("task=xor", "network=trained", "network.hidden=[3]", "initial=uniform", "momentum=0.5"),
        (
            "task=parity",
            "network=trained",
            "network.hidden=[4,4]",
            "initial=uniform",
            "network.activation=tanh",
            "update=online",
        ),
        ("task=xor", "network.bias=none", "network.hidden=[]", "initial=uniform", "network.output_activation=identity"),
    ],
    ids=["momentum", "deep and online", "no hidden layer, no biases"],
)
def test_any_small_network_is_drawn_without_a_warning_and_without_overlaps(overrides, step):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw(walk(*overrides, weight="w1", pattern=2), step)
        figure.draw_without_rendering()
    labels = [text for text in figure.axes[0].texts if text.get_text() and text.get_bbox_patch()]
    boxes = [text.get_window_extent() for text in labels]
    for place, one in enumerate(boxes):
        for other, text in zip(boxes[place + 1 :], labels[place + 1 :], strict=True):
            assert not one.overlaps(other), (labels[place].get_text(), text.get_text())


def test_a_large_network_is_not_drawn_and_an_unknown_step_is_refused(example):
    assert draw(walk("task=encoder", "network=trained", "initial=uniform"), "forward") is None
    with pytest.raises(ValueError, match="step=sideways: must be one of forward, backward, update"):
        draw(example, "sideways")


def test_the_same_walk_is_the_same_picture(example):
    import matplotlib

    from pipeline.report.figures.style import STYLE

    files = []
    for _ in range(2):
        file = io.BytesIO()
        with matplotlib.rc_context(STYLE):
            draw(example, "forward").savefig(file, format="svg", metadata={"Date": None})
        files.append(file.getvalue())
    assert files[0] == files[1]


def test_numbers_are_short():
    assert [short(value) for value in (0.5933, -0.5, 1.23456, 1e-9, -0.0)] == ["0.5933", "−0.5", "1.235", "1e−09", "0"]
