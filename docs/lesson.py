"""Each way not to converge, and the same run with what helps: the table of `docs/lesson.md`, by `make lesson`."""

from dataclasses import dataclass

from pipeline.app.composition import compose
from pipeline.backprop.causes.of_batch import causes
from pipeline.backprop.causes.rules import Cause
from pipeline.backprop.engines import engine
from pipeline.backprop.status import STATUSES
from pipeline.report.numbers import count, in_short
from pipeline.trials.batching import make_batch
from pipeline.trials.settings import read_run


@dataclass(frozen=True)
class Lesson:
    """A choice of `lesson`, what it sets, and what its cause advises."""

    name: str
    sets: str
    advice: str = ""


LESSONS = (
    Lesson("converging", "XOR, seed=3, learning_rate=2, threshold=1e-2"),
    Lesson("unreachable", "task.coding=bipolar", "network.output_activation=tanh"),
    Lesson("symmetric", "all weights 0.5", "initial.values.weights_2=[[0.5,0.6]]"),
    Lesson("frozen", "learning_rate=1000", "learning_rate=10"),
    Lesson("saturated", "initial.range=50", "initial.range=12.5"),
    Lesson("oscillating", "tanh units, learning_rate=1", "learning_rate=0.1"),
    Lesson("diverged", "linear output", "learning_rate=0.1"),
    Lesson("descending", "threshold=1e-3, max_epochs=1000", "max_epochs=10000"),
    Lesson("plateau", "max_epochs=30", "max_epochs=10000"),
    Lesson("minimum", "seed=11", "seed=13"),
)


@dataclass(frozen=True)
class Ending:
    """How a run ended: in words, the word of its cause, and that cause's number, empty where it has none."""

    ended: str
    cause: str
    number: str


def ending(*overrides: str) -> Ending:
    """Trains a run and says how it ended."""
    trial, settings = read_run(compose([*overrides, "on_unreachable=warn"]))
    result = engine(settings.engine)(make_batch([trial], settings.curve_points))
    found = causes(result)
    cause, number = Cause(int(found.code[0])), float(found.number[0])
    ended = f"{STATUSES[result.status[0]]} after {count(int(result.epochs[0]), 'epoch')}"
    return Ending(ended, cause.word, in_short(float(f"{number:.2g}")) if cause.number else "")


def table() -> str:
    """The lessons, in Markdown."""
    rows = [("lesson", "set", "ended", "cause", "number", "what helps", "then"), ("---",) * 7]
    for lesson in LESSONS:
        end = ending(f"lesson={lesson.name}")
        then = ending(f"lesson={lesson.name}", lesson.advice).ended if lesson.advice else ""
        rows.append((lesson.name, lesson.sets, end.ended, end.cause, end.number, lesson.advice, then))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(table())
