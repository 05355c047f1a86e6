"""The answer that a sweep gives, in sentences that stand before its tables."""

from collections.abc import Mapping
from typing import Any

from pipeline.report.answer.asked import asked
from pipeline.report.answer.best import best, others
from pipeline.report.answer.candidates import candidates
from pipeline.report.answer.claims import claims
from pipeline.report.answer.comparison import comparison_in_words
from pipeline.report.answer.edge import edge
from pipeline.report.answer.failures.causes import causes_in_words
from pipeline.report.answer.failures.first_steps import first_steps_in_words
from pipeline.report.answer.failures.none_converged import none_converged
from pipeline.report.answer.limits import limits
from pipeline.report.answer.next_command import draws_starts, to_decide
from pipeline.report.answer.restarts import restarts
from pipeline.report.answer.shape import shapes
from pipeline.report.answer.share import share
from pipeline.report.starts.effects import starts_in_words
from pipeline.stats.summary import Summary

__all__ = ["answer", "comparison_in_words", "in_words"]


def answer(summary: Summary, command: str = "", study: str = "", configuration: Mapping[str, Any] | None = None) -> list[str]:
    """The answer, a paragraph each; the command that would decide, if there is one, is the last.

    What was asked; the share that converged, and why others did not; the best setting at the lowest threshold that was
    reached, with its rivals, the edge of the grid and the restart cutoff; the other thresholds; what each axis does; what the
    tutorial claims; which starts converge, and where steps are too long for them; what the sample cannot show; what would.
    `command`, `study` and `configuration`: those of the sweep, if known.
    """
    if not len(summary):
        return ["There are no runs."]
    first = asked(summary), share(summary), causes_in_words(summary)
    return list(filter(None, [*first, *_costs(summary, command, study, configuration or {})]))


def _costs(summary: Summary, command: str, study: str, configuration: Mapping[str, Any]) -> list[str]:
    """What a success costs, and where; what to do next."""
    ordered = candidates(summary)
    reached = [one for one in ordered if one.converged]
    if not reached:
        return [none_converged(summary), limits(summary)]
    main = reached[0]
    return [
        none_converged(summary, ordered[0].threshold) if main is not ordered[0] else "",
        best(main),
        edge(main),
        restarts(summary, main),
        others([one for one in ordered if one is not main and one is not ordered[0]]),
        shapes(summary),
        claims(summary, study, command),
        starts_in_words(summary.start_effects),
        first_steps_in_words(summary),
        limits(summary),
        *to_decide(summary, main, command, draws_starts(summary, configuration)),
    ]


def in_words(summary: Summary) -> str:
    """The answer as one text."""
    return " ".join(answer(summary))
