"""The explorer without a browser: moving in decimal arithmetic, passes, reading the fields, one pixel, the newest job."""

import json
import threading
import time
from dataclasses import fields
from decimal import Decimal

import numpy as np
import pytest
from bokeh.document import Document
from hypothesis import given
from hypothesis import strategies as st

from pipeline.api import train as train_one
from pipeline.app.composition import compose
from pipeline.backprop.engines import engine
from pipeline.errors import ConfigError
from pipeline.maps.axis import Axis
from pipeline.maps.explorer import passes as passes_module
from pipeline.maps.explorer.newest import Newest, SupersededError
from pipeline.maps.explorer.one_run import train_pixel
from pipeline.maps.explorer.passes import TrainingInPasses, every, filled, passes, pieces
from pipeline.maps.explorer.reading import Asked, configuration, fields_of, fields_of_axis, read_axis
from pipeline.maps.explorer.session import Session
from pipeline.maps.explorer.view import bounds, first_axis, from_floats, moved, pixel_at, zoomed
from pipeline.maps.training import MapResult, train
from pipeline.trials.configuration import read_trial
from tests.maps.grids import WORKED, grid, small_grid

RATE = Axis("learning_rate", "0.1", "10000", "log", 600)
WEIGHT = Axis("initial.set.w5", "-20", "20", "linear", 600)


def never() -> None:
    """No newer job waits."""


@pytest.mark.parametrize("axis", [RATE, WEIGHT], ids=["log", "linear"])
def test_zooming_to_a_width_of_1e_12_keeps_columns_apart(axis):
    axis = from_floats(axis, 1.2345, 1.4567)
    while Decimal(axis.high) - Decimal(axis.low) > Decimal("1e-12"):
        before, axis = axis, zoomed(axis, "0.1")
        assert (np.diff(axis.values) > 0).all()
        assert before.values[269] < axis.values[0] < axis.values[-1] < before.values[330]
        assert len(axis.low) <= 20
    with pytest.raises(ConfigError, match=r"is too close to from=1\.34"):
        zoomed(axis, "0.001")


@pytest.mark.parametrize("axis", [RATE, WEIGHT], ids=["log", "linear"])
def test_moves_and_zooms_undo_each_other(axis):
    for way in (lambda one: moved(moved(one, "0.25"), "-0.25"), lambda one: zoomed(zoomed(one, "0.5"), "2")):
        again = way(axis)
        assert [float(again.low), float(again.high)] == pytest.approx([float(axis.low), float(axis.high)], rel=1e-4)
    assert moved(WEIGHT, "0.25") == Axis("initial.set.w5", "-10", "30", "linear", 600)
    assert zoomed(WEIGHT, "0.5") == Axis("initial.set.w5", "-10", "10", "linear", 600)
    ends = [float(end) for end in (moved(RATE, "0.2").low, moved(RATE, "0.2").high)]
    assert ends == pytest.approx([1, 100_000], rel=1e-4)


def test_a_window_stays_where_there_are_trials():
    momentum = first_axis("momentum", 100)
    assert (zoomed(momentum, "2").low, zoomed(momentum, "2").high) == ("0", "1")
    assert moved(momentum, "0.5").high == "1"
    assert from_floats(Axis("threshold", "0.1", "1", "linear", 10), -0.3, 0.4).low == "0"
    with pytest.raises(ConfigError, match="to=inf: must be a finite number"):
        from_floats(WEIGHT, -1e308, float("inf"))
    assert bounds("learning_rate.2") == (0, None)
    assert bounds("initial.set.w1") == (None, None)


@given(st.floats(-20, 20), st.floats(1e-9, 10))
def test_a_plots_floats_become_ends_a_thousandth_of_a_pixel_away(low, width):
    high = low + width
    axis = from_floats(Axis("initial.set.w1", "-1", "1", "linear", 16), low, high)
    for end, plotted in ((axis.low, low), (axis.high, high)):
        assert abs(Decimal(end) - Decimal(plotted)) <= Decimal(high - low) / 50_000


