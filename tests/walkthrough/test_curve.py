"""The curve of one run with what is foreseen of it: the tail solves its equation and is what training does."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pipeline.app.composition import compose
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.engines import engine
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from pipeline.walkthrough.curve import draw, tail
from pipeline.walkthrough.end import end_of

XOR = ("task=xor", "network=trained", "initial=uniform")


def ended(*overrides):
    trial, settings = read_run(compose(list(overrides)))
    return end_of(engine("numpy")(make_batch([trial], settings.curve_points)))


@pytest.mark.parametrize(
    "overrides",
    [
        ("max_epochs=500",),
        ("max_epochs=40", "threshold=0.02", "network.output_activation=identity", "learning_rate=0.01"),
        (*XOR, "max_epochs=700", "seed=1", "threshold=0.05"),
    ],
)
def test_the_tail_solves_its_equation_from_the_end_to_the_goal(overrides):
    end = ended(*overrides)
    assert end.cause is Cause.DESCENDING
    epochs, errors = tail(end)
    tau, rho = end.fall
    later = epochs - end.epochs
    solved = solve_ivp(
        lambda _, error: -end.error / tau * np.maximum(error / end.error, 1e-300) ** rho,
        (0.0, later[-1]), [end.error], "DOP853", t_eval=later, rtol=1e-10, atol=1e-16,
    )  # fmt: skip
    np.testing.assert_allclose(errors, solved.y[0], rtol=1e-6)
    assert (epochs[0], errors[0]) == (end.epochs, end.error)
    assert errors[-1] == pytest.approx(end.goal, rel=1e-9)
    assert later[-1] == pytest.approx(end.number)


def test_the_tail_is_what_training_does():
    epochs, errors = tail(ended("max_epochs=500"))
    real_epochs, real = ended("max_epochs=1088", "curve_points=300").result.curve(0)
    np.testing.assert_allclose(np.interp(real_epochs[real_epochs > 500], epochs, errors), real[real_epochs > 500], rtol=0.03)


def test_a_lower_bound_ends_as_far_down_as_it_counts_to():
    end = ended("max_epochs=100", "threshold=1e-9")
    epochs, errors = tail(end)
    assert (errors[-1], epochs[-1]) == pytest.approx((end.error / 30, 100 + end.number))
    assert legend_of(draw(end, "")) == ["measured", "goal 1e−09", "foreseen: more than 1,500 more epochs"]


def legend_of(figure):
    [legend] = figure.legends
    return [text.get_text() for text in legend.get_texts()]


SHOWN = {
    "descending": (("max_epochs=900",), "foreseen: about 190 more epochs", "--"),
    "plateau": ((*XOR, "max_epochs=700"), "plateau left, 480 epochs on", ":"),
    "minimum": ((*XOR, "learning_rate=3", "max_epochs=700", "seed=11"), "error of the minimum, 0.2499", ":"),
    "unreachable": ((*XOR, "network.bias=none", "network.hidden=[]", "max_epochs=9"), "lowest error there can be, 0.125", ":"),
    "undecided": (
        (*XOR, "learning_rate=3", "max_epochs=700", "seed=44"), "a way down would be seen, 2,400 epochs on", ":",
    ),
    "saturated": ((*XOR, "initial.range=20", "max_epochs=9"), None, ":"),
    "diverged": (("network.activation=identity", "network.output_activation=identity", "learning_rate=1e3"), None, None),
    "converged": (("learning_rate=2",), None, None),
    "no epochs": (("max_epochs=0",), None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_each_end_has_its_picture(name):
    overrides, label, style = SHOWN[name]
    end = ended(*overrides)
    figure = draw(end, "Task")
    [plot] = figure.axes
    foreseen = [line for line in plot.get_lines() if line.get_linestyle() in ("--", ":")]
    assert label is None or label in legend_of(figure)
    assert plot.get_xscale() == "symlog"
    assert plot.get_yscale() == "log"
    measured = plot.get_lines()[0].get_xydata()
    assert measured.shape == (len(end.result.curve(0)[0]), 2)
    assert figure.get_suptitle().startswith(end.status.word.capitalize())
    if style:
        [line] = foreseen
        assert line.get_linestyle() == style
        assert f": {end.cause.word}" in figure.get_suptitle()
        if name in ("plateau", "undecided", "saturated"):
            assert line.get_xdata()[0] == end.epochs + end.number <= plot.get_xlim()[1]
        if name in ("minimum", "unreachable"):
            assert plot.get_ylim()[0] < line.get_ydata()[0] == end.number
