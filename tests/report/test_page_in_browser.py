"""report.html in a real browser: phone, laptop, large screen, light and dark; in a frame, in print, without JavaScript."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.report.figures.files import write_figures
from pipeline.report.page import write_report
from pipeline.stats.summary import Summary
from tests.browsers import MARKS, SERIOUS
from tests.designs import CONFIGURATION, HOSTILE, curves_of, sweep, weights_of
from tests.known_sweeps import with_causes

pytestmark = MARKS

WIDTHS = [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark"), (1920, "light"), (1920, "dark")]


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report with all its parts, long tables, infinite numbers and a hostile value."""
    folder = tmp_path_factory.mktemp("report")
    results = sweep(
        learning_rate=[0.1, 0.5, 5.0, 10.0], **{"initial.range": [0.5, 2.0], "network.activation": ["sigmoid", HOSTILE]},
        seed=range(4), threshold=[1e-2, 1e-3],
    )  # fmt: skip
    slow = results["learning_rate"] == 0.1
    results = with_causes(results.assign(status=np.where(slow, "exhausted", results["status"])), 1)
    figures = write_figures(Summary(results), folder / "figures", curves_of(results), weights_of(results))
    environment = {"version.numpy": "2.4.6", "cpu.features": "SSE " * 60}
    command = f"python -m pipeline.train -m study=xor {'momentum=0.5 ' * 20}"
    write_report(
        folder / "report.html", Summary(results), CONFIGURATION, figures, environment, command, "A sweep", curves_of(results)
    )
    return folder / "report.html"


@pytest.fixture(params=WIDTHS, ids=lambda one: f"{one[0]}-{one[1]}")
def page(request, browser, report) -> Iterator:
    """The report's page at one width, in one colour scheme; nothing may be said on the console or loaded from elsewhere."""
    width, scheme = request.param
    opened = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened.set_default_timeout(8_000)
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda sent: None if sent.url.startswith(("file:", "data:")) else said.append(sent.url))
    opened.goto(report.as_uri())
    opened.locator("#explorer[data-ready]").wait_for(timeout=10_000)
    yield opened
    opened.close()
    assert said == []


def choose(page, label: str, option: str) -> None:
    chooser(page, label).select_option(label=option)


def chooser(page, label: str):
    return page.locator("label", has_text=re.compile(rf"^{label}\b")).locator("select")


def cells_shown(page) -> list[str]:
    """What is said of each cell of the heat map."""
    return page.evaluate("Bokeh.documents[0].get_model_by_name('cells source').data.tip")


def curves_shown(page) -> list[str]:
    """What is said of each error curve."""
    return page.evaluate("Bokeh.documents[1].get_model_by_name('curves source').data.tip")


def at_cell(page, column: int, row: int, columns: int, rows: int) -> tuple[float, float]:
    """Where the middle of a cell is on the page; columns from the left, rows from below."""
    left, top, width, height = page.evaluate("""() => {
        const [view] = Bokeh.index.roots.filter((one) => one.model.name === "map");
        const plot = view.el.getBoundingClientRect(), frame = view.frame.bbox;
        return [plot.left + frame.left, plot.top + frame.top, frame.width, frame.height];
    }""")
    return left + width * (column + 0.5) / columns, top + height * (1 - (row + 0.5) / rows)


def test_everything_fits(page):
    width, inner = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= inner
    cut = """[...document.querySelectorAll("table, pre, img, dl, select, #explorer *")].filter((one) => {
        const box = one.getBoundingClientRect();
        return box.right > innerWidth + 1 && !one.closest(".scroll, .card, pre");
    }).map((one) => one.outerHTML.slice(0, 80))"""
    assert page.evaluate(cut) == []
    scrollers = page.evaluate("[...document.querySelectorAll('.scroll')].map((one) => [one.scrollWidth, one.clientWidth])")
    if inner >= 1280:  # tables are whole
        assert [wide for wide, room in scrollers if wide > room] == []
    assert all(page.evaluate("[...document.images].map((image) => image.complete && image.naturalWidth > 0)"))
    assert all(page.evaluate("[...document.images].map((image) => image.alt.length > 40)"))
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    brightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")
    assert (brightness < 60) == dark


@pytest.mark.parametrize("page", WIDTHS[::3], indirect=True, ids=["390-light", "1280-dark"])
def test_it_is_accessible(page, axe):
    page.evaluate(axe)  # add_script_tag would be stopped by the page's own security policy
    found = page.evaluate("axe.run(document)")
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"] if one["impact"] in SERIOUS] == []
    assert {"color-contrast", "image-alt", "scrollable-region-focusable"} <= {one["id"] for one in found["passes"]}


