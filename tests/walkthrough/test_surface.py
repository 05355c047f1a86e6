"""The surface on the way of a training: the trainer's own parameters, the right colours, pictures and a film."""

import io
import os
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from pipeline.backprop.network import Network
from pipeline.backprop.trainer import train
from pipeline.errors import ConfigError
from pipeline.explain import read_place
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from pipeline.trials.tasks import Task, load
from pipeline.walkthrough.surface.course import Course, candidates, course, evenly_changing
from pipeline.walkthrough.surface.film import FIRST_FOR, LAST_FOR, film
from pipeline.walkthrough.surface.panels import coloured, draw, panels
from pipeline.walkthrough.surface.plane import Plane
from tests.configurations import composed
from tests.strategies import examples, same_bits

XOR = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]


def batch_of(*overrides):
    return make_batch([read_run(composed("lesson=converging", *overrides))[0]])


def task_of(targets, inputs=XOR):
    return Task("drawn", np.array(inputs), np.array(targets, float))


@pytest.fixture(scope="module")
def short_run():
    batch = batch_of("learning_rate=8", "max_epochs=40")
    return course(batch, 40), Plane.of(load(read_run(composed("task=xor", "initial=uniform"))[0].batch_key.task), "a.png")


@pytest.mark.parametrize("update", ["batch", "online"])
@pytest.mark.parametrize("momentum", [0, 0.5])
def test_its_parameters_are_those_of_training(update, momentum):
    batch = batch_of(f"update={update}", f"momentum={momentum}", "max_epochs=12")
    way = course(batch, 12)
    assert way.epochs.tolist() == list(range(13))
    for epochs in (0, 5, 12):
        result = train(replace(batch, max_epochs=epochs))
        assert same_bits(way.parameters[:, epochs], result.parameters[:, 0])
        assert way.errors[epochs] == result.final_error[0]


@given(st.integers(0, 10**6), st.integers(2, 300))
@examples(20)
def test_the_epochs_looked_at_begin_and_end_with_the_run(end, most):
    found = candidates(end, most)
    assert (found[0], found[-1]) == (0, end)
    assert found == sorted(set(found))
    assert len(found) <= 2 * most + 1


def test_what_is_shown_changes_equally_from_one_to_the_next(short_run):
    way, plane = short_run
    shown = evenly_changing(way, plane, 5)
    assert (shown.epochs[0], shown.epochs[-1]) == (0, 40)
    surfaces = [plane.surface(way.batch.network, one, 20) for one in shown.parameters.T]
    changes = [np.abs(after - before).mean() for before, after in pairwise(surfaces)]
    assert max(changes) < 2 * min(changes)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_there_are_at_most_as_many_as_asked_for_though_it_stands_still_at_the_end(count, short_run):
    way, plane = short_run
    still = Course(way.batch, np.arange(80), way.parameters[:, [*range(40), *[40] * 40]], np.ones(80))
    shown = evenly_changing(still, plane, count)
    assert (shown.epochs[0], shown.epochs[-1]) == (0, 79)
    assert len(shown.epochs) <= count


def test_a_flat_surface_has_no_line_of_rounding(short_run):
    _, plane = short_run
    plot = Figure().subplots()
    draw(plot, plane, np.full((5, 5, 1), 0.5) + np.arange(-2, 3)[:, None] * 1e-12)
    flat = len(plot.collections)
    draw(plot, plane, np.full((5, 5, 1), 0.5) + np.arange(-2, 3)[:, None] * 0.1)
    assert len(plot.collections) == 2 * flat + 1


def test_a_training_that_changes_nothing_has_a_first_and_a_last_surface(short_run):
    way, plane = short_run
    still = Course(way.batch, way.epochs, np.repeat(way.parameters[:, :1], len(way.epochs), axis=1), way.errors)
    assert evenly_changing(still, plane, 3).epochs.tolist() == [0, 20, 40]


def test_the_surface_is_the_network_s_output_at_each_point():
    plane = Plane.of(task_of([[0], [1], [1], [0]]), "a.png")
    network = Network((2, 1), output_activation="identity", bias="none")
    surface = plane.surface(network, np.array([1.0, 10.0]), 3)[:, :, 0]
    assert surface == pytest.approx(np.array([[x + 10 * y for x in (-0.15, 0.5, 1.15)] for y in (-0.15, 0.5, 1.15)]))


