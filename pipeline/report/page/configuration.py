"""The configuration of a sweep as its report has it: keys and values as one writes them on the command line."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.errors import as_override
from pipeline.stats.summary import Summary

Configuration = Mapping[str, Any]
TELLING = (
    "task.name", "network.hidden", "network.activation", "network.output_activation", "network.bias", "initial.kind",
    "initial.range", "learning_rate", "momentum", "update", "criterion", "threshold", "max_epochs", "seed",
)  # fmt: skip
NEUTRAL = {  # what says that initial weights are not changed
    ("initial.scale", "1"), ("initial.offset", "{}"), ("initial.set", "{}"),
    *((f"initial.direction.{key}", "null") for key in ("seed", "to", "fraction", "distance")),
}  # fmt: skip
SECRET = "tracking"  # says where runs are stored, perhaps with a password: not part of the experiment


def fixed(summary: Summary, configuration: Configuration) -> list[tuple[str, str]]:
    """Keys and values that all runs share."""
    pairs = flat(configuration)
    shown = (pair for pair in pairs if pair not in NEUTRAL)
    return [(key, value) for key, value in shown if key.partition(".")[0] != SECRET and key not in summary.axes]


def flat(configuration: Configuration, above: str = "") -> Iterator[tuple[str, str]]:
    """The configuration as dotted keys and values as one writes them on the command line."""
    for key, value in configuration.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", as_override(value)


def values(summary: Summary, axis: str) -> str:
    """The values of an axis in the order of the runs, those in the middle left out where there are many."""
    ordered = summary.factorized(axis)[1].sort_index()
    if len(ordered) <= 8:
        return ", ".join(map(as_override, ordered.tolist()))
    first, last = (", ".join(map(as_override, some.tolist())) for some in (ordered.iloc[:5], ordered.iloc[-2:]))
    return f"{first}, …, {last} ({len(ordered):,})"
