"""report.html: a sweep in one file that needs no network, made of sections: dictionaries that the template shows."""

import base64
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from pipeline.backprop.status import STATUSES, Status
from pipeline.errors import as_override, masked
from pipeline.report.answer import answer
from pipeline.report.numbers import count
from pipeline.report.tables import readable
from pipeline.stats.quartiles import QUARTILES
from pipeline.stats.sample import NESTED
from pipeline.stats.summary import Summary

TEMPLATES = Path(__file__).parent / "templates"
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES),
    autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
)  # fmt: skip
QUESTION = (
    "From which initial weights, at which learning rates and down to which error threshold does backpropagation converge, "
    "and how fast?"
)
METHOD = (
    "Each run trains one network by backpropagation: forward pass, total error E = Σ ½ (target − output)² over patterns and "
    "outputs, backward pass by the chain rule, weight update; again and again, until the criterion is at most the threshold. "
    "An epoch is one pass over all patterns; a run converges at the first epoch with a criterion of at most the threshold.",
    "A run that did not converge is censored, not missing: a quartile counts it as later than any epoch, so the quartile may "
    "be «not reached», and the expected running time pays for its epochs, too.",
    "The arithmetic uses only operations that IEEE-754 defines to the last bit, in one order: the same trial gives the same "
    "bits on another machine.",
)
MEANINGS = {
    "runs": "how many runs there are",
    **{status.word: status.meaning for status in Status},
    "rate": "converged ÷ runs",
    "ert": "expected running time: all epochs spent ÷ runs converged",
    "q1": "epochs by which a quarter of the runs has converged",
    "median": "epochs by which half of the runs have converged",
    "q3": "epochs by which three quarters of the runs have converged",
    "restricted_mean": "mean of the epochs to convergence or, without it, to the cap",
    "share": "of the variance of log epochs (of runs that did not converge, those to the cap), by one axis or a pair of them",
    "share_best": "of the bootstrap samples of the seeds, those in which this value has the lowest ert",
    "earlier, later": "pairs in which the second value converged before the first, or after it",
    "ratio": "of epochs, second value over first (median and quartiles of the pairs); of ert, the step over the best value",
    "p_epochs_adjusted": "p of a Prentice–Wilcoxon test that respects censoring, signs flipped by start, for all pairs (max-T)",
    "p_rate_adjusted": "p of McNemar's test that one converges where the other does not, likewise",
    "p_ert_adjusted": "p of a test that both have the same ert, likewise",
    "smallest_p": "the smallest p that so many starts can give; above 0.05 they can show nothing",
    "(low–high)": "a 95 % interval: Wilson's of a rate, by bootstrap over the seeds of an ert, log-log of a median",
}
TELLING = (
    "task.name", "network.hidden", "network.activation", "network.output_activation", "network.bias", "initial.kind",
    "initial.range", "learning_rate", "momentum", "update", "criterion", "threshold", "max_epochs", "seed",
)  # fmt: skip
# Overrides that say where and how, not what.
PLACES = (
    "tracking", "executor", "resume", "limits", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.run.", "hydra.mode",
    "hydra.output_subdir", "hydra/launcher", "hydra.launcher", "hydra.verbose", "hydra.job.chdir",
)  # fmt: skip
SECRET_VARIABLE = re.compile(r"hydra\.job\.env_set.*(KEY|SECRET|TOKEN|PASS|URI)", re.I)
SECRET = "tracking"  # says where runs are stored, perhaps with a password: not part of the experiment
MOST_ROWS, MOST_TABLES = 100, 12
MOST_COMPARED_AXES, MOST_COMPARED_VALUES = 3, 8  # in pairs: few enough to be read
COMPARED = [
    "first",
    "second",
    "pairs",
    "earlier",
    "later",
    "ratio",
    "ratio_q1",
    "ratio_q3",
    "p_epochs_adjusted",
    "p_rate_adjusted",
    "p_ert_adjusted",
    "smallest_p",
]
MOST_SVG, MOST_PNG = 400_000, 1_500_000  # bytes of a picture
Configuration = Mapping[str, Any]
Section = dict[str, Any]  # a title, and what the template shows of: paragraphs, note, tables, figures, pairs, code


