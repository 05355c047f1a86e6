"""The pages that people read, README.md and docs/*.md: their commands, links and anchors, as GitHub reads them."""

import re

from tests import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    "README.md": README,
    **{path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))},
}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language, in their order."""
    return [block for one, block in FENCED.findall(page) if one == language]


def commands(page: str) -> list[str]:
    """The commands of a page's `sh` blocks, each as one line, without their comments."""
    whole = (re.sub(r" \\\n +", " ", block) for block in blocks(page, "sh"))
    lines = (re.split(r"\s+#\s", line)[0].strip() for block in whole for line in block.splitlines())
    return [line for line in lines if line]


def section(page: str, title: str) -> str:
    """What stands under a heading of the second level."""
    [found] = [part for part in re.split(r"^## ", page, flags=re.MULTILINE) if part.partition("\n")[0] == title]
    return found


def anchors(page: str) -> set[str]:
    """The fragments that GitHub makes of a page's headings: small letters, hyphens for blanks, no other signs."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*?)\s*$", FENCED.sub("", page), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(next(one for n in range(1000) if (one := f"{slug}-{n}" if n else slug) not in found))
    return found


def links(page: str) -> list[str]:
    """Where a page's links and pictures lead, those in code left out."""
    prose = re.sub(r"`[^`\n]*`", "", FENCED.sub("", page))
    return re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r"(?:src|srcset|href)=\"([^\"]+)\"", prose)
