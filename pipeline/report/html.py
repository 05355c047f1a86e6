"""report.html: a sweep in one file that needs no network. A report is a list of elements; the template knows each kind."""

import base64
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import jinja2
import pandas as pd
from markupsafe import Markup

from pipeline.backprop.status import STATUSES, Status
from pipeline.errors import written
from pipeline.report import words
from pipeline.report.words import count
from pipeline.stats import comparison, convergence

TEMPLATES = Path(__file__).parent / "templates"

QUESTION = (
    "From which initial weights, at which learning rates and down to which error threshold does backpropagation converge, "
    "and how fast?"
)

METHOD = (
    "Each run trains one network by backpropagation: forward pass, total error E = Σ ½ (target − output)² over patterns and "
    "outputs, backward pass by the chain rule, weight update; again and again, until the criterion is at most the threshold. "
    "An epoch is one pass over all patterns; a run that converged took so many epochs as it needed to meet the threshold.",
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
    "p_epochs_holm": "p of a paired Prentice–Wilcoxon test that respects censoring, corrected for all pairs of values (Holm)",
    "p_rate_holm": "p of McNemar's test that one converges where the other does not, corrected likewise",
    "(low–high)": "a 95 % interval: Wilson's of a rate, by bootstrap over the seeds of an ert, log-log of a median",
}

TELLING = (
    "task.name", "network.hidden", "network.activation", "network.output_activation", "network.bias", "initial.kind",
    "initial.range", "learning_rate", "momentum", "update", "criterion", "threshold", "max_epochs", "seed",
)  # fmt: skip

# Overrides that say where and how, not what.
PLACES = ("tracking", "executor", "resume", "limits", "hydra.sweep.dir", "hydra.run.dir", "hydra.mode")

SECRET = "tracking"  # says where runs are stored, perhaps with a password: not part of the experiment

MOST_ROWS = 100

MOST_TABLES = 12

MOST_COMPARED_AXES, MOST_COMPARED_VALUES = 3, 8  # in pairs: few enough to be read

COMPARED = ["first", "second", "pairs", "earlier", "later", "ratio", "ratio_q1", "ratio_q3", "p_epochs_holm", "p_rate_holm"]

MOST_SVG, MOST_PNG = 400_000, 1_500_000  # bytes of a picture


@dataclass(frozen=True, slots=True)
class Prose:
    """Paragraphs."""

    kind: ClassVar = "prose"
    title: str
    paragraphs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Listing:
    """Text to be taken letter by letter, such as a command."""

    kind: ClassVar = "listing"
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Terms:
    """Names and what belongs to them."""

    kind: ClassVar = "terms"
    title: str
    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Image:
    """A picture as a data URI, its size in pixels, and its caption."""

    source: str
    width: int
    height: int
    caption: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures, one below the other."""

    kind: ClassVar = "pictures"
    title: str
    remark: str
    pictures: Sequence[Image]


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, and whether it is sorted by number."""

    name: str
    numeric: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """What is read and, in a column of numbers, what it is sorted by."""

    text: str
    order: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be sorted, and a remark where rows were left out."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    left_out: str


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables, one below the other."""

    kind: ClassVar = "tables"
    title: str
    tables: Sequence[Table]


Element = Prose | Listing | Terms | Pictures | Tables


def write_report(
    path: Path,
    results: pd.DataFrame,
    configuration: Mapping[str, Any],
    figures: Mapping[Path, str],
    environment: Mapping[str, str],
    command: str,
    title: str,
) -> None:
    """Writes report.html.

    `figures` are SVG files, each with a PNG beside it, and their captions, as `write_figures` gives them; `environment` are
    versions and processor by name; `command` makes the sweep again.
    """
    path.write_text(render(title, elements(results, configuration, figures, environment, command)), encoding="utf-8")


def elements(
    results: pd.DataFrame,
    configuration: Mapping[str, Any],
    figures: Mapping[Path, str],
    environment: Mapping[str, str],
    command: str,
) -> list[Element]:
    """What a sweep's report consists of."""
    axes = convergence.axes_of(results)
    asked = [(key, value) for key, value in flat(configuration) if key.partition(".")[0] != SECRET and key not in axes]
    parts: list[Element] = [
        Prose("Question", [QUESTION, design(results)]),
        Prose("Answer", sentences(words.in_words(results)) if len(results) else ["There are no runs."]),
        Tables("Tables", tables(results)),
        Pictures("Figures", f"Held fixed: {held_fixed(asked)}." if asked else "", list(images(figures))),
        Tables("Comparisons", comparisons(results)),
        Tables("All settings", all_settings(results)),
        Terms("Configuration", [*((axis, values(results, axis)) for axis in axes), *asked]),
        Prose("How it was computed", METHOD),
        Terms("Columns", list(MEANINGS.items())),
        Listing("The command that makes it again", command),
        Terms("Versions", list(environment.items())),
    ]
    empty = {"tables": "tables", "pictures": "pictures", "terms": "pairs"}
    return [part for part in parts if part.kind not in empty or getattr(part, empty[part.kind])]