@pytest.mark.parametrize("axis", [RATE, WEIGHT, Axis("learning_rate", "1.5", "1.500000000001", "log", 700)])
def test_a_place_on_the_plot_is_the_pixel_whose_value_is_nearest(axis):
    for pixel in (0, 1, axis.size // 3, axis.size - 1):
        assert pixel_at(axis, float(axis.values[pixel])) == pixel
    assert pixel_at(axis, float(axis.high) * 2) is None
    assert pixel_at(axis, -30.0) is None


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (16, 16), (61, 83)])
def test_passes_have_each_pixel_once_and_the_coarse_ones_lie_on_their_grid(shape):
    seen = []
    for step, pixels in passes(shape):
        rows, columns = np.divmod(pixels, shape[1])
        assert (rows % step == 0).all()
        assert (columns % step == 0).all()
        seen.append(pixels)
    everything = np.concatenate(seen)
    assert np.array_equal(np.sort(everything), np.arange(shape[0] * shape[1]))
    assert len(seen[0]) == -(-shape[0] // 8) * -(-shape[1] // 8)


def test_pieces_are_all_pixels_and_small_where_networks_are_large():
    pixels = np.arange(100_000)
    for parameters, most in ((10, 65_536), (4000, 1000), (10**9, 1)):
        found = pieces(pixels[:3000] if parameters > 10**8 else pixels, parameters)
        assert np.array_equal(np.concatenate(found), pixels[: sum(map(len, found))])
        assert max(map(len, found)) == most


def test_a_map_trained_in_passes_is_that_of_one_call_and_trains_each_pixel_once(monkeypatch):
    pixels, shown, trained = small_grid(), [], []

    def counting(name):
        def count(batch, *others):
            trained.append(len(batch.training))
            return engine(name)(batch, *others)

        return count

    monkeypatch.setattr(passes_module, "engine_named", counting)
    TrainingInPasses(pixels, "numpy", never, lambda found, step, trained: shown.append((found, step, trained))).run()
    whole = train(pixels, "numpy")
    assert [step for _, step, _ in shown] == [8, 4, 2, 1]
    assert sum(trained) == pixels.shape[0] * pixels.shape[1]
    for found, step, number in shown:
        assert number == found.status.size
        for field in fields(MapResult):
            np.testing.assert_array_equal(getattr(found, field.name), getattr(every(whole, step), field.name))


def test_while_a_pass_goes_on_pixels_that_wait_look_like_the_coarse_one_beside_them():
    found = MapResult.empty((5, 7))
    found.status[::4, ::4] = [[0, 1], [2, 3]]
    found.status[1, 1] = 3
    shown = filled(found, 4).status
    assert shown[1, 1] == 3
    assert shown[0, 3] == 0
    assert shown[3, 6] == 1
    assert shown[4, 2] == 2


WORDS = [
    [],
    ["task=xor", "network=trained", "initial=uniform", "initial.range=[-2,3]", "learning_rate=[0.5,2]", "seed=7"],
    ["initial.set.w5=3", "momentum=0.9", "threshold=1e-5", "update=online"],
    ["task=parity", "task.bits=3", "network=trained", "network.hidden=[3]", "initial=xavier", "max_epochs=50"],
    ["initial=explicit", "initial.values={weights_1:[[1,2],[3,4]],weights_2:[[1,2],[3,4]],bias_1:[0],bias_2:[0.5]}"],
]


@pytest.mark.parametrize("words", WORDS)
def test_the_fields_make_the_trial_that_they_were_made_of(words):
    config = compose(words)
    shown = fields_of(config)
    assert read_trial_of(configuration(shown)) == read_trial_of(config)
    assert all(isinstance(text, str) for text in shown.values())


def read_trial_of(config):
    from pipeline.trials.configuration import TRIAL_KEYS

    return read_trial({key: config[key] for key in TRIAL_KEYS})


def typed(axis: Axis, **texts: str) -> Axis:
    """The axis across that is asked for by typing other texts into the fields of this one."""
    shown = fields_of_axis("across", axis)
    fields = shown | {f"across.{key.strip('_')}": text for key, text in texts.items()}
    return read_axis("across", fields, shown, axis.size)


def test_of_an_axis_what_was_typed_counts():
    assert typed(RATE) == RATE
    assert typed(RATE, to="100").high == "100"
    around = typed(WEIGHT, centre="1.5", width="1e-6")
    assert (around.low, around.high) == ("1.4999995", "1.5000005")
    assert typed(WEIGHT, centre="1").low == "-19"
    other = typed(RATE, key="momentum")
    assert (other.name, other.low, other.high, other.scale, other.size) == ("momentum", "0", "1", "linear", 600)
    kept = typed(RATE, key="learning_rate.1", to="5")
    assert (kept.name, kept.high) == ("learning_rate.1", "5")
    weight = typed(WEIGHT, key="initial.set.weights_1[0, 1]")
    assert (weight.name, weight.low) == ("initial.set.weights_1.0.1", "-20")
    with pytest.raises(ConfigError, match=r"across\.to=0\.01: must be greater than from=0\.1"):
        typed(RATE, to="0.01")
    with pytest.raises(ConfigError, match=r"across\.centre=x: must be a finite number"):
        typed(RATE, centre="x")


def test_a_pixels_command_makes_its_digest():
    pixels = small_grid()
    for y, x in ((0, 0), (4, 7)):
        run = train_pixel(pixels, y, x, "numpy", never)
        again = train_one(*run.command.split()[3:])
        assert (again.digest, again.status, again.epochs) == (run.digest, run.status, run.epochs)
        assert len(run.weights) == run.parameters == 10
        assert run.curve[1][-1] == run.final_error


def test_a_pixel_that_did_not_converge_has_its_cause_with_what_helps():
    run = train_pixel(small_grid(), 0, 0, "numpy", never)
    assert run.status == "exhausted"
    assert run.words.startswith("descending: about")
    assert run.words.endswith("what helps: more epochs")


def test_a_newer_job_interrupts_an_older_one_and_the_newest_of_those_that_wait_is_done():
    done, failed, begun = [], [], threading.Event()
    newest = Newest(failed.append)

    def long(check):
        begun.set()
        while True:
            check()
            time.sleep(0.001)

    newest.ask(long)
    assert begun.wait(5)
    started = time.monotonic()
    finished = threading.Event()
    for name in ("first", "second", "last"):
        newest.ask(lambda check, name=name: (done.append(name), name == "last" and finished.set()))
    assert finished.wait(5)
    assert time.monotonic() - started < 1
    assert done[-1] == "last"
    newest.ask(lambda check: 1 / 0)
    newest.ask(long) if failed else time.sleep(0.05)
    assert isinstance(failed[0], ZeroDivisionError)
    newest.close()
    newest.join(5)
    assert not newest._thread.is_alive()


@pytest.mark.slow
def test_a_newer_view_interrupts_compiled_training_within_a_tenth_of_a_second():
    failed, shown = [], threading.Event()
    newest = Newest(failed.append)
    endless = grid(RATE, WEIGHT, ("threshold=1e-30", "max_epochs=1000000000"))
    training = []

    def train_it(check):
        training.append(TrainingInPasses(endless, "compiled", check, lambda *picture: shown.set()))
        training[0].run()

    newest.ask(train_it)
    assert shown.wait(60)  # compiled, and what ended early is seen
    waited = []
    for _ in range(5):
        started, taken = time.perf_counter(), threading.Event()
        newest.ask(lambda check, taken=taken: taken.set())
        assert taken.wait(5)
        waited.append(time.perf_counter() - started)
        shown.clear()
        training.clear()
        newest.ask(train_it)
        assert shown.wait(60)
    newest.close()
    newest.join(5)
    assert not failed
    assert min(waited) < 0.15  # of a machine that may be busy; 0.1 s between two looks


def test_training_ends_when_a_newer_view_waits():
    calls = []

    def check():
        calls.append(1)
        if len(calls) > 3:
            raise SupersededError

    shown = []
    with pytest.raises(SupersededError):
        TrainingInPasses(small_grid(), "numpy", check, lambda found, step, trained: shown.append(step)).run()
    assert shown == [8]


@pytest.fixture
def session():
    pixels = small_grid()
    opened = Session(Document(), Asked(pixels, {**compose([]), **pixels.config, "engine": "numpy"}), fields_of(compose(WORKED)))
    yield opened
    opened.close()
    opened.join()


def ask(session: Session, **request) -> dict:
    """What the page is told when it has asked for this."""
    request["shown"] = json.loads(session.told.data["json"][0])["fields"]
    session.asked.data = {"json": [json.dumps(request)]}
    return json.loads(session.told.data["json"][0])


def with_changes(session: Session, **texts: str) -> dict[str, str]:
    """The page's fields, some of them with another text."""
    told = json.loads(session.told.data["json"][0])["fields"]
    return told | {key.replace("__", "."): text for key, text in texts.items()}


REFUSED = {
    "more": {
        "learning_rat=3": "learning_rat=3: unknown key; did you mean learning_rate?",
        "seed=1,2": "overrides=seed=1,2: must be key=value, with one value",
        "'": "overrides=': cannot be read: No closing quotation",
        "task=nothing": "task=nothing: must be one of",
        "engine=fast": "engine=fast: must be one of compiled, numpy",
        "initial.set.w99=1": "initial.set.w99",
    },
    "momentum": {"1": "momentum=1: must be at least 0 and below 1"},
    "task": {"xor": "initial=published: belongs to task=seed_example, not to xor; use initial=uniform"},
    "down__key": {"learning_rate": "key=learning_rate: must be another number than that of the other axis, learning_rate"},
    "across__to": {"0.01": "across.to=0.01: must be greater than from=0.1"},
}


@pytest.mark.parametrize(("key", "text"), [(key, text) for key in REFUSED for text in REFUSED[key]])
def test_what_cannot_be_trained_is_refused_in_one_line_and_nothing_changes(session, key, text):
    before = session.asked_now
    if key == "momentum":  # which must be no axis then
        ask(session, do="fields", fields=with_changes(session, down__key="threshold"))
        before = session.asked_now
    told = ask(session, do="fields", fields=with_changes(session, **{key: text}))
    assert REFUSED[key][text] in told["error"]
    assert "\n" not in told["error"]
    assert session.asked_now is before
    assert ask(session, do="zoom", factor="0.5")["error"] == ""


def test_fields_and_buttons_move_the_map_and_back_undoes_them(session):
    first = session.asked_now.grid
    told = ask(session, do="fields", fields=with_changes(session, learning_rate="2", down__centre="0.25", down__width="0.1"))
    assert (told["error"], told["back"]) == ("", True)
    assert (told["fields"]["down.from"], told["fields"]["down.to"]) == ("0.2", "0.3")
    assert session.asked_now.grid.config["learning_rate"] == 2
    ask(session, do="move", across="0.25", down="0")
    told = ask(session, do="zoom", factor="0.5")
    assert float(told["fields"]["down.width"]) == pytest.approx(0.05)
    for _ in range(3):
        told = ask(session, do="back")
    assert not told["back"]
    assert session.asked_now.grid.axes == first.axes
    assert told["fields"]["learning_rate"] == "0.5"


def test_a_pixel_outside_the_picture_is_refused(session):
    assert ask(session, do="pixel", x="0.01", y="0.5")["error"] == "learning_rate=0.01: must be in the picture, 0.1 to 1000"
    assert ask(session, do="pixel", x="1", y="")["error"] == "momentum=: must be a finite number of at most 100 characters"
    assert ask(session, do="look", layer="nothing", colours="safe")["error"].startswith("layer=nothing: must be one of")


def test_two_sessions_have_maps_of_their_own(session):
    other = Session(Document(), session.asked_now, session.fields)
    try:
        ask(other, do="zoom", factor="0.5")
        assert other.asked_now.grid.axes != session.asked_now.grid.axes
        assert session.views == 1
    finally:
        other.close()
        other.join()