def write_report(
    path: Path,
    summary: Summary,
    configuration: Configuration,
    figures: Mapping[Path, str],
    environment: Mapping[str, str],
    command: str,
    title: str,
) -> None:
    """Writes report.html: `figures` are as `write_figures` gives them, `environment` is versions and processor by name."""
    parts = sections(summary, configuration, figures, environment, command)
    path.write_text(render(title, parts) + "\n", encoding="utf-8")


def sections(
    summary: Summary,
    configuration: Configuration,
    figures: Mapping[Path, str],
    environment: Mapping[str, str],
    command: str,
) -> list[Section]:
    """The sections of a sweep's report; one in which there is nothing to show is left out."""
    axes, settings = summary.axes, summary.settings
    by_setting = len(settings) >= 2 and len(summary)  # else there is a table for it above
    all_settings = [sortable("By setting", summary.by(*settings, intervals=False))] if by_setting else []
    fixed = [(key, value) for key, value in flat(configuration) if key.partition(".")[0] != SECRET and key not in axes]
    product = " × ".join(f"{axis} ({summary.size(axis):,})" for axis in axes)
    design = f"{count(len(summary), 'run')}{': ' if axes else ''}{product}."
    telling = " ".join(f"{key}={value}" for key, value in fixed if key in TELLING)
    parts: list[Section] = [
        {"title": "Question", "paragraphs": [QUESTION, design]},
        {"title": "Answer", "paragraphs": answer(summary, command, configuration=configuration)},
        {"title": "Tables", "tables": tables(summary)},
        {"title": "Figures", "note": f"Held fixed: {telling}." if fixed else "", "figures": list(images(figures))},
        {"title": "Comparisons", "tables": comparisons(summary)},
        {"title": "All settings", "tables": all_settings},
        {"title": "Configuration", "pairs": [*((axis, values(summary, axis)) for axis in axes), *fixed]},
        {"title": "How it was computed", "paragraphs": METHOD},
        {"title": "Columns", "pairs": list(MEANINGS.items())},
        {"title": "The command that makes it again", "code": command},
        {"title": "Versions", "pairs": list(environment.items())},
    ]
    return [part for part in parts if any(content for name, content in part.items() if name not in ("title", "note"))]


def command_of(overrides: Sequence[str]) -> str:
    """The command that makes a sweep again, without where it was stored."""
    named = [(text, text.lstrip("+~")) for text in overrides]
    kept = [text for text, name in named if not name.startswith(PLACES) and not SECRET_VARIABLE.match(name)]
    return masked(shlex.join(["python", "-m", "pipeline.train", "-m", *kept]))


def render(title: str, parts: Sequence[Section]) -> str:
    """The sections as one HTML file, escaped."""
    style, script = (Markup((TEMPLATES / f"report.{kind}").read_text(encoding="utf-8")) for kind in ("css", "js"))
    template = ENVIRONMENT.get_template("report.html.jinja")
    return template.render(title=title, sections=parts, style=style, script=script)


def values(summary: Summary, axis: str) -> str:
    """The values of an axis in the order of the runs, those in the middle left out where there are many."""
    texts = [as_override(value) for value in summary.factorized(axis)[1].sort_index().tolist()]
    return ", ".join(texts if len(texts) <= 8 else [*texts[:5], "…", *texts[-2:]]) + f" ({len(texts):,})" * (len(texts) > 8)


def sentences(text: str) -> list[str]:
    """A text as paragraphs, at most three: the first sentences have one each."""
    first, *rest = re.split(r"(?<=[.]) (?=[A-Z])", text)
    return [first, *rest[:1], *([" ".join(rest[1:])] if rest[1:] else [])]


def flat(configuration: Configuration, above: str = "") -> Iterator[tuple[str, str]]:
    """The configuration as dotted keys and values as one writes them on the command line."""
    for key, value in configuration.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", as_override(value)


