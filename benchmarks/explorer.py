"""The explorer as a person meets it: seconds from opening the page, or turning the wheel, to a picture and to a sharp one.

A browser without a window, 1280 × 900, on this machine, that has none of the page's files. The picture of an opened page has
every fourth pixel along each axis, that of a zoom every eighth; a sharp one has all.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.timing import show

ROUNDS = 5
MAPS = ("worked_example", "momentum")
# The page counts the milliseconds since it was opened at which it was told of a picture, and draws in the next frame; when the
# picture that it begins with was painted, the browser tells.
CLOCK = """() => {
    const seen = (window.seen = []);
    new PerformanceObserver((list) => {
        for (const { renderTime } of list.getEntries()) seen.unshift(["1", 4, renderTime]);
    }).observe({ type: "element", buffered: true });
    const note = () => {
        const { step, view } = document.body.dataset;
        if (step) requestAnimationFrame(() => seen.push([view, Number(step), performance.now()]));
    };
    addEventListener("DOMContentLoaded", () => {
        new MutationObserver(note).observe(document.body, { attributes: true, attributeFilter: ["data-step"] });
    });
}"""


def main() -> None:
    """Opens the page and zooms, several times for each map."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("explorer: left out, it needs playwright")
        return
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name in MAPS:
            with served(name) as link:
                seconds = [measured(browser, link) for _ in range(ROUNDS + 1)][1:]
            pictures = ("opened: picture", "opened: sharp", "zoomed: picture", "zoomed: sharp")
            rows.append({"map": name, "runs": seconds[0][4]})
            for place, what in enumerate(pictures):
                numbers = [one[place] for one in seconds]
                rows[-1] |= {f"{what}, median s": median(numbers), f"{what}, lowest s": min(numbers)}
        browser.close()
    show("explorer", rows)


@contextmanager
def served(name: str) -> Iterator[str]:
    """The address of an explorer that begins with this map."""
    command = [sys.executable, "-m", "pipeline.explore", f"map={name}", "explore.port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        found = re.search(r"http://\S+", program.stdout.readline())
        assert found is not None
        yield found[0]
        program.terminate()


def measured(browser: Any, link: str) -> tuple[float, float, float, float, int]:
    """Seconds from opening to a picture and to a sharp one, from a turn of the wheel to both, and the runs of a picture."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script(f"({CLOCK})()")
    page.goto(link)
    first, sharp = wait(page, 0.0)
    box = page.locator("#plot-map").bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.4 * box["height"])
    page.wait_for_timeout(300)
    turned = page.evaluate("performance.now()")
    page.mouse.wheel(0, -300)
    zoomed = wait(page, turned)
    shape = page.evaluate("Bokeh.documents[0].get_model_by_name('picture').data.image[0].shape")
    page.close()
    return (first, sharp, *zoomed, shape[0] * shape[1])


def wait(page: Any, since: float) -> tuple[float, float]:
    """Seconds from `since` (milliseconds on the page) to the first picture after it, and to a sharp one of the last view."""
    while True:
        seen = [one for one in page.evaluate("window.seen") if one[2] > since]
        if seen and seen[-1][1] == 1 and page.evaluate("document.body.dataset.view") == seen[-1][0]:
            return (seen[0][2] - since) / 1000, (seen[-1][2] - since) / 1000
        page.wait_for_timeout(20)
