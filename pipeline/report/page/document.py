"""report.html: a sweep in one file that needs no network, made of sections: dictionaries that the template shows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipeline.report.page.configuration import Configuration
from pipeline.report.page.contents import Section, sections
from pipeline.report.page.explorer import bokeh_script
from pipeline.report.page.frame import environment, style
from pipeline.stats.summary import Summary
from pipeline.stats.trajectories import Curves

TEMPLATES = Path(__file__).parent / "templates"
ENVIRONMENT = environment(TEMPLATES)
ENVIRONMENT.policies["json.dumps_kwargs"] = {"separators": (",", ":")}


def write_report(
    path: Path,
    summary: Summary,
    configuration: Configuration,
    figures: Mapping[Path, str],
    environment: Mapping[str, str],
    command: str,
    title: str,
    curves: Curves | None = None,
) -> None:
    """Writes report.html: `figures` are as `write_figures` gives them, `environment` is versions and processor by name."""
    parts = sections(summary, configuration, figures, environment, command, curves)
    path.write_text(render(title, parts) + "\n", encoding="utf-8")


def render(title: str, parts: Sequence[Section]) -> str:
    """The sections as one HTML file, escaped; with Bokeh where there is something to look into."""
    files: dict[str, Any] = {name.replace(".", "_"): Markup(read(name)) for name in ("report.js", "explorer.js")}
    files["report_css"] = Markup(style(TEMPLATES / "report.css"))
    bokeh = Markup(bokeh_script()) if any(part.get("explorer") for part in parts) else ""
    template = ENVIRONMENT.get_template("report.html.jinja")
    return template.render(title=title, sections=parts, bokeh=bokeh, **files)


def read(name: str) -> str:
    """A file beside the template."""
    return (TEMPLATES / name).read_text(encoding="utf-8")