def tables(summary: Summary) -> list[Section]:
    """The best settings, and a table for each axis."""
    if not len(summary):
        return []
    titled = {"Lowest expected running time": summary.best}
    titled |= {f"By {axis}": summary.by(axis) for axis in summary.settings} or {"All runs": summary.by()}
    return [sortable(caption, part) for caption, part in list(titled.items())[:MOST_TABLES] if len(part)]


def comparisons(summary: Summary) -> list[Section]:
    """What a value of an axis gains over another from the same start, what a step costs, and which axis matters most."""
    axes = [axis for axis in summary.settings if summary.size(axis) > 1]
    if not axes:
        return []
    titled = {"Which axis matters: share of the variance of log epochs": summary.variance_shares}
    for axis in [axis for axis in axes if axis != NESTED][:MOST_COMPARED_AXES]:
        caption = f"Best {axis}: expected running time, and the share of bootstrap samples in which it is best"
        titled[caption] = summary.best_values(axis)
        if summary.size(axis) <= MOST_COMPARED_VALUES:
            caption = f"Two values of {axis} from the same start: ratio of epochs, and adjusted p of paired tests"
            titled[caption] = summary.paired(axis)[COMPARED]
    titled["What one step from the best value costs: ratio of expected running times"] = summary.sensitivity
    return [sortable(caption, part) for caption, part in titled.items() if len(part)]


def sortable(caption: str, table: pd.DataFrame) -> Section:
    """A table as it is read and as it is sorted, without statuses in which no run ended: caption, columns, rows, left_out.

    A column is (name, whether it is of numbers), a cell (text, what a number is sorted by).
    """
    never = [status for status in STATUSES if status in table and not table[status].any()]
    table = table.drop(columns=[status for status in never if status != "converged"])
    shown = table.head(MOST_ROWS)
    read = readable(shown).astype(str)
    for name in (*QUARTILES, "rate", "ert"):  # an interval goes into the cell of its number: 65% (56%–73%)
        low, high = f"{name}_low", f"{name}_high"
        if low in read and high in read:
            read[name] = read[name] + " (" + read[low] + "–" + read[high].replace("not reached", "∞") + ")"
            read = read.drop(columns=[low, high])
    shown = shown[list(read.columns)]
    return {
        "caption": caption,
        "columns": [(str(name), pd.api.types.is_numeric_dtype(table[name])) for name in shown],
        "rows": [
            list(zip(texts, map(order, row), strict=True))
            for texts, row in zip(read.to_numpy().tolist(), shown.itertuples(index=False, name=None), strict=True)
        ],
        "left_out": f"The first {MOST_ROWS} of {len(table):,} rows." if len(table) > MOST_ROWS else "",
    }


def order(value: Any) -> str:
    """A number as JavaScript reads it."""
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(text := str(value), text)


def images(figures: Mapping[Path, str]) -> Iterator[Section]:
    """The figures as data URIs: the SVG or, where that is large, the PNG beside it; none where that is large, too."""
    for path, caption in figures.items():
        for file, kind, most in ((path, "svg+xml", MOST_SVG), (path.with_suffix(".png"), "png", MOST_PNG)):
            if file.exists() and file.stat().st_size <= most:
                data = base64.b64encode(file.read_bytes()).decode("ascii")
                width, height = size(path)
                yield {"source": f"data:image/{kind};base64,{data}", "width": width, "height": height, "caption": caption}
                break


def size(svg: Path) -> tuple[int, int]:
    """Width and height of an SVG file in pixels: it has them in points."""
    with svg.open(encoding="utf-8") as file:
        head = file.read(2000)
    width, height = (re.search(rf' {name}="([\d.]+)pt"', head) for name in ("width", "height"))
    if not width or not height:
        raise ValueError(f"{svg}: an SVG without width and height in points")
    return round(float(width[1]) * 4 / 3), round(float(height[1]) * 4 / 3)
