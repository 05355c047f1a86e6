"""The explorer's page in a real browser: phone and laptop, light and dark; by mouse, by keyboard, by two people at once."""

import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from mlflow import MlflowClient

from pipeline.app.composition import compose
from pipeline.maps.digest import map_key
from pipeline.maps.recording.request import read_map
from tests.browsers import MARKS, SERIOUS
from tests.maps.explorers import explorer
from tests.stores import runs_of

pytestmark = MARKS

UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "bokeh, wrong",
}  # fmt: skip


@pytest.fixture(scope="module")
def link() -> Iterator[str]:
    with explorer("max_epochs=300") as (address, _):
        yield address


@pytest.fixture
def page(request, browser, link) -> Iterator:
    """The page, sharp; nothing may be wrong on its console or asked for elsewhere."""
    width, scheme = getattr(request, "param", (1280, "light"))
    opened = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened.set_default_timeout(30_000)
    wrong: list[str] = []
    opened.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    here = link.partition("?")[0]
    opened.on("request", lambda sent: None if sent.url.startswith((here, "data:", "blob:")) else wrong.append(sent.url))
    opened.on("websocket", lambda one: None if one.url.startswith(here.replace("http", "ws")) else wrong.append(one.url))
    opened.goto(link)
    sharp(opened)
    yield opened
    opened.close()
    assert wrong == []


def until(page, condition: str) -> None:
    """Waits until this is true: playwright's own way would need text to become code, which the page does not allow."""
    deadline = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        time.sleep(0.02)


def sharp(page, view: int = 0) -> int:
    """Waits until each pixel of a view after that one is there; gives the number of the view."""
    until(page, f"document.body.dataset.ready && document.body.dataset.step === '1' && document.body.dataset.view > {view}")
    return int(page.evaluate("document.body.dataset.view"))


def port_of(link: str) -> int:
    return int(link.rpartition(":")[2].partition("/")[0])


def field(page, name: str):
    return page.locator(f"[name='{name}']")


def ends(page) -> list[float]:
    """Where the view is: from and to of both axes."""
    return [float(field(page, f"{side}.{end}").input_value()) for side in ("across", "down") for end in ("from", "to")]


def in_the_map(page, across: float, up: float) -> tuple[float, float]:
    """A place in the map, from 0 to 1 from the left and from below, as a place on the page."""
    left, top, width, height = page.evaluate("""() => {
        const view = [...Bokeh.index.roots].find((one) => one.model.name === "map");
        const plot = view.el.getBoundingClientRect(), frame = view.frame.bbox;
        return [plot.left + frame.left, plot.top + frame.top, frame.width, frame.height];
    }""")
    return left + across * width, top + (1 - up) * height


def colours(page) -> int:
    """How many colours the picture has that is drawn."""
    return page.evaluate("new Set(Bokeh.documents[0].get_model_by_name('picture').data.image[0]).size")


def test_the_page_has_a_picture_before_any_library_and_training_begins_without_a_socket(browser, link):
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    waiting: list = []
    opened.route("**/bokeh.min.js*", lambda route: waiting.append(route))
    opened.goto(link, wait_until="commit")
    until(opened, "document.body && document.body.dataset.step === '4'")
    before = opened.locator("#first").bounding_box()
    assert opened.evaluate("document.getElementById('first').naturalWidth") == 160
    assert opened.locator("#legend li").count() == 2
    assert opened.locator("#room span").count() > 6
    until(opened, "performance.getEntriesByType('resource').some(({ name }) => name.includes('/room?'))")
    for route in waiting:
        route.continue_()
    opened.unroute("**/bokeh.min.js*")
    sharp(opened)
    left, top = in_the_map(opened, 0, 1)
    assert [left, top] == pytest.approx([before["x"], before["y"]])
    assert opened.locator("#first").count() == 0
    opened.close()


def test_the_first_picture_is_there_and_has_as_many_pixels_as_there_is_room(page):
    assert colours(page) > 50
    width, height = page.evaluate("""() => {
        const view = [...Bokeh.index.roots].find((one) => one.model.name === "map");
        return [view.frame.bbox.width, view.frame.bbox.height].map(Math.round);
    }""")
    assert width > 500
    assert width % 2 == height % 2 == 1
    status = page.locator("#status").inner_text()
    assert f"{width} × {height} runs, trained in " in status


