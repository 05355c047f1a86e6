"""What the project's pages have in common: how their templates are read, and the paper and ink of their style."""

from pathlib import Path

import jinja2

STYLE = Path(__file__).parent / "templates" / "base.css"


def environment(folder: Path) -> jinja2.Environment:
    """The templates of a folder: what they show is escaped, and a name that they do not have is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip


def style(sheet: Path) -> str:
    """The style that pages share, and this sheet's own after it."""
    return STYLE.read_text(encoding="utf-8") + sheet.read_text(encoding="utf-8")
