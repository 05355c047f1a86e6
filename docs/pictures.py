"""Makes the README's pictures and its numbers again: `make pictures`. Needs Chromium."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

import pipeline as bp

FOLDER = Path(__file__).parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WINDOW = {"width": 1200, "height": 750}
# MLflow opens its assistant when a browser comes for the first time; it is no part of what is shown
NO_ASSISTANT = """for (const [name, value] of [["autoOpenedOnFirstLoad", "fab."], ["panelOpen", ""]])
    localStorage.setItem(`mlflow.assistant.${value}${name}_v1`, String(value !== ""))"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def pages_of_mlflow() -> Iterator[dict[str, str]]:
    """The addresses that `python -m pipeline.ui` says, by the words before them, while it serves."""
    words = [sys.executable, "-m", "pipeline.ui", "ui.port=0"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    try:
        said = [server.stdout.readline() for _ in range(6)]
        addresses = {
            words.strip(): found for words, found in re.findall(r"^ *(.*?) +(http://\S+)", "".join(said), re.MULTILINE)
        }
        wait_for(addresses["its page"].partition("#")[0])
        yield addresses
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def wait_for(address: str, seconds: float = 60.0) -> None:
    """Until a server answers. Raises TimeoutError."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            with urlopen(address):
                return
        except URLError:
            time.sleep(0.2)
    raise TimeoutError(address)


def save(page: Page, name: str, **clip: object) -> None:
    """What is seen of a page, as docs/<name>.webp."""
    path = FOLDER / f"{name}.webp"
    Image.open(BytesIO(page.screenshot(**clip))).convert("RGB").save(path, quality=85, method=6)
    print(f"{path} ({path.stat().st_size:,} bytes)")


def picture_of_the_report(browser: Browser, report: Path) -> None:
    """Its map of cells, with the curves of one of them."""
    page = browser.new_page(viewport=WINDOW, color_scheme="light")
    page.goto(report.as_uri())
    page.locator("#explorer[data-ready]").wait_for()
    top = page.get_by_role("heading", name="Look into it").bounding_box()["y"] - 20
    page.evaluate(f"scrollTo(0, {top})")
    page.wait_for_timeout(500)
    save(page, "report")


def picture_of_mlflow(browser: Browser, runs: str) -> None:
    """Some runs of the sweep: one start at each learning rate, in the columns of its view."""
    page = browser.new_page(viewport={"width": 1400, "height": 620}, color_scheme="light")
    page.add_init_script(NO_ASSISTANT)
    page.goto(runs)
    page.get_by_text("converged", exact=True).first.wait_for(timeout=60_000)
    page.get_by_role("button", name="Exit shared view").locator("xpath=following-sibling::*").first.click()
    search = page.get_by_placeholder("metrics.rmse")
    search.fill(f"{search.input_value()} and params.threshold = '1e-05' and params.`initial.range` = '4' and params.seed = '1'")
    search.press("Enter")
    page.get_by_text("7 matching runs").first.wait_for()
    page.wait_for_timeout(1_000)
    save(page, "mlflow")


def main() -> None:
    """Runs the default study in a folder of its own, draws its heat map, and photographs its report and its runs in MLflow."""
    with TemporaryDirectory() as folder, chdir(folder):
        sweep = bp.sweep("study=convergence", record=True)
        path = FOLDER / "convergence.png"
        sweep.heat_map("learning_rate", "initial.range").savefig(path, dpi=110, metadata={"Software": None})
        print(f"{path}\n\n{sweep}")
        with chromium() as browser, pages_of_mlflow() as addresses:
            picture_of_the_report(browser, next(Path(folder).rglob("report.html")))
            picture_of_mlflow(browser, addresses["its runs"])


if __name__ == "__main__":
    main()
