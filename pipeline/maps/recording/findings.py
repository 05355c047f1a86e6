"""What a map shows, in words and numbers: how much of it rounding decides, and what its boundary is."""

from dataclasses import dataclass

from pipeline.backprop.batch import Progress
from pipeline.maps.boundary import Boundary, boundary, outcomes, sentence
from pipeline.maps.grid import Grid
from pipeline.maps.rounding import Rounding, rounding
from pipeline.maps.training import MapResult


@dataclass(frozen=True)
class Findings:
    """`word`: what the boundary lies between, runs that did so and runs that did not."""

    rounding: Rounding
    boundary: Boundary
    word: str

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers to record."""
        return self.rounding.metrics() | self.boundary.metrics()

    @property
    def sentences(self) -> tuple[str, str]:
        """What may be said."""
        return str(self.rounding), sentence(self.boundary, self.word)


def findings(grid: Grid, result: MapResult, engine: str, progress: Progress | None = None) -> Findings:
    """Examines a trained map; some of its runs are trained again."""
    outcome, word = outcomes(result.status)
    return Findings(rounding(grid, result, engine, progress), boundary(outcome), word)