def test_one_can_look_into_it(page):
    """Hover a cell, pick it, see its curves; filter by the value of an axis; exchange axes; by mouse and by keyboard."""
    choose(page, "Across", "learning_rate")
    choose(page, "Down", "initial.range")
    assert len(cells_shown(page)) == 8
    page.locator("#plot-map").scroll_into_view_if_needed()
    page.mouse.move(*at_cell(page, 2, 0, 4, 2))
    tip = page.locator(".bk-tooltip-content")
    tip.wait_for()
    assert tip.inner_text().startswith("learning_rate=5, initial.range=0.5\n8 of 8 runs from 4 starts converged")
    assert re.search(r"share converged: 100% \(\d+%–100%\)\nmedian epochs: \S+ \(", tip.inner_text())
    box = tip.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= page.viewport_size["width"]

    page.mouse.click(*at_cell(page, 0, 1, 4, 2))
    assert page.locator("#cell h3").inner_text() == "learning_rate=0.1, initial.range=2"
    assert page.locator("#cell li").first.inner_text() == "0 of 8 runs from 4 starts converged, 8 exhausted"
    why = page.locator("#cell li").nth(1).inner_text()
    assert sum(map(int, re.findall(r"(\d+) [a-z]+", why.removeprefix("why not: ")))) == 8
    assert all(re.search(r"\nexhausted after .*\n[a-z]+: .*; what helps: ", tip) for tip in curves_shown(page))
    foreseen = page.evaluate("Bokeh.documents[1].get_model_by_name('tails source').data.xs.length")
    assert ("Dashed curves: " in page.locator("#kept").inner_text()) == (foreseen > 0)
    assert sorted(tip.split("\n")[0] for tip in curves_shown(page)) == sorted([f"seed={seed}" for seed in range(4)] * 2)
    assert page.locator("#plot-curves").is_visible()

    choose(page, "Only network.activation", "sigmoid")
    assert page.locator("#held").inner_text() == "Runs with network.activation=sigmoid, threshold=0.001."
    assert page.locator("#cell li").first.inner_text().startswith("0 of 4 runs")
    assert len(curves_shown(page)) == 4
    choose(page, "Only learning_rate", "10")
    assert [tip.split("\n")[0] for tip in cells_shown(page)] == [
        "learning_rate=10, initial.range=0.5",
        "learning_rate=10, initial.range=2",
    ]
    choose(page, "Only learning_rate", "all")

    choose(page, "Down", "threshold")
    assert chooser(page, "Only threshold").input_value() == "-1"
    assert len(cells_shown(page)) == 8
    choose(page, "Colour", "expected epochs per success")
    choose(page, "Cell", "learning_rate=10, threshold=0.01")
    assert page.locator("#cell h3").inner_text() == "learning_rate=10, threshold=0.01"
    assert page.evaluate("Bokeh.documents[1].get_model_by_name('goals source').data.y") == [0.01]


def column(table, place: int) -> list[str]:
    """The texts of a table's column, without intervals."""
    return [text.split("\n")[0] for text in table.locator(f"tbody td:nth-child({place})").all_inner_texts()]


@pytest.mark.parametrize("page", [(1280, "light")], indirect=True, ids=["1280"])
def test_tables_sort_by_click_and_by_keyboard(page):
    table = page.get_by_role("table", name="By learning_rate")
    header = table.get_by_role("columnheader", name="ert", exact=True)
    place = [text.strip() for text in table.get_by_role("columnheader").all_inner_texts()].index("ert") + 1
    assert header.get_attribute("aria-sort") is None
    assert column(table, place)[0] == "not reached"

    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    ascending = column(table, place)
    numbers = [float(text.replace(",", "")) for text in ascending[:-1]]
    assert numbers == sorted(numbers)
    assert ascending[-1] == "not reached"

    header.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    assert column(table, place) == ascending[::-1]

    other = table.get_by_role("columnheader", name="learning_rate")
    other.get_by_role("button").focus()
    page.keyboard.press("Space")
    assert other.get_attribute("aria-sort") == "ascending"
    assert header.get_attribute("aria-sort") is None
    assert column(table, 1) == ["0.1", "0.5", "5", "10"]


def test_it_works_in_a_frame_that_may_only_run_scripts(browser, report):
    """As MLflow shows it: without an origin, so without storage, cookies and addresses."""
    opened = browser.new_page()
    said: list[str] = []
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("console", lambda message: said.append(message.text))
    opened.set_content('<iframe sandbox="allow-scripts" width="900" height="700"></iframe>')
    opened.evaluate("text => { document.querySelector('iframe').srcdoc = text; }", report.read_text(encoding="utf-8"))
    framed = opened.frame_locator("iframe")
    framed.locator("#explorer[data-ready]").wait_for(timeout=10_000)
    framed.get_by_role("link", name="Versions").click()
    assert framed.get_by_role("heading", name="Versions").evaluate("heading => document.activeElement === heading")
    assert framed.locator("#cell li").count() == 4
    opened.close()
    assert said == []


def test_it_can_be_read_without_javascript(browser, report):
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(report.as_uri())
    assert opened.get_by_text("This part needs JavaScript.").is_visible()
    assert not opened.locator("#explorer").is_visible()
    assert opened.get_by_role("table", name="By learning_rate").is_visible()
    assert opened.locator("figure img").count() >= 6
    context.close()


def test_it_prints(browser, report, tmp_path):
    opened = browser.new_page(color_scheme="dark")
    opened.goto(report.as_uri())
    opened.emulate_media(media="print")
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert opened.evaluate("getComputedStyle(document.querySelector('.tall')).maxHeight") == "none"
    assert not opened.locator("#explorer").is_visible()
    assert len(opened.pdf(path=tmp_path / "report.pdf", format="A4")) > 10_000
    opened.close()
