"""The surface on the way of a training: the trainer's own parameters, the right colours, pictures and a film."""

import io
import os
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text
from PIL import Image

from pipeline.backprop.network import Network
from pipeline.backprop.trainer import train
from pipeline.errors import ConfigError
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run
from pipeline.trials.tasks import Task, load
from pipeline.walkthrough.surface.course import Course, candidates, course, evenly_changing
from pipeline.walkthrough.surface.film import FIRST_FOR, LAST_FOR, film
from pipeline.walkthrough.surface.panels import coloured, panels
from pipeline.walkthrough.surface.plane import Plane
from tests.configurations import composed
from tests.strategies import same_bits

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
    shown = evenly_changing(way, plane, 3)
    made = film(way, shown, plane, "Task xor")
    opened = Image.open(io.BytesIO(made))
    assert (opened.format, opened.n_frames) == ("WEBP", 3)
    lasts = []
    for frame in range(3):
        opened.seek(frame)
        opened.load()
        lasts.append(opened.info["duration"])
    assert [lasts[0] - lasts[1], lasts[2] - lasts[1]] == [FIRST_FOR, LAST_FOR]


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("task=iris",), "explain.surface=a.png: needs a task with two inputs: task=iris has 4"),
        (("explain.at=start",), "explain.surface=a.png: belongs to the end of a run: use explain.at=end"),
        (("explain.iteration=2",), "explain.iteration=2: belongs to an iteration: use explain.at=start"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_trained(arguments, message, folder, command):
    ended = command("explain", "initial=uniform", "explain.surface=a.png", *arguments)
    assert (ended.code, ended.out, ended.err) == (2, "", f"{message}\n")
    assert os.listdir(folder) == []
