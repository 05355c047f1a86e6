"""Every link in README, docs/ and the other pages leads to a file, or a heading of one; no network is asked."""

import re
from pathlib import Path

import pytest

from tests import ROOT
from tests.pages import PAGES, anchors, links

FILMS = ("film.webp", "spirals.webp")
FOLDERS = {"README.md": ROOT, "CONTRIBUTING.md": ROOT, "CHANGELOG.md": ROOT}
WRITTEN = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("CONTRIBUTING.md", "CHANGELOG.md")} | PAGES


def leads_nowhere(folder: Path, own: str, link: str) -> bool:
    """Is there no such file, or no such heading in it?"""
    path, _, anchor = link.partition("#")
    target = folder / path if path else None
    if target is not None and not (target.exists() and target.resolve().is_relative_to(ROOT)):
        return True
    if not anchor:
        return False
    page = own if target is None else target.read_text(encoding="utf-8")
    return anchor not in anchors(page)


@pytest.mark.parametrize("name", WRITTEN)
def test_relative_links_and_anchors_are_there(name):
    folder = FOLDERS.get(name, ROOT / "docs")
    inside = [link for link in links(WRITTEN[name]) if not re.match(r"https?://|mailto:", link)]
    assert [link for link in inside if leads_nowhere(folder, WRITTEN[name], link)] == []


def test_a_link_that_leads_nowhere_is_found():
    page = "# A page, `code` & more\n## The same\n## The same\n[a](#a-page-code--more) [b](#the-same-1) ![c](docs/none.png)"
    page += " [d](README.md#none)"
    assert anchors(page) == {"a-page-code--more", "the-same", "the-same-1"}
    assert [link for link in links(page) if leads_nowhere(ROOT, page, link)] == ["docs/none.png", "README.md#none"]


def test_every_picture_has_a_text_and_is_small():
    for name, page in WRITTEN.items():
        for text, link in re.findall(r"!\[([^]]*)\]\(([^)]+)\)", page):
            assert len(text) > 10, link
            path = FOLDERS.get(name, ROOT / "docs") / link
            assert path.stat().st_size < (800_000 if path.name in FILMS else 200_000), link


def test_every_page_is_linked_from_the_readme():
    linked = {link.partition("#")[0] for link in links(PAGES["README.md"])}
    assert {f"docs/{name}" for name in PAGES if name != "README.md"} <= linked


def test_what_the_program_says_of_its_pages_is_there():
    sources = [path for top in ("pipeline", "conf", "schedule", "benchmarks") for path in (ROOT / top).rglob("*.*")]
    texts = [path.read_text(encoding="utf-8") for path in sources if path.suffix in {".py", ".yaml", ".jinja", ".js", ".sh"}]
    named = {found for text in texts for found in re.findall(r"\bdocs/[\w/.]+\.(?:md|py|csv|png)\b", text)}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_links_inside_of_the_pages_that_the_program_writes_have_their_place():
    for template in (ROOT / "pipeline").rglob("*.jinja"):
        text = re.sub(r"\{\{.*?\}\}", "*", template.read_text(encoding="utf-8"))
        places = set(re.findall(r'\bid="([^"]+)"', text))
        assert set(re.findall(r'href="#([^"]+)"', text)) <= places, template.name


def test_the_readme_is_short():
    assert len(PAGES["README.md"].split()) < 900
