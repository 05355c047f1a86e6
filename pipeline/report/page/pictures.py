"""Figures inside a report: data URIs, of a size that all of them together may have."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MOST_SVG, MOST_PNG = 400_000, 1_500_000  # bytes of a picture
LONGEST_HEADING = 80  # letters
MOST_TOGETHER = 1_600_000  # bytes of all pictures: as SVG while there is room for the PNG of each that follows


@dataclass(frozen=True, slots=True)
class Image:
    """A figure inside the file: its address, size in pixels, heading and caption, which is also its text alternative."""

    source: str
    width: int
    height: int
    heading: str
    caption: str


def images(figures: Mapping[Path, str]) -> Iterator[Image]:
    """The figures as data URIs: the SVG or, where that is large, the PNG beside it; none where that is large, too."""
    smallest = {path: min((file.stat().st_size for _, file in files(path)), default=0) for path in figures}
    left = MOST_TOGETHER - sum(smallest.values())
    for path, caption in figures.items():
        for kind, file in files(path):
            more = file.stat().st_size - smallest[path]
            if more <= max(left, 0):
                left -= more
                data = base64.b64encode(file.read_bytes()).decode("ascii")
                yield Image(f"data:image/{kind};base64,{data}", *size(path), heading(caption), caption)
                break


def files(svg: Path) -> list[tuple[str, Path]]:
    """The files of a figure that are small enough, with the kind of each."""
    both = (("svg+xml", svg, MOST_SVG), ("png", svg.with_suffix(".png"), MOST_PNG))
    return [(kind, file) for kind, file, most in both if file.exists() and file.stat().st_size <= most]


def heading(caption: str) -> str:
    """What a caption begins with, as a heading: up to its first colon, bracket or full stop, or comma where that is long."""
    first = re.split(r": | \(|[.;](?: |$)", caption, maxsplit=1)[0]
    return first if len(first) <= LONGEST_HEADING else first.partition(", ")[0]


def size(svg: Path) -> tuple[int, int]:
    """Width and height of an SVG file in pixels: it has them in points."""
    with svg.open(encoding="utf-8") as file:
        head = file.read(2000)
    width, height = (re.search(rf' {name}="([\d.]+)pt"', head) for name in ("width", "height"))
    if not width or not height:
        raise ValueError(f"{svg}: an SVG without width and height in points")
    return round(float(width[1]) * 4 / 3), round(float(height[1]) * 4 / 3)
