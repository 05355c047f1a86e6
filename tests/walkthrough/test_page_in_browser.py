"""The page in a real browser: step by step by buttons and keys, in print, without JavaScript, on a phone; accessible."""

from collections.abc import Iterator

import pytest

from pipeline.walkthrough.page.document import iteration_page
from tests.browsers import MARKS, SERIOUS
from tests.walkthrough.walks import configured

pytestmark = MARKS

WALKS = {
    "example": ((), {}),
    "deep": (
        (
            "task=parity",
            "network=trained",
            "network.hidden=[4,4]",
            "initial=uniform",
            "network.activation=tanh",
            "momentum=0.5",
        ),
        {"weight": "w20", "pattern": 3, "iteration": 5},
    ),
    "small and deep": (("task=xor", "network=trained", "network.hidden=[2,2]", "initial=uniform"), {"iteration": 5}),
    "large": (("task=digits", "network.hidden=[32]", "initial=uniform"), {"weight": "w1234"}),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    folder, found = tmp_path_factory.mktemp("pages"), {}
    for name, (overrides, which) in WALKS.items():
        path = folder / f"{name}.html"
        path.write_text(iteration_page(*configured(*overrides, **which), None), encoding="utf-8")
        found[name] = path.as_uri()
    return found


@pytest.fixture
def opened(browser, files) -> Iterator:
    """Opens a page; nothing may be said on the console or loaded from elsewhere."""
    pages, said = [], []

    def open_page(name, width=1280, scheme="light", **more):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, **more)
        page.set_default_timeout(8_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda sent: None if sent.url.startswith(("file:", "data:")) else said.append(sent.url))
        page.goto(files[name])
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert said == []


def shown(page) -> list[str]:
    """The headings of the steps that are seen."""
    return [one.inner_text() for one in page.locator("section.step h2").all() if one.is_visible()]


def test_one_goes_from_step_to_step_by_buttons_keys_and_links(opened):
    page = opened("example")
    assert shown(page) == ["1. Forward pass"]
    assert page.get_by_role("button", name="Previous").is_disabled()
    page.get_by_role("button", name="Next").click()
    assert shown(page) == ["2. Total error"]
    page.keyboard.press("ArrowRight")
    assert shown(page) == ["3. Deltas of the outputs"]
    page.keyboard.press("ArrowLeft")
    assert shown(page) == ["2. Total error"]
    page.get_by_role("link", name="Gradient").click()
    assert shown(page) == ["5. Gradient"]
    assert page.locator("nav a[aria-current=step]").inner_text() == "Gradient"
    assert page.locator("[role=status]").inner_text() == "Step 5 of 7: Gradient"
    assert page.url.endswith("#step-5")
    page.reload()
    assert shown(page) == ["5. Gradient"]
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert shown(page) == ["7. The published numbers"]
    assert page.get_by_role("button", name="Next").is_disabled()
    page.get_by_role("button", name="All steps").click()
    assert len(shown(page)) == 7


def test_print_and_a_browser_without_javascript_show_all_steps(opened):
    page = opened("example")
    page.emulate_media(media="print")
    assert len(shown(page)) == 7
    assert not page.locator("nav").is_visible()
    plain = opened("example", java_script_enabled=False)
    assert len(shown(plain)) == 7
    assert not plain.get_by_role("button", name="Next").is_visible()


@pytest.mark.parametrize(("name", "width", "scheme"), [("example", 390, "light"), ("small and deep", 1280, "dark")])
def test_it_fits_and_is_accessible(name, width, scheme, opened, axe):
    page = opened(name, width, scheme)
    page.get_by_role("button", name="All steps").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(axe)
    found = page.evaluate("axe.run(document)")
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"] if one["impact"] in SERIOUS] == []
    assert {"color-contrast", "svg-img-alt", "scrollable-region-focusable"} <= {one["id"] for one in found["passes"]}


OVERLAPS = """() => [...document.querySelectorAll(".drawing svg")].flatMap((svg) => {
    const {width, height} = svg.viewBox.baseVal;
    const texts = [...svg.querySelectorAll("text")].map((one) => ({text: one.textContent, box: one.getBBox()}));
    const after = (a, b, side, size) => a.box[side] + a.box[size] <= b.box[side] + (side === "y" ? 3 : 0);
    const apart = (a, b) => [["x", "width"], ["y", "height"]].some((way) => after(a, b, ...way) || after(b, a, ...way));
    const cut = ({box}) => box.x < 0 || box.y < 0 || box.x + box.width > width || box.y + box.height > height;
    const below = (one, at) => texts.slice(at + 1).filter((other) => !apart(one, other));
    const covered = (one, at) => below(one, at).map((other) => [one.text, other.text]);
    return [...texts.flatMap(covered), ...texts.filter(cut).map((one) => [one.text, "edge"])];
})"""


@pytest.mark.parametrize("name", WALKS)
def test_no_label_of_a_drawing_is_cut_or_lies_on_another(name, opened):
    page = opened(name)
    page.get_by_role("button", name="All steps").click()
    assert page.evaluate(OVERLAPS) == []