def test_classes_have_the_colour_of_the_largest_output_and_are_paler_where_another_is_near():
    plane = Plane.of(task_of([[1, 0], [0, 1], [0, 1], [1, 0]]), "a.png")
    assert plane.classes == ("o1", "o2")
    far, near, other = coloured(plane, np.array([[[1.0, 0.0], [0.6, 0.5], [0.0, 1.0]]]))[0]
    assert far[2] > far[0]  # blue
    assert near.min() > far.min()
    assert other[0] > other[2]  # orange


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (task_of([[0]], [[1, 2, 3]]), "needs a task with two inputs: task=drawn has 3"),
        (task_of([[0.2, 0.5], [0.1, 0.9]], XOR[:2]), "needs one output, or one for each class: task=drawn has 2"),
        (task_of(np.eye(8), XOR * 2), "has colours for at most 7 classes: these are 8"),
    ],
)
def test_what_cannot_be_shown_is_refused(task, reason):
    with pytest.raises(ConfigError) as refused:
        Plane.of(task, "a.png")
    assert str(refused.value) == f"explain.surface=a.png: {reason}"


def test_the_picture_has_a_panel_for_each_epoch(short_run):
    way, plane = short_run
    shown = evenly_changing(way, plane, 3)
    figure = panels(shown, plane, "Task xor", "exhausted after 40 epochs")
    texts = {text.get_text() for text in figure.findobj(Text)}
    assert len([text for text in texts if text.startswith("epoch ")]) == 3
    assert {
        f"epoch 0, E = {way.errors[0]:.4g}",
        f"epoch 40, E = {way.errors[-1]:.4g}",
        "i1",
        "i2",
        "target 0",
        "target 1",
    } <= texts


def test_the_film_has_a_frame_for_each_epoch_and_stays_on_the_last(short_run):
    way, plane = short_run
    shown = evenly_changing(way, plane, 2)
    made = film(way, shown, plane, "Task xor")
    opened = Image.open(io.BytesIO(made))
    assert (opened.format, opened.n_frames) == ("WEBP", 2)
    lasts = []
    for frame in range(2):
        opened.seek(frame)
        opened.load()
        lasts.append(opened.info["duration"])
    assert lasts[1] - lasts[0] == LAST_FOR - FIRST_FOR


@pytest.mark.slow
def test_a_surface_is_written_where_asked_and_the_same_twice(folder, command, monkeypatch):
    monkeypatch.setattr("pipeline.walkthrough.surface.pictures.PANELS", 2)
    arguments = ("lesson=converging", "max_epochs=3", "explain.surface=a.svg", "engine=numpy")
    ended = command("explain", *arguments)
    assert (ended.code, ended.err.splitlines()[-1]) == (0, "surface written to a.svg")
    assert ended.out.startswith("How the run ended")
    first = (folder / "a.svg").read_bytes()
    page = command("explain", *arguments, "explain.format=html").out
    assert page.count("data:image/svg+xml;base64,") == 1
    assert (folder / "a.svg").read_bytes() == first
    assert os.listdir(folder) == ["a.svg"]


def test_a_wrong_request_is_refused_before_anything_is_trained(folder, command):
    ended = command("explain", "task=iris", "initial=uniform", "explain.surface=a.png")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "explain.surface=a.png: needs a task with two inputs: task=iris has 4\n"
    assert os.listdir(folder) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"at": "start"}, "explain.surface=a.png: belongs to the end of a run: use explain.at=end"),
        ({"iteration": 2}, "explain.iteration=2: belongs to an iteration: use explain.at=start"),
    ],
)
def test_a_surface_is_of_a_whole_run(changes, message):
    settings = {"at": None, "weight": None, "pattern": 1, "iteration": 1, "format": "text", "figure": None, "surface": "a.png"}
    assert read_place(settings, is_recorded=False) == "end"
    with pytest.raises(ConfigError) as refused:
        read_place(settings | changes, is_recorded=False)
    assert str(refused.value) == message


@pytest.mark.parametrize(("style", "place"), [("text", "end"), ("html", "start")])
def test_a_page_of_a_recorded_run_is_that_of_an_iteration(style, place):
    settings = {"at": None, "weight": None, "pattern": 1, "iteration": 1, "format": style, "figure": None, "surface": None}
    assert read_place(settings, is_recorded=True) == place