@pytest.mark.parametrize("page", [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")], indirect=True, ids=str)
def test_it_fits_and_is_accessible(page, axe):
    x, y = in_the_map(page, 0.02, 0.5)
    page.mouse.click(x, y)
    page.locator("#run").wait_for()
    wide, inner = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= inner
    page.evaluate(axe)
    found = page.evaluate("axe.run(document)")
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"] if one["impact"] in SERIOUS] == []
    assert {"color-contrast", "label", "button-name", "select-name"} <= {one["id"] for one in found["passes"]}


def test_the_wheel_zooms_and_dragging_moves(page):
    before, view = ends(page), sharp(page)
    page.mouse.move(*in_the_map(page, 0.25, 0.5))
    page.mouse.wheel(0, -400)
    view = sharp(page, view)
    zoomed = ends(page)
    assert zoomed[1] / zoomed[0] < before[1] / before[0]
    assert zoomed[3] - zoomed[2] < before[3] - before[2]
    drawn = page.evaluate("Bokeh.documents[0].get_model_by_name('picture').data.x[0]")
    assert drawn == pytest.approx(zoomed[0])
    page.mouse.down()
    page.mouse.move(*in_the_map(page, 0.5, 0.5), steps=4)
    page.mouse.up()
    sharp(page, view)
    moved = ends(page)
    assert moved[0] < zoomed[0]
    assert moved[1] / moved[0] == pytest.approx(zoomed[1] / zoomed[0], rel=1e-3)
    assert moved[2:] == pytest.approx(zoomed[2:], abs=0.3)


def test_all_of_it_works_by_keyboard(page):
    before, view = ends(page), sharp(page)
    page.get_by_role("button", name="zoom in").focus()
    page.keyboard.press("Enter")
    view = sharp(page, view)
    assert ends(page)[2:] == [-10, 10]
    page.get_by_role("button", name="up", exact=True).focus()
    page.keyboard.press("Space")
    view = sharp(page, view)
    assert ends(page)[2:] == pytest.approx([-5, 15], abs=0.05)  # whole pixels
    for _ in range(2):
        page.get_by_role("button", name="back").focus()
        page.keyboard.press("Enter")
        view = sharp(page, view)
    assert ends(page) == before

    field(page, "down.key").fill("threshold")
    page.keyboard.press("Enter")
    view = sharp(page, view)
    assert ends(page)[2:] == [1e-6, 0.1]
    field(page, "across.centre").fill("1.2345")
    field(page, "across.width").fill("1e-12")
    field(page, "across.scale").select_option("linear")
    field(page, "across.width").focus()
    page.keyboard.press("Enter")
    view = sharp(page, view)
    assert field(page, "across.from").input_value() == "1.2344999999995"
    assert page.evaluate("Bokeh.documents[0].get_model_by_name('map').x_range.end") == 1.2345000000005

    field(page, "x").fill("1.2345")
    field(page, "y").fill("1e-3")
    page.keyboard.press("Enter")
    page.locator("#run").wait_for()
    assert page.locator("#command").inner_text().startswith("python -m pipeline.train learning_rate=1.234")


def test_a_click_gives_the_command_and_that_command_gives_the_digest(page, store):
    page.mouse.click(*in_the_map(page, 0.03, 0.8))
    page.locator("#run").wait_for()
    assert page.locator("#ended").inner_text().startswith("exhausted after 300 epochs")
    assert "what helps: " in page.locator("#words").inner_text()
    assert page.locator("#weights tr").count() == 10
    assert page.evaluate("Bokeh.documents[0].get_model_by_name('curve').data.y.length") > 20
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("copied", exact=True).wait_for()
    command = page.evaluate("navigator.clipboard.readText()")
    assert command == page.locator("#command").inner_text()

    python, *arguments = shlex.split(command)
    assert python == "python"
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    client, [run], _ = runs_of(store)
    assert isinstance(client, MlflowClient)
    assert run.data.tags["result.digest"] == page.locator("#digest").inner_text()


def test_a_wrong_override_shows_its_line_and_breaks_nothing(page):
    view, before = sharp(page), ends(page)
    field(page, "more").fill("momentun=0.5")
    page.get_by_role("button", name="Train this", exact=True).click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text() == "momentun=0.5: unknown key; did you mean momentum?"
    assert field(page, "more").input_value() == "momentun=0.5"
    field(page, "more").fill("initial.set.w1=0.5")
    page.keyboard.press("Enter")
    sharp(page, view)
    assert not page.get_by_role("alert").is_visible()
    assert ends(page) == before


def test_another_layer_has_a_colour_for_each_status(page):
    page.locator("select[name=layer]").select_option("status")
    until(page, "new Set(Bokeh.documents[0].get_model_by_name('picture').data.image[0]).size < 5")
    assert colours(page) == 2


def test_the_layer_of_causes_is_chosen_by_keyboard_and_has_their_names(page):
    page.locator("select[name=layer]").focus()
    page.keyboard.type("causes")
    until(page, "document.body.dataset.explained === '1'")
    assert "descending: " in page.locator("#legend").inner_text()
    assert "saturated: " in page.locator("#legend").inner_text()
    assert colours(page) == page.locator("#legend li").count()
    view = sharp(page)
    page.get_by_role("button", name="zoom in").click()
    sharp(page, view)
    until(page, "document.body.dataset.explained === '1'")


def test_of_a_view_that_is_dragged_only_what_is_new_is_trained(page):
    """The picture that is drawn at once has all pixels, not those of a coarse pass."""
    view = sharp(page)
    shape = page.evaluate("""() => {
        const source = Bokeh.documents[0].get_model_by_name("picture");
        window.shapes = [];
        source.properties.data.change.connect(() => window.shapes.push([...source.data.image[0].shape]));
        return [...source.data.image[0].shape];
    }""")
    page.mouse.move(*in_the_map(page, 0.5, 0.5))
    page.mouse.down()
    page.mouse.move(*in_the_map(page, 0.6, 0.4), steps=1)
    page.mouse.up()
    sharp(page, view)
    assert page.evaluate("window.shapes[0]") == shape


@pytest.mark.parametrize("page", [(390, "light")], indirect=True, ids=["390"])
def test_a_view_is_recorded_as_a_map_by_the_command_that_is_shown(page, store, folder):
    """In the folder in which the explorer was started, which the store's address in the field leads away from."""
    view = sharp(page)
    field(page, "more").fill(f"tracking.uri=sqlite:///{store}")
    field(page, "across.from").fill("1")
    page.keyboard.press("Enter")
    sharp(page, view)
    page.get_by_role("button", name="Record this view").click()
    page.get_by_text("recorded as run").wait_for(timeout=60_000)
    _, [run], _ = runs_of(store)
    assert run.info.run_id in page.locator("#recorded").inner_text()
    assert run.info.status == "FINISHED"

    words = shlex.split(page.locator("#record-command").inner_text())
    assert words[:3] == ["python", "-m", "pipeline.map"]
    grid = read_map(compose(words[3:], "map")).grid
    assert run.data.tags["map.key"] == map_key(grid)
    assert [axis.low for axis in grid.axes] == ["1", "-20"]
    assert list(grid.shape) == page.evaluate("""() => {
        const { image } = Bokeh.documents[0].get_model_by_name("picture").data;
        return image[0].shape;
    }""")


def test_two_windows_do_not_disturb_each_other(page, browser, link):
    other = browser.new_page(viewport={"width": 1280, "height": 900})
    other.goto(link)
    view, before = sharp(other), ends(page)
    field(other, "threshold").fill("0.1")
    field(other, "more").fill("initial.set.w1=3")
    other.keyboard.press("Enter")
    sharp(other, view)
    assert other.locator("#legend").inner_text() != page.locator("#legend").inner_text()
    other.get_by_role("button", name="zoom in").click()
    page.get_by_role("button", name="zoom in").click()
    sharp(page, 1)
    sharp(other, view + 1)
    other.close()
    assert field(page, "threshold").input_value() == "0.001"
    page.get_by_role("button", name="back").click()
    until(page, f"document.querySelector(\"[name='across.to']\").value == {before[1]}")


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?bokeh-token=wrong"])
def test_without_the_token_there_is_nothing_to_see(link, query):
    for path in ("/", "/autoload.js", "/metadata", "/ws"):
        connection = HTTPConnection("127.0.0.1", port_of(link))
        connection.request("GET", path + query, headers=UPGRADE if path == "/ws" else {})
        answer = connection.getresponse()
        assert (path, answer.status) == (path, 403)
        assert "weights" not in answer.read().decode()
        connection.close()
    connection = HTTPConnection("127.0.0.1", port_of(link))
    connection.request("POST", "/room" + query)
    assert connection.getresponse().status == 403
    connection.close()


def test_room_is_of_a_window_that_there_is(link):
    token = link.partition("?")[2]
    for window, width in (("none", "5"), ("", "x")):
        connection = HTTPConnection("127.0.0.1", port_of(link))
        connection.request("POST", f"/room?{token}&window={window}&width={width}&height=7")
        assert connection.getresponse().status == 400
        connection.close()


def test_only_this_machine_is_listened_to(link):
    own = [one[4][0] for one in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    for address in set(own) - {"127.0.0.1", "127.0.1.1"}:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((address, port_of(link)), 2)


def test_ctrl_c_ends_it_at_once(browser, folder):
    with explorer("threshold=1e-30", "max_epochs=1000000000") as (address, program):
        page = browser.new_page()
        page.goto(address)
        until(page, "document.body.dataset.step")
        started = time.monotonic()
        program.send_signal(signal.SIGINT)
        assert program.wait(10) == 130
        assert time.monotonic() - started < 2
        assert program.stderr.read() == "interrupted\n"
        page.close()


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("port", None, "explore.port={port}: another program listens there: choose another, or 0 for any that is free"),
        ("port", "70000", "explore.port=70000: must be a whole number, 0 to 65535"),
        ("host", "192.0.2.1", "explore.host=192.0.2.1: is no address of this machine"),
    ],
)
def test_where_it_cannot_listen_it_says_so_in_one_line(command, folder, key, value, line):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = command("explore", f"explore.{key}={value or port}")
    assert (ended.code, ended.out, ended.err) == (2, "", line.format(port=port) + "\n")
    assert list(folder.iterdir()) == []
