"""In a real browser: report.html on phone, laptop and large screen, light and dark; and MLflow's pages of a sweep."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from pipeline.report.figures.files import write_figures
from pipeline.report.page import write_report
from pipeline.stats.summary import Summary
from pipeline.store import bulk
from tests.designs import CONFIGURATION, HOSTILE, curves_of, sweep, weights_of
from tests.stores import wait_for

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE = "axe-core@4"
SERIOUS = ("serious", "critical")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    quiet = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(quiet))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> str:
    """The source of axe-core, from npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm: apt-get install npm")
    folder = tmp_path_factory.mktemp("npm")
    command = [npm, "install", "--prefix", str(folder), "--no-save", "--no-audit", "--no-fund", AXE]
    installed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if installed.returncode:
        pytest.skip(f"npm cannot install {AXE}: {installed.stderr.strip().splitlines()[-1:]}")
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report with all its parts, long tables, infinite numbers and a hostile value."""
    folder = tmp_path_factory.mktemp("report")
    results = sweep(
        learning_rate=[0.1, 0.5, 5.0, 10.0], **{"initial.range": [0.5, 2.0], "network.activation": ["sigmoid", HOSTILE]},
        seed=range(4), threshold=[1e-2, 1e-3],
    )  # fmt: skip
    slow = results["learning_rate"] == 0.1
    summary = Summary(results.assign(status=np.where(slow, "exhausted", results["status"])))
    figures = write_figures(summary, folder / "figures", curves_of(results), weights_of(results))
    environment = {"version.numpy": "2.4.6", "cpu.features": "SSE " * 60}
    command = f"python -m pipeline.train -m study=xor {'momentum=0.5 ' * 20}"
    write_report(folder / "report.html", summary, CONFIGURATION, figures, environment, command, "A sweep")
    return folder / "report.html"


@pytest.fixture(params=[(390, "light"), (390, "dark"), (1280, "light"), (1920, "dark")], ids=lambda one: f"{one[0]}-{one[1]}")
def page(request, browser, report) -> Iterator:
    """The report's page at one width, in one colour scheme; nothing may be said on the console or loaded from elsewhere."""
    width, scheme = request.param
    opened = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda sent: None if sent.url.startswith(("file:", "data:")) else said.append(sent.url))
    opened.goto(report.as_uri())
    yield opened
    opened.close()
    assert said == []


def test_the_report_fits_and_its_pictures_are_there(page):
    width, inner = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= inner
    assert page.evaluate("[...document.images].map(image => image.complete && image.naturalWidth > 0)") == [True] * 8
    assert all(page.evaluate("[...document.images].map(image => image.alt.length > 40)"))


