"""The explorer without a browser: reading the fields, one pixel, the newest job, what a window is told."""

import json
import threading
import time

import pytest
from bokeh.document import Document

from pipeline.api import train as train_one
from pipeline.app.composition import compose
from pipeline.maps.explorer import first_picture as first_picture_module
from pipeline.maps.explorer.first_picture import FirstPicture
from pipeline.maps.explorer.newest import Newest, SupersededError
from pipeline.maps.explorer.one_run import train_pixel
from pipeline.maps.explorer.painting import as_address
from pipeline.maps.explorer.passes import STEPS, TrainingInPasses
from pipeline.maps.explorer.reading import Asked, configuration, fields_of
from pipeline.maps.explorer.session import FIRST_STEP, Picture, Session
from pipeline.maps.grid import Grid
from pipeline.maps.training import MapResult
from pipeline.trials.configuration import read_trial
from tests.maps.explorers import RATE, WEIGHT, never
from tests.maps.grids import WORKED, grid, small_grid

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


def drawn(session: Session, is_there) -> dict:
    """What the page is told at last, when this is so: the document has no loop here."""
    deadline = time.monotonic() + 10
    while not is_there(told := json.loads(session.told.data["json"][0])):
        assert time.monotonic() < deadline, told
        for callback in session.document.session_callbacks:
            session.document.remove_next_tick_callback(callback)
            callback.callback()
        time.sleep(0.005)
    return told


def test_the_layer_of_causes_is_told_by_name_and_a_newer_view_has_its_own(session):
    ask(session, do="size", width=16, height=16)
    drawn(session, lambda told: told.get("step") == 1)
    ask(session, do="look", layer="causes", colours="safe")
    told = drawn(session, lambda told: told["explained"] == 1)
    assert [entry["text"].partition(":")[0] for entry in told["legend"]] == ["converged", "descending"]
    assert "causes are all known" in told["status"]
    ask(session, do="move", across="0", down="-0.5")
    ask(session, do="zoom", factor="0.5")
    assert session.picture.cause_step == 1
    told = drawn(session, lambda told: told["view"] > 2 and told["step"] == 1 and told["explained"] == 1)
    assert session.picture.grid is session.asked_now.grid


def test_a_window_begins_with_the_picture_that_was_trained_while_the_server_started(session):
    first = FirstPicture(session.asked_now)
    assert first.picture is None
    first.start()
    deadline = time.monotonic() + 10
    while not (first.picture and first.picture.step == FIRST_STEP) and time.monotonic() < deadline:
        time.sleep(0.005)
    first.close()
    other = Session(Document(), session.asked_now, session.fields, first=first.picture)
    try:
        assert other.map.source.data["image"][0].shape == (3, 3)
        assert (other.telling["step"], other.telling["view"]) == (FIRST_STEP, 1)
        assert other.telling["legend"]
        assert as_address(other.look.of(first.picture.found)).startswith("data:image/png;base64,")
    finally:
        other.close()
        other.join()


def test_a_map_that_takes_long_is_shown_as_it_grows_in_a_window_of_another_size_too(session):
    pixels = Grid(compose(["threshold=1e-30", "max_epochs=1000000000"]), *small_grid().axes)
    asked = Asked(pixels, {**session.asked_now.config, **pixels.config})
    begun = Picture(pixels, MapResult.empty(pixels.shape), STEPS[0], 0, 0.5)  # in the first pass, which does not end
    other = Session(Document(), asked, session.fields, first=begun)
    try:
        ask(other, do="size", width=16, height=16)
        told = drawn(other, lambda told: told["step"] == STEPS[0] and "16 × 16" in told["status"])
        assert told["view"] == 2
    finally:
        other.close()
        other.join()


def test_the_first_picture_is_not_trained_for_long(session, monkeypatch):
    monkeypatch.setattr(first_picture_module, "MOST_SECONDS", 0)
    first = FirstPicture(session.asked_now)
    with pytest.raises(SupersededError):
        first._train(never)
    first.close()
    assert first.picture is None


def test_two_sessions_have_maps_of_their_own(session):
    other = Session(Document(), session.asked_now, session.fields)
    try:
        ask(other, do="zoom", factor="0.5")
        assert other.asked_now.grid.axes != session.asked_now.grid.axes
        assert session.views == 1
    finally:
        other.close()
        other.join()
