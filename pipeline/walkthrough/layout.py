"""Where the units of a drawn network and the labels of its weights are, and how numbers are written there."""

from dataclasses import dataclass

RADIUS = 0.58  # of a unit


@dataclass(frozen=True, slots=True)
class Board:
    """Where the units are: each layer is a column, `across` from the next, its units `down` from each other."""

    units: tuple[int, ...]
    across: float
    down: float

    def spot(self, layer: int, index: int) -> tuple[float, float]:
        """The middle of a unit."""
        return self.across * layer, self.down * ((self.units[layer] - 1) / 2 - index)

    def label(self, layer: int, index: int, source: int) -> tuple[float, float]:
        """Where the label of a weight stands on its line: no two of a layer are at the same height."""
        share = 1 / (self.units[layer] + 1)
        (x, y), (to_x, to_y) = self.spot(layer - 1, source), self.spot(layer, index)
        return x + share * (to_x - x), y + share * (to_y - y)

    @property
    def top(self) -> float:
        """The height of the biases: above all units."""
        return self.down * (max(self.units) - 1) / 2 + 1.5


def short(value: float) -> str:
    """Four significant digits, with a real minus sign."""
    return f"{value + 0.0:.4g}".replace("-", "−")