def test_the_report_is_accessible(page, axe):
    page.evaluate(axe)  # add_script_tag would be stopped by the page's own security policy
    found = page.evaluate("axe.run(document)")
    wrong = [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"] if one["impact"] in SERIOUS]
    assert wrong == []
    assert {"color-contrast", "image-alt", "scrollable-region-focusable"} <= {one["id"] for one in found["passes"]}


def column(page, table, place: int) -> list[str]:
    """The texts of a table's column."""
    return table.locator(f"tbody td:nth-child({place})").all_inner_texts()


def test_tables_sort_by_click_and_by_keyboard(page):
    table = page.get_by_role("table", name="By learning_rate")
    header = table.get_by_role("columnheader", name="ert")
    place = [text.strip() for text in table.get_by_role("columnheader").all_inner_texts()].index("ert") + 1
    assert header.get_attribute("aria-sort") is None
    before = column(page, table, place)
    assert before[0].startswith("not reached")

    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    ascending = column(page, table, place)
    numbers = [float(text.split(" ")[0].replace(",", "")) for text in ascending[:-1]]
    assert numbers == sorted(numbers)
    assert ascending[-1].startswith("not reached")

    header.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    assert column(page, table, place) == ascending[::-1]

    other = table.get_by_role("columnheader", name="learning_rate")
    page.keyboard.press("Shift+Tab")
    while not page.evaluate("document.activeElement.textContent.startsWith('learning_rate')"):
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert other.get_attribute("aria-sort") == "ascending"
    assert header.get_attribute("aria-sort") is None
    assert column(page, table, 1) == ["0.1", "0.5", "5", "10"]


def test_colours_follow_the_scheme(page):
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    brightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")
    assert (brightness < 60) == dark
    assert page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor") == "rgb(255, 255, 255)"


def test_the_report_prints(browser, report, tmp_path):
    opened = browser.new_page(color_scheme="dark")
    opened.goto(report.as_uri())
    opened.emulate_media(media="print")
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert opened.evaluate("getComputedStyle(document.querySelector('.tall')).maxHeight") == "none"
    assert len(opened.pdf(path=tmp_path / "report.pdf", format="A4")) > 10_000
    opened.close()


@contextmanager
def pages_of_mlflow() -> Iterator[str]:
    """The address of MLflow's pages of this folder's store, as `python -m pipeline.ui` prints it."""
    server = subprocess.Popen(
        [sys.executable, "-m", "pipeline.ui"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())[0]
        wait_for(address, server)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
        server.stdout.close()


SWEEP = (
    "-m", "study=convergence", "learning_rate=1,5", "initial.range=1", "seed=0,1", "threshold=1e-2,1e-3", "max_epochs=2000",
    "hydra.sweep.dir=out",
)  # fmt: skip


@pytest.mark.parametrize("place", [".", "moved 100% ü"])
def test_mlflows_pages_show_the_sweep(place, browser, command, store, folder, monkeypatch):
    """Also when the project's folder has been moved since, or has another name."""
    assert command("train", *SWEEP).code == 0
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("backpropagation").experiment_id
    runs = client.search_runs([experiment])
    parent = next(run for run in runs if run.data.tags.get("kind") == "sweep")
    child = next(run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id)
    if place != ".":
        (folder / place).mkdir()
        store.parent.rename(folder / place / "mlruns")
        monkeypatch.chdir(folder / place)
    with pages_of_mlflow() as address:
        opened = browser.new_page(viewport={"width": 1600, "height": 1000})
        opened.set_default_timeout(60_000)

        def at(path: str) -> None:
            opened.goto(f"{address}/#/experiments/{experiment}{path}")

        at("/runs")
        opened.get_by_text(parent.info.run_name, exact=True).first.wait_for()

        at(f"/runs/{parent.info.run_id}")
        opened.get_by_text("of 8 runs converged").first.wait_for()
        opened.get_by_text("Lowest expected running time").first.wait_for()

        for name in ("rate", "ert", "median_epochs", "share_converged"):
            opened.get_by_text(name, exact=True).first.wait_for()

        at(f"/runs/{parent.info.run_id}/model-metrics")
        opened.get_by_text("share_converged", exact=True).first.wait_for()
        opened.locator(".js-plotly-plot .scatterlayer .trace path.js-line").first.wait_for()

        at(f"/runs/{parent.info.run_id}/artifacts")
        for name in ("results.parquet", "report.html", "figures", "summary"):
            opened.get_by_text(name, exact=True).first.wait_for()
        opened.get_by_text("report.html", exact=True).first.click()
        framed = opened.frame_locator("iframe").get_by_role("heading", name="Answer")
        framed.wait_for()

        at(f"/runs/{child.info.run_id}")
        opened.get_by_text(child.info.run_name, exact=True).first.wait_for()
        opened.get_by_text("learning_rate", exact=True).first.wait_for()
        opened.get_by_role("link", name=parent.info.run_name).first.wait_for()

        at(f"/runs/{child.info.run_id}/model-metrics")
        opened.get_by_text("error", exact=True).first.wait_for()
        opened.locator(".js-plotly-plot .scatterlayer .trace").first.wait_for()

        at(f"/runs/{child.info.run_id}/artifacts")
        opened.get_by_text("weights.npz", exact=True).first.wait_for()
        opened.close()
    assert store.parent.exists() == (place == ".")


def test_a_child_says_its_sweep_in_a_list_that_is_sorted_by_a_metric(browser, command, store):
    assert command("train", *SWEEP).code == 0
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("backpropagation").experiment_id
    [parent] = client.search_runs([experiment], "tags.kind = 'sweep'")
    with pages_of_mlflow() as address:
        opened = browser.new_page(viewport={"width": 2000, "height": 1000})
        opened.set_default_timeout(60_000)
        opened.goto(f"{address}/#/experiments/{experiment}/runs?orderByKey=metrics.%60epochs%60&orderByAsc=true")
        opened.get_by_text("learning_rate=5").first.wait_for()
        opened.get_by_role("button", name="Columns").click()
        opened.get_by_placeholder("Search columns").fill("sweep")
        opened.get_by_text("sweep", exact=True).click()
        opened.keyboard.press("Escape")
        cells = opened.get_by_text(f"{parent.info.run_id[:8]} {parent.info.run_name}", exact=True)
        cells.first.wait_for()
        assert cells.count() == 8
        opened.close()


def settled(opened) -> str:
    """The words of a page, when they change no more."""
    before, now = None, opened.inner_text("body")
    while now != before:
        opened.wait_for_timeout(1_500)
        before, now = now, opened.inner_text("body")
    return now


PAGES = {  # of a run, with what is there when one is complete
    "": "text=trial.key",
    "/model-metrics": ".js-plotly-plot .scatterlayer .trace path.js-line",
    "/artifacts": "text=weights.npz",
}


TIMES = r"\d+/\d+/\d{4}, [\d:]+ [AP]M|^[\d.]+m?s$"


def test_a_run_looks_the_same_whichever_way_it_was_written(browser, command, store, monkeypatch):
    """By bulk inserts or by MLflow's client: its pages have the same words, ids and times apart, and the same curve."""
    for schemas in (bulk.KNOWN_SCHEMAS, ()):
        monkeypatch.setattr(bulk, "KNOWN_SCHEMAS", schemas)
        assert command("train", *SWEEP).code == 0
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("backpropagation").experiment_id
    runs = client.search_runs([experiment], "tags.`trial.place` = '3'")
    assert len(runs) == 2
    with pages_of_mlflow() as address:
        opened = browser.new_page(viewport={"width": 1600, "height": 1000})
        opened.set_default_timeout(60_000)
        found = []
        for run in runs:
            pages = []
            for page, sign in PAGES.items():
                opened.goto(f"{address}/#/experiments/{experiment}/runs/{run.info.run_id}{page}")
                shown = opened.locator(sign).first
                shown.wait_for()
                words = settled(opened).replace(run.info.run_id, "id").replace(run.info.run_id[:8], "id")
                pages.append(words.replace(run.data.tags["mlflow.parentRunId"][:8], "sweep"))
                pages.append(shown.get_attribute("d"))  # the curve's points
            found.append([re.sub(TIMES, "", page, flags=re.M) for page in pages if page])
        opened.close()
    assert len(found[0]) == len(PAGES) + 1
    assert found[0] == found[1]