def held_fixed(asked: Sequence[tuple[str, str]]) -> str:
    """The most telling keys that do not vary, as one writes them."""
    return " ".join(f"{key}={value}" for key, value in asked if key in TELLING)


def command_of(overrides: Sequence[str]) -> str:
    """The command that makes a sweep again, without where it was stored."""
    kept = [text for text in overrides if not text.lstrip("+~").startswith(PLACES)]
    return shlex.join(["python", "-m", "pipeline.train", "-m", *kept])


def render(title: str, parts: Sequence[Element]) -> str:
    """The elements as one HTML file."""
    style, script = (Markup((TEMPLATES / f"report.{kind}").read_text(encoding="utf-8")) for kind in ("css", "js"))
    return template().render(title=title, elements=parts, style=style, script=script) + "\n"


@cache
def template() -> jinja2.Template:
    """The report's template; what is put into it is escaped."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("report.html.jinja")


def design(results: pd.DataFrame) -> str:
    """How many runs there are, and the product of axes that they come from."""
    axes = [f"{axis} ({results[axis].nunique(dropna=False):,})" for axis in convergence.axes_of(results)]
    return f"{count(len(results), 'run')}{': ' if axes else ''}{' × '.join(axes)}."


def values(results: pd.DataFrame, axis: str) -> str:
    """The values of an axis, those in the middle left out where there are many."""
    found = [written(value) for value in results[axis].drop_duplicates().tolist()]
    return ", ".join(found if len(found) <= 8 else [*found[:5], "…", *found[-2:]]) + f" ({len(found):,})" * (len(found) > 8)


def sentences(text: str) -> list[str]:
    """A text as paragraphs, at most three: the first sentences have one each."""
    first, *rest = re.split(r"(?<=[.]) (?=[A-Z])", text)
    return [first, *rest[:1], *([" ".join(rest[1:])] if rest[1:] else [])]


def flat(configuration: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """The configuration as dotted keys and values as one writes them on the command line."""
    for key, value in configuration.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", written(value)


def tables(results: pd.DataFrame) -> list[Table]:
    """The best settings, and a table for each axis."""
    if not len(results):
        return []
    found = {"Lowest expected running time": convergence.best_settings(results)}
    found |= {f"By {axis}": part for axis, part in convergence.by_axis(results, intervals=True).items()}
    if not convergence.settings_of(results):
        found["All runs"] = convergence.summarize(results, [], intervals=True)
    return [sortable(caption, part) for caption, part in list(found.items())[:MOST_TABLES] if len(part)]


def comparisons(results: pd.DataFrame) -> list[Table]:
    """What a value of an axis gains over another from the same start, what a step costs, and which axis matters most."""
    axes = [axis for axis in convergence.settings_of(results) if results[axis].nunique(dropna=False) > 1]
    if not axes:
        return []
    found = {"Which axis matters: share of the variance of log epochs": matters(results)}
    for axis in [axis for axis in axes if axis != convergence.NESTED][:MOST_COMPARED_AXES]:
        within = [other for other in (convergence.NESTED,) if other in axes]
        found[f"Best {axis}: expected running time, and the share of bootstrap samples in which it is best"] = (
            comparison.best_values(results, axis, within)
        )
        if results[axis].nunique(dropna=False) <= MOST_COMPARED_VALUES:
            found[f"Two values of {axis} from the same start: ratio of epochs, and p of a paired test (Holm)"] = (
                comparison.paired(results, axis)[COMPARED]
            )
    found["What one step from the best value costs: ratio of expected running times"] = comparison.sensitivity(results)
    return [sortable(caption, part) for caption, part in found.items() if len(part)]


def matters(results: pd.DataFrame) -> pd.DataFrame:
    """The shares of variance by axis and by pair of axes; empty where the design is not balanced."""
    return pd.DataFrame() if comparison.imbalance(results) else comparison.variance_shares(results)


def all_settings(results: pd.DataFrame) -> list[Table]:
    """A row for each combination of values; none where there is no more than one axis."""
    settings = convergence.settings_of(results)
    if len(settings) < 2 or not len(results):
        return []
    return [sortable("By setting", convergence.summarize(results, settings))]


def sortable(caption: str, table: pd.DataFrame) -> Table:
    """A table of numbers as it is read and as it is sorted, without statuses in which no run ended."""
    never = [status for status in STATUSES if status in table and not table[status].any()]
    table = table.drop(columns=[status for status in never if status != "converged"])
    shown = table.head(MOST_ROWS)
    read = with_intervals(words.readable(shown).astype(str))
    shown = shown[list(read.columns)]
    columns = [Column(str(name), pd.api.types.is_numeric_dtype(table[name])) for name in shown]
    rows = [
        [Cell(text, order(value)) for text, value in zip(read, row, strict=True)]
        for read, row in zip(read.to_numpy().tolist(), shown.itertuples(index=False, name=None), strict=True)
    ]
    left_out = f"The first {MOST_ROWS} of {len(table):,} rows." if len(table) > MOST_ROWS else ""
    return Table(caption, columns, rows, left_out)


def with_intervals(read: pd.DataFrame) -> pd.DataFrame:
    """A table of texts with each interval in the cell of its number: 65% (56%–73%)."""
    for name in convergence.QUARTILES | {"rate": 0.0, "ert": 0.0}:
        low, high = f"{name}_low", f"{name}_high"
        if low in read and high in read:
            read[name] = read[name] + " (" + read[low] + "–" + read[high].replace("not reached", "∞") + ")"
            read = read.drop(columns=[low, high])
    return read


def order(value: Any) -> str:
    """A number as JavaScript reads it."""
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(text := str(value), text)


def images(figures: Mapping[Path, str]) -> Iterator[Image]:
    """The figures as data URIs: the SVG or, where that is large, the PNG beside it; none where that is large, too."""
    for path, caption in figures.items():
        for file, kind, most in ((path, "svg+xml", MOST_SVG), (path.with_suffix(".png"), "png", MOST_PNG)):
            if file.exists() and file.stat().st_size <= most:
                data = base64.b64encode(file.read_bytes()).decode("ascii")
                yield Image(f"data:image/{kind};base64,{data}", *size(path), caption)
                break


def size(svg: Path) -> tuple[int, int]:
    """Width and height of an SVG file in pixels: it has them in points."""
    with svg.open(encoding="utf-8") as file:
        head = file.read(2000)
    width, height = (re.search(rf' {name}="([\d.]+)pt"', head) for name in ("width", "height"))
    if not width or not height:
        raise ValueError(f"{svg}: an SVG without width and height in points")
    return round(float(width[1]) * 4 / 3), round(float(height[1]) * 4 / 3)
